"""Models evaluated behind real barriers: right ones, and ones that loop, allocate, or answer nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.release.challenge.contest import OPEN, answers, cases, make, manifest
from tests.release.challenge.models import (
    endless,
    greedy,
    not_a_number,
    write_onnx,
    write_transformers,
)
from xinglin.errors import ConfigurationError, InvalidInputError, NotPermittedError
from xinglin.release.challenge import evaluation as module
from xinglin.release.challenge import jail
from xinglin.release.challenge.entering_model import enter_model, opened_model
from xinglin.release.challenge.evaluation import EvaluationFailedError, predict
from xinglin.release.challenge.manifest import Manifest
from xinglin.release.challenge.record import entries_of
from xinglin.store import Store

TEXTS = {case.id: case.text for case in cases()}


def limited(**limits: int) -> Manifest:
    return manifest(
        limits={"cpu_seconds": 60, "wall_seconds": 60, "memory_mib": 4096, "model_mib": 8} | limits
    )


def test_an_onnx_model_answers_the_same_bits_every_time(tmp_path: Path) -> None:
    with opened_model(write_onnx(tmp_path / "m"), limited()) as model:
        one, other = predict(model, TEXTS, limited()), predict(model, TEXTS, limited())
    assert one.predictions.canonical() == other.predictions.canonical()
    found = one.predictions.probabilities.argmax(1)
    assert (found == answers().probabilities.argmax(1)).all()
    assert {jail.LIMITS, jail.PYTHON} <= set(one.barriers)
    assert jail.STRONG & set(one.barriers)


def test_a_transformers_model_answers_the_same_bits_as_by_hand(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import BertForSequenceClassification

    folder = write_transformers(tmp_path / "m")
    texts = dict(list(TEXTS.items())[:20])
    patient = limited(wall_seconds=400, cpu_seconds=400)
    with opened_model(folder, patient) as model:
        one, other = predict(model, texts, patient), predict(model, texts, patient)
    assert jail.STRONG & set(one.barriers)
    assert one.predictions.canonical() == other.predictions.canonical()
    from tokenizers import Tokenizer

    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    network = BertForSequenceClassification.from_pretrained(folder).eval()
    for key, row in zip(one.predictions.ids, one.predictions.probabilities, strict=True):
        with torch.no_grad():
            logits = network(torch.tensor([tokens.encode(texts[key]).ids])).logits[0].double()
        np.testing.assert_allclose(row, torch.softmax(logits, 0).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "limits", "said"),
    [
        pytest.param(endless, {"wall_seconds": 3}, "longer than 3 seconds", id="sleeps"),
        pytest.param(endless, {"cpu_seconds": 2}, "limit of CPU time", id="burns", marks=pytest.mark.slow),
        pytest.param(lambda: greedy(1 << 30), {"memory_mib": 1024}, "memory|broke with", id="allocates"),
        pytest.param(not_a_number, {}, "finite numbers", id="not a number"),
    ],
)
def test_a_model_that_gives_no_answer(
    tmp_path: Path, model: object, limits: dict[str, int], said: str
) -> None:
    folder = write_onnx(tmp_path / "m", model())  # type: ignore[operator]
    with opened_model(folder, limited(**limits)) as found, pytest.raises(EvaluationFailedError, match=said):
        predict(found, dict(list(TEXTS.items())[:2]), limited(**limits))


def test_files_that_break_say_no_content(tmp_path: Path) -> None:
    folder = write_onnx(tmp_path / "m")
    (folder / "tokenizer.json").write_text(json.dumps({"version": "咳嗽"}), encoding="utf-8")
    with opened_model(folder, limited()) as model, pytest.raises(EvaluationFailedError) as error:
        predict(model, TEXTS, limited())
    assert "咳嗽" not in str(error.value)


def test_without_a_strong_barrier_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child as it would be on a kernel that refuses: told so, it stops before the model."""
    wrapped = tmp_path / "weak.py"
    wrapped.write_text(
        "from xinglin.release.challenge import jail, seccomp, worker\n"
        "jail.leave_network = lambda: []\nseccomp.install = lambda: False\njail._landlock = lambda places: False\n"
        "worker.main()\n"
    )
    monkeypatch.setattr(module, "python", lambda *_: [sys.executable, str(wrapped)])
    with opened_model(write_onnx(tmp_path / "m"), limited()) as model:
        with pytest.raises(ConfigurationError, match="not opened: this kernel put up only resource limits"):
            predict(model, TEXTS, limited())
        weak = predict(model, TEXTS, limited(), weak=True)
    assert weak.barriers == (jail.LIMITS, jail.PYTHON)


def test_entering_a_model_and_one_that_fails(store: Store, tmp_path: Path) -> None:
    make(store, limits={"wall_seconds": 4, "cpu_seconds": 60, "memory_mib": 4096, "model_mib": 8}, daily=2)
    good = enter_model(store, "triage-test", write_onnx(tmp_path / "m"), entrant="bo", title="m", now=OPEN)
    assert (good.state, good.told["value"]) == ("accepted", 1.0)
    assert jail.STRONG & set(good.told["barriers"])
    bad = enter_model(
        store, "triage-test", write_onnx(tmp_path / "e", endless()), entrant="bo", title="e", now=OPEN
    )
    assert bad.state == "failed"
    assert "longer than 4 seconds" in bad.told["reason"]
    # A failure costs an evaluation, so it counts.
    with pytest.raises(NotPermittedError, match="2 entries a day"):
        enter_model(store, "triage-test", tmp_path / "m", entrant="bo", title="m", now=OPEN)
    # Files that are refused cost none.
    (tmp_path / "m" / "evil.py").write_text("")
    with pytest.raises(InvalidInputError, match="not taken"):
        enter_model(store, "triage-test", tmp_path / "m", entrant="ma", title="m", now=OPEN)
    with store.read() as connection:
        assert [one.state for one in entries_of(connection, "triage-test")] == ["accepted", "failed"]
    assert good.model is not None
