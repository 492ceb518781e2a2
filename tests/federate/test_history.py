"""The coordinator's memory, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from tests.federate.hospitals import a_job
from tests.stores import both, name
from xinglin.errors import ConflictError, InvalidInputError, StoreError
from xinglin.federate.follow import follow
from xinglin.federate.history import Answer, end_job, open_job, record_round, register_node, registered
from xinglin.federate.overview import Budget, job_history, overview
from xinglin.ledger import entries, verify
from xinglin.store import Store

__all__ = ["both", "name"]
MODEL = "a" * 64


def test_a_job_reads_back_as_it_went(both: Store, name: str) -> None:
    site, number = f"h-{name}"[:60], name[:40]
    register_node(both, site, "ecdsa KEY", f"7{name}"[:40], actor="cli")
    assert registered(both)[f"7{name}"[:40]] == site
    open_job(both, a_job(), number, "simulation", actor="coordinator")
    early = Budget(site, "example", 0.5, 8.0, 1e-5)
    late = Budget(site, "example", 1.25, 8.0, 1e-5)
    record_round(both, number, 0, {site: Answer("ok", examples=9)}, seconds=1, model=None, actor="c")
    for at, told in ((1, early), (2, late)):
        answers = {
            site: Answer("ok", examples=9, train={"loss": 0.5}, evaluate={"auc": 0.75}, budget=told),
            "other": Answer("silent", "no answer in time"),
        }
        record_round(both, number, at, answers, seconds=2.5, model=MODEL, actor="c")
    end_job(both, number, "done", reason=None, model=MODEL, actor="c")
    end_job(both, number, "stopped", reason="too late", model=None, actor="c")  # the first end holds
    found = job_history(both, number)
    assert found is not None
    assert (found.state, found.model, found.planned, found.mode) == ("done", MODEL, 2, "simulation")
    assert [(one.number, len(one.sites)) for one in found.rounds] == [(0, 1), (1, 2), (2, 2)]
    assert found.rounds[2].sites[0].evaluate == {"auc": 0.75}
    assert found.rounds[2].sites[1].reason == "no answer in time"
    seen = overview(both)
    assert found in seen.jobs
    (budget,) = [one for one in seen.budgets if one.site == site]
    assert budget == late
    assert budget.left == 6.75
    (node,) = [one for one in seen.nodes if one.site == site]
    assert node.seen is not None
    with both.read() as connection:
        verify(connection)
        acts = [entry for entry in entries(connection) if entry.detail.get("id") == number]
    assert [entry.action for entry in acts] == [
        *("federation.start", "federation.round", "federation.round", "federation.round", "federation.end"),
    ]
    assert acts[-2].subjects == (MODEL,)


def test_a_round_and_its_ledger_entry_stand_or_fall_together(store: Store) -> None:
    open_job(store, a_job(), "j1", "simulation", actor="c")
    record_round(store, "j1", 1, {}, seconds=1, model=None, actor="c")
    with store.read() as connection:
        before = len(list(entries(connection)))
    with pytest.raises(StoreError):  # the same round twice
        record_round(store, "j1", 1, {"x": Answer("ok")}, seconds=1, model=None, actor="c")
    with store.read() as connection:
        assert len(list(entries(connection))) == before
    found = job_history(store, "j1")
    assert found is not None
    assert found.rounds[0].sites == ()


def test_a_name_belongs_to_one_key(store: Store) -> None:
    register_node(store, "beijing-1", "KEY", "1", actor="cli")
    register_node(store, "beijing-1", "KEY", None, actor="cli")
    with pytest.raises(ConflictError, match="another key"):
        register_node(store, "beijing-1", "OTHER", None, actor="cli")
    for bad in ("", "../x", "a b", "a" * 101, "a'b"):
        with pytest.raises(InvalidInputError, match="site"):
            register_node(store, bad, "KEY", None, actor="cli")


def test_a_job_whose_process_died_is_entered_as_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.federate.follow.ENQUIRE", 0.0)
    monkeypatch.setattr("xinglin.federate.follow.PAUSE", 0.01)
    open_job(store, a_job(), "j1", "federation", actor="c")
    *_, last = follow(store, "j1", lambda: True)
    assert last.state == "stopped"
    assert "without a word" in (last.reason or "")
    assert list(follow(store, "never-began", lambda: True)) == []
