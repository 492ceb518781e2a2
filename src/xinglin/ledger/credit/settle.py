"""A payout from proposal to claim: proposed with its evidence, open to objections for a time, final, then pulled.

    proposed --(window over, no open objection)--> final --(each steward, once)--> claimed
        \\--(an objection is upheld)--> withdrawn; a recalculation is a new proposal that replaces it

Points are credit, not money and not transferable. Nothing is sent to anyone: a steward takes what is due. Who acts is for
the caller to establish (login, signature); here it is a name, written into the ledger with every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.credit.evidence import Payout, assess
from xinglin.store.tables_credit import credit_objections, credit_payouts, credit_shares
from xinglin.store.tables_ledger import ledger_head

WINDOW = 14
"""Days for objections, unless another number is given."""
LONGEST = 366


@dataclass(frozen=True, slots=True)
class Share:
    """What one site gets."""

    site: str
    steward: str
    """Who may take it."""
    points: int
    """Basis points."""
    claimed: str | None
    """When it was taken, UTC."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A payout as it stands."""

    id: int
    payout: Payout
    state: str
    """``proposed``, ``withdrawn`` or ``final``."""
    shares: tuple[Share, ...]
    open_objections: int
    replaces: int | None
    time: str
    closes: str
    """End of the time for objections, UTC."""
    actor: str
    seq: int
    """Ledger entry of the proposal."""
    evidence: dict[str, Any]


def propose(
    connection: Connection,
    content: Mapping[str, Any],
    *,
    stewards: Mapping[str, str],
    actor: str,
    days: int = WINDOW,
    replaces: int | None = None,
) -> Proposal:
    """Propose a payout; its points are worked out anew from the evidence.

    Args:
        connection: from ``Store.write()``.
        content: evidence, as ``evidence.evidence`` made it.
        stewards: site -> who may take its points; every site of the evidence.
        actor: who proposes.
        days: for objections.
        replaces: number of a withdrawn payout, for a recalculation.

    Raises:
        InvalidInputError: not evidence; a site without a steward; days beyond 1 to 366.
        ConflictError: nobody counts; this evidence was proposed already; another payout for this model is proposed or
            final; or what is to be replaced is not withdrawn, or is of another model.
        UnknownNameError: there is no payout to replace.
    """
    contributions, payout = assess(content)
    if sorted(stewards) != sorted(payout.points) or not all(
        name.strip() and len(name) <= 200 for name in stewards.values()
    ):
        raise InvalidInputError(f"stewards: expected one name for each of {', '.join(sorted(payout.points))}")
    if not 1 <= days <= LONGEST:
        raise InvalidInputError(f"days: expected 1 to {LONGEST}, got {days}")
    _check_turn(connection, payout, replaces)
    start = now()
    time, closes = spelled(start), spelled(start + timedelta(days=days))
    said = {"points": payout.points, "closes": closes, "rule": content["rule"], "replaces": replaces}
    entry = append(
        connection, "credit.propose", actor=actor, subjects=(payout.model, payout.evidence), detail=said
    )
    row = {
        **{"model": payout.model, "evidence": dict(content), "digest": payout.evidence, "state": "proposed"},
        **{"replaces": replaces, "time": time, "closes": closes, "actor": actor, "seq": entry.seq},
    }
    number: int = connection.execute(
        insert(credit_payouts).values(**row).returning(credit_payouts.c.id)
    ).scalar_one()
    shares = [
        {"payout": number, "site": one.site, "steward": stewards[one.site], "points": one.points}
        for one in contributions
    ]
    connection.execute(insert(credit_shares), shares)
    return find(connection, number)


def finalise(connection: Connection, number: int, *, actor: str) -> Proposal:
    """Make a payout final: the time for objections is over, and none is open.

    Raises:
        UnknownNameError: there is no such payout.
        ConflictError: it is not proposed, its time is not over, or an objection is open.
    """
    found = held(connection, number)
    if found.state != "proposed":
        raise ConflictError(f"payout {number} is {found.state}: only a proposed one becomes final")
    if spelled(now()) <= found.closes:
        raise ConflictError(f"payout {number} is open to objections until {found.closes}")
    if found.open_objections:
        raise ConflictError(
            f"payout {number}: {found.open_objections} objections are open: answer them first"
        )
    set_state(connection, number, "final")
    subjects = (found.payout.model, found.payout.evidence)
    append(connection, "credit.finalise", actor=actor, subjects=subjects, detail={"payout": number})
    return find(connection, number)


def claim(connection: Connection, number: int, site: str, *, by: str) -> Share:
    """Take a site's points, once.

    Raises:
        UnknownNameError: there is no such payout or site.
        NotPermittedError: ``by`` is not the site's steward.
        ConflictError: the payout is not final, the site gets nothing, or its points were taken already.
    """
    found = held(connection, number)
    share = next((one for one in found.shares if one.site == site), None)
    if share is None:
        raise UnknownNameError(
            f"payout {number} knows {', '.join(one.site for one in found.shares)}; not {site!r}"
        )
    if by != share.steward:
        raise NotPermittedError(f"the points of {site} are for its steward to take, not for {by}")
    if found.state != "final":
        raise ConflictError(f"payout {number} is {found.state}: points are taken once it is final")
    if share.points == 0:
        raise ConflictError(f"payout {number} gives {site} no points")
    time = spelled(now())
    mine = (credit_shares.c.payout == number, credit_shares.c.site == site, credit_shares.c.claimed.is_(None))
    if not connection.execute(update(credit_shares).where(*mine).values(claimed=time)).rowcount:
        raise ConflictError(f"the points of {site} in payout {number} were taken at {share.claimed}")
    said = {"payout": number, "site": site, "points": share.points}
    append(
        connection,
        "credit.claim",
        actor=by,
        subjects=(found.payout.model, found.payout.evidence),
        detail=said,
    )
    return Share(site, share.steward, share.points, time)


def find(connection: Connection, number: int) -> Proposal:
    """Return a payout.

    Raises:
        UnknownNameError: there is none of that number.
    """
    row = connection.execute(select(credit_payouts).where(credit_payouts.c.id == number)).first()
    if row is None:
        raise UnknownNameError(f"there is no payout {number}: see `xinglin ledger credit show`")
    return _proposal(connection, row)


def held(connection: Connection, number: int) -> Proposal:
    """Return a payout whose row is held until the transaction ends, so that acts upon it take turns."""
    connection.execute(select(credit_payouts.c.id).where(credit_payouts.c.id == number).with_for_update())
    return find(connection, number)


def payouts(connection: Connection, model: str | None = None) -> list[Proposal]:
    """Return all payouts, or those that reward one checkpoint, oldest first."""
    query = select(credit_payouts).order_by(credit_payouts.c.id)
    if model is not None:
        query = query.where(credit_payouts.c.model == model)
    return [_proposal(connection, row) for row in connection.execute(query).all()]


def balance(connection: Connection, steward: str) -> int:
    """Return the points that a steward has taken, over all payouts."""
    query = select(func.coalesce(func.sum(credit_shares.c.points), 0)).where(
        credit_shares.c.steward == steward, credit_shares.c.claimed.is_not(None)
    )
    return int(connection.execute(query).scalar_one())


def set_state(connection: Connection, number: int, state: str) -> None:
    """Write a payout's new state; the caller holds its row and writes the ledger entry."""
    connection.execute(update(credit_payouts).where(credit_payouts.c.id == number).values(state=state))


def _check_turn(connection: Connection, payout: Payout, replaces: int | None) -> None:
    # The ledger's head is held until the transaction ends: of two proposals at once, the second sees the first.
    connection.execute(select(ledger_head.c.id).with_for_update())
    same = select(credit_payouts.c.id).where(credit_payouts.c.digest == payout.evidence)
    if (before := connection.execute(same).scalar()) is not None:
        raise ConflictError(f"this evidence has been proposed already: payout {before}")
    standing = [one for one in payouts(connection, payout.model) if one.state != "withdrawn"]
    if standing:
        raise ConflictError(
            f"payout {standing[0].id} for this model is {standing[0].state}: one model, one payout"
        )
    if replaces is None:
        return
    old = held(connection, replaces)
    if old.state != "withdrawn" or old.payout.model != payout.model:
        raise ConflictError(
            f"payout {replaces} is {old.state}: only a withdrawn one of the same model is replaced"
        )


def _proposal(connection: Connection, row: Row[Any]) -> Proposal:
    query = select(credit_shares).where(credit_shares.c.payout == row.id).order_by(credit_shares.c.site)
    shares = tuple(Share(one.site, one.steward, one.points, one.claimed) for one in connection.execute(query))
    waiting = select(func.count()).where(
        credit_objections.c.payout == row.id, credit_objections.c.verdict.is_(None)
    )
    return Proposal(
        row.id,
        Payout(row.model, {one.site: one.points for one in shares}, row.digest),
        row.state,
        shares,
        connection.execute(waiting).scalar_one(),
        row.replaces,
        row.time,
        row.closes,
        row.actor,
        row.seq,
        row.evidence,
    )


def now() -> datetime:
    """Return the present moment, UTC."""
    return datetime.now(UTC)


def spelled(moment: datetime) -> str:
    """Return a moment in the one spelling that compares as text."""
    return moment.isoformat(timespec="seconds")
