"""The Disease Ontology: names to codes, on lines made here and on the open file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.terms.crosswalk import load_crosswalk

LINES = [
    {"id": "DOID:1", "label": "acute myocardial infarction", "parents": ["myocardial infarction"],
     "xrefs": {"ICD10CM": ["I21", "I20-I25"], "SNOMEDCT_US": ["57054005"], "MIM": ["1"]},
     "synonyms": [["heart attacks", "EXACT"], ["coronary event", "BROAD"]]},
    {"id": "DOID:2", "label": "asthma", "parents": [], "xrefs": {}},
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "terms.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in LINES).encode()))
    return file


def test_names_lead_to_codes(path: Path) -> None:
    crosswalk = load_crosswalk(path)
    for name in (
        "acute myocardial infarction",
        "Acute Myocardial Infarctions",
        "heart attack",
        "Heart-attack",
    ):
        assert [(c.system, c.value) for c in crosswalk.codes(name)] == [
            ("icd10-cm", "I21"),
            ("snomedct", "57054005"),
        ]
    assert [c.value for c in crosswalk.codes("heart attack", "snomedct")] == ["57054005"]
    assert crosswalk.find("coronary event") == ()
    assert crosswalk.codes("asthma") == ()
    assert crosswalk.disease("DOID:2").code.display == "asthma"
    with pytest.raises(UnknownNameError):
        crosswalk.disease("DOID:3")


def test_plain_json_lines_too(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "terms.jsonl"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert load_crosswalk(plain).by_id == load_crosswalk(path).by_id


def test_broken_files(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        load_crosswalk(tmp_path / "no.jsonl")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": "DOID:1", "label": "x"}\n[1]\n')
    with pytest.raises(InvalidInputError, match=r"bad\.jsonl:2"):
        load_crosswalk(bad)
    (tmp_path / "bad.jsonl.gz").write_text("plain")
    with pytest.raises(InvalidInputError, match="gzip"):
        load_crosswalk(tmp_path / "bad.jsonl.gz")


def test_the_open_file(data: Path) -> None:
    crosswalk = load_crosswalk(data / "text" / "disease_ontology" / "terms.jsonl.gz")
    assert len(crosswalk.by_id) > 10_000
    assert "I21" in {c.value for c in crosswalk.codes("myocardial infarction", "icd10-cm")}
