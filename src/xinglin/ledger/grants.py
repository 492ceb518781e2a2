"""Consent and access grants: statements, checked at every read for a purpose.

Two things must hold before anyone reads a record for a purpose. A *grant*: the steward of the data set lets
this grantee read it for this purpose (separate authorisation). A *consent*: the subject, or a basis stated
for the whole data set, covers this purpose. PIPL Art. 13-15 and 29 (basis, withdrawal, separate consent for
sensitive data) name the legal side; the software keeps and enforces what was stated, it does not judge it.

Both are statements in order: the newest about a subject and a purpose (or a grantee and a purpose) holds
until it expires. What a subject stated prevails over the data set's basis, in both directions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, insert, or_, select

from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.subjects import Dataset, chunks, enrol, find_dataset, find_subject, readmit
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import consents, grants
from xinglin.store.tables_onchain import chain_ids

PURPOSES = ("care", "annotation", "training", "evaluation", "research", "quality", "release")
AUTOMATED = "automated decision"
"""No purpose to read for: what a subject states of decisions made by automation alone (``ledger.automated``)."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a successful check found."""

    dataset: Dataset
    grantee: str
    purpose: str
    by_default: bool
    """Whether the data set's own basis covers the subjects that stated nothing themselves."""
    at: str
    """When it was checked, UTC."""


def give_consent(
    connection: Connection,
    dataset: str,
    *,
    subject: str | None,
    purpose: str,
    basis: str,
    by: str,
    expires: str | None = None,
) -> None:
    """State that a purpose is covered, for one subject or for the whole data set.

    A subject that had been erased may come in again from now on.

    Args:
        connection: from ``Store.write()``.
        dataset: name of a data set.
        subject: identifier as its records carry it; ``None`` states a basis for the whole data set.
        purpose: one of ``PURPOSES``.
        basis: what it rests on, e.g. ``written consent, form 3`` or ``ethics committee 2026-41``; at most
            400 characters. Keep names out of it.
        by: who states it.
        expires: last day (``2027-12-31``, UTC) or a moment with its zone; ``None`` until withdrawn.

    Raises:
        UnknownNameError: no such data set or purpose.
        InvalidInputError: no basis, or an expiry that is not a date to come.
    """
    if not basis.strip() or len(basis) > 400:
        raise InvalidInputError("basis: expected 1 to 400 characters that say what the consent rests on")
    _state_consent(connection, dataset, subject, purpose, True, basis, by, _until(expires))


def withdraw_consent(
    connection: Connection, dataset: str, *, subject: str | None, purpose: str, by: str
) -> None:
    """State that a purpose is no longer covered; for a subject this also overrules the data set's basis.

    Raises:
        UnknownNameError: no such data set or purpose, or a subject who has neither records nor statements in it.
    """
    _state_consent(connection, dataset, subject, purpose, False, "", by, None)


def grant(
    connection: Connection, dataset: str, *, grantee: str, purpose: str, by: str, expires: str | None = None
) -> None:
    """Let a grantee read a data set for a purpose, as far as consent goes.

    Raises:
        UnknownNameError: no such data set or purpose.
        InvalidInputError: no grantee, or an expiry that is not a date to come.
    """
    if not grantee.strip() or len(grantee) > 200:
        raise InvalidInputError("grantee: expected a name of 1 to 200 characters")
    _state_grant(connection, dataset, grantee, purpose, True, by, _until(expires))


def revoke(connection: Connection, dataset: str, *, grantee: str, purpose: str, by: str) -> None:
    """Take a grant back.

    Raises:
        UnknownNameError: no such data set or purpose.
    """
    _state_grant(connection, dataset, grantee, purpose, False, by, None)


def check(connection: Connection, dataset: str, *, grantee: str, purpose: str) -> Permission:
    """Return the permission of a grantee to read a data set for a purpose, as of now.

    Raises:
        UnknownNameError: no such data set or purpose.
        NotPermittedError: no grant, or no consent at all, is in force; the message says which. Where the data set
            is registered on a chain (``ledger.onchain``), the grant must be in force there too.
        OnChainError: the chain's node does not answer: nothing is read.
    """
    check_purpose(purpose)
    found, at = find_dataset(connection, dataset), _now()
    last = connection.execute(
        select(grants.c.id, grants.c.given, grants.c.expires, grants.c.grantee, grants.c.purpose)
        .where(grants.c.dataset == found.id, grants.c.grantee == grantee, grants.c.purpose == purpose)
        .order_by(grants.c.id.desc())
        .limit(1)
    ).first()
    if last is None or not _in_force(last.given, last.expires, at):
        why = "none was given" if last is None else "it was revoked" if not last.given else "it has expired"
        raise NotPermittedError(
            f"{grantee} needs a grant to read {dataset} for {purpose}; {why}: "
            f"`xinglin records grant {dataset} --to {grantee} --purpose {purpose}`"
        )
    if on_chain(connection, name=found.name):
        # Heavy, and needed by few: the libraries of the chain are an optional extra.
        from xinglin.ledger.onchain.gate import require

        require(connection, found, grantee, purpose, last)
    basis = connection.execute(
        select(consents.c.given, consents.c.expires)
        .where(consents.c.dataset == found.id, consents.c.purpose == purpose, consents.c.subject.is_(None))
        .order_by(consents.c.id.desc())
        .limit(1)
    ).first()
    by_default = basis is not None and _in_force(basis.given, basis.expires, at)
    permission = Permission(found, grantee, purpose, by_default, at)
    if not by_default:
        own = newest_statements(permission)
        query = select(own.c.subject).select_from(own).where(_in_force_sql(own, at)).limit(1)
        if connection.execute(query).first() is None:
            raise NotPermittedError(
                f"no consent in force covers reading {dataset} for {purpose}, neither of a subject nor for the "
                f"data set: `xinglin records consent {dataset} --purpose {purpose} --basis ...`"
            )
    return permission


def on_chain(connection: Connection, name: str) -> bool:
    """Return whether the grants of a data set must stand on a chain too: it is registered on one."""
    query = select(chain_ids.c.id).where(chain_ids.c.kind == "dataset", chain_ids.c.name == name).limit(1)
    return connection.execute(query).first() is not None


def withheld(connection: Connection, permission: Permission, subjects: Collection[int]) -> set[int]:
    """Return which of these subjects (row numbers) the permission does not cover."""
    wanted = sorted(set(subjects))
    last: dict[int, bool] = {}
    for part in chunks(wanted):
        rows = connection.execute(
            select(consents.c.subject, consents.c.given, consents.c.expires)
            .where(
                consents.c.dataset == permission.dataset.id,
                consents.c.purpose == permission.purpose,
                consents.c.subject.in_(part),
            )
            .order_by(consents.c.id)
        )
        for row in rows:
            last[row.subject] = _in_force(row.given, row.expires, permission.at)
    return {subject for subject in wanted if not last.get(subject, permission.by_default)}


def newest_statements(permission: Permission) -> FromClause:
    """Return, as a subquery, the newest own statement of every subject: ``subject``, ``given``, ``expires``."""
    newest = (
        select(func.max(consents.c.id).label("id"))
        .where(
            consents.c.dataset == permission.dataset.id,
            consents.c.purpose == permission.purpose,
            consents.c.subject.is_not(None),
        )
        .group_by(consents.c.subject)
        .subquery()
    )
    return (
        select(consents.c.subject, consents.c.given, consents.c.expires)
        .join(newest, consents.c.id == newest.c.id)
        .subquery()
    )


def covered(permission: Permission, own: Any) -> ColumnElement[bool]:
    """Return the SQL condition that a row outer-joined with ``newest_statements`` is covered."""
    in_force = _in_force_sql(own, permission.at)
    return (
        or_(own.c.given.is_(None), in_force)
        if permission.by_default
        else and_(own.c.given.is_not(None), in_force)
    )


def state_automated(connection: Connection, dataset: str, subject: str, given: bool, by: str) -> None:
    """Record what a subject states of decisions made by automation alone; doors: ``ledger.automated``.

    Raises:
        UnknownNameError: no such data set, or a subject who has neither records nor statements in it.
    """
    found = find_dataset(connection, dataset, lock=True)
    person = find_subject(connection, found, subject)
    if person is None or person.salt is None:
        raise UnknownNameError(f"{dataset}: no such subject; identifiers are compared exactly, case included")
    row = {
        **{"dataset": found.id, "subject": person.id, "purpose": AUTOMATED, "given": given},
        **{"basis": "", "by": by, "time": _now(), "expires": None},
    }
    connection.execute(insert(consents), row)
    digests = (keyed_digest(person.salt, subject.encode()),)
    action = "automated.accept" if given else "automated.refuse"
    append(connection, action, actor=by, subjects=digests, detail={"dataset": dataset})


def _state_consent(
    connection: Connection,
    name: str,
    subject: str | None,
    purpose: str,
    given: bool,
    basis: str,
    by: str,
    expires: str | None,
) -> None:
    check_purpose(purpose)
    dataset = find_dataset(connection, name, lock=True)
    number: int | None = None
    digests: tuple[str, ...] = ()
    said: str | None = basis
    if subject is not None:
        if not given and find_subject(connection, dataset, subject) is None:
            raise UnknownNameError(
                f"{name}: no such subject; identifiers are compared exactly, case included"
            )
        (found,) = enrol(connection, dataset, {dataset.subject_key(subject)}).values()
        if given:
            found = readmit(connection, found)
        number = found.id
        if found.salt is not None:
            digests = (keyed_digest(found.salt, subject.encode()),)
        # A subject's basis may name the subject.
        said = keyed_digest(found.salt, basis.encode()) if found.salt is not None else None
    row = {
        **{"dataset": dataset.id, "subject": number, "purpose": purpose, "given": given},
        **{"basis": basis, "by": by, "time": _now(), "expires": expires},
    }
    connection.execute(insert(consents), row)
    detail: dict[str, Any] = {"dataset": name, "purpose": purpose}
    detail["of"] = "data set" if subject is None else "subject"
    if given:
        detail |= {"basis": said, "expires": expires}
    append(
        connection, "consent.give" if given else "consent.withdraw", actor=by, subjects=digests, detail=detail
    )


def _state_grant(
    connection: Connection, name: str, grantee: str, purpose: str, given: bool, by: str, expires: str | None
) -> None:
    check_purpose(purpose)
    dataset = find_dataset(connection, name, lock=True)
    row = {
        **{"dataset": dataset.id, "grantee": grantee, "purpose": purpose, "given": given},
        **{"by": by, "time": _now(), "expires": expires},
    }
    connection.execute(insert(grants), row)
    detail: dict[str, Any] = {"dataset": name, "grantee": grantee, "purpose": purpose}
    if given:
        detail["expires"] = expires
    append(connection, "grant.give" if given else "grant.revoke", actor=by, detail=detail)


def check_purpose(purpose: str) -> None:
    """Refuse what is no purpose.

    Raises:
        UnknownNameError: the message lists them, and names the nearest.
    """
    if purpose not in PURPOSES:
        near = get_close_matches(purpose, PURPOSES, n=1)
        raise UnknownNameError(
            f"purpose: expected one of {', '.join(PURPOSES)}; got {purpose!r}"
            + (f": did you mean {near[0]}?" if near else "")
        )


def _in_force(given: bool, expires: str | None, at: str) -> bool:
    return given and (expires is None or expires >= at)


def _in_force_sql(own: Any, at: str) -> ColumnElement[bool]:
    return and_(own.c.given.is_(True), or_(own.c.expires.is_(None), own.c.expires >= at))


def _until(expires: str | None) -> str | None:
    """The last second of validity, UTC, in the one spelling that compares as text."""
    if expires is None:
        return None
    wrong = InvalidInputError(
        f"expires: expected a day such as 2027-12-31, or a moment with its zone such as "
        f"2027-12-31T18:00:00+08:00; got {expires!r}"
    )
    try:
        moment = datetime.fromisoformat(expires)
    except ValueError:
        raise wrong from None
    if len(expires) == 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59), UTC)
    if moment.tzinfo is None:
        raise wrong
    until = moment.astimezone(UTC).isoformat(timespec="seconds")
    if until < _now():
        raise InvalidInputError(f"expires: expected a time to come; {expires} has passed")
    return until


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
