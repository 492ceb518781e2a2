"""Truth from many: against slow oracles, the published data, and what must hold of any votes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels import em_oracles as oracle
from xinglin.errors import InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.labels.truth import METHODS, Truth, Votes, dawid_skene, glad, infer_truth, mace, majority

ITERATIVE: dict[str, Callable[[Votes], Truth]] = {
    "dawid-skene": dawid_skene,
    "maximum likelihood": lambda votes: dawid_skene(votes, smoothing=0.0),
    "glad": glad,
    "mace": lambda votes: mace(votes, restarts=2),
}
NEVER = -1.0
"""A tolerance under which no iteration is the last."""


def crowd(seed: int, items: int, annotators: int, classes: int, each: int) -> tuple[Votes, np.ndarray]:
    """Votes of annotators right with probability .5 to .95, and the truth."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, items)
    accuracy = generator.uniform(0.5, 0.95, annotators)
    item = np.repeat(np.arange(items), each)
    who = generator.integers(0, annotators, len(item))
    wrong = (true[item] + generator.integers(1, classes, len(item))) % classes
    labels = np.where(generator.random(len(item)) < accuracy[who], true[item], wrong)
    return Votes(item, who, labels, items, annotators, classes), true


@st.composite
def votes(draw: st.DrawFn) -> Votes:
    """Any votes: items and annotators without one, classes nobody voted for, an annotator with one vote, repeats."""
    items, annotators, classes = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    vote = st.tuples(st.integers(0, items - 1), st.integers(0, annotators - 1), st.integers(0, classes - 1))
    rows = np.array(draw(st.lists(vote, min_size=1, max_size=30)))
    return Votes(rows[:, 0], rows[:, 1], rows[:, 2], items, annotators, classes)


def relabelled(votes: Votes, seed: int) -> tuple[Votes, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    items, annotators, classes, order = (
        generator.permutation(size)
        for size in (votes.n_items, votes.n_annotators, votes.n_classes, len(votes))
    )
    renamed = Votes(
        items[votes.items][order],
        annotators[votes.annotators][order],
        classes[votes.labels][order],
        *(votes.n_items, votes.n_annotators, votes.n_classes),
    )
    return renamed, items, annotators, classes


@given(votes(), st.sampled_from([0.0, 0.01, 0.7]), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_dawid_skene_is_the_slow_one(votes: Votes, smoothing: float, iterations: int) -> None:
    found = dawid_skene(votes, smoothing=smoothing, max_iterations=iterations, tolerance=NEVER)
    posterior, prior, trace = oracle.dawid_skene(votes, smoothing, found.iterations)
    np.testing.assert_allclose(found.posterior, posterior, atol=1e-9)
    np.testing.assert_allclose(found.prior, prior, atol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, trace, atol=1e-9, rtol=1e-9)


@given(votes(), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_glad_is_the_slow_one(votes: Votes, iterations: int) -> None:
    found = glad(votes, max_iterations=iterations, tolerance=NEVER)
    posterior, ability, ease, trace = oracle.glad(votes, found.iterations)
    np.testing.assert_allclose(found.posterior, posterior, atol=1e-9)
    np.testing.assert_allclose(found.parameters["ability"], ability, atol=1e-9)
    np.testing.assert_allclose(found.parameters["ease"], ease, atol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, trace, atol=1e-9, rtol=1e-9)


@given(votes(), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_mace_is_the_slow_one(votes: Votes, iterations: int) -> None:
    found = mace(votes, restarts=1, max_iterations=iterations, tolerance=NEVER)
    posterior, known, habit = oracle.mace(votes, found.iterations)
    np.testing.assert_allclose(found.posterior, posterior, atol=1e-9)
    competence = [(sum(k) + 0.5) / (sum(k) + sum(h) + 1.0) for k, h in zip(known, habit, strict=True)]
    np.testing.assert_allclose(found.parameters["competence"], competence, atol=1e-9)
    strategy = np.array(habit) + 10.0
    np.testing.assert_allclose(
        found.parameters["strategy"], strategy / strategy.sum(axis=1, keepdims=True), atol=1e-9
    )


def test_mace_bound_is_the_log_likelihood_of_one_vote() -> None:
    """One vote among two classes: its probability is 1/2 whatever is known, and the bound may not pass it."""
    found = mace(Votes(np.array([0]), np.array([0]), np.array([1]), 1, 1, 2), restarts=1)
    assert found.log_likelihood[-1] <= np.log(0.5)
    assert found.log_likelihood[-1] > np.log(0.5) - 0.5


@pytest.mark.parametrize("name", ITERATIVE)
@given(votes=votes())
@settings(max_examples=25, deadline=None)
def test_what_is_climbed_never_falls(name: str, votes: Votes) -> None:
    trace = ITERATIVE[name](votes).log_likelihood
    assert len(trace) >= 2
    assert (np.diff(trace) >= -1e-9 * (1 + np.abs(trace[1:]))).all()


@pytest.mark.parametrize("method", METHODS)
@given(votes=votes(), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_names_do_not_matter(method: str, votes: Votes, seed: int) -> None:
    run = {"mace": lambda v: mace(v, restarts=1)}.get(method, METHODS[method])
    renamed, items, annotators, classes = relabelled(votes, seed)
    before, after = run(votes), run(renamed)
    np.testing.assert_allclose(after.posterior[items][:, classes], before.posterior, atol=1e-6)
    np.testing.assert_allclose(after.skill[annotators], before.skill, atol=1e-6)
    np.testing.assert_array_equal(after.votes[annotators], before.votes)


@pytest.mark.parametrize("method", METHODS)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_where_all_agree_it_stays(method: str, true: list[int], annotators: int) -> None:
    who, item = np.divmod(np.arange(annotators * len(true)), len(true))
    found = METHODS[method](Votes(item, who, np.array(true)[item], len(true), annotators, 4))
    assert found.labels.tolist() == true
    assert (found.confidence > 0.5).all()
    assert not found.tied.any()


@pytest.mark.parametrize("method", METHODS)
@given(votes=votes())
@settings(max_examples=20, deadline=None)
def test_an_item_without_a_vote_keeps_the_prior(method: str, votes: Votes) -> None:
    found = METHODS[method](votes)
    missing = sorted(set(range(votes.n_items)) - set(votes.items.tolist()))
    assert np.flatnonzero(found.unvoted).tolist() == missing
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.posterior[missing], np.tile(found.prior, (len(missing), 1)), atol=1e-12)
    idle = sorted(set(range(votes.n_annotators)) - set(votes.annotators.tolist()))
    assert np.flatnonzero(np.isnan(found.skill)).tolist() == idle
    given_skill = np.delete(found.skill, idle)
    assert ((given_skill >= 0) & (given_skill <= 1 + 1e-12)).all()


def test_a_class_nobody_voted_for_is_never_invented() -> None:
    votes, _ = crowd(0, 50, 6, 3, 3)
    wider = Votes(votes.items, votes.annotators, votes.labels, 50, 6, 5)
    for method in ("majority", "dawid-skene"):
        assert METHODS[method](wider).posterior[:, 3:].max() == 0
    found = dawid_skene(wider)
    assert np.isnan(found.parameters["confusion"][:, 3:]).all()
    known = found.parameters["confusion"][:, :3]
    np.testing.assert_allclose(known.sum(axis=2)[~np.isnan(known).any(axis=2)], 1.0)


def test_skill_and_confidence_find_who_and_what_is_sure() -> None:
    """600 items, 5 votes each; the accuracy of 12 annotators is known to the simulation."""
    votes, true = crowd(3, 600, 12, 4, 5)
    correct = votes.labels == true[votes.items]
    accuracy = np.bincount(votes.annotators, correct) / np.bincount(votes.annotators)
    base = (majority(votes).labels == true).mean()
    for method in ("dawid-skene", "glad", "mace"):
        found = METHODS[method](votes)
        assert np.abs(found.skill - accuracy).max() < 0.05, method
        hits = found.labels == true
        assert hits.mean() > base, method
        assert abs(found.confidence.mean() - hits.mean()) < 0.03, method
        assert found.confidence[hits].mean() > found.confidence[~hits].mean() + 0.1, method
        assert found.converged, method


def test_an_adversary_is_turned_round() -> None:
    """A binary annotator who is always wrong informs Dawid-Skene and GLAD; the majority only suffers."""
    generator = np.random.default_rng(5)
    true = generator.integers(0, 2, 400)
    honest = [np.where(generator.random(400) < 0.8, true, 1 - true) for _ in range(3)]
    labels = np.concatenate([*honest, 1 - true])
    votes = Votes(np.tile(np.arange(400), 4), np.repeat(np.arange(4), 400), labels, 400, 4, 2)
    base = (majority(votes).labels == true).mean()
    for method in (dawid_skene, glad):
        found = method(votes)
        assert (found.labels == true).mean() > 0.95 > base
        assert found.skill[3] < 0.1
    assert glad(votes).parameters["ability"][3] < 0


def test_a_harder_item_has_less_ease() -> None:
    votes, _ = crowd(2, 2, 9, 2, 9)
    labels = np.where(votes.items == 0, 0, np.arange(18) % 2)
    found = glad(Votes(votes.items, np.arange(18) % 9, labels, 2, 9, 2))
    assert found.parameters["ease"][1] < found.parameters["ease"][0]


ANAESTHETISTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212
1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111
1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111
2322222 1211111 2222222
"""
"""Fitness for surgery of 45 patients, 1 to 4: three looks of anaesthetist 1, then anaesthetists 2 to 5; table 1 of
Dawid and Skene (1979), read in the repository dallascard/dawid_skene."""


def anaesthetists() -> Votes:
    labels = np.array([[int(x) - 1 for x in row] for row in ANAESTHETISTS.split()])
    who = np.tile([0, 0, 0, 1, 2, 3, 4], 45)
    return Votes(np.repeat(np.arange(45), 7), who, labels.ravel(), 45, 5, 4)


def test_the_anaesthetists_of_the_paper() -> None:
    votes = anaesthetists()
    assert len(votes) == 315
    found = dawid_skene(votes, smoothing=0.0, max_iterations=500, tolerance=1e-12)
    posterior, prior, _ = oracle.dawid_skene(votes, 0.0, found.iterations)
    np.testing.assert_allclose(found.posterior, posterior, atol=1e-9)
    np.testing.assert_allclose(found.prior, prior, atol=1e-9)
    assert found.converged
    assert found.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]


def test_limits_and_refusals() -> None:
    one = np.array([0])
    with pytest.raises(InvalidInputError, match="at least one vote"):
        Votes(one[:0], one[:0], one[:0], 1, 1, 2)
    with pytest.raises(InvalidInputError, match=r"labels: expected indices in 0\.\.1, got 2\.\.2"):
        Votes(one, one, np.array([2]), 1, 1, 2)
    with pytest.raises(InvalidInputError, match=r"items: expected indices in 0\.\.0, got -1\.\.-1"):
        Votes(np.array([-1]), one, one, 1, 1, 2)
    with pytest.raises(InvalidInputError, match="vector of integers"):
        Votes(one, one, np.array([0.5]), 1, 1, 2)
    with pytest.raises(InvalidInputError, match="one length"):
        Votes(one, np.array([0, 0]), one, 1, 1, 2)
    votes = Votes(one, one, one, 1, 1, 2)
    with pytest.raises(UnknownNameError, match="dawid-skene"):
        infer_truth(votes, "dawid")
    for call in (
        lambda: dawid_skene(votes, smoothing=-1),
        lambda: dawid_skene(votes, max_iterations=0),
        lambda: glad(votes, max_iterations=0),
        lambda: mace(votes, restarts=0),
        lambda: glad(Votes(one, one, one, 1, 1, 1)),
    ):
        with pytest.raises(InvalidInputError):
            call()
    wide = Votes(one, one, one, 1, 4_000, 400)
    with pytest.raises(InputTooLargeError, match="use mace"):
        dawid_skene(wide)


def test_many_votes_on_one_item_neither_overflow_nor_underflow() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random(20_000) < 0.3).astype(int)
    votes = Votes(np.zeros(20_000, int), np.arange(20_000) % 50, labels, 1, 50, 2)
    for method in METHODS:
        found = METHODS[method](votes)
        assert np.isfinite(found.posterior).all()
        assert found.labels.tolist() == [0]


def test_order_of_the_votes_does_not_matter_to_the_table() -> None:
    votes, _ = crowd(1, 30, 4, 3, 4)
    order = np.random.default_rng(0).permutation(len(votes))
    mixed = Votes(votes.items[order], votes.annotators[order], votes.labels[order], 30, 4, 3)
    assert (votes.by_item() != mixed.by_item()).nnz == 0
    assert votes.by_item().sum() == len(votes)


def test_mace_starts_are_seeded() -> None:
    votes, _ = crowd(4, 60, 8, 3, 3)
    first, again = mace(votes, seed=1), mace(votes, seed=1)
    np.testing.assert_array_equal(first.posterior, again.posterior)
    single = mace(votes, restarts=1)
    assert first.log_likelihood[-1] >= single.log_likelihood[-1]
