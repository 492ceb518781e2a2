"""Real open sets as rows of the quality report, and the defects that people and programs make in them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import MissingDataError
from xinglin.types import Code, Event, Finding, Patient, Record

SHARED = Path(os.environ.get("XINGLIN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DEATH = Code("loinc", "69453-9", "Cause of Death")
Random = np.random.Generator
Defect = Callable[[Record, Random], Record | None]
"""Returns the record with the defect, or ``None`` where it has nothing that could be wrong so."""


def lines(place: str) -> Iterator[dict[str, Any]]:
    path = SHARED / "text" / place
    if not path.is_file():
        raise MissingDataError(f"there is no {path}: set XINGLIN_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def questions() -> list[str]:
    """Distinct patients' questions, in a seeded order."""
    asked = list(dict.fromkeys(row["ask"] for row in lines("toyhom_internal_medicine_dialogue/dev.jsonl.gz")))
    return [asked[i] for i in np.random.default_rng(0).permutation(len(asked))]


def encounters() -> list[Record]:
    """A record a patient and day of Synthea, with a real question as its text; what is real in neither is the pair."""
    asked = iter(questions())
    kinds = (("conditions", "condition", "snomedct"), ("procedures", "procedure", "snomedct"),
             ("observations", "observation", "loinc"), ("medications", "medication", "rxnorm"))  # fmt: skip
    found = []
    for patient in lines("synthea_fhir_r4/patients_compact.jsonl.gz"):
        if not patient.get("birthDate"):
            continue
        born = date.fromisoformat(patient["birthDate"])
        days: dict[str, list[Event]] = {}
        for key, kind, system in kinds:
            for row in patient.get(key, []):
                day = str(row.get("date") or "")[:10]
                value = row.get("value")
                if day:
                    days.setdefault(day, []).append(
                        Event(
                            Code(system, row["code"], row["display"]), value, row.get("unit"), day, kind=kind
                        )
                    )
        for day, events in days.items():
            age = (date.fromisoformat(day) - born).days / 365.25
            if age < 0:
                continue
            text = next(asked, None)
            if text is None:
                return found
            found.append(
                Record(
                    f"{patient['pid']}-{day}",
                    patient["pid"],
                    text,
                    Patient(age=age, sex=patient["gender"]),
                    tuple(events),
                )
            )
    return found


def _at(record: Record, random: Random, fits: Callable[[Event], bool]) -> int | None:
    places = [place for place, event in enumerate(record.events) if fits(event)]
    return int(random.choice(places)) if places else None


def _put(record: Record, place: int, **values: Any) -> Record:
    events = list(record.events)
    events[place] = replace(events[place], **values)
    return replace(record, events=tuple(events))


def _number(event: Event) -> bool:
    return isinstance(event.value, int | float) and event.unit is not None


def digit_typed_wrong(record: Record, random: Random) -> Record | None:
    """One digit of a SNOMED CT or LOINC code changed."""
    place = _at(record, random, lambda event: event.code.system in ("snomedct", "loinc"))
    if place is None:
        return None
    code = record.events[place].code
    at = int(random.choice([i for i, c in enumerate(code.value) if c.isdigit()]))
    wrong = (int(code.value[at]) + int(random.integers(1, 10))) % 10
    value = f"{code.value[:at]}{wrong}{code.value[at + 1 :]}"
    return _put(record, place, code=Code(code.system, value, code.display))


def decimal_point_moved(record: Record, random: Random) -> Record | None:
    """A value ten times too large or too small: what a possible range can and cannot see."""
    place = _at(record, random, lambda event: _number(event) and event.value != 0)
    if place is None:
        return None
    factor = float(random.choice([0.1, 10.0]))
    return _put(record, place, value=float(record.events[place].value) * factor)  # type: ignore[arg-type]


def unit_of_another(record: Record, random: Random) -> Record | None:
    """A value with the unit of another of the same record."""
    place = _at(record, random, _number)
    if place is None:
        return None
    others = [e.unit for e in record.events if e.unit and e.unit != record.events[place].unit]
    return _put(record, place, unit=str(random.choice(others))) if others else None


def unit_lost(record: Record, random: Random) -> Record | None:
    place = _at(record, random, _number)
    return None if place is None else _put(record, place, unit=None)


def day_before_month(record: Record, random: Random) -> Record | None:
    """A date written 31/05/2014."""
    place = _at(record, random, lambda event: event.time is not None)
    if place is None:
        return None
    year, month, day = str(record.events[place].time).split("-")
    return _put(record, place, time=f"{day}/{month}/{year}")


def year_moved(years: int) -> Defect:
    def move(record: Record, random: Random) -> Record | None:
        place = _at(record, random, lambda event: event.time is not None)
        if place is None or len(record.events) < 2:
            return None
        time = str(record.events[place].time)
        return _put(record, place, time=f"{int(time[:4]) + years}-{time[5:7]}-{min(int(time[8:]), 28):02d}")

    return move


def dead_before(record: Record, random: Random) -> Record | None:
    time = str(record.events[0].time)
    death = Event(DEATH, time=f"{int(time[:4]) - int(random.integers(1, 10))}{time[4:7]}-01")
    return replace(record, events=(*record.events, death))


def weight_typed_wrong(record: Record, random: Random) -> Record | None:
    """Weight a fifth off where height and body mass index stand beside it."""
    codes = {event.code.value for event in record.events}
    if not {"29463-7", "8302-2", "39156-5"} <= codes:
        return None
    place = next(i for i, event in enumerate(record.events) if event.code.value == "29463-7")
    factor = float(random.choice([0.8, 1.2]))
    return _put(record, place, value=float(record.events[place].value) * factor)  # type: ignore[arg-type]


def pressures_swapped(record: Record, random: Random) -> Record | None:
    """A blood pressure whose two numbers changed places; the compact set has none, so it is added."""
    high, low = float(random.integers(95, 180)), float(random.integers(50, 90))
    time = record.events[0].time
    pair = (("8480-6", "Systolic Blood Pressure", low), ("8462-4", "Diastolic Blood Pressure", high))
    events = (Event(Code("loinc", code, name), value, "mm[Hg]", time) for code, name, value in pair)
    return replace(record, events=(*record.events, *events))


def limits_swapped(record: Record, random: Random) -> Record | None:
    place = _at(record, random, _number)
    return None if place is None else _put(record, place, low=9.0, high=3.0)


def event_twice(record: Record, random: Random) -> Record | None:
    return replace(record, events=(*record.events, record.events[int(random.integers(len(record.events)))]))


def age_wrong(record: Record, random: Random) -> Record | None:
    """The age of another decade."""
    age = float(record.patient.age or 0.0) + float(random.choice([-1, 1])) * float(random.integers(3, 30))
    return replace(record, patient=replace(record.patient, age=age)) if 0 <= age <= 120 else None


def age_impossible(record: Record, random: Random) -> Record | None:
    return replace(record, patient=replace(record.patient, age=float(random.integers(131, 1000))))


def pregnant_man(record: Record, random: Random) -> Record | None:
    return (
        replace(record, patient=replace(record.patient, pregnant=True))
        if record.patient.sex == "male"
        else None
    )


def lasts_too_long(record: Record, random: Random) -> Record | None:
    years = int(record.patient.age or 0) + int(random.integers(2, 20))
    return replace(
        record, findings=(Finding(Code("xinglin", "cough", "咳嗽"), "present", time=f"P{years}Y"),)
    )


def emptied(record: Record, random: Random) -> Record | None:
    return replace(record, text="", events=())


def system_unknown(record: Record, random: Random) -> Record | None:
    place = _at(record, random, lambda event: True)
    if place is None:
        return None
    code = record.events[place].code
    return _put(record, place, code=Code("hospital-internal", code.value, code.display))


DEFECTS: dict[str, Defect] = {
    "empty-record": emptied,
    "missing-unit": unit_lost,
    "code-system": system_unknown,
    "code-shape": digit_typed_wrong,
    "unit-of-analyte": unit_of_another,
    "date-format": day_before_month,
    "computed": weight_typed_wrong,
    "repeated-event": event_twice,
    "value-range": decimal_point_moved,
    "reference-range": limits_swapped,
    "age-range": age_impossible,
    "sex-conflict": pregnant_man,
    "value-order": pressures_swapped,
    "future": year_moved(30),
    "before-birth": year_moved(-130),
    "after-death": dead_before,
    "age-and-dates": age_wrong,
    "duration": lasts_too_long,
}


def retold(text: str, share: float, random: Random) -> str:
    """A copy with a share of its characters changed, dropped or doubled."""
    told: list[str] = []
    for character in text:
        if random.random() < share:
            told.append(("", "某", character + character)[int(random.integers(3))])
        else:
            told.append(character)
    return "".join(told)
