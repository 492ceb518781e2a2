"""One parsed HL7 v2 message -> Record.

OBX-11 by table 0085: what was deleted (D), is wrong (W), was not asked (N) or cannot be had (X) is left out, and so
is what has no result yet (I, O). OBX-2 by table 0125: NM and SN are numbers, CE and CWE coded values, TX and FT text.
"""

from __future__ import annotations

import re
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.records.context import context_events
from xinglin.records.rows import age_between, parse_sex, parse_value
from xinglin.types import Code, Event, Patient, Record

SYSTEMS = {
    "LN": "loinc",
    "SCT": "snomedct",
    "I10": "icd10-who",
    "I10C": "icd10-cm",
    "I10P": "icd10-pcs",
    "RXNORM": "rxnorm",
}
"""Names of coding systems in HL7 table 0396."""
LEFT_OUT = frozenset("DWNXIO")
TEXTS = frozenset(("TX", "FT"))
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|--|~|–|至)\s*(-?\d+(?:\.\d+)?)\s*")
_LIMIT = re.compile(r"\s*(<=?|>=?|≤|≥)\s*(-?\d+(?:\.\d+)?)\s*")
_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(?:(\d{2})(?:\.\d{1,4})?)?)?)?)?([+-]\d{4})?"
)


def record_from_message(message: Any) -> Record:
    """Return the record of a message that ``hl7.parse`` returned.

    Raises:
        InvalidInputError: a segment or a field is not what it should be; names it, never its content.
    """
    reader = _Message(message)
    control = [reader.first("MSH", 3), reader.first("MSH", 4), reader.first("MSH", 10)]
    if control[2] is None:
        raise InvalidInputError("MSH-10: expected the message's control id, it is empty")
    sent = reader.time("MSH", 7)
    events = list(
        context_events(
            site=reader.first("MSH", 4), time=reader.time("OBR", 7) or reader.time("PV1", 44) or sent
        )
    )
    texts: list[str] = []
    reader.observations(events, texts)
    reader.diagnoses(events)
    allergies = reader.allergies(events)
    sex, born = reader.first("PID", 8), reader.time("PID", 7)
    when = next((event.time for event in events if event.time and len(event.time) >= 10), None)
    age = None
    if born is not None and when is not None:
        age = age_between((born + "-01-01")[:10] if len(born) == 4 else (born + "-01")[:10], when, "PID-7")
    if sex in ("A", "N"):  # Table 0001: ambiguous, not applicable.
        sex = None
    return Record(
        id="/".join(part for part in control if part),
        subject=reader.first("PID", 3) or reader.first("PID", 2),
        text="\n".join(texts),
        patient=Patient(age=age, sex=None if sex is None else parse_sex(sex), allergies=allergies),
        events=tuple(events),
    )


class _Message:
    """The fields of a message by segment and number, escapes undone."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self.segments = [(str(segment[0]), segment) for segment in message]

    def first(self, name: str, number: int) -> str | None:
        """The first component of the first repetition of a field of the first such segment."""
        segment = next((segment for kind, segment in self.segments if kind == name), None)
        return None if segment is None else self.part(segment, number)

    def time(self, name: str, number: int) -> str | None:
        """A field as ISO 8601, as exact as it was stated."""
        return self.moment(self.first(name, number), f"{name}-{number}")

    def part(self, segment: Any, number: int, component: int = 1, repetition: int = 0) -> str | None:
        parts = self.components(segment, number, repetition)
        return parts[component - 1] if len(parts) >= component else None

    def repetitions(self, segment: Any, number: int) -> int:
        return len(segment[number]) if number < len(segment) else 0

    def components(self, segment: Any, number: int, repetition: int = 0) -> list[str | None]:
        """The components of a repetition of a field, blank ones ``None``."""
        if number >= len(segment) or repetition >= len(segment[number]):
            return []
        field = segment[number][repetition]
        raw = [field] if isinstance(field, str) else list(field)
        return [self._text(str(part)) for part in raw]

    def whole(self, segment: Any, number: int, repetition: int) -> str | None:
        """A repetition as text, its components and all."""
        if number >= len(segment) or repetition >= len(segment[number]):
            return None
        return self._text(str(segment[number][repetition]))

    def _text(self, raw: str) -> str | None:
        if raw == '""':  # HL7's word for *deleted*.
            return None
        escape = self._message.esc
        return (_unescaped(raw, self._message) if escape in raw else raw).strip() or None

    def moment(self, raw: str | None, at: str) -> str | None:
        if raw is None:
            return None
        found = _TIME.fullmatch(raw)
        if found is None:
            raise InvalidInputError(f"{at}: expected a time such as 20240531083000+0800")
        year, month, day, hour, minute, second, zone = found.groups()
        date = "-".join(part for part in (year, month, day) if part)
        if not _real(date):
            raise InvalidInputError(f"{at}: there is no such day")
        if hour is None:
            return date
        clock = f"{hour}:{minute or '00'}" + (f":{second}" if second else "")
        if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
            raise InvalidInputError(f"{at}: there is no such time of day")
        return f"{date}T{clock}" + (f"{zone[:3]}:{zone[3:]}" if zone else "")

    def code(self, segment: Any, number: int, at: str) -> Code:
        """A CE or CWE: of the code and its alternate the one of a system that we know."""
        parts = [*self.components(segment, number), *[None] * 6][:6]
        pairs = [(parts[0], parts[1], parts[2]), (parts[3], parts[4], parts[5])]
        for value, display, system in pairs:
            if value and system in SYSTEMS:
                return Code(SYSTEMS[system], value, display or parts[1] or "")
        value, display, system = pairs[0]
        if value and system:
            return Code(system, value, display or "")
        name = display or value or parts[3]
        if name is None:
            raise InvalidInputError(f"{at}: expected a code or a name, it is empty")
        return Code("text", name, name)

    def observations(self, events: list[Event], texts: list[str]) -> None:
        """OBX under the OBR that they follow, and notes."""
        taken: str | None = None
        for number, (kind, segment) in enumerate(self.segments, start=1):
            at = f"segment {number} {kind}"
            if kind == "OBR":
                taken = self.moment(self.part(segment, 7), f"{at}-7")
            elif kind == "NTE":
                for repetition in range(self.repetitions(segment, 3)):
                    if text := self.whole(segment, 3, repetition):
                        texts.append(text)
            elif kind == "OBX" and (self.part(segment, 11) or "F") not in LEFT_OUT:
                time = self.moment(self.part(segment, 14), f"{at}-14") or taken
                self._observation(segment, at, time, events, texts)

    def _observation(
        self, segment: Any, at: str, time: str | None, events: list[Event], texts: list[str]
    ) -> None:
        form = self.part(segment, 2) or ""
        values = [self.whole(segment, 5, n) for n in range(self.repetitions(segment, 5))]
        if form in TEXTS:
            texts.extend(value for value in values if value)
            return
        code = self.code(segment, 3, f"{at}-3")
        unit = self.part(segment, 6)
        low, high = _limits(self.whole(segment, 7, 0))
        for repetition in range(self.repetitions(segment, 5)):
            value = self._value(segment, form, repetition, at)
            if value is not None:
                events.append(Event(code, value, unit, time, low, high, status=self.part(segment, 11)))

    def _value(self, segment: Any, form: str, repetition: int, at: str) -> float | str | None:
        parts = self.components(segment, 5, repetition)
        if form == "NM":
            if not parts or parts[0] is None:
                return None
            value = parse_value(parts[0])
            if isinstance(value, str):
                raise InvalidInputError(f"{at}-5: expected a number, as OBX-2 says NM")
            return value
        if form == "SN":
            # comparator ^ number ^ separator ^ number
            comparator, rest = (parts[0] or "") if parts else "", [part for part in parts[1:] if part]
            said = comparator + "".join(rest)
            return parse_value(said.removeprefix("=")) if rest else None
        if form in ("CE", "CWE", "CNE"):
            return next((part for part in (*parts[1:2], *parts[:1]) if part), None)
        whole = self.whole(segment, 5, repetition)
        return None if whole is None else parse_value(whole)

    def diagnoses(self, events: list[Event]) -> None:
        """DG1: code in -3, free text in -4, time in -5."""
        for number, (kind, segment) in enumerate(self.segments, start=1):
            if kind == "DG1":
                at = f"segment {number} DG1"
                text = self.whole(segment, 4, 0)
                code = (
                    Code("text", text, text)
                    if self.part(segment, 3) is None and text
                    else self.code(segment, 3, f"{at}-3")
                )
                events.append(
                    Event(code, time=self.moment(self.part(segment, 5), f"{at}-5"), kind="condition")
                )

    def allergies(self, events: list[Event]) -> tuple[str, ...] | None:
        """AL1: the allergen in -3. No segment says nothing."""
        stated = []
        for number, (kind, segment) in enumerate(self.segments, start=1):
            if kind == "AL1":
                code = self.code(segment, 3, f"segment {number} AL1-3")
                events.append(Event(code, kind="allergy"))
                stated.append(code.display or code.value)
        return tuple(stated) or None


def _real(date: str) -> bool:
    from datetime import date as day

    try:
        day.fromisoformat((date + "-01-01")[:10] if len(date) == 4 else (date + "-01")[:10])
    except ValueError:
        return False
    return True


def _unescaped(raw: str, message: Any) -> str:
    """Escape sequences undone (chapter 2.7); what only formats or is the sender's own is dropped.

    Not the library's: it repeats a formatting command as often as the message says, and logs content.
    """
    signs = {"F": message.separators[1], "S": message.separators[3], "T": message.separators[4]}
    signs |= {"R": message.separators[2], "E": message.esc}

    def undone(found: re.Match[str]) -> str:
        said = found[1]
        if said in signs:
            return str(signs[said])
        if said.startswith((".br", ".sp", ".ce")):
            return "\n"
        if said.startswith("X") and re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", said[1:]):
            try:
                return bytes.fromhex(said[1:]).decode("utf-8").replace("\0", "")
            except UnicodeDecodeError:
                raise InvalidInputError("an escape sequence of bytes that are no UTF-8") from None
        return ""

    sign = re.escape(message.esc)
    return re.sub(f"{sign}([^{sign}]{{0,400}}){sign}", undone, raw)


def _limits(text: str | None) -> tuple[float | None, float | None]:
    """Reference range: ``3.9-6.1``, ``<5``, ``>=60``; words are none."""
    if text is None:
        return None, None
    if found := _RANGE.fullmatch(text):
        return float(found[1]), float(found[2])
    if found := _LIMIT.fullmatch(text):
        number = float(found[2])
        return (None, number) if found[1] in ("<", "<=", "≤") else (number, None)
    return None, None
