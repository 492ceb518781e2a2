"""The exam recommender and its evaluation, on rows written here and on the real graph."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.apps.diagnosis.evaluate.exam_model import Words, fit_exams, recommend
from xinglin.apps.diagnosis.evaluate.exams import department_lists, evaluate_exams, read_rows
from xinglin.errors import InvalidInputError


def row(name: str, symptoms: list[str], departments: list[str], exams: list[str]) -> dict[str, Any]:
    return {"name": name, "symptoms": symptoms, "departments": departments, "exams": exams}


ROWS = [
    row("肺炎", ["咳嗽", "发热", "咳痰"], ["内科", "呼吸内科"], ["胸片", "血常规"]),
    row("气管炎", ["咳嗽", "咳痰"], ["内科", "呼吸内科"], ["胸片", "痰培养"]),
    row("胸膜炎", ["胸痛", "咳嗽"], ["内科", "呼吸内科"], ["胸片", "胸部超声"]),
    row("胃炎", ["上腹痛", "反酸"], ["内科", "消化内科"], ["胃镜", "呼气试验"]),
    row("胃溃疡", ["上腹痛", "黑便"], ["内科", "消化内科"], ["胃镜", "便潜血"]),
    row("胃癌", ["消瘦", "黑便", "上腹痛"], ["内科", "消化内科"], ["胃镜", "腹部CT"]),
    row("未列", ["咳嗽", "喘息"], ["内科", "呼吸内科"], []),
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in rows)
    return path


def test_recommends_what_like_diseases_have() -> None:
    model = fit_exams(ROWS, seed=1)
    cough = [exam for exam, _ in recommend(model, ["咳嗽", "发热"], ["内科", "呼吸内科"], 3)]
    belly = [exam for exam, _ in recommend(model, ["上腹痛"], ["内科", "消化内科"], 3)]
    assert cough[0] == "胸片"
    assert belly[0] == "胃镜"
    assert len(set(cough)) == len(set(belly)) == 3


def test_same_seed_same_model() -> None:
    first, second = (recommend(fit_exams(ROWS, seed=3), ["黑便"], ["内科"], 5) for _ in range(2))
    assert first == second


def test_model_is_float32_and_answers_the_unknown() -> None:
    model = fit_exams(ROWS)
    assert model.lists.dtype == model.factors.dtype == model.networks[0].outputs.dtype == np.float32
    assert len(recommend(model, [], [], 5)) == 5
    assert len(recommend(model, ["从未见过"], ["无此科"], 99)) == len(model.exams)


def test_vectors_have_unit_length() -> None:
    words = Words.learn([["a", "b"], ["b", "c", "c"]], 1)
    matrix = words.vectors([["a", "c", "c"], ["x"]])
    assert np.linalg.norm(matrix.toarray(), axis=1) == pytest.approx([1.0, 0.0])


def test_refuses_a_graph_without_exams() -> None:
    with pytest.raises(InvalidInputError, match="exams"):
        fit_exams([ROWS[-1]])


def test_floor_is_the_department() -> None:
    lists = department_lists(ROWS, [row("新", ["x"], ["内科", "消化内科"], ["胃镜"])], 2)
    assert lists[0][0] == "胃镜"
    assert len(lists[0]) == 2


def test_evaluation_never_trains_on_a_scored_disease(tmp_path: Path) -> None:
    secret = row("肺炎", ["咳嗽"], ["内科", "呼吸内科"], ["只此一家"])
    train = written(tmp_path / "train.jsonl.gz", [*ROWS[1:], secret])
    result = evaluate_exams(written(tmp_path / "test.jsonl.gz", [secret]), train, seed=0)
    assert {line.arm for line in result.rows} == {"xinglin", "department"}
    assert set(result.rows[0].metrics) == {"hit_at_5", "precision_at_5", "recall_at_5"}
    assert result.rows[0].metrics["hit_at_5"].value == 0
    assert result.cases[0].truth == ["只此一家"]
    assert "p =" in result.remarks[0]


def test_names_the_line_of_a_wrong_row(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"bad\.jsonl\.gz:1: symptoms"):
        read_rows(written(tmp_path / "bad.jsonl.gz", [{"name": "x", "symptoms": "咳嗽"}]))


@pytest.mark.slow
def test_beats_the_department_on_the_real_graph(data: Path, tmp_path: Path) -> None:
    path = data / "restricted/zh_disease_kg_xywy/kg.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no graph at {path}")
    rows = [item for item in read_rows(path) if item["exams"]]
    train, test = (
        written(tmp_path / "a.jsonl.gz", rows[400:2400]),
        written(tmp_path / "b.jsonl.gz", rows[:400]),
    )
    result = evaluate_exams(test, train)
    ours, floor = (line.metrics["hit_at_5"].value for line in result.rows)
    assert ours > floor + 0.03
