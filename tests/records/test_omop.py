"""OMOP CDM 5.4 tables -> a record a person; broken rows are told by table and line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError
from xinglin.records.context import site_of, time_of
from xinglin.records.readers.omop import Omop
from xinglin.records.readers.protocol import Item
from xinglin.types import Code

TABLES: dict[str, list[list[str]]] = {
    "person": [
        ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "care_site_id"],
        ["1", "8532", "1980", "5", "31", "7"],
        ["2", "0", "1990", "", "", ""],
        ["10", "8507", "1970", "1", "", ""],
    ],
    "condition_occurrence": [
        [
            "condition_occurrence_id",
            "person_id",
            "condition_concept_id",
            "condition_start_date",
            "condition_source_value",
        ],
        ["1", "1", "201826", "2019-03-04", "E11.9"],
        ["2", "1", "0", "2019-03-05", "头痛"],
        ["3", "1", "0", "2019-03-05", ""],
        ["4", "2", "4329847", "2020-01-01", "I21"],
    ],
    "measurement": [
        [
            *(
                "measurement_id",
                "person_id",
                "measurement_concept_id",
                "measurement_date",
                "measurement_datetime",
            ),
            *(
                "operator_concept_id",
                "value_as_number",
                "value_as_concept_id",
                "unit_concept_id",
                "range_low",
            ),
            *("range_high", "unit_source_value"),
        ],
        [
            "1",
            "1",
            "3004501",
            "2024-05-31",
            "2024-05-31 08:30:00",
            "4172703",
            "11.2",
            "",
            "8753",
            "3.9",
            "6.1",
            "mmol",
        ],
        ["2", "1", "3016723", "2024-05-30", "", "4171756", "0.01", "", "", "", "", "ng/mL"],
        ["3", "1", "3032080", "2024-05-30", "", "", "", "45877985", "", "", "", ""],
        ["4", "1", "3016723", "yesterday", "", "", "1", "", "", "", "", ""],
        ["5", "", "3016723", "2024-05-30", "", "", "1", "", "", "", "", ""],
    ],
    "drug_exposure": [
        ["person_id", "drug_concept_id", "drug_exposure_start_date"],
        ["10", "1503297", "2023-02-01"],
    ],
    "note": [
        ["note_id", "person_id", "note_date", "note_title", "note_text"],
        ["1", "10", "2023-02-02", "", "第二天,好转"],
        ["2", "10", "2023-02-01", "入院记录", "胸痛3天,\n伴大汗"],
    ],
    "concept": [
        ["concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_code"],
        ["201826", "Type 2 diabetes mellitus", "Condition", "SNOMED", "44054006"],
        ["3004501", "Glucose", "Measurement", "LOINC", "2345-7"],
        ["3032080", "ABO", "Measurement", "LOINC", "883-9"],
        ["45877985", "Blood group A", "Meas Value", "LOINC", "LA19710-5"],
        ["8753", "millimole per liter", "Unit", "UCUM", "mmol/L"],
        ["1503297", "metformin", "Drug", "RxNorm", "6809"],
    ],
    "care_site": [["care_site_id", "care_site_name"], ["7", "东院"]],
}


def write(folder: Path, tables: dict[str, list[list[str]]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)
    return folder


def items(path: Path, start: int = 0) -> list[Item]:
    reader = Omop(path)
    return [item for unit in reader.units() for item in reader.items(unit, start)]


def check(found: list[Item]) -> None:
    assert [item.place for item in found if item.record] == ["person 10", "person 2"]
    male, other = (item.record for item in found if item.record)
    assert male is not None
    assert other is not None
    assert male.text == "入院记录\n胸痛3天,\n伴大汗\n\n第二天,好转"
    assert (male.patient.sex, male.patient.age) == ("male", pytest.approx(53.09, abs=0.01))
    assert (male.events[1].code, male.events[1].kind) == (Code("rxnorm", "6809"), "medication")
    assert other.patient.sex is None
    assert other.events[-1].code == Code("omop", "4329847")
    assert other.events[-1].code.display == "I21"


def test_persons(tmp_path: Path) -> None:
    found = items(write(tmp_path / "omop", TABLES))
    assert [(item.place, item.problem) for item in found if item.problem] == [
        ("measurement.csv line 6", "person_id is empty"),
        ("person 1", "measurement.measurement_date: expected a date such as 2024-05-31; "
                     "name time_format for other spellings"),
    ]  # fmt: skip
    check(found)
    assert [item.place for item in items(tmp_path / "omop", start=2)] == ["person 10", "person 2"]
    assert [item.place for item in items(tmp_path / "omop", start=3)] == ["person 2"]
    mended = TABLES | {"measurement": [row for row in TABLES["measurement"] if row[3] != "yesterday"]}
    (woman,) = [item.record for item in items(write(tmp_path / "omop", mended)) if item.place == "person 1"]
    assert woman is not None
    assert (woman.id, woman.subject, woman.patient.sex) == ("1", "1", "female")
    assert woman.patient.age == pytest.approx(44, abs=0.01)
    assert woman.patient.drugs is None
    assert (site_of(woman), time_of(woman)) == ("东院", "2024-05-31T08:30:00")
    diabetes, headache, troponin, group, glucose = woman.events[2:]
    assert (diabetes.code, diabetes.code.display) == (
        Code("snomedct", "44054006"),
        "Type 2 diabetes mellitus",
    )
    assert headache.code == Code("text", "头痛")
    assert (troponin.value, troponin.unit) == ("<0.01", "ng/mL")
    assert group.value == "Blood group A"
    assert (glucose.value, glucose.unit, glucose.low, glucose.high) == (11.2, "mmol/L", 3.9, 6.1)


def test_parquet_tables_in_upper_case(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "omop"
    folder.mkdir()
    for name, (head, *rows) in TABLES.items():
        columns = {}
        for n, column in enumerate(head):
            cells = [row[n] or None for row in rows]
            whole = all(cell is None or cell.isdigit() for cell in cells)
            columns[column.upper()] = [int(cell) if cell else None for cell in cells] if whole else cells
        pq.write_table(pa.table(columns), folder / f"{name.upper()}.parquet")
    check(items(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"person": [TABLES["person"][0], *TABLES["person"][1:2] * 2]}, "two rows of this person"),
        ({"person": TABLES["person"][:1]}, "no row of this person"),
        (
            {"person": [["person_id", "gender_concept_id"], ["1", "0"]]},
            "the column 'year_of_birth' in the table",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, change: dict[str, list[list[str]]], message: str) -> None:
    found = items(write(tmp_path / "omop", TABLES | change))
    assert message in str([item.problem for item in found])


def test_without_the_table_person_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="table person"):
        items(write(tmp_path / "omop", {name: rows for name, rows in TABLES.items() if name != "person"}))
