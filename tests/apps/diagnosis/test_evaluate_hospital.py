"""ai-hospital: halves, arms, and the join that is learnt from the tuning half."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.evaluate import evaluate
from xinglin.apps.diagnosis.evaluate.door import Request
from xinglin.apps.diagnosis.evaluate.hospital import reported
from xinglin.apps.diagnosis.evaluate.hospital_join import fit_hospital_join, read_tuning
from xinglin.apps.diagnosis.evaluate.names import Synonyms
from xinglin.errors import ConfigurationError, InvalidInputError

STATEMENTS = {
    "急性心肌梗死": "胸痛2小时,出汗",
    "急性阑尾炎": "转移性右下腹痛1天,发热",
    "肺炎": "发热咳嗽3天,咳黄痰",
}


def record(number: int) -> dict[str, Any]:
    name = list(STATEMENTS)[number % 3]
    return {
        "patient_id": number,
        "opening_statements": {"gpt4": STATEMENTS[name]},
        "exam_results": ["血常规:白细胞升高"],
        "gold_diagnosis_list": [name, "高血压"],
        "gpt4_onestep": f"#诊断结果#\n1. {name}\n#依据#",
    }


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    return word_checkpoint(tmp_path_factory.mktemp("words"), list(STATEMENTS), STATEMENTS)


def test_the_reported_half_of_the_real_file(data: Path) -> None:
    path = data / "text/ai_hospital_cases/dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no records at {path}")
    from xinglin.graph.importers import read_lines

    halves = [reported(row) for _, row in read_lines(path)]
    assert (sum(halves), len(halves)) == (186, 394)


def test_the_text_model_is_scored_alone_and_with_the_graph(
    tmp_path: Path, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XINGLIN_DATA", str(tmp_path))  # no imported graph: it takes long to compile
    path = written(tmp_path / "a.jsonl", [record(number) for number in range(6)])
    result = evaluate(Request("ai-hospital", path, model=words))
    arms = {row.arm: row.metrics["top5"].value for row in result.rows if row.mode == "statement"}
    assert set(arms) == {"starter", "model", "both", "starter+echo"}
    first = {(case.id, case.arm): case.ranked[0][0] for case in result.cases if case.mode == "statement"}
    for number in (1, 2, 4, 5):
        assert (
            first[str(number), "model"]
            == first[str(number), "both"]
            == record(number)["gold_diagnosis_list"][0]
        )
    assert any("statement both top5" in remark and "the graph alone" in remark for remark in result.remarks)


def test_the_reported_half_teaches_nothing(tmp_path: Path, differential: Differential) -> None:
    rows = [record(number) for number in range(40)]
    synonyms = Synonyms.build(differential.knowledge)
    tuning = read_tuning(differential, written(tmp_path / "a.jsonl", rows), synonyms)
    assert set(tuning.ids) == {str(row["patient_id"]) for row in rows if not reported(row)}
    assert len(tuning.cases) == 2 * len(set(tuning.ids))
    first = tuning.truths[0]
    assert "急性" in differential.pack.diseases[first[0]].name or first
    assert tuning.unmatched == 0
    only = [row for row in rows if reported(row)]
    with pytest.raises(InvalidInputError, match="tuning half; got none"):
        read_tuning(differential, written(tmp_path / "b.jsonl", only), synonyms)
    odd = next(row for row in rows if not reported(row))
    with pytest.raises(InvalidInputError, match=r"c\.jsonl:1: expected gold_diagnosis_list"):
        read_tuning(
            differential, written(tmp_path / "c.jsonl", [odd | {"gold_diagnosis_list": []}]), synonyms
        )


def test_the_join_is_fitted_with_logits_of_other_weights(
    tmp_path: Path, words: Path, differential: Differential
) -> None:
    both = load_differential(words, engine="both")
    rows = [record(number) for number in range(40)]
    tuning = read_tuning(both, written(tmp_path / "a.jsonl", rows), Synonyms.build(both.knowledge))
    fitted = fit_hospital_join(both, tuning)
    assert fitted.join.n == len(tuning.cases)
    blind = np.zeros((len(tuning.cases), len(STATEMENTS)), np.float32)
    other = fit_hospital_join(both, tuning, logits=blind)
    assert other.join.text != fitted.join.text
    with pytest.raises(ConfigurationError):
        fit_hospital_join(differential, tuning)
