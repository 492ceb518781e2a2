"""A payout from proposal to claim: who may do what, when, and what the ledger says of it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.ledger.credit.made import made
from tests.stores import both
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError, XinglinError
from xinglin.ledger import entries, verify
from xinglin.ledger.credit import settle
from xinglin.ledger.credit.objections import answer, object_to, objections
from xinglin.ledger.credit.settle import Proposal, balance, claim, finalise, find, payouts, propose
from xinglin.store import Store

__all__ = ["both"]
START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of credit to a number of days after the start."""

    def go(days: float) -> None:
        monkeypatch.setattr(settle, "now", lambda: START + timedelta(days=days))

    go(0)
    return go


@pytest.fixture
def who() -> dict[str, str]:
    """Stewards that no other test uses: the PostgreSQL server outlives a test."""
    tail = secrets.token_hex(4)
    return {site: f"{site}-{tail}" for site in ("east", "noise", "west")}


def new(store: Store, who: dict[str, str], model: str | None = None, runs: int = 4, **more: int) -> Proposal:
    with store.write() as connection:
        content = made(model or secrets.token_hex(32), runs=runs)
        return propose(connection, content, stewards=who, actor="lead", days=14, **more)


def test_points_are_pulled_once_after_the_window(
    both: Store, who: dict[str, str], at: Callable[[float], None]
) -> None:
    number = new(both, who).id
    with both.write() as connection:
        for early in (0, 13.9, 14):
            at(early)
            with pytest.raises(ConflictError, match="open to objections until 2026-05-15"):
                finalise(connection, number, actor="lead")
        with pytest.raises(ConflictError, match="once it is final"):
            claim(connection, number, "east", by=who["east"])
        at(14.01)
        assert finalise(connection, number, actor="anyone").state == "final"
        with pytest.raises(ConflictError, match="only a proposed one becomes final"):
            finalise(connection, number, actor="lead")
        with pytest.raises(NotPermittedError, match="for its steward"):
            claim(connection, number, "east", by=who["west"])
        with pytest.raises(ConflictError, match="no points"):
            claim(connection, number, "noise", by=who["noise"])
        with pytest.raises(UnknownNameError, match="east, noise, west"):
            claim(connection, number, "north", by=who["east"])
        assert balance(connection, who["east"]) == 0
        assert claim(connection, number, "east", by=who["east"]).points == 6667
        assert balance(connection, who["east"]) == 6667
        with pytest.raises(ConflictError, match="were taken at"):
            claim(connection, number, "east", by=who["east"])
        with pytest.raises(ConflictError, match="only a proposed one can be objected"):
            object_to(connection, number, reason="too late", by="x")
    with both.read() as connection:
        verify(connection)
        mine = [
            one for one in entries(connection) if find(connection, number).payout.evidence in one.subjects
        ]
    assert [one.action for one in mine] == ["credit.propose", "credit.finalise", "credit.claim"]
    assert mine[0].detail["points"] == {"east": 6667, "noise": 0, "west": 3333}


def test_an_objection_stops_it_and_a_recalculation_replaces_it(
    both: Store, who: dict[str, str], at: Callable[[float], None]
) -> None:
    model = secrets.token_hex(32)
    old = new(both, who, model)
    with both.write() as connection:
        with pytest.raises(ConflictError, match="one model, one payout"):
            propose(connection, made(model, runs=6), stewards=who, actor="lead")
        mine = object_to(connection, old.id, reason="我院数据少计一批", by=who["west"], evidence="c" * 64)
        at(20)
        with pytest.raises(ConflictError, match="1 objections are open"):
            finalise(connection, old.id, actor="lead")
        for person in (who["west"], "lead"):
            with pytest.raises(NotPermittedError, match="third person"):
                answer(connection, mine.id, verdict="upheld", text="so it is", by=person)
        answer(connection, mine.id, verdict="upheld", text="so it is", by="committee")
        with pytest.raises(ConflictError):
            answer(connection, mine.id, verdict="dismissed", text="no", by="committee")
        assert find(connection, old.id).state == "withdrawn"
        with pytest.raises(ConflictError, match="proposed already"):
            propose(connection, made(model), stewards=who, actor="lead", replaces=old.id)
    with both.write() as connection:
        renewed = propose(connection, made(model, runs=6), stewards=who, actor="lead", replaces=old.id)
        assert [one.state for one in payouts(connection, model)] == ["withdrawn", "proposed"]
        assert renewed.replaces == old.id
        with pytest.raises(ConflictError, match="once it is final"):
            claim(connection, renewed.id, "east", by=who["east"])
        assert objections(connection, old.id)[0].answer == "so it is"
    with both.read() as connection:
        told = str([one.detail for one in entries(connection) if one.action.startswith("credit.")])
    assert "我院" not in told


def test_a_dismissed_objection_lets_it_go_on(
    both: Store, who: dict[str, str], at: Callable[[float], None]
) -> None:
    number = new(both, who).id
    with both.write() as connection:
        at(14.5)
        with pytest.raises(ConflictError, match="ended at"):
            object_to(connection, number, reason="late", by="x")
        at(14)  # the last second counts
        mine = object_to(connection, number, reason="in time", by="x")
        at(15)
        answer(
            connection, mine.id, verdict="dismissed", text="worked through again: the same", by="committee"
        )
        assert finalise(connection, number, actor="lead").state == "final"


def test_two_claims_at_once_pay_once(both: Store, who: dict[str, str], at: Callable[[float], None]) -> None:
    number = new(both, who).id
    at(15)
    with both.write() as connection:
        finalise(connection, number, actor="lead")
    outcomes: list[str] = []

    def take() -> None:
        try:
            with both.write() as connection:
                claim(connection, number, "west", by=who["west"])
            outcomes.append("paid")
        except XinglinError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ConflictError"] * 5 + ["paid"]
    with both.read() as connection:
        assert balance(connection, who["west"]) == 3333


def test_what_is_wrong_is_named(store: Store, who: dict[str, str], at: Callable[[float], None]) -> None:
    with store.write() as connection:
        with pytest.raises(InvalidInputError, match="stewards"):
            propose(connection, made(), stewards={"east": "a"}, actor="lead")
        with pytest.raises(InvalidInputError, match="days"):
            propose(connection, made(), stewards=who, actor="lead", days=0)
        with pytest.raises(UnknownNameError, match="no payout 7"):
            propose(connection, made(), stewards=who, actor="lead", replaces=7)
        for act in (
            lambda: finalise(connection, 7, actor="x"),
            lambda: object_to(connection, 7, reason="r", by="x"),
        ):
            with pytest.raises(UnknownNameError, match="no payout 7"):
                act()
        number = propose(connection, made(), stewards=who, actor="lead").id
        for reason, digest in ((" ", None), ("x" * 4001, None), ("r", "abc")):
            with pytest.raises(InvalidInputError):
                object_to(connection, number, reason=reason, by="x", evidence=digest)
        mine = object_to(connection, number, reason="r", by="x")
        with pytest.raises(InvalidInputError, match="verdict"):
            answer(connection, mine.id, verdict="perhaps", text="t", by="y")  # type: ignore[arg-type]
        with pytest.raises(UnknownNameError, match="no objection 99"):
            answer(connection, 99, verdict="upheld", text="t", by="y")
