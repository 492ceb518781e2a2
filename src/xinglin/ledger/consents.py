"""A person's own view: what was stated about their data, who read it, and what the audit chain has of it.

A *steward* of a data set is who created it. A *subject* looks through an account that the steward linked to them, and
gives their identifier each time: it stands in no table, and without it neither the keyed digest in the ledger nor the
account alone leads to the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from xinglin.errors import NotPermittedError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.grants import PURPOSES
from xinglin.ledger.subjects import Dataset, Subject, find_dataset, find_subject
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import consents, datasets, grants
from xinglin.store.tables_ledger import ledger, subject_accounts

MOST = 200
"""Newest entries that are listed."""
ACTIONS = (
    *("records.read", "consent.give", "consent.withdraw", "grant.give", "grant.revoke"),
    *("dataset.create", "subject.erase", "subject.link", "credit.measure"),
)
"""Entries about a data set that its people are shown."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds now for a purpose."""

    purpose: str
    covered: bool
    """Whether a read for this purpose may use the data."""
    of: str
    """``subject``: own statement; ``data set``: its basis; ``none``: nothing was stated."""
    since: str | None
    expires: str | None
    basis: str
    """Empty where it was withdrawn or nothing was stated."""


@dataclass(frozen=True, slots=True)
class GrantStanding:
    """The newest statement about a grantee and a purpose."""

    grantee: str
    purpose: str
    in_force: bool
    by: str
    since: str
    expires: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """An entry of the audit chain about the data."""

    seq: int
    time: str
    action: str
    actor: str
    purpose: str | None
    grantee: str | None
    records: int | None
    """How many records were read; ``None``: not a read."""
    mine: bool | None
    """For a subject: whether the read could use their records, by what was stated then; ``None``: does not apply."""


def link_account(connection: Connection, dataset: str, *, subject: str, account: str, by: str) -> None:
    """State that an account is a subject's; an earlier link of that account in this data set ends.

    Raises:
        UnknownNameError: no such data set or subject, or the subject was erased.
    """
    found = find_dataset(connection, dataset, lock=True)
    person = find_subject(connection, found, subject)
    if person is None or person.salt is None:
        raise UnknownNameError(f"{dataset}: no such subject; identifiers are compared exactly, case included")
    mine = (subject_accounts.c.account == account, subject_accounts.c.dataset == found.id)
    connection.execute(delete(subject_accounts).where(*mine))
    row = {"account": account, "dataset": found.id, "subject": person.id, "by": by, "time": _now()}
    connection.execute(insert(subject_accounts), row)
    digest = keyed_digest(person.salt, subject.encode())
    append(
        connection,
        "subject.link",
        actor=by,
        subjects=(digest,),
        detail={"dataset": dataset, "account": account},
    )


def stewarded(connection: Connection, account: str, *, everything: bool = False) -> list[str]:
    """Return the data sets that an account created, or all of them, by name."""
    query = select(datasets.c.name).order_by(datasets.c.name)
    return list(
        connection.execute(query if everything else query.where(datasets.c.created_by == account)).scalars()
    )


def linked(connection: Connection, account: str) -> list[str]:
    """Return the data sets in which an account is a subject's, by name."""
    query = (
        select(datasets.c.name)
        .join(subject_accounts, subject_accounts.c.dataset == datasets.c.id)
        .where(subject_accounts.c.account == account)
        .order_by(datasets.c.name)
    )
    return list(connection.execute(query).scalars())


def own_subject(connection: Connection, account: str, dataset: str, identifier: str) -> Subject:
    """Return the subject that an account is linked to, if the identifier is theirs.

    Raises:
        NotPermittedError: no link, another identifier, or erased; which of them is not told.
        UnknownNameError: no such data set.
    """
    found = find_dataset(connection, dataset)
    person = find_subject(connection, found, identifier)
    query = select(subject_accounts.c.subject).where(
        subject_accounts.c.account == account, subject_accounts.c.dataset == found.id
    )
    if person is None or person.salt is None or connection.execute(query).scalar() != person.id:
        raise NotPermittedError(
            f"{dataset}: this account and this identifier do not belong together: ask the hospital to link your account"
        )
    return person


def standings(connection: Connection, dataset: Dataset, subject: Subject | None) -> list[Standing]:
    """Return what holds now, purpose by purpose; for a subject, their own statement before the data set's."""
    return [_standing(_statements(connection, dataset, subject), purpose, _now()) for purpose in PURPOSES]


def grant_standings(connection: Connection, dataset: Dataset) -> list[GrantStanding]:
    """Return the newest statement for every grantee and purpose, newest first."""
    query = select(grants).where(grants.c.dataset == dataset.id).order_by(grants.c.id.desc())
    found: dict[tuple[str, str], GrantStanding] = {}
    now = _now()
    for row in connection.execute(query):
        standing = GrantStanding(
            row.grantee, row.purpose, _holds(row.given, row.expires, now), row.by, row.time, row.expires
        )
        found.setdefault((row.grantee, row.purpose), standing)
    return list(found.values())


def uses(
    connection: Connection,
    dataset: Dataset,
    subject: Subject | None,
    identifier: str | None,
    *,
    most: int = MOST,
) -> list[Use]:
    """Return entries of the audit chain about a data set, newest first.

    Args:
        connection: a transaction.
        dataset: which.
        subject: for a subject's view: entries that name other subjects are left out.
        identifier: the subject's, to find the entries that name them.
        most: how many at most.
    """
    named = None
    if subject is not None and subject.salt is not None and identifier is not None:
        named = keyed_digest(subject.salt, identifier.encode())
    query = (
        select(ledger)
        .where(ledger.c.action.in_(ACTIONS), ledger.c.detail["dataset"].as_string() == dataset.name)
        .order_by(ledger.c.seq.desc())
    )
    own = _statements(connection, dataset, subject)
    found = []
    for row in connection.execute(query):
        if subject is not None and row.subjects and named not in row.subjects:
            continue
        found.append(_use(row, own, subject, named))
        if len(found) == most:
            break
    return found


def _use(row: Any, own: list[Any], subject: Subject | None, named: str | None) -> Use:
    said, read = row.detail, row.action == "records.read"
    mine = None
    if subject is not None and read:
        mine = named in row.subjects or _standing(own, said["purpose"], row.time).covered
    count = said.get("records") if read else None
    return Use(
        row.seq, row.time, row.action, row.actor, said.get("purpose"), said.get("grantee"), count, mine
    )


def _statements(connection: Connection, dataset: Dataset, subject: Subject | None) -> list[Any]:
    """Statements of the data set, and of the subject, in order."""
    whose: ColumnElement[bool] = consents.c.subject.is_(None)
    if subject is not None:
        whose = whose | (consents.c.subject == subject.id)
    query = select(consents).where(consents.c.dataset == dataset.id, whose).order_by(consents.c.id)
    return list(connection.execute(query).all())


def _standing(statements: list[Any], purpose: str, at: str) -> Standing:
    moment = at[:19] + "+00:00"  # entries carry microseconds, statements do not
    told = [row for row in statements if row.purpose == purpose and row.time <= moment]
    own = [row for row in told if row.subject is not None]
    if not told:
        return Standing(purpose, False, "none", None, None, "")
    last = own[-1] if own else told[-1]
    of = "subject" if own else "data set"
    return Standing(
        purpose,
        _holds(last.given, last.expires, moment),
        of,
        last.time,
        last.expires,
        last.basis if last.given else "",
    )


def _holds(given: bool, expires: str | None, at: str) -> bool:
    return given and (expires is None or expires >= at)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
