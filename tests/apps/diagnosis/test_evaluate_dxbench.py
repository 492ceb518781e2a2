"""dxbench on cases written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.evaluate.dxbench import Choice, Resolver, choose, evaluate_dxbench, read_choices
from xinglin.apps.diagnosis.evaluate.names import Synonyms
from xinglin.errors import InvalidInputError

CASE = Choice(
    "DxBench_1", (("胸痛", True),), (("发热", False),), ("急性心肌梗死", "足癣", "无此病名"), "急性心肌梗死"
)


def written(path: Path, cases: list[Choice]) -> Path:
    lines = [
        {
            "id": case.id,
            "explicit": [{"name": name, "present": present} for name, present in case.explicit],
            "implicit": [{"name": name, "present": present} for name, present in case.implicit],
            "candidates": list(case.candidates),
            "disease": case.disease,
        }
        for case in cases
    ]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


def test_text_says_what_is_denied() -> None:
    assert CASE.text("explicit") == "胸痛。"
    assert CASE.text("explicit+implicit") == "胸痛;无发热。"


def test_an_unknown_candidate_takes_the_mean() -> None:
    scores = choose(np.array([-1.0, -3.0, 5.0]), [[0], [1], []])
    assert scores.tolist() == [-1.0, -3.0, -2.0]
    assert choose(np.array([1.0]), [[], []]).tolist() == [0.0, 0.0]
    assert choose(np.array([-1.0, 2.0]), [[0, 1]]).tolist() == [2.0]


def test_resolves_names(differential: Differential) -> None:
    resolver = Resolver(differential, Synonyms.build(differential.knowledge))
    names = [disease.name for disease in differential.pack.diseases]
    assert [names[i] for i in resolver("急性心肌梗死")] == ["急性心肌梗死"]
    assert [names[i] for i in resolver("右足癣")] == ["足癣"]
    assert resolver("癌症") == []


def test_scores_both_modes_against_the_floors(tmp_path: Path, differential: Differential) -> None:
    path = written(tmp_path / "cases.jsonl", [CASE])
    result = evaluate_dxbench(path, {"starter": differential}, Synonyms.build(differential.knowledge), path)
    figures = {(line.mode, line.arm): line.metrics["accuracy"].value for line in result.rows}
    assert figures["candidates only", "most frequent"] == 1
    assert figures["explicit", "starter"] == figures["explicit+implicit", "starter"] == 1
    assert len(result.cases) == 2
    assert sum(p or 0.0 for _, p in result.cases[0].ranked) == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_candidates_never_helps(tmp_path: Path, differential: Differential) -> None:
    turned = Choice(CASE.id, (("眼皮跳", True),), (), ("无此病甲", "无此病乙", "无此病丙"), "无此病甲")
    other = Choice(CASE.id, turned.explicit, (), turned.candidates[::-1], turned.disease)
    answers = []
    for number, case in enumerate((turned, other)):
        path = written(tmp_path / f"{number}.jsonl", [case])
        result = evaluate_dxbench(
            path, {"starter": differential}, Synonyms.build(differential.knowledge), path
        )
        answers.append(result.cases[0].ranked[0][0])
    assert answers[0] == answers[1]


def test_names_the_line_of_a_wrong_case(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": 1}', encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"bad.jsonl:1"):
        read_choices(path)


def test_halves_on_the_real_file(data: Path) -> None:
    path = data / "restricted/dxbench/dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no cases at {path}")
    choices = read_choices(path)
    assert len(choices) > 900
    assert 0.45 < sum(case.reported for case in choices) / len(choices) < 0.55
