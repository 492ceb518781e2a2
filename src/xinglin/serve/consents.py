"""My consents, for page and API alike: what an account may see, the proof of an entry, and what a withdrawal reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from xinglin.errors import InvalidInputError, NotPermittedError, XinglinError
from xinglin.ledger.audit_keys import announced
from xinglin.ledger.consents import (
    GrantStanding,
    Standing,
    Use,
    grant_standings,
    linked,
    own_subject,
    standings,
    stewarded,
    uses,
)
from xinglin.ledger.grants import revoke, withdraw_consent
from xinglin.ledger.heads import signed_heads
from xinglin.ledger.proofs import check_proof, prove_entry
from xinglin.ledger.subjects import find_dataset
from xinglin.release.registry.record import touched
from xinglin.store import Store
from xinglin.store.tables import campaigns, federation_jobs

LOCAL = "local"
"""The user of a workbench without a login: whoever sits at the machine, and so steward of all that lies on it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One data set as an account may see it."""

    dataset: str
    as_steward: bool
    standings: tuple[Standing, ...]
    grants: tuple[GrantStanding, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """What data of a data set went into: a withdrawal stops the next read, not what was made already."""

    models: tuple[tuple[str, str], ...]
    """(name@number, stage)."""
    jobs: tuple[tuple[str, str], ...]
    """Federated jobs: (name, state)."""
    labels: tuple[str, ...]
    """Annotation rounds, whose labels are derived from the records."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What the check of one entry found."""

    seq: int
    state: str
    """``proven``, ``unsigned`` (younger than every signed head) or ``broken``."""
    head: int | None
    """Entries under the signed head."""
    key: str | None
    """First digits of the key that signed it: to be compared with what the hospital has published."""
    signed: str | None


def mine(store: Store, account: str) -> tuple[list[str], list[str]]:
    """Return the data sets that an account is steward of, and those in which it is a subject's."""
    with store.read() as connection:
        return stewarded(connection, account, everything=account == LOCAL), linked(connection, account)


def look(store: Store, account: str, dataset: str, identifier: str | None = None) -> Looked:
    """Return a data set as an account may see it.

    Args:
        store: where.
        account: who looks.
        dataset: its name.
        identifier: the subject's own; ``None`` looks as steward.

    Raises:
        NotPermittedError: neither steward nor, with this identifier, the subject.
        UnknownNameError: no such data set.
    """
    with store.read() as connection:
        found = find_dataset(connection, dataset)
        subject = None
        if identifier is not None:
            subject = own_subject(connection, account, dataset, identifier)
        else:
            _require_steward(connection, account, dataset)
        return Looked(
            dataset,
            subject is None,
            tuple(standings(connection, found, subject)),
            tuple(grant_standings(connection, found)),
            tuple(uses(connection, found, subject, identifier)),
        )


def verify(store: Store, account: str, dataset: str, seq: int, identifier: str | None = None) -> Verified:
    """Check that an entry stands in a head that the audit key has signed.

    Raises:
        NotPermittedError: the entry is not one that the account is shown.
    """
    proof = _proof(store, account, dataset, seq, identifier)
    if proof is None:
        return Verified(seq, "unsigned", None, None, None)
    with store.read() as connection:
        keys = {one.public_key for one in announced(connection)}
    head = proof["head"]
    try:
        check_proof(proof, keys)
        state = "proven"
    except XinglinError:
        state = "broken"
    return Verified(seq, state, head["seq"], head["public_key"][:16], head["time"])


def proof_of(
    store: Store, account: str, dataset: str, seq: int, identifier: str | None = None
) -> dict[str, Any]:
    """Return the proof of an entry, to be taken home and checked with ``xinglin audit check``.

    Raises:
        NotPermittedError: the entry is not one that the account is shown.
        InvalidInputError: it is younger than every signed head.
    """
    proof = _proof(store, account, dataset, seq, identifier)
    if proof is None:
        raise InvalidInputError(
            f"entry {seq} is younger than every signed head: ask for a new one to be signed"
        )
    return proof


def reach(store: Store, dataset: str) -> Reach:
    """Return what was made of a data set, as far as this store knows."""
    with store.read() as connection:
        models = [(f"{one.name}@{one.number}", one.stage) for one in touched(connection, dataset)]
        rows = connection.execute(
            select(federation_jobs.c.name, federation_jobs.c.state, federation_jobs.c.job).order_by(
                federation_jobs.c.started
            )
        )
        jobs = [(row.name, row.state) for row in rows if row.job.get("data", {}).get("dataset") == dataset]
        names = select(campaigns.c.name).where(campaigns.c.dataset == dataset).order_by(campaigns.c.name)
        return Reach(tuple(models), tuple(jobs), tuple(connection.execute(names).scalars()))


def withdraw(store: Store, account: str, dataset: str, purpose: str, identifier: str | None = None) -> None:
    """Withdraw: a subject's own consent, or as steward the basis of the whole data set.

    Raises:
        NotPermittedError: neither steward nor, with this identifier, the subject.
        UnknownNameError: no such data set or purpose.
    """
    with store.write() as connection:
        if identifier is None:
            _require_steward(connection, account, dataset)
        else:
            own_subject(connection, account, dataset, identifier)
        withdraw_consent(connection, dataset, subject=identifier, purpose=purpose, by=account)


def take_back(store: Store, account: str, dataset: str, grantee: str, purpose: str) -> None:
    """As steward, take a grant back.

    Raises:
        NotPermittedError: not the steward.
        UnknownNameError: no such data set or purpose.
    """
    with store.write() as connection:
        _require_steward(connection, account, dataset)
        revoke(connection, dataset, grantee=grantee, purpose=purpose, by=account)


def _proof(
    store: Store, account: str, dataset: str, seq: int, identifier: str | None
) -> dict[str, Any] | None:
    shown = look(store, account, dataset, identifier)
    if seq not in {one.seq for one in shown.uses}:
        raise NotPermittedError(f"entry {seq} is not one of those about your data in {dataset}")
    with store.read() as connection:
        heads = signed_heads(connection)
        return prove_entry(connection, seq) if heads and heads[-1].seq >= seq else None


def _require_steward(connection: Connection, account: str, dataset: str) -> None:
    if dataset not in stewarded(connection, account, everything=account == LOCAL):
        raise NotPermittedError(f"{dataset}: {account} is not its steward")
