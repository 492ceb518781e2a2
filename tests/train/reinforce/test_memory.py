"""The memory keeps the best, draws them by rank, and pays for a scaffold only so often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rdkit")

from xinglin.errors import ConfigurationError
from xinglin.train.reinforce.diversity import ScaffoldMemory
from xinglin.train.reinforce.memory import Memory


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=60), st.integers(1, 20))
def test_the_best_are_kept_whatever_the_order(scores, capacity):
    memory = Memory(capacity, 0.01, ScaffoldMemory())
    names = [f"m{i}" for i in range(len(scores))]
    for part in (slice(0, 7), slice(7, None)):
        memory.add(names[part], scores[part])
    known = [(score, name) for score, name in zip(scores, names, strict=True) if not np.isnan(score)]
    expected = sorted(known, key=lambda one: -one[0])[:capacity]
    assert memory.parents() == expected


def test_draws_follow_the_ranks():
    memory = Memory(10, 0.05, ScaffoldMemory())
    memory.add([f"m{i}" for i in range(10)], np.linspace(0, 1, 10))
    drawn = memory.draw(40_000, np.random.default_rng(0))
    seen = np.array([sum(entry.smiles == f"m{9 - rank}" for entry in drawn) for rank in range(10)]) / 40_000
    weights = 1 / (0.05 * 10 + np.arange(10))
    assert seen == pytest.approx(weights / weights.sum(), abs=0.01)
    assert Memory(10, 0.05, ScaffoldMemory()).draw(5, np.random.default_rng(0)) == []


def test_a_scaffold_is_paid_for_only_so_often():
    scaffolds = ScaffoldMemory(limit=2, threshold=0.5)
    benzenes = ["Cc1ccccc1", "Clc1ccccc1", "Brc1ccccc1", "Ic1ccccc1"]
    assert [scaffolds.reward(one, 0.8) for one in benzenes] == [0.8, 0.8, 0.0, 0.0]
    assert scaffolds.reward("Fc1ccccc1", 0.4) == 0.4  # too low to count or to be held back
    assert scaffolds.reward("C1CCCCC1C", 0.8) == 0.8
    # Chains have no scaffold in common: each stands for itself.
    assert [scaffolds.reward("C" * n, 0.9) for n in range(1, 6)] == [0.9] * 5
    free = ScaffoldMemory()
    assert [free.reward(one, 0.8) for one in benzenes] == [0.8] * 4


def test_senseless_settings_are_refused():
    with pytest.raises(ConfigurationError):
        ScaffoldMemory(limit=0)
    with pytest.raises(ConfigurationError):
        Memory(0, 0.01, ScaffoldMemory())
