"""The round's rule: who is settled, who goes to an expert, and in what order."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks._annotation_world import World, WorldOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.labels.majority import majority
from xinglin.labels.pipeline import MOST, Panel, decided, next_reviews, settle, unanimous
from xinglin.labels.votes import Votes


def votes(rows: list[list[int]], classes: int = 3) -> Votes:
    """One row an item: its labels, by annotators 0, 1, ..."""
    items = np.array([item for item, row in enumerate(rows) for _ in row], np.int64)
    people = np.array([place for row in rows for place, _ in enumerate(row)], np.int64)
    labels = np.array([label for row in rows for label in row], np.int64)
    return Votes(items, people, labels, len(rows), max(map(len, rows)), classes)


@pytest.mark.parametrize(
    ("labels", "vote", "expected"),
    [
        (["a", "a"], "a", "a"),
        (["a", "a"], None, "a"),
        (["a", "b"], None, None),
        (["a", "a"], "b", None),
        ([], None, None),
    ],
)
def test_only_if_nobody_differs(labels: list[str], vote: str | None, expected: str | None) -> None:
    assert unanimous(labels, vote) == expected


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ([], None),
        (["a"], "a"),
        (["a", "b"], None),
        (["a", "a"], "a"),
        (["a", "b", "b"], "b"),
        (["a", "b", "c"], None),
    ],
)
def test_experts(reviews: list[str], expected: str | None) -> None:
    assert decided(reviews) == expected


LABELS = st.lists(st.integers(0, 2), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LABELS, st.lists(st.integers(0, 2), max_size=3)), min_size=1, max_size=12))
def test_all_items_at_once_as_one_by_one(rows: list[tuple[list[int], list[int]]]) -> None:
    said = votes([row[0] for row in rows])
    given_ = [(item, place, label) for item, row in enumerate(rows) for place, label in enumerate(row[1])]
    reviews = (
        Votes(*(np.array(column, np.int64) for column in zip(*given_, strict=True)), len(rows), 3, 3)
        if given_
        else None
    )
    now = settle(Panel(said, reviews))
    for item, (labels, experts) in enumerate(rows):
        expected = decided(experts) if experts else unanimous(labels)
        assert now.labels[item] == (-1 if expected is None else expected)
        assert now.reviewed[item] == len(experts)
    listed = next_reviews(Panel(said, reviews), 100)
    assert len(set(listed.tolist())) == len(listed)
    assert all(now.reviewed[item] < MOST for item in listed)
    waiting = int((now.open & (now.reviewed < MOST)).sum())
    assert now.open[listed[:waiting]].all()
    assert not now.open[listed[waiting:]].any()


def test_the_doubtful_come_next_and_agreed_experts_are_done() -> None:
    rows = [[0, 0], [1, 1], [2, 2], [0, 1], [0, 0]] + [[k % 3] * 2 for k in range(30)]
    said = votes(rows)
    assert next_reviews(Panel(said), 1).tolist() == [3]
    reviews = Votes(np.array([3, 3, 0]), np.array([0, 1, 0]), np.array([0, 0, 1]), len(rows), 2, 3)
    listed = next_reviews(Panel(said, reviews), 100).tolist()
    assert 3 not in listed
    assert listed[0] == 0  # an expert contradicts two annotators: the least certain


def test_reviews_of_other_items_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="same items"):
        Panel(votes([[0, 0]]), votes([[0], [1]]))


def test_the_pipeline_beats_votes_in_the_simulated_world() -> None:
    """A small run of ``benchmarks annotation``: fewer errors than five labels, at two labels and a fifth of an expert."""
    from benchmarks.annotation import pipeline

    options = WorldOptions(items=4_000)
    world = World(3, options)
    labels, each, reviews = pipeline(world, 0.2)
    assert (each, reviews <= 0.2) == (2.0, True)
    error = float((labels != world.truth).mean())
    five = float((majority(World(3, options).votes(5, model=False)).labels != World(3, options).truth).mean())
    assert error < 0.005 < five


def test_the_world_is_as_stated() -> None:
    world = World(0, WorldOptions(items=50_000))
    every = np.arange(50_000)
    for accuracy in (0.93, 0.985, 0.995):
        said = world.read(every, np.full(50_000, accuracy))
        wrong = said != world.truth
        assert wrong.mean() == pytest.approx(1 - accuracy, rel=0.1)
        assert wrong[world.hard].sum() / wrong.sum() == pytest.approx(0.5, abs=0.06)
        assert (said == world.trap)[wrong & world.hard].mean() == pytest.approx(0.8 + 0.2 / 9, abs=0.06)
    assert world.hard.mean() == pytest.approx(0.08, abs=0.005)
    assert np.all(world.trap != world.truth)
