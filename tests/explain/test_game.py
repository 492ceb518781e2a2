"""The game: what the model is asked, and how often."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from tests.explain.scores import letters, word_score
from xinglin.errors import InvalidInputError
from xinglin.explain import Explainable, Game, segment
from xinglin.explain.game import MAX_LOG_ODDS, ends

NOTE = letters(6)
UNITS = segment(NOTE)
ALL = np.array(np.meshgrid(*[[False, True]] * 6)).T.reshape(-1, 6)


def test_values_are_log_odds() -> None:
    game = Game(word_score({"w01": 2.0, "w04": -0.5}), NOTE, UNITS, 0)
    assert game.value(ends(6)) == pytest.approx([-1.0, 0.5])
    assert game.value(ALL) == pytest.approx(-1.0 + 2.0 * ALL[:, 1] - 0.5 * ALL[:, 4])
    assert Game(word_score({"w01": 2.0}), NOTE, UNITS, 1).value(ends(6)) == pytest.approx([1.0, -1.0])
    assert isinstance(game, Explainable)


def test_log_odds_against_all_other_classes() -> None:
    row = np.log([0.2, 0.5, 0.3])
    game = Game(lambda texts: np.tile(row, (len(texts), 1)), NOTE, UNITS, 1)
    assert game.value(ends(6)) == pytest.approx([0.0, 0.0])


def test_near_certainty_is_told_from_certainty() -> None:
    game = Game(lambda texts: np.tile([-1e-18, -40.0], (len(texts), 1)), NOTE, UNITS, 0)
    assert game.value(ends(6)) == pytest.approx([40.0, 40.0])
    sure = Game(lambda texts: np.tile([0.0, -np.inf], (len(texts), 1)), NOTE, UNITS, 0)
    never = Game(lambda texts: np.tile([0.0, -np.inf], (len(texts), 1)), NOTE, UNITS, 1)
    assert sure.value(ends(6)).tolist() == [MAX_LOG_ODDS] * 2
    assert never.value(ends(6)).tolist() == [-MAX_LOG_ODDS] * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_each_variant_is_asked_once_in_batches(threads: int) -> None:
    model = word_score({"w02": 1.0})
    asked: list[str] = []
    sizes: list[int] = []
    lock = threading.Lock()

    def score(texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        with lock:
            asked.extend(texts)
            sizes.append(len(texts))
        return model(texts)

    seen: list[tuple[int, int]] = []
    game = Game(
        score,
        NOTE,
        UNITS,
        0,
        batch=7,
        threads=threads,
        progress=lambda done, total: seen.append((done, total)),
    )
    game.expect(2 * len(ALL))
    first, second = game.value(ALL), game.value(ALL[::-1])
    assert first == pytest.approx(second[::-1])
    assert first == pytest.approx(-1.0 + ALL[:, 2])
    assert len(asked) == len(set(asked)) == game.evaluations == 64
    assert max(sizes) <= 7
    assert seen[-1] == (128, 128)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_progress_can_cancel() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Game(word_score({}), NOTE, UNITS, 0, progress=stop).value(ends(6))


def test_nothing_to_explain_is_said() -> None:
    with pytest.raises(InvalidInputError, match="没有可解释的内容"):
        Game(word_score({}), "。,", segment("。,"), 0)


@pytest.mark.parametrize(
    ("answer", "target", "message"),
    [
        (np.zeros(2), 0, "shape"),
        (np.zeros((2, 1)), 0, "at least two classes"),
        (np.zeros((3, 2)), 0, "shape"),
        (np.full((2, 2), np.nan), 0, "NaN"),
        (np.array([[0.4, 0.6]] * 2), 0, "log_softmax"),
        (np.full((2, 2), -0.7), 2, "expected a class below 2, got 2"),
    ],
)
def test_an_answer_that_is_no_table_of_log_probabilities_is_refused(
    answer: np.ndarray,  # type: ignore[type-arg]
    target: int,
    message: str,
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Game(lambda texts: answer, NOTE, UNITS, target).value(ends(6))


def test_masks_of_another_note_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"expected shape \(n, 6\), got \(2, 5\)"):
        Game(word_score({}), NOTE, UNITS, 0).value(ends(5))
