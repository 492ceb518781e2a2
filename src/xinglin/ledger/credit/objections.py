"""Objecting to a payout, and the answer: while an objection is open the payout does not become final."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, insert, select, update

from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.credit import settle
from xinglin.store.keys import digest
from xinglin.store.tables_credit import credit_objections

Verdict = Literal["upheld", "dismissed"]
MAX_REASON = 4000
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Objection:
    """An objection and, if there is one, its answer."""

    id: int
    payout: int
    by: str
    reason: str
    evidence: str | None
    """SHA-256 of the file that the objector shows, e.g. a recalculation's evidence; ``None``: none."""
    time: str
    verdict: Verdict | None
    answer: str | None
    answered_by: str | None
    answered: str | None


def object_to(
    connection: Connection, number: int, *, reason: str, by: str, evidence: str | None = None
) -> Objection:
    """Object to a proposed payout, while its time for objections runs.

    Args:
        connection: from ``Store.write()``.
        number: of the payout.
        reason: 1 to 4,000 characters, kept in the store; the ledger holds its digest.
        by: who objects.
        evidence: SHA-256 of a file that supports the reason.

    Raises:
        UnknownNameError: there is no such payout.
        ConflictError: it is not proposed any more, or its time is over.
        InvalidInputError: no reason, a too long one, or a digest that is none.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise InvalidInputError(f"reason: expected 1 to {MAX_REASON} characters, got {len(reason)}")
    if evidence is not None and not _DIGEST.fullmatch(evidence):
        raise InvalidInputError("evidence: expected a SHA-256, 64 hexadecimal digits")
    found = settle.held(connection, number)
    now = settle.spelled(settle.now())
    if found.state != "proposed":
        raise ConflictError(f"payout {number} is {found.state}: only a proposed one can be objected to")
    if now > found.closes:
        raise ConflictError(f"the time for objections to payout {number} ended at {found.closes}")
    row = {"payout": number, "by": by, "reason": reason, "evidence": evidence, "time": now}
    statement = insert(credit_objections).values(**row).returning(credit_objections.c.id)
    made: int = connection.execute(statement).scalar_one()
    said = {"payout": number, "objection": made, "reason": digest(reason.encode())}
    subjects = (found.payout.evidence, *([evidence] if evidence else []))
    append(connection, "credit.object", actor=by, subjects=subjects, detail=said)
    return objections(connection, number)[-1]


def answer(connection: Connection, objection: int, *, verdict: Verdict, text: str, by: str) -> Objection:
    """Answer an objection; an upheld one withdraws the payout, so that a recalculation can replace it.

    Raises:
        UnknownNameError: there is no such objection.
        ConflictError: it was answered already, or the payout is not proposed any more.
        NotPermittedError: the objector answers, or whoever proposed the payout.
        InvalidInputError: an unknown verdict, no text, or a too long one.
    """
    if verdict not in get_args(Verdict):
        raise InvalidInputError(f"verdict: expected {' or '.join(get_args(Verdict))}, got {verdict!r}")
    if not text.strip() or len(text) > MAX_REASON:
        raise InvalidInputError(f"answer: expected 1 to {MAX_REASON} characters, got {len(text)}")
    query = select(credit_objections).where(credit_objections.c.id == objection)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownNameError(f"there is no objection {objection}: see `xinglin ledger credit show`")
    found = settle.held(connection, row.payout)
    if by in (row.by, found.actor):
        raise NotPermittedError(
            "an objection is answered by a third person: neither who objected nor who proposed"
        )
    if found.state != "proposed":
        raise ConflictError(f"payout {row.payout} is {found.state}: its objections are closed")
    values = {"verdict": verdict, "answer": text, "answered_by": by, "answered": settle.spelled(settle.now())}
    open_ = (credit_objections.c.id == objection, credit_objections.c.verdict.is_(None))
    if not connection.execute(update(credit_objections).where(*open_).values(**values)).rowcount:
        raise ConflictError(f"objection {objection} was answered already")
    if verdict == "upheld":
        settle.set_state(connection, row.payout, "withdrawn")
    said = {"payout": row.payout, "objection": objection, "verdict": verdict, "answer": digest(text.encode())}
    append(connection, "credit.answer", actor=by, subjects=(found.payout.evidence,), detail=said)
    return next(one for one in objections(connection, row.payout) if one.id == objection)


def objections(connection: Connection, number: int) -> list[Objection]:
    """Return the objections to a payout, oldest first."""
    query = (
        select(credit_objections).where(credit_objections.c.payout == number).order_by(credit_objections.c.id)
    )
    return [Objection(**row._mapping) for row in connection.execute(query)]
