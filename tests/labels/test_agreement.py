"""Agreement: published worked examples, scikit-learn, and counting pair by pair."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.test_truth import votes
from xinglin.errors import InvalidInputError
from xinglin.labels.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from xinglin.labels.votes import Votes

TWELVE = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
"""Four observers, twelve units, missing votes: alpha .743 nominal (tests of pyirr and the R package irr), .815 ordinal
(tests of fast-krippendorff)."""
FIFTEEN = [".....34121133.3", "1.213343.......", "..21344.21133.4"]
"""Three observers, fifteen units: alpha .691358 nominal, .810845 interval (tests of fast-krippendorff)."""
FLEISS = (
    "0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7"
)
"""Ten items, fourteen votes each, five classes: kappa .20993 (read in AleMidolo/TestSonarQube)."""


def observers(rows: list[str]) -> Votes:
    found = [(i, j, int(x) - 1) for j, row in enumerate(rows) for i, x in enumerate(row) if x != "."]
    items, annotators, labels = np.array(found).T
    return Votes(items, annotators, labels, max(map(len, rows)), len(rows), 5)


def two(a: list[int], b: list[int], classes: int) -> Votes:
    n = len(a)
    return Votes(np.tile(np.arange(n), 2), np.repeat([0, 1], n), np.array(a + b), n, 2, classes)


def test_published_alphas() -> None:
    assert [len(row) for row in TWELVE + FIFTEEN] == [12] * 4 + [15] * 3
    twelve, fifteen = observers(TWELVE), observers(FIFTEEN)
    for data, level, published in (
        (twelve, "nominal", 0.743),
        (twelve, "ordinal", 0.815),
        (fifteen, "nominal", 0.691358),
        (fifteen, "interval", 0.810845),
    ):
        found = krippendorff_alpha(data, level=level, resamples=200)
        digits = 3 if data is twelve else 6
        assert round(found.value, digits) == published, level
        assert found.low < found.value < found.high
    assert krippendorff_alpha(twelve, resamples=0).items == 11  # one unit has a single vote


def test_published_fleiss() -> None:
    table = np.array([[int(x) for x in row.split()] for row in FLEISS.split("/")])
    assert table.shape == (10, 5)
    items, labels = np.nonzero(table)
    times = table[items, labels]
    items, labels = np.repeat(items, times), np.repeat(labels, times)
    data = Votes(items, np.tile(np.arange(14), 10), labels, 11, 14, 5)  # and one item without a vote
    found = fleiss_kappa(data, resamples=500)
    assert found.value == pytest.approx(0.20993070442195522, abs=1e-12)
    assert (found.items, found.votes) == (10, 140)
    assert found.low < found.value < found.high


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
@settings(max_examples=30, deadline=None)
def test_cohen_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    a, b = ([p[k] for p in pairs] for k in (0, 1))
    for ours, theirs in (("none", None), ("linear", "linear"), ("quadratic", "quadratic")):
        found = cohen_kappa(two(a, b, 4), weights=ours, resamples=0).value
        if len(set(a + b)) == 1:
            assert found is None
            continue
        assert found == pytest.approx(cohen_kappa_score(a, b, labels=range(4), weights=theirs), abs=1e-12)


def slow_alpha(data: Votes, level: str) -> float | None:
    """Every ordered pair of votes of an item against every ordered pair of pairable votes."""
    by_item = {i: data.labels[data.items == i].tolist() for i in set(data.items.tolist())}
    units = [labels for labels in by_item.values() if len(labels) >= 2]
    everything = [label for unit in units for label in unit]
    count = Counter(everything)

    def cost(c: int, k: int) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return float(c - k) ** 2
        low, high = sorted((c, k))
        return (sum(count[g] for g in range(low, high + 1)) - (count[c] + count[k]) / 2) ** 2

    n = len(everything)
    observed = sum(sum(cost(c, k) for c, k in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / n
    expected = sum(cost(c, k) for c, k in permutations(everything, 2)) / (n * (n - 1)) if units else 0
    return 1 - observed / expected if expected else None


@given(votes(), st.sampled_from(["nominal", "ordinal", "interval"]))
@settings(max_examples=40, deadline=None)
def test_alpha_is_the_count_of_pairs(data: Votes, level: str) -> None:
    if np.bincount(data.items).max() < 2:
        with pytest.raises(InvalidInputError, match="no item has two votes"):
            krippendorff_alpha(data, level=level)
        return
    found, slow = krippendorff_alpha(data, level=level, resamples=0).value, slow_alpha(data, level)
    assert (found is None) == (slow is None)
    if slow is not None:
        assert found == pytest.approx(slow, abs=1e-9)


def test_two_votes_an_item_tie_fleiss_to_alpha() -> None:
    """Krippendorff 2004: alpha = 1 - (1 - 1/n)(1 - pi), where Fleiss' kappa of two votes an item is Scott's pi."""
    generator = np.random.default_rng(0)
    a = generator.integers(0, 3, 50)
    b = np.where(generator.random(50) < 0.7, a, generator.integers(0, 3, 50))
    data = two(a.tolist(), b.tolist(), 3)
    pi, alpha = fleiss_kappa(data, resamples=0).value, krippendorff_alpha(data, resamples=0).value
    assert alpha == pytest.approx(1 - (1 - 1 / 100) * (1 - pi), abs=1e-12)


def test_the_interval_covers_the_truth() -> None:
    """Two annotators, each right with probability .8 on two even classes: kappa = 2 (.64 + .04) - 1 = .36."""
    covered = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        true = generator.integers(0, 2, 80)
        a, b = (np.where(generator.random(80) < 0.8, true, 1 - true).tolist() for _ in range(2))
        found = cohen_kappa(two(a, b, 2), resamples=200, seed=seed)
        covered += found.low <= 0.36 <= found.high
    assert 88 <= covered <= 100


def test_what_is_undefined_is_none_and_what_is_wrong_is_refused() -> None:
    same = two([1, 1, 1], [1, 1, 1], 3)
    for found in (cohen_kappa(same), fleiss_kappa(same), krippendorff_alpha(same)):
        assert found.value is None
        assert found.low is None
    assert cohen_kappa(two([0, 1, 0], [0, 1, 0], 2)).value == 1.0
    one = np.array([0, 1])
    apart = Votes(one, one, one, 2, 2, 2)
    with pytest.raises(InvalidInputError, match="share no item"):
        cohen_kappa(apart)
    with pytest.raises(InvalidInputError, match="at least 2"):
        fleiss_kappa(apart)
    with pytest.raises(InvalidInputError, match="more than once"):
        cohen_kappa(Votes(np.array([0, 0]), np.array([0, 0]), one, 1, 2, 2))
    with pytest.raises(InvalidInputError, match="same number"):
        fleiss_kappa(Votes(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0, 1, 1]), 2, 2, 2))
    for wrong in ({"level": "ratio"}, {"values": np.zeros(3)}, {"level": "interval", "values": np.zeros(2)}):
        with pytest.raises(InvalidInputError):
            krippendorff_alpha(same, **wrong)
    with pytest.raises(InvalidInputError, match="weights"):
        cohen_kappa(same, weights="cubic")


def test_values_of_an_interval_scale() -> None:
    data = observers(FIFTEEN)
    plain = krippendorff_alpha(data, level="interval", resamples=0).value
    scaled = krippendorff_alpha(data, level="interval", values=np.arange(5) * 10.0 + 3, resamples=0).value
    assert scaled == pytest.approx(plain, abs=1e-12)
    bent = krippendorff_alpha(data, level="interval", values=np.array([0, 1, 2, 30.0, 31]), resamples=0)
    assert bent.value != pytest.approx(plain, abs=0.01)


def test_resampling_is_seeded() -> None:
    data = observers(TWELVE)
    first, again, other = (krippendorff_alpha(data, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
