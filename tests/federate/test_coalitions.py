"""Coalitions retrained in one process: the cut, the judges, and what a coalition without rows is worth."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest

from xinglin.errors import ConflictError, InvalidInputError, UnknownNameError
from xinglin.federate import history
from xinglin.federate.coalitions import Retraining, first_held, joined, row_digests, rows_of
from xinglin.federate.crediting import registered_order
from xinglin.federate.history import register_node
from xinglin.federate.job import Job, job_from
from xinglin.federate.tasks.table import Examples
from xinglin.store import Store

TRAIN = {
    **{"target": "y", "positive": ["1"], "negative": ["0"], "numeric": ["a", "b"]},
    **{"solver": "newton", "ridge": 0.1},
}


def a_job(**changes: Any) -> Job:
    body: dict[str, Any] = {"job": {"name": "j", "task": "tabular", "rounds": 3}, "data": {"dataset": "d"}}
    return job_from(body | {"train": TRAIN} | changes)


def hospital(seed: int, rows: int = 60) -> Examples:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, 2)).astype(np.float32)
    y = (x @ (2.0, -1.0) + generator.logistic(size=rows) > 0).astype(np.float32)
    return Examples(x, y, None, 0, 0, x.mean(axis=0), x.std(axis=0, ddof=1))


def test_a_hospital_s_cut_is_its_own_and_no_held_out_row_is_trained_on() -> None:
    both = {"a": hospital(1), "b": hospital(2)}
    alone, beside = Retraining(a_job(), {"a": both["a"]}, seed=3), Retraining(a_job(), both, seed=3)
    assert row_digests(alone.train["a"]) == row_digests(beside.train["a"])
    learnt, held = set(row_digests(beside.train["a"])), set(row_digests(beside.test["a"]))
    assert not learnt & held
    assert learnt | held == set(row_digests(both["a"]))
    assert beside.ratio == pytest.approx(0.5, abs=0.05)
    other = Retraining(a_job(), both, seed=4)
    assert row_digests(other.test["a"]) != row_digests(beside.test["a"])
    # Within each answer a third is held out.
    for answer in (0.0, 1.0):
        whole = int((both["a"].targets == answer).sum())
        assert int((beside.test["a"].targets == answer).sum()) == round(whole / 3)


def test_values_are_those_of_the_model_that_the_rows_give() -> None:
    sites = {"a": hospital(1), "b": hospital(2), "none": rows_of(hospital(3), [], [])}
    cut = Retraining(a_job(), sites, seed=0, judges=["a"])
    assert cut.value(frozenset()) == pytest.approx(-log(2), rel=1e-6)
    assert cut.value(frozenset({"none"})) == cut.value(frozenset())
    assert cut.value(frozenset({"a", "none"})) == cut.value(frozenset({"a"})) > -log(2)
    assert list(cut.test) == ["a"]
    accuracy = Retraining(a_job(), sites, seed=0, judges=["a"], metric="accuracy")
    assert 0.6 < accuracy.value(frozenset({"a", "b"})) <= 1.0


def test_parts_are_joined_and_chosen_in_order() -> None:
    one, two = hospital(1, 5), hospital(2, 4)
    whole = joined([one, two])
    assert row_digests(whole) == row_digests(one) + row_digests(two)
    picked = rows_of(whole, [6, 0], [0, 1, 2])
    assert row_digests(picked) == [row_digests(whole)[6], row_digests(whole)[0]]
    assert picked.centre == pytest.approx(whole.features[:3].mean(axis=0))


def test_gaps_do_not_spoil_a_column() -> None:
    rows = hospital(1, 6)
    rows.features[2, 0] = np.nan
    picked = rows_of(rows, [0, 2], [0, 1, 2, 3])
    assert picked.centre[0] == pytest.approx(rows.features[[0, 1, 3], 0].mean())
    assert picked.spread[0] == pytest.approx(rows.features[[0, 1, 3], 0].std(ddof=1), rel=1e-5)


def test_an_altered_copy_counts_for_whom_it_was_copied_from() -> None:
    rows = hospital(1, 80)
    moved = Examples(rows.features + 0.001, rows.targets, None, 0, 0, rows.centre, rows.spread)
    kept = first_held({"own": hospital(2, 70), "copy": moved, "first": rows}, ["first", "own", "copy"])
    assert {site: len(places) for site, places in kept.items()} == {"first": 80, "own": 70, "copy": 0}


def test_what_does_not_fit_is_refused() -> None:
    sites = {"a": hospital(1), "none": rows_of(hospital(3), [], [])}
    with pytest.raises(UnknownNameError, match="judges"):
        Retraining(a_job(), sites, seed=0, judges=["b"])
    with pytest.raises(InvalidInputError, match="no held-out rows"):
        Retraining(a_job(), sites, seed=0, judges=["none"])
    with pytest.raises(UnknownNameError, match="metric"):
        Retraining(a_job(), sites, seed=0, metric="auc")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="held_out"):
        Retraining(a_job(), sites, seed=0, held_out=1.0)
    private = {"unit": "example", "epsilon": 1.0, "delta": 1e-5}
    with pytest.raises(InvalidInputError, match="privacy"):
        Retraining(a_job(privacy=private), sites, seed=0)


def test_the_order_is_that_of_registration(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "now", iter(["2026-01-01", "2026-01-02"]).__next__)
    for site in ("late", "early"):
        register_node(store, site, f"key {site}", None, actor="lead")
    with store.read() as connection:
        assert registered_order(connection, ["early", "late"]) == ["late", "early"]
        with pytest.raises(ConflictError, match="north"):
            registered_order(connection, ["early", "north"])
