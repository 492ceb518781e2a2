"""One row of a table, by its mapping, into a ``Record``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.context import context_events
from xinglin.records.mapping import Codes, Mapping, Value
from xinglin.types import Code, Event, Patient, Record

Cell = str | int | float | Decimal | date | None
"""What a table's cell may hold (``bool`` is an ``int``, ``datetime`` a ``date``)."""

MAX_CELL = 1_000_000
"""Characters of one cell."""
SEX = dict.fromkeys(("男", "男性", "male", "m", "man", "boy"), "male") | dict.fromkeys(
    ("女", "女性", "female", "f", "woman", "girl"), "female"
)
SEX |= dict.fromkeys(("未知", "不详", "未说明", "unknown", "other", "u", "o"), "unknown")
YEAR = 365.25
"""Days."""
_PER_YEAR = {"years": 1.0, "months": 12.0, "weeks": YEAR / 7, "days": YEAR}
_AGE = re.compile(
    r"(\d+(?:\.\d+)?)\s*"
    r"(岁|周岁|个月|月|周|天|日|years?|yrs?|months?|mos?|weeks?|wks?|days?|[ymwd])?\s*",
    re.I,
)
_AGE_UNIT = {
    "岁": "years",
    "周岁": "years",
    "个月": "months",
    "月": "months",
    "周": "weeks",
    "天": "days",
    "日": "days",
}
_AGE_LETTER = {"y": "years", "m": "months", "w": "weeks", "d": "days"}
_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))"
    r"(?:[T ]?(\d{1,2}):?(\d{2})(?::?(\d{2})(?:\.\d{1,9})?)?\s*(Z|[+-]\d{2}:?\d{2})?)?"
)


def record_from_row(mapping: Mapping, cell: Callable[[str], Cell], *, unnamed: str) -> Record:
    """Return the record of a row.

    Args:
        mapping: which column is what.
        cell: the cell of a column by its name; ``None`` or an empty text is *not known*.
        unnamed: the record's id where the mapping names no column for it.

    Raises:
        InvalidInputError: a cell is not what its column should hold; names the column, never the cell.
        InputTooLargeError: a cell of more than a million characters.
    """

    def text(column: str | None) -> str | None:
        return None if column is None else _text(cell(column), column, mapping.missing)

    named = text(mapping.id)
    if mapping.id is not None and named is None:
        raise InvalidInputError(f"column {mapping.id!r}: expected the record's id, it is empty")
    when = text(mapping.time)
    time = None if when is None else parse_time(when, f"column {mapping.time!r}", mapping.time_format)
    events = list(context_events(site=text(mapping.site), time=time))
    for value in mapping.values:
        events += _value(value, text, time)
    for codes in mapping.codes:
        events += _codes(codes, text, time)
    parts = [part for column in mapping.text if (part := text(column)) is not None]
    age = _age(mapping, text, time)
    sex = text(mapping.sex)
    return Record(
        id=unnamed if named is None else named,
        subject=text(mapping.subject),
        text="\n".join(parts),
        patient=Patient(age=age, sex=None if sex is None else parse_sex(sex, mapping)),
        events=tuple(events),
    )


def parse_time(text: str, at: str, form: str | None = None) -> str:
    """Return a date or a time as ISO 8601.

    Read are ``2024-05-31``, ``2024/5/31``, ``2024年5月31日``, ``20240531``, each alone or with a time, and what
    ``form`` (``strptime``) says. ``05/06/2024`` is refused without it: it means two days.

    Raises:
        InvalidInputError: none of these, or no such day.
    """
    wrong = InvalidInputError(
        f"{at}: expected a date such as 2024-05-31; name time_format for other spellings"
    )
    try:
        if form is not None:
            moment = datetime.strptime(text, form)
            whole = any(mark in form for mark in ("%H", "%I", "%c", "%X", "%T"))
            return moment.isoformat() if whole else moment.date().isoformat()
        found = _DATE.fullmatch(text)
        if found is None:
            raise wrong
        year, *rest = found.groups()
        month, day = (part for part in rest[:8] if part is not None)
        hour, minute, second, zone = rest[8:]
        if hour is None:
            return date(int(year), int(month), int(day)).isoformat()
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
        if zone:
            zone = "+00:00" if zone == "Z" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
        return moment.isoformat() + (zone or "")
    except ValueError:
        raise wrong from None


def parse_age(text: str, at: str, unit: str = "years") -> float:
    """Return an age in years: a bare number in ``unit``, or numbers with their units (``1岁3个月``, ``009D``).

    Raises:
        InvalidInputError: not an age, or not one from 0 to 130 years.
    """
    wrong = InvalidInputError(f"{at}: expected an age of 0 to 130 years, as a number or with its unit")
    years, end = 0.0, 0
    for found in _AGE.finditer(text):
        if found.start() != end:
            raise wrong
        end = found.end()
        word = (found[2] or "").lower()
        if not word and found.span() != (0, len(text)):
            raise wrong
        name = unit if not word else _AGE_UNIT.get(word) or _AGE_LETTER[word[0]]
        years += float(found[1]) / _PER_YEAR[name]
    if end == 0 or end != len(text) or not 0 <= years <= 130:
        raise wrong
    return years


def parse_sex(text: str, mapping: Mapping | None = None) -> Literal["male", "female"] | None:
    """Return the sex that a word says; ``None`` for a word that says *unknown*.

    Raises:
        InvalidInputError: another word.
    """
    said = dict(mapping.sex_words).get(text) if mapping else None
    said = said or SEX.get(text.lower())
    if said == "male":
        return "male"
    if said == "female":
        return "female"
    if said == "unknown":
        return None
    column = f"column {mapping.sex!r}" if mapping else "sex"
    raise InvalidInputError(f"{column}: expected a word for a sex; name others under [sex_words]")


def age_between(born: str, at: str, where: str) -> float:
    """Return the years from a date of birth to a later date, both ISO 8601.

    Raises:
        InvalidInputError: the age is not one from 0 to 130 years.
    """
    age = (date.fromisoformat(at[:10]) - date.fromisoformat(born[:10])).days / YEAR
    if not 0 <= age <= 130:
        raise InvalidInputError(f"{where}: the age at the record's time is not one from 0 to 130 years")
    return age


def parse_value(text: str) -> float | str:
    """Return a measured value: a finite number, else the text as it stands (``<0.5``, ``阴性``)."""
    try:
        number = float(text) if len(text) < 40 and "_" not in text else math.nan
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _age(mapping: Mapping, text: Callable[[str | None], str | None], time: str | None) -> float | None:
    stated = text(mapping.age)
    if stated is not None:
        return parse_age(stated, f"column {mapping.age!r}", mapping.age_unit)
    born = text(mapping.birth)
    if born is None or time is None:
        return None
    where = f"column {mapping.birth!r}"
    return age_between(parse_time(born, where, mapping.time_format), time, where)


def _value(value: Value, text: Callable[[str | None], str | None], time: str | None) -> list[Event]:
    measured = text(value.column)
    if measured is None:
        return []
    code = Code(value.system or "text", value.code or value.column, value.display or value.column)
    unit = value.unit or text(value.unit_column)
    return [Event(code, parse_value(measured), unit, time, value.low, value.high, value.kind)]


def _codes(codes: Codes, text: Callable[[str | None], str | None], time: str | None) -> list[Event]:
    cell, shown = text(codes.column), text(codes.display_column) or ""
    if cell is None:
        return []
    if not codes.separator:
        return [Event(Code(codes.system, cell, shown or cell), time=time, kind=codes.kind)]
    single = [part.strip() for part in cell.split(codes.separator) if part.strip()]
    names = [part.strip() for part in shown.split(codes.separator)]
    if len(names) != len(single):  # Names that do not pair with codes are no names of theirs.
        names = single
    return [
        Event(Code(codes.system, part, name or part), time=time, kind=codes.kind)
        for part, name in zip(single, names, strict=True)
    ]


def _text(cell: Any, column: str, missing: tuple[str, ...]) -> str | None:
    """A cell as text, spaces around it dropped; ``None`` where it says nothing."""
    if cell is None:
        return None
    if isinstance(cell, str):
        text = cell.strip()
    elif isinstance(cell, bool):
        text = "true" if cell else "false"
    elif isinstance(cell, float):
        if math.isnan(cell):
            return None
        # Spreadsheets hold every number as a double: 12345.0 was written 12345.
        text = str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    elif isinstance(cell, date):
        midnight = (
            isinstance(cell, datetime)
            and cell.tzinfo is None
            and cell == datetime.combine(cell, datetime.min.time())
        )
        text = cell.date().isoformat() if isinstance(cell, datetime) and midnight else cell.isoformat()
    elif isinstance(cell, int | Decimal):
        text = str(cell)
    else:
        raise InvalidInputError(
            f"column {column!r}: expected text, a number or a date, got {type(cell).__name__}"
        )
    if len(text) > MAX_CELL:
        raise InputTooLargeError(
            f"column {column!r}: at most {MAX_CELL:,} characters in a cell, got {len(text):,}"
        )
    if "\0" in text or (not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text)):
        raise InvalidInputError(f"column {column!r}: NUL and bytes that are no text are not characters")
    return None if not text or text in missing else text
