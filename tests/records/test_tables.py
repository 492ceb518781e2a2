"""CSV, Parquet and Excel: rows by their mapping, broken ones with their place, nothing evaluated, nothing without bound."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records import delimited, excel, table
from xinglin.records.encoding import GB18030_MARK
from xinglin.records.mapping import mapping_from
from xinglin.records.readers.protocol import Item
from xinglin.records.readers.tables import Form, Tables

MAPPING = mapping_from(
    {
        "id": "编号",
        "text": ["主诉"],
        "age": "年龄",
        "values": [{"column": "血糖", "system": "loinc", "code": "14749-6", "unit": "mmol/L"}],
    }
)
HEADER = "编号,主诉,年龄,血糖\n"


def items(path: Path, form: Form = "csv", start: int = 0) -> list[Item]:
    reader = Tables(path, MAPPING, form)
    return [item for unit in reader.units() for item in reader.items(unit, start)]


def write(tmp_path: Path, data: bytes | str, name: str = "x.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def told(found: list[Item]) -> list[tuple[str, str]]:
    return [(item.place, item.record.id if item.record else "!" + str(item.problem)[:24]) for item in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gb18030-mark"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = (HEADER + "1,胸痛,58岁,11.2\n2,咳嗽,,\n").replace(",", delimiter)
    data = GB18030_MARK + text.encode("gb18030") if encoding.endswith("mark") else text.encode(encoding)
    first, second = items(write(tmp_path, data))
    assert first.record is not None
    assert (first.record.text, first.record.patient.age, first.record.events[0].value) == ("胸痛", 58, 11.2)
    assert second.record is not None
    assert (second.record.patient.age, second.record.events) == (None, ())
    assert first.encoding == encoding.split("-sig")[0].split("-mark")[0]
    assert (first.place, second.place) == ("line 2", "line 3")


def test_quotes_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    data = HEADER + '1,"胸痛,""伴""\n大汗",58,\r\n\r\n2,b,3,4\r\n'
    first, second = items(write(tmp_path, data))
    assert first.record is not None
    assert first.record.text == '胸痛,"伴"\n大汗'
    assert (first.place, second.place) == ("line 2", "line 5")


def test_a_broken_row_does_not_take_the_next_one_along(tmp_path: Path) -> None:
    rows = [
        *(b"1,ok,1,1", b'2,"never closed,1,1', b"3,ok,1,1", b"4,too,many,cells,here", b"5,few"),
        *(b'6,"a"b,1,1', "7,坏".encode() + b"\xff\xfe,1,1", b'8,"ok",1,1', b"9,ok,old,1", b'10,"end'),
    ]
    found = items(write(tmp_path, HEADER.encode() + b"\n".join(rows)))
    assert told(found) == [
        ("line 2", "1"),
        ("line 3", "!quotes that do not match"[:25]),
        ("line 4", "3"),
        ("line 5", "!expected 4 cells, got 5"),
        ("line 6", "!expected 4 cells, got 2"),
        ("line 7", "!quotes that do not match"[:25]),
        ("line 8", "!bytes that are not of th"),
        ("line 9", "8"),
        ("line 10", "!column '年龄': expected an"),
        ("line 11", "!quotes that do not match"[:25]),
    ]
    assert told(items(write(tmp_path, HEADER.encode() + b"\n".join(rows)), start=7)) == told(found)[7:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "header"),
        ("\n\n", "header"),
        ("编号,主诉,年龄\n1,a,2\n", "the column '血糖' in the table"),
        ("编号,主述,年龄,血糖\n", "nearest: '主述'"),
        ("编号,主诉,年龄,血糖,编号\n", "'编号' stands there twice"),
        (b"\xff\xfe\xff\n" * 9, "UTF-16"),
        (b"\x80\xff\n" * 9, "neither"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, data: bytes | str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        items(write(tmp_path, data))


def test_rows_and_cells_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_LINE", 4000)
    data = HEADER + "1," + "x" * 5000 + ",1,1\n2,ok,1,1\n" + '3,"' + "y\n" * 3000 + "4,ok,1,1\n"
    found = told(items(write(tmp_path, data)))
    assert found[0] == ("line 2", "!expected at most 0 MiB i")
    assert found[1] == ("line 3", "2")
    assert found[-1] == ("line 3004", "4")
    assert len(found) == 2 + 3000 + 1
    monkeypatch.setattr(table, "MAX_COLUMNS", 3)
    with pytest.raises(InputTooLargeError, match="at most 3 columns, got 4"):
        items(write(tmp_path, HEADER))


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=10))
@settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_any_damage_to_a_csv_keeps_the_other_rows(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    whole = (HEADER + "".join(f'{i},"病人 {i}",{i},{i}.5\n' for i in range(30))).encode()
    data = bytearray(whole)
    for at, byte in damage:
        data[len(HEADER.encode()) + at % (len(data) - len(HEADER.encode()))] = byte
    found = items(write(tmp_path, bytes(data)))
    lines = bytes(data).split(b"\n")
    intact = {
        number for number, line in enumerate(whole.split(b"\n"), 1) if number > 1 and line and line in lines
    }
    assert len([item for item in found if item.record]) >= len(intact) - 2 * len(damage)
    assert all(item.record or item.problem for item in found)


def book(rows: list[list[Any]], path: Path) -> Path:
    import openpyxl

    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


def test_an_excel_sheet(tmp_path: Path) -> None:
    import datetime

    head = ["编号", "主诉", "年龄", "血糖", "备注"]
    path = book(
        [
            *(
                [],
                head,
                [1, "胸痛", 58, 11.2, "x"],
                [2.0, "咳嗽", "3个月"],
                [],
                ["003", datetime.date(2024, 5, 31), None, "<3"],
            ),
            *([4, "=A3&B3", 1, 1], [5, "ok", 1, "=1+1"], [6, "ok", 1, 1, "=1+1"], [7, "ok", 1, "#DIV/0!"]),
            *([110101199003071234, "ok", 1, 1], [9, "ok", 1, 1, "x", "beyond"], [10, "ok", 1, 1]),
        ],
        tmp_path / "x.xlsx",
    )
    found = items(path, "excel")
    assert [(item.place, item.record.id if item.record else "!") for item in found] == [
        *(("row 3", "1"), ("row 4", "2"), ("row 6", "003"), ("row 7", "!"), ("row 8", "!"), ("row 9", "6")),
        *(("row 10", "!"), ("row 11", "!"), ("row 12", "!"), ("row 13", "10")),
    ]
    problems = [item.problem or "" for item in found if item.problem]
    assert "B7 is a formula" in problems[0]
    assert "D8 is a formula" in problems[1]
    assert "D10 is an error" in problems[2]
    assert "A11 has more digits than Excel keeps" in problems[3]
    assert "beyond the 5 columns" in problems[4]
    assert found[0].record is not None
    assert (found[0].record.patient.age, found[0].record.events[0].value) == (58, 11.2)
    assert found[2].record is not None
    assert (found[2].record.text, found[2].record.events[0].value) == ("2024-05-31", "<3")
    assert told(items(path, "excel", start=8)) == told(found)[8:]


def repacked(path: Path, change: dict[str, bytes]) -> Path:
    """The workbook with members replaced or added."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | change
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_bombs_and_entities_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book([["编号", "主诉", "年龄", "血糖"], [1, "a", 1, 1]], tmp_path / "x.xlsx")
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read(SHEET)
    bomb = repacked(path, {"xl/bomb.xml": b"\0" * 50_000_000})
    with pytest.raises(InputTooLargeError, match="expands from"):
        items(bomb, "excel")
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    for entity in (
        f'<!ENTITY a SYSTEM "file://{secret}">',
        '<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">',
    ):
        doctype = f"<!DOCTYPE worksheet [{entity}]>".encode()
        evil = sheet.replace(b"<worksheet", doctype + b"<worksheet", 1).replace(b"<v>1</v>", b"<v>&a;</v>", 1)
        evil_path = repacked(path, {SHEET: evil, "xl/bomb.xml": b""})
        with pytest.raises(InvalidInputError) as caught:
            items(evil_path, "excel")
        assert "SECRET" not in str(caught.value)
    monkeypatch.setattr(excel, "MAX_BYTES", 100)
    with pytest.raises(InputTooLargeError, match="workbook"):
        items(path, "excel")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip", b"\xd0\xcf\x11\xe0old xls"])
def test_what_is_no_workbook(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not an Excel workbook"):
        items(write(tmp_path, data, "x.xlsx"), "excel")


def test_a_damaged_workbook_is_an_error_of_ours(tmp_path: Path) -> None:
    whole = book(
        [["编号", "主诉", "年龄", "血糖"], *([i, "a", 1, 1] for i in range(50))], tmp_path / "x.xlsx"
    ).read_bytes()
    failures = 0
    for at in range(0, len(whole), len(whole) // 60):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            items(write(tmp_path, damaged, "y.xlsx"), "excel")
        except XinglinError:
            failures += 1
    assert failures > 10


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "编号": pa.array([1, 2, 3, None], pa.int64()),
        "主诉": ["胸痛", "咳嗽", None, "x"],
        "年龄": [58.0, None, 400.0, 1.0],
        "血糖": pa.array(["11.2", "<3", None, None]),
        "无关": [[1], [2], [3], [4]],
    }
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    found = items(path, "parquet")
    assert [(item.place, item.record.id if item.record else "!") for item in found] == [
        *(("row 1", "1"), ("row 2", "2"), ("row 3", "!"), ("row 4", "!"))
    ]
    assert found[0].record is not None
    assert (found[0].record.text, found[0].record.patient.age, found[0].record.events[0].value) == (
        "胸痛",
        58,
        11.2,
    )
    assert told(items(path, "parquet", start=3)) == told(found)[3:]
    whole = path.read_bytes()
    failures = 0
    for at in range(0, len(whole), len(whole) // 40):
        try:
            items(
                write(tmp_path, whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], "y.parquet"),
                "parquet",
            )
        except XinglinError:
            failures += 1
    assert failures > 5
    with pytest.raises(InvalidInputError, match="not a Parquet file"):
        items(write(tmp_path, b"PAR1 nonsense", "z.parquet"), "parquet")


def test_a_parquet_file_cannot_grow_by_repeating_a_long_cell(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 20_000
    long = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 900_000])
    repeating = pa.table(
        {"编号": list(range(count)), "主诉": long, "年龄": [1] * count, "血糖": ["1"] * count}
    )
    path = tmp_path / "x.parquet"
    pq.write_table(repeating, path)
    assert path.stat().st_size < 2_000_000
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from xinglin.records import parquet\n"
        "table = parquet.open_table(Path(sys.argv[1]))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "cells = sum(len(row.cells[1]) for row, _ in zip(table.rows, range(600)))\n"
        "print(cells, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    characters, kilobytes = map(int, done.stdout.split())
    assert characters == 600 * 900_000
    # Spelt out, one batch of 500 rows would be 450 MB.
    assert kilobytes < 150_000


def test_importing_needs_no_optional_library(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *a):\n"
        "        if name.split('.')[0] in ('pyarrow', 'openpyxl', 'pydicom', 'fhir', 'hl7', 'defusedxml', 'pandas'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from pathlib import Path\n"
        "from xinglin.errors import MissingExtraError\n"
        "from xinglin.records.mapping import mapping_from\n"
        "from xinglin.records.readers.detect import FORMATS, open_reader\n"
        "m = mapping_from({'text': 'a'})\n"
        "told = []\n"
        "Path(sys.argv[1]).mkdir()\n"
        "names = {'parquet': 'x.parquet', 'excel': 'x.xlsx', 'dicom': 'x.dcm', 'hl7': 'x.hl7', 'fhir-r5': 'x.json'}\n"
        "for form, name in names.items():\n"
        "    path = Path(sys.argv[1]) / name\n"
        '    path.write_text(\'{"resourceType": "Bundle"}\')\n'
        "    reader = open_reader(form, str(path), mapping=m if form in ('parquet', 'excel') else None)\n"
        "    try:\n"
        "        list(reader.items(next(iter(reader.units())), 0))\n"
        "    except MissingExtraError as error:\n"
        "        told.append(error.extra)\n"
        "print(told)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "in")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['records', 'records', 'records', 'records', 'records']", done.stderr
