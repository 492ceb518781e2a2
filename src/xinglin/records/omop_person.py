"""The OMOP rows of one person -> Record.

A concept is written as the code of its vocabulary where the table ``concept`` is there, else as ``omop`` and its
number. Concept 0 is *no matching concept*: then the source value is the name. What names nothing is passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.context import context_events
from xinglin.records.grouping import Groups
from xinglin.records.rows import Cell, age_between, parse_time
from xinglin.types import Code, Event, Patient, Record

MAX_ROWS = 100_000
"""Rows of one person."""
MALE, FEMALE = "8507", "8532"
"""The two standard concepts of OHDSI's Gender vocabulary."""
OPERATORS = {"4171756": "<", "4171754": "<=", "4171755": ">=", "4172704": ">"}
"""Concepts of ``operator_concept_id`` that make a value a limit; 4172703 is ``=``."""
SYSTEMS = {
    "SNOMED": "snomedct",
    "LOINC": "loinc",
    "RxNorm": "rxnorm",
    "ICD10": "icd10-who",
    "ICD10CM": "icd10-cm",
}
LOOKED_UP = {
    "concept": ("concept_id", "concept_name", "vocabulary_id", "concept_code"),
    "care_site": ("care_site_id", "care_site_name"),
}
"""Table -> its key, and what is read under it."""
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "person": (
        ("gender_concept_id", "year_of_birth"),
        ("month_of_birth", "day_of_birth", "birth_datetime", "care_site_id"),
    ),
    "visit_occurrence": (("visit_start_date",), ("visit_concept_id", "visit_end_date", "care_site_id")),
    "condition_occurrence": (
        ("condition_concept_id", "condition_start_date"),
        ("condition_source_value", "condition_start_datetime"),
    ),
    "drug_exposure": (
        ("drug_concept_id", "drug_exposure_start_date"),
        ("drug_source_value", "drug_exposure_start_datetime", "quantity"),
    ),
    "procedure_occurrence": (
        ("procedure_concept_id", "procedure_date"),
        ("procedure_source_value", "procedure_datetime"),
    ),
    "measurement": (
        ("measurement_concept_id", "measurement_date"),
        (
            *("measurement_datetime", "operator_concept_id", "value_as_number", "value_as_concept_id"),
            *("unit_concept_id", "range_low", "range_high", "measurement_source_value", "unit_source_value"),
            "value_source_value",
        ),
    ),
    "observation": (
        ("observation_concept_id", "observation_date"),
        (
            *("observation_datetime", "value_as_number", "value_as_string", "value_as_concept_id"),
            *("unit_concept_id", "observation_source_value", "unit_source_value"),
        ),
    ),
    "note": (("note_date", "note_text"), ("note_datetime", "note_title")),
}
"""Table -> columns that must be there, and those that may be."""
_CODED = {
    "condition_occurrence": ("condition", "condition_start", "condition"),
    "drug_exposure": ("drug", "drug_exposure_start", "medication"),
    "procedure_occurrence": ("procedure", "procedure", "procedure"),
    "measurement": ("measurement", "measurement", "observation"),
    "observation": ("observation", "observation", "observation"),
}
"""Table -> prefix of its concept, of its dates, kind of the event."""


class Concepts:
    """Codes and names by concept id, and sites by their id; looked up where they lie, the last ones kept."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self.row = lru_cache(20_000)(self._row)

    def _row(self, table: str, key: str) -> dict[str, str]:
        return next((json.loads(content) for kind, content in self._groups.of(key) if kind == table), {})

    def code(self, concept: str | None, source: str | None) -> Code | None:
        """The code of a concept; without one the source's own word; ``None`` if there is neither."""
        if concept in (None, "0"):
            return Code("text", source, source) if source else None
        row = self.row("concept", str(concept))
        name = row.get("concept_name") or source or ""
        if "concept_code" in row and "vocabulary_id" in row:
            vocabulary = row["vocabulary_id"]
            return Code(SYSTEMS.get(vocabulary, vocabulary.lower()), row["concept_code"], name)
        return Code("omop", str(concept), name)

    def name(self, concept: str | None) -> str | None:
        """The name of a concept that stands for a value."""
        return None if concept in (None, "0") else self.row("concept", str(concept)).get("concept_name")

    def unit(self, concept: str | None, source: str | None) -> str | None:
        """UCUM code of a unit's concept, else the source's word."""
        return (
            None if concept in (None, "0") else self.row("concept", str(concept)).get("concept_code")
        ) or source


def plain(cell: Cell) -> str | None:
    """A cell of any table as text; ``None`` where it is empty. Whole numbers lose their ``.0``."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    text = str(cell).strip()
    return text or None


def person_record(person: str, rows: Iterator[tuple[str, bytes]], concepts: Concepts) -> Record:
    """Return the record of a person.

    Raises:
        InvalidInputError: no row in the table person, or two; a date or a number that is none.
        InputTooLargeError: more than 100,000 rows.
    """
    header: dict[str, str] | None = None
    events: list[Event] = []
    notes: list[tuple[str, str]] = []
    sites: list[str] = []
    for number, (table, content) in enumerate(rows):
        if number == MAX_ROWS:
            raise InputTooLargeError(f"a person: at most {MAX_ROWS:,} rows")
        row = json.loads(content)
        if table == "person":
            if header is not None:
                raise InvalidInputError("the table person has two rows of this person")
            header = row
        elif table == "note":
            if text := row.get("note_text"):
                time = _time(row, "note", "note")
                notes.append((time or "", "\n".join(filter(None, (row.get("note_title"), text)))))
        elif table == "visit_occurrence":
            sites.append(row.get("care_site_id") or "")
        elif (event := _event(table, row, concepts)) is not None:
            events.append(event)
    if header is None:
        raise InvalidInputError("the table person has no row of this person")
    newest = max(
        filter(None, [*(event.time for event in events), *(time for time, _ in notes)]), default=None
    )
    site = header.get("care_site_id") or next(filter(None, sites), None)
    named = concepts.row("care_site", site).get("care_site_name") or site if site else None
    events.sort(key=lambda event: event.time or "")
    return Record(
        id=person,
        subject=person,
        text="\n\n".join(text for _, text in sorted(notes, key=lambda note: note[0])),
        patient=Patient(age=_age(header, newest), sex=_sex(header)),
        events=(*context_events(site=named, time=newest), *events),
    )


def _sex(header: dict[str, str]) -> Literal["male", "female"] | None:
    concept = header.get("gender_concept_id")
    return "male" if concept == MALE else "female" if concept == FEMALE else None


def _age(header: dict[str, str], newest: str | None) -> float | None:
    """Age at the newest date; a birth without month or day counts from the first one, as in the FHIR reader."""
    if newest is None:
        return None
    born = header.get("birth_datetime")
    if born is None:
        year = header.get("year_of_birth")
        if year is None:
            return None
        month, day = header.get("month_of_birth") or "1", header.get("day_of_birth") or "1"
        born = f"{year.zfill(4)}-{month.zfill(2)}-{day.zfill(2)}"
    return age_between(parse_time(born, "person: date of birth"), newest, "person: date of birth")


def _event(table: str, row: dict[str, str], concepts: Concepts) -> Event | None:
    subject, dated, kind = _CODED[table]
    code = concepts.code(row.get(f"{subject}_concept_id"), row.get(f"{subject}_source_value"))
    if code is None:
        return None
    time = _time(row, dated, table)
    if table not in ("measurement", "observation"):
        return Event(code, time=time, kind=kind)
    value: float | str | None = _number(row, "value_as_number", table)
    operator = OPERATORS.get(row.get("operator_concept_id", ""))
    if value is not None and operator:
        value = f"{operator}{value:g}"
    if value is None:
        value = row.get("value_as_string") or concepts.name(row.get("value_as_concept_id"))
    if value is None:
        value = row.get("value_source_value")
    unit = concepts.unit(row.get("unit_concept_id"), row.get("unit_source_value"))
    low, high = _number(row, "range_low", table), _number(row, "range_high", table)
    return Event(code, value, unit, time, low, high, kind)


def _number(row: dict[str, str], column: str, table: str) -> float | None:
    if column not in row:
        return None
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInputError(f"{table}.{column}: expected a finite number")
    return number


def _time(row: dict[str, Any], prefix: str, table: str) -> str | None:
    said = row.get(f"{prefix}_datetime") or row.get(f"{prefix}_date")
    return None if said is None else parse_time(said, f"{table}.{prefix}_date")
