"""Altered copies are seen, and nobody who brings records of their own loses one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.ledger.credit.near import near_copies


def _people(seed: int, rows: int = 150) -> np.ndarray:
    """Records of a mixed kind: correlated numbers on their own scales, whole numbers, yes and no."""
    generator = np.random.default_rng(seed)
    hidden = generator.normal(size=(rows, 2))
    numbers = hidden @ generator.normal(size=(2, 4)) + generator.normal(size=(rows, 4))
    answers = generator.integers(0, 2, (rows, 3))
    return np.hstack([numbers * (1, 10, 100, 0.01), np.round(50 + 9 * hidden[:, :1]), answers])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.001, 0.01, 0.03]))
def test_a_moved_copy_is_seen_wherever_it_comes_late(seed: int, share: float) -> None:
    rows = _people(7)
    generator = np.random.default_rng(seed)
    copied = (rows + generator.normal(0, share, rows.shape) * rows.std(axis=0))[generator.permutation(150)]
    found = near_copies({"first": rows, "own": _people(8), "late": copied}, ["first", "own", "late"])
    assert (found["first"], found["own"]) == ([], [])
    assert len(found["late"]) >= 0.95 * 150


def test_part_of_a_site_may_be_copied_and_the_rest_counts() -> None:
    rows, own = _people(1), _people(2)
    moved = rows[:60] + np.random.default_rng(0).normal(0, 0.01, (60, 8)) * rows.std(axis=0)
    near = near_copies({"a": rows, "b": np.concatenate([own, moved])}, ["a", "b"])["b"]
    assert set(range(150, 210)) <= set(near)
    assert len([place for place in near if place < 150]) < 0.15 * 150


def test_copies_that_were_moved_far_are_seen_in_part() -> None:
    rows = _people(1, 400)
    far = rows + np.random.default_rng(0).normal(0, 0.2, rows.shape) * rows.std(axis=0)
    assert 0.5 * 400 < len(near_copies({"a": rows, "b": far}, ["a", "b"])["b"]) < 400


def test_the_innocent_are_not_accused() -> None:
    accused = 0
    for seed in range(200):
        sites = {"a": _people(1000 + seed), "b": _people(3000 + seed, 40)}
        accused += bool(near_copies(sites, ["a", "b"])["b"])
    assert accused <= 1


def test_whole_numbers_that_coincide_are_no_copies() -> None:
    generator = np.random.default_rng(3)
    coarse = {site: generator.integers(0, 3, (200, 3)).astype(float) for site in "ab"}
    assert near_copies(coarse, ["a", "b"]) == {"a": [], "b": []}


def test_few_records_say_nothing_and_bad_input_is_refused() -> None:
    rows = _people(1, 19)
    assert near_copies({"a": rows, "b": rows}, ["a", "b"])["b"] == []
    assert near_copies({"a": _people(1), "b": np.zeros((0, 8))}, ["a", "b"])["b"] == []
    with pytest.raises(InvalidInputError, match="every site once"):
        near_copies({"a": rows}, ["b"])
    with pytest.raises(InvalidInputError, match="a: expected numbers that are finite"):
        near_copies({"a": np.full((30, 2), np.inf)}, ["a"])


def test_gaps_are_as_good_as_numbers() -> None:
    generator = np.random.default_rng(5)
    rows, own = _people(1), _people(2)
    moved = rows + generator.normal(0, 0.01, rows.shape) * rows.std(axis=0)
    gaps = generator.random(rows.shape) < 0.1
    gaps[:, 3] = True  # a column that nobody filled in
    for table in (rows, own, moved):
        table[gaps] = np.nan
    found = near_copies({"a": rows, "own": own, "moved": moved}, ["a", "own", "moved"])
    assert found["own"] == []
    assert len(found["moved"]) > 100
