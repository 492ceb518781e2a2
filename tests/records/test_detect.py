"""Formats by content and name, and the reader for each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.records.test_hl7 import ADT, message
from tests.records.test_omop import TABLES
from tests.records.test_omop import write as write_omop
from tests.records.test_tables import book
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.records.codec import record_to_json
from xinglin.records.mapping import mapping_from
from xinglin.records.readers.detect import FORMATS, MAPPED, detect_format, open_reader
from xinglin.records.run import intake
from xinglin.store import Store
from xinglin.types import Code, Event, Record

BUNDLE = {"resourceType": "Bundle", "entry": []}
OWN = {"id": "1", "text": "胸痛"}
STORED = record_to_json(Record("1", "s", "胸痛", events=(Event(Code("a", "b")),)))


def line(*objects: object) -> bytes:
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in objects)


SOURCES: list[tuple[str, bytes, str]] = [
    ("x.json", json.dumps(BUNDLE, indent=1).encode(), "json"),
    ("x.json", line(BUNDLE), "json"),
    ("x.json", line(OWN, OWN), "jsonl"),
    ("x.json", b"\xef\xbb\xbf" + json.dumps(OWN).encode(), "json"),
    ("x.jsonl", line(BUNDLE, BUNDLE), "jsonl"),
    ("x.jsonl", line(OWN), "jsonl"),
    ("x.jsonl", b"{broken\n" + line(OWN), "jsonl"),
    ("x.jsonl.gz", gzip.compress(line(OWN)), "jsonl"),
    ("x.jsonl", line(STORED), "records"),
    ("x.ndjson", line({"resourceType": "Patient", "id": "1"}), "fhir-bulk"),
    ("x.csv", "编号,主诉\n".encode("gb18030"), "csv"),
    ("x.tsv.gz", gzip.compress(b"a\tb\n"), "csv"),
    ("x.txt", "胸痛".encode(), "notes"),
    ("x.dat", message(ADT).encode(), "hl7"),
    ("x.hl7", b"\x0b" + message(ADT).encode(), "hl7"),
    ("x.bin", b"\0" * 128 + b"DICM", "dicom"),
    ("x.bin", b"PAR1....", "parquet"),
]


@pytest.mark.parametrize(
    ("name", "data", "form"), SOURCES, ids=[f"{name}-{form}" for name, _, form in SOURCES]
)
def test_a_file_and_a_folder_of_it(tmp_path: Path, name: str, data: bytes, form: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    path.write_bytes(data)
    assert detect_format(path).form == form
    assert detect_format(tmp_path / "in").form == form


def test_other_folders(tmp_path: Path) -> None:
    book([["a"]], tmp_path / "x.xlsx")
    assert detect_format(tmp_path / "x.xlsx").form == "excel"
    assert detect_format(write_omop(tmp_path / "omop", TABLES)).form == "omop"
    most = tmp_path / "most"
    most.mkdir()
    for number in range(5):
        (most / f"{number}.txt").write_text("x")
    (most / "readme.json").write_text("{}")
    found = detect_format(most)
    assert (found.form, "5 / 6" in found.why) == ("notes", True)


def test_what_is_none_of_them(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="none at"):
        detect_format(tmp_path / "absent")
    with pytest.raises(MissingDataError, match="holds no file"):
        detect_format(tmp_path)
    (tmp_path / "x.bin").write_bytes(b"\x1f\x8b broken")
    (tmp_path / "y.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InvalidInputError, match="--format"):
        detect_format(tmp_path)


def test_links_and_hidden_files_are_left_out(tmp_path: Path, store: Store) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "deep" / "b.TXT").write_text("two")
    (folder / ".hidden.txt").write_text("three")
    (folder / "link.txt").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    done = intake(store, open_reader("notes", str(folder)), dataset="d", form="notes", actor="t")
    assert (done.stored, done.encodings) == (2, {"utf-8": 2})


def test_each_format_has_a_reader_and_knows_what_it_needs(tmp_path: Path) -> None:
    mapping = mapping_from({"text": "a"})
    for form in FORMATS:
        needs = mapping if form in MAPPED else None
        query = "view" if form == "sql" else None
        reader = open_reader(form, str(tmp_path), mapping=needs, query=query)
        assert reader.settings is not None
        if needs is not None:
            with pytest.raises(InvalidInputError, match="needs a mapping"):
                open_reader(form, str(tmp_path), query=query)
        elif form != "jsonl":
            with pytest.raises(InvalidInputError, match="no columns to map"):
                open_reader(form, str(tmp_path), mapping=mapping)
        if query is None:
            with pytest.raises(InvalidInputError, match="--query"):
                open_reader(form, str(tmp_path), mapping=needs, query="view")
    assert len(FORMATS) == 14
    with pytest.raises(InvalidInputError, match="--query"):
        open_reader("sql", "sqlite://", mapping=mapping)
    with pytest.raises(UnknownNameError, match="did you mean dicom"):
        open_reader("dicm", str(tmp_path))


def test_what_was_read_out_comes_in_again_without_loss(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(line(STORED, STORED | {"id": "2", "subject": "t"}))
    reader = open_reader(detect_format(path).form, str(path))
    assert intake(store, reader, dataset="d", form="records", actor="t").stored == 2
    (unit,) = reader.units()
    assert [record_to_json(item.record) for item in reader.items(unit, 0) if item.record] == [
        *(STORED, STORED | {"id": "2", "subject": "t"})
    ]
