"""Integrated gradients on a random transformer: the sum holds, and characters find their units."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.explain import Game, gradient_values, load_differentiable, segment
from xinglin.explain.game import ends
from xinglin.explain.gradients import _by_unit
from xinglin.explain.units import Unit

pytest.importorskip("captum")
torch = pytest.importorskip("torch")
LABELS = ("肺炎", "心绞痛", "胃肠炎")
NOTE = "患者男性,58岁,胸痛3天,大汗,否认高血压。"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.text_models import random_checkpoint

    return random_checkpoint(tmp_path_factory.mktemp("models") / "random", LABELS, exported=False)


@pytest.fixture(scope="module")
def model(folder: Path):  # type: ignore[no-untyped-def]
    return load_differentiable(folder)


def log_odds(model, text: str, target: int) -> float:  # type: ignore[no-untyped-def]
    ids = torch.tensor([model.tokenizer.encode(text).ids])
    with torch.no_grad():
        logits = model.model(input_ids=ids).logits[0].double()
    others = torch.cat([logits[:target], logits[target + 1 :]])
    return float(logits[target] - torch.logsumexp(others, 0))


def test_contributions_sum_to_the_difference(model) -> None:  # type: ignore[no-untyped-def]
    units = segment(NOTE)
    found = gradient_values(model, NOTE, units, 1)
    assert found.full == pytest.approx(log_odds(model, NOTE, 1), abs=1e-4)
    assert abs(found.gap) <= 0.01 * max(1.0, abs(found.full - found.base))
    assert found.complete
    assert (found.method, found.target, found.units) == ("gradients", "心绞痛", units)
    assert found.rest != 0.0
    assert np.abs(found.values).max() > 1e-4


def test_the_same_question_has_the_same_answer(model) -> None:  # type: ignore[no-untyped-def]
    runs = [gradient_values(model, NOTE, segment(NOTE), 0, steps=(16,)).values for _ in range(2)]
    assert runs[0] == runs[1]


def test_too_few_steps_are_admitted(model) -> None:  # type: ignore[no-untyped-def]
    coarse = gradient_values(model, NOTE, segment(NOTE), 1, steps=(1,))
    fine = gradient_values(model, NOTE, segment(NOTE), 1, steps=(64,))
    assert abs(coarse.gap) > abs(fine.gap)


def test_a_long_note_is_read_in_windows(model) -> None:  # type: ignore[no-untyped-def]
    note = "发热咳嗽三天。" * 90 + "胸痛。"
    units = segment(note, limit=20)
    found = gradient_values(model, note, units, 1, steps=(8,))
    assert len(model.tokenizer.encode(note).ids) > model.max_length
    assert len(found.values) == len(units)
    assert found.values[-1] != 0.0


def test_tokens_are_shared_by_characters() -> None:
    units = (Unit("胸痛", ((0, 2),), "word"), Unit("汗", ((3, 4),), "word"))
    tokens = np.array([[1.0, 2.0, 4.0]])  # 胸痛 | ,汗 | nothing
    values, rest = _by_unit(tokens, [0], [(0, 2), (2, 4), (4, 4)], 4, units)
    assert values == pytest.approx([1.0, 1.0])
    assert rest == pytest.approx(1.0 + 4.0)
    twice, _ = _by_unit(np.array([[1.0], [1.0]]), [0, 0], [(0, 2)], 4, units)
    assert twice == pytest.approx([2.0, 0.0])


def test_bad_input_is_refused(model) -> None:  # type: ignore[no-untyped-def]
    for units, target, steps in (((), 0, (8,)), (segment(NOTE), 3, (8,)), (segment(NOTE), 0, ())):
        with pytest.raises(InvalidInputError, match="class below 3"):
            gradient_values(model, NOTE, units, target, steps=steps)


def test_a_tokenizer_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    from tests.text_models import random_checkpoint

    other = random_checkpoint(tmp_path / "other", LABELS, seed=1, exported=False)
    path = other / "tokenizer.json"
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    vocabulary["added_tokens"] = []
    path.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_differentiable(other)


@pytest.mark.parametrize("part", ["captum.attr", "torch"])
def test_without_torch_or_captum_it_says_what_to_install(
    folder: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, part, None)
    with pytest.raises(MissingExtraError, match=r"integrated gradients needs .*xinglin\[train\]"):
        load_differentiable(folder)


def test_the_log_odds_are_those_of_the_game(model) -> None:  # type: ignore[no-untyped-def]
    def score(texts: list[str]) -> np.ndarray:  # type: ignore[type-arg]
        rows = []
        for text in texts:
            ids = torch.tensor([model.tokenizer.encode(text).ids])
            with torch.no_grad():
                rows.append(torch.log_softmax(model.model(input_ids=ids).logits[0].double(), 0).numpy())
        return np.array(rows)

    units = segment(NOTE)
    game = Game(score, NOTE, units, 1)
    assert game.value(ends(len(units)))[1] == pytest.approx(
        gradient_values(model, NOTE, units, 1, steps=(4,)).full, abs=1e-4
    )
