from __future__ import annotations

import json
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.train.examples import department_examples, diagnosis_examples


def _write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_names_aliases_and_codes_are_diseases_of_the_graph(tmp_path: Path) -> None:
    data = _write(
        tmp_path / "a.jsonl",
        {"text": "胸痛大汗", "disease": "急性心肌梗死"},
        {"text": "胸口压榨样痛", "disease": "心梗"},
        {
            "text": "crushing chest pain",
            "disease": {"system": "icd10-who", "value": "I21", "display": "急性心肌梗死"},
        },
        {"text": "crushing chest pain again", "disease": "Acute myocardial infarction"},
    )
    read = diagnosis_examples(data)
    assert {read.names[i] for i in read.targets} == {"急性心肌梗死"}
    assert len(read.names) > 1000


def test_rendered_texts_are_counted_apart(tmp_path: Path) -> None:
    data = _write(tmp_path / "a.jsonl", {"text": "胸痛大汗", "disease": "心梗"})
    read = diagnosis_examples(data, narratives=20, seed=1)
    entries = [source.as_json() for source in read.sources]
    assert [entry["records"] for entry in entries] == [1, 20]
    assert entries[1]["weak"]
    assert len(read.texts) == 21


def test_an_unknown_disease_is_named_with_the_nearest(tmp_path: Path) -> None:
    data = _write(tmp_path / "a.jsonl", {"text": "胸痛", "disease": "急性心肌埂死"})
    with pytest.raises(UnknownNameError, match=r"a.jsonl:1.*急性心肌梗死"):
        diagnosis_examples(data)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "got none"),
        ([{"text": "胸痛"}], "disease"),
        ([{"disease": "心梗"}], "text"),
        ([{"text": "", "disease": "心梗"}], "text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        diagnosis_examples(_write(tmp_path / "a.jsonl", *rows))


def test_departments_are_those_of_the_file(tmp_path: Path) -> None:
    rows = [{"ask": "胃痛", "department": "消化科"}] * 2 + [{"text": "胸痛", "department": "心血管科"}]
    read = department_examples(_write(tmp_path / "a.jsonl", *rows))
    assert read.names == ("消化科", "心血管科")
    assert read.targets == [0, 0, 1]
    with pytest.raises(InvalidInputError, match="two departments"):
        department_examples(_write(tmp_path / "b.jsonl", *rows[:2]))
    with pytest.raises(InvalidInputError, match="department"):
        department_examples(_write(tmp_path / "c.jsonl", {"text": "胸痛"}))
