"""The text sets end to end, with a transformer of random weights made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.apps.diagnosis.evaluate import evaluate, texts
from xinglin.apps.diagnosis.evaluate.door import Request
from xinglin.apps.diagnosis.evaluate.row import Evaluation, probability_figures
from xinglin.apps.diagnosis.evaluate.text_cache import Shelf
from xinglin.apps.diagnosis.evaluate.text_stack import folds_of
from xinglin.errors import CheckpointError, InvalidInputError, MissingDataError
from xinglin.train.corpus import unlearnt

pytest.importorskip("sklearn")
pytest.importorskip("torch")
from xinglin.apps.diagnosis.evaluate.text_models import (
    EncoderEvidence,
    TextSettings,
    frozen_features,
    open_base,
)

WORDS = {"呼吸科": "咳嗽咳痰", "消化科": "腹痛腹泻", "神经科": "头痛头晕"}
SYMPTOMS = {"甲病": ("咳嗽", "痰"), "乙病": ("腹痛", "腹泻"), "丙病": ("头痛", "头晕")}


def coded_case(number: int) -> dict[str, Any]:
    name = list(SYMPTOMS)[number % 3]
    explicit, implicit = SYMPTOMS[name]
    return {"id": str(number), "explicit": {explicit: "1"}, "implicit": {implicit: "1"}, "disease": name}


CODED = [coded_case(number) for number in range(24)]
FAST = TextSettings(folds=2, epochs=(0.5, 1.0), threads=1, max_length=32)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ModernBertForSequenceClassification
    from transformers.utils import logging

    from tests.text_models import SENTENCES
    from xinglin.model.checkpoint import seal_checkpoint
    from xinglin.model.sizes import build_config
    from xinglin.model.tokenizer import save_tokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("checkpoint")
    logging.disable_progress_bar()
    torch.manual_seed(0)
    tokenizer = train_tokenizer([*SENTENCES, *WORDS.values()], 400)
    model = ModernBertForSequenceClassification(
        build_config("tiny", tokenizer.get_vocab_size(), ["甲", "乙"])
    )
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    described = {"name": "mined: mz10", "sha256": None, "records": 24, "weak": False}
    seal_checkpoint(
        folder, name="random", kind="classifier", data=[described], settings={}, seeds=[0], metrics={}
    )
    return folder


def questions(n: int, seed: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    labels = list(WORDS)
    fill = list("我这两天不太舒服想问问怎么办")
    return [
        {"ask": "".join(generator.choice(fill, 8)) + WORDS[labels[i % 3]], "department": labels[i % 3]}
        for i in range(n)
    ]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


Run = Callable[..., Evaluation]


@pytest.fixture
def run(tmp_path: Path, checkpoint: Path) -> Run:
    def call(
        learnt: list[dict[str, Any]],
        scored: list[dict[str, Any]],
        name: str = "toyhom-department",
        **more: Any,
    ) -> Evaluation:
        files = (written(tmp_path / "scored.jsonl", scored), written(tmp_path / "train.jsonl", learnt))
        return evaluate(Request(name, *files, model=checkpoint, settings=FAST, **more))

    return call


def test_arms_figures_misses_and_what_is_kept(run: Run, home: Path) -> None:
    scored = [
        *questions(6, 1),
        {"ask": "皮肤瘙痒", "department": "皮肤科"},
        {"ask": " ", "department": "呼吸科"},
    ]
    learnt = [*questions(24, 0), {"ask": "", "department": "呼吸科"}]
    said: list[str] = []
    result = run(learnt, scored, report=lambda what, share: said.append(what))

    assert [row.arm for row in result.rows] == ["linear", "encoder", "xinglin"]
    floor = result.rows[0].metrics["accuracy"].value
    for row in result.rows:
        assert {"accuracy", "top3", "nll", "brier", "ece", "aurc", "coverage", "set_size"} <= set(row.metrics)
        assert row.n == 8
        assert row.metrics["accuracy"].value <= 7 / 8
        assert row.metrics["nll"].value > 27 / 8, "an impossible label costs its whole bound"
        if row.arm != "linear":
            assert row.metrics["floor"].value == floor
    assert floor >= 6 / 8
    assert result.rows[2].metrics["accuracy"].value >= 6 / 8
    assert "floor" in result.rows[0].note
    assert "headline arm" in result.rows[2].note

    assert len(result.cases) == 24
    assert all(sum(p or 0.0 for _, p in case.ranked) == pytest.approx(1) for case in result.cases)
    empty = next(case for case in result.cases if case.id == "8" and case.arm == "xinglin")
    assert [p for _, p in empty.ranked] == pytest.approx([1 / 3] * 3)

    remarks = " ".join(result.remarks)
    for expected in (
        "1 of 8 rows to score have a label that the training file lacks (皮肤科)",
        "1 of 8 rows to score have no text",
        "1 of 25 training rows have no text",
        "against linear (character 1-3-gram TF-IDF + linear SVM, same run)",
        "passes of fine-tuning",
        "stand in the training file word for word",
    ):
        assert expected in remarks

    # Two choices of passes on the first fold, one run on the second; and the frozen features.
    assert len({what for what in said if "fine-tuning" in what}) == 3
    assert len(list((home / "cache" / "evaluate").iterdir())) == 4
    said.clear()
    second = run(learnt, scored, report=lambda what, share: said.append(what))
    assert not said, "a second run computes nothing anew"
    assert [row.as_json() for row in second.rows] == [row.as_json() for row in result.rows]


def test_another_file_to_score_is_another_key(checkpoint: Path, tmp_path: Path) -> None:
    base = open_base(checkpoint, "test")
    assert base.name == "random"
    y = np.array([0, 1, 0, 1])
    said: list[str] = []

    def evidence(data: str, seed: int = 0) -> EncoderEvidence:
        return EncoderEvidence(
            *(base, ["咳嗽", "腹痛", "咳痰", "腹泻", "咳嗽"], y, ["甲", "乙"]),
            settings=FAST,
            seed=seed,
            source={"data": data},
            shelf=Shelf(tmp_path),
            report=lambda what, share: said.append(what),
        )

    folds = folds_of(y, 2, 0)
    first, passes = evidence("a").fine_tuned(folds)
    assert passes in (0.5, 1.0)
    assert first.inner.shape == (4, 2)
    assert first.outer.shape == (1, 2)
    said.clear()
    again, _ = evidence("a").fine_tuned(folds)
    assert not said
    assert (again.outer == first.outer).all()
    evidence("b").fine_tuned(folds)
    assert said
    said.clear()
    evidence("a", seed=1).fine_tuned(folds)
    assert said


def test_coded_cases_in_both_modes_never_show_answers_to_the_self_report(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "ENOUGH", 2)
    silent = [coded_case(number) | {"explicit": {}} for number in range(6)]
    result = run(CODED, silent, "mz10-text")
    accuracy = {(row.mode, row.arm): row.metrics["accuracy"].value for row in result.rows}
    assert {mode for mode, _ in accuracy} == {"self-report", "full"}
    assert accuracy["full", "xinglin"] == 1.0
    assert accuracy["self-report", "xinglin"] == pytest.approx(1 / 3), "the answers have leaked"
    assert all("templated" in row.note for row in result.rows)
    assert any("engine, log-linear" in remark for remark in result.remarks)
    # The checkpoint has learnt from such cases; some of these lie in the parts whose labels it never learns.
    new = sum(unlearnt(str(case["id"])) for case in CODED)
    assert 2 <= new < 24
    assert f"settled on the {new} learnt cases that are new to it" in result.remarks[0]
    assert "settled by" in " ".join(result.remarks)


def test_what_cannot_be_run_is_said(run: Run, tmp_path: Path, checkpoint: Path) -> None:
    scored = written(tmp_path / "d.jsonl", questions(6, 1))
    with pytest.raises(InvalidInputError, match="give --train FILE"):
        evaluate(Request("toyhom-department", scored, None, model=checkpoint))
    with pytest.raises(MissingDataError, match="there is no file"):
        evaluate(Request("toyhom-department", scored, tmp_path / "none", model=checkpoint))
    with pytest.raises(CheckpointError):
        evaluate(Request("toyhom-department", scored, scored, model=tmp_path / "none"))
    one = [row for row in questions(12, 0) if row["department"] == "呼吸科"]
    with pytest.raises(InvalidInputError, match="at least two labels"):
        run(one, questions(3, 1))
    with pytest.raises(InvalidInputError, match=r"scored\.jsonl:1: expected the input"):
        run(questions(12, 0), [{"department": "呼吸科"}])
    for wrong in ({"folds": 1}, {"epochs": ()}, {"epochs": (0.0,)}):
        with pytest.raises(InvalidInputError):
            TextSettings(**wrong)


def test_small_sets_have_more_folds_and_passes() -> None:
    settings = TextSettings()
    assert settings.fold_count(400) > settings.fold_count(4000)
    assert min(settings.choices(400)) > min(settings.choices(4000))


def test_frozen_features_do_not_depend_on_the_order_of_the_texts(checkpoint: Path) -> None:
    texts = ["咳嗽", "头痛头晕三天了,一直不好,不知道怎么办", "腹痛"]
    first = frozen_features(checkpoint, texts, 1)
    assert first.shape == (3, 128 + 2)
    assert frozen_features(checkpoint, texts[::-1], 1)[::-1] == pytest.approx(first, abs=1e-4)


def test_figures_of_a_truth_outside_the_label_space() -> None:
    p = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    figures = probability_figures(p, np.array([0, -1, 1]), [[0], [1], [0, 1]])
    assert figures["accuracy"].value == pytest.approx(1 / 3)
    assert figures["coverage"].value == pytest.approx(2 / 3)
    assert figures["brier"].value == pytest.approx((0.18 + (0.04 + 0.64 + 1) + 0.5) / 3)
    assert figures["nll"].value == pytest.approx((-np.log(0.7) + 12 * np.log(10) - np.log(0.5)) / 3)
    right = probability_figures(p[:2], np.array([0, 1]))
    assert "slope" not in right, "not defined where every case is right"
