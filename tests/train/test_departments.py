from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from xinglin.errors import MissingDataError
from xinglin.graph.load import starter
from xinglin.train.corpus import reported
from xinglin.train.departments import CMTMEDQA, TOYHOM, departments
from xinglin.train.mining import Tally


def test_categories_are_departments_of_the_graph() -> None:
    known = {disease.department for disease in starter().diseases.values()} | {"肝病科"}
    assert {*TOYHOM.values(), *CMTMEDQA.values()} <= known


def test_real_examples_are_bounded_marked_and_free_of_reported_questions(data: Path) -> None:
    tally = Tally()
    found = list(departments(data / "text", rendered=300, most=100, tally=tally))
    assert sum(tally.kept.values()) == len(found) > 900
    assert {item.origin for item in found if item.weak} == {"rendered from the graph"}
    assert all(item.templated == item.weak for item in found)
    assert tally.dropped["toyhom", "kept for reporting"] > 500
    asked = set()
    path = data / "text/toyhom_internal_medicine_dialogue/dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        asked = {row["ask"][:400] for line in lines if reported((row := json.loads(line))["ask"])}
    assert asked
    assert not asked & {item.text for item in found}
    per = {}
    for item in found:
        per[item.origin, item.department] = per.get((item.origin, item.department), 0) + 1
    assert max(per.values()) <= 100


def test_bad_rows_are_counted(tmp_path: Path) -> None:
    base = tmp_path / "toyhom_internal_medicine_dialogue"
    base.mkdir()
    with gzip.open(base / "dev.jsonl.gz", "wt", encoding="utf-8") as out:
        for row in (
            {"ask": "头疼两天怎么办", "department": "神经科"},
            {"ask": "嗯？", "department": "无此科"},
            {},
        ):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    tally = Tally()
    found = list(departments(tmp_path, exclude=lambda _: False, rendered=0, tally=tally))
    assert [item.department for item in found] == ["神经内科"]
    assert tally.dropped["toyhom", "unknown department"] == 1
    assert tally.dropped["toyhom", "row lacks ask"] == 1
    assert tally.dropped["cmtmedqa", "file cmtmedqa_dev.jsonl.gz is absent"] == 1
    with pytest.raises(MissingDataError):
        next(departments(tmp_path / "none"))
