"""Occlusion, and the parts that an attribution is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.explain.scores import letters, word_score
from xinglin.errors import InvalidInputError
from xinglin.explain import Game, occlusion_values, segment


def test_what_is_lost_without_one_unit() -> None:
    note = letters(3)
    game = Game(word_score({"w00": 1.0}, {("w00", "w02"): 2.0}), note, segment(note), 0, "answer")
    found = occlusion_values(game)
    assert found.values == pytest.approx((3.0, 0.0, 2.0))
    assert (found.base, found.full) == pytest.approx((-1.0, 2.0))
    assert found.gap == pytest.approx(-2.0)
    assert not found.complete
    assert found.order.tolist() == [0, 2, 1]
    assert found.evaluations == 5  # the whole note, three without a unit, and the empty one


def test_an_attribution_of_other_units_is_refused() -> None:
    note = letters(3)
    found = occlusion_values(Game(word_score({}), note, segment(note), 0))
    with pytest.raises(InvalidInputError, match="2 values for 3 units"):
        replace(found, values=(1.0, 2.0))
