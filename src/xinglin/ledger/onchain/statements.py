"""Consents and grants of the store, anchored in batches; one grant at a time; and proofs of single statements.

A statement becomes a leaf under a salt: a grant under one of the data set, a consent under one of its subject, which
the caller takes out of the vault. No table says which leaf is whose: it is reckoned anew from statement and salt. Once
the salt is destroyed nobody can, and the leaf is a random number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from xinglin.errors import ConflictError, UnknownNameError
from xinglin.ledger.chain import append
from xinglin.ledger.onchain import outbox
from xinglin.ledger.onchain.batches import Leaf, Proof, Tree, filled, find, keccak, split
from xinglin.ledger.onchain.chain import Sent
from xinglin.ledger.onchain.clients import STRUCK_AT_ONCE
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.onchain.names import find as find_id
from xinglin.ledger.onchain.names import grantee_digest, purpose_word, seconds
from xinglin.ledger.subjects import Dataset, find_dataset, find_subject
from xinglin.store import Store
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import consents, grants
from xinglin.store.tables_onchain import chain_batches as table
from xinglin.store.tables_onchain import chain_transactions

BATCH = 4096
"""Statements in one batch: a proof of 12 hashes."""
Kind = Literal["grant", "consent"]
STRUCK: dict[Kind, str] = {"grant": "grant-struck", "consent": "consent-struck"}
"""Under which kind the leaves are kept that were revoked on the chain."""
Salts = Callable[[Connection, Sequence[int], bool], dict[int, bytes]]
"""Takes the salts of subjects (row numbers) out of the vault; erased ones are left out. ``True``: make missing ones."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an anchoring did."""

    statements: int
    batches: int
    struck: int
    """Leaves that were revoked or withdrawn."""
    gas: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A statement and its proof."""

    statement: int
    """Number of the row."""
    purpose: str
    expires: str | None
    leaf: Leaf
    root: bytes
    proof: Proof


@dataclass(frozen=True, slots=True)
class Standing:
    """One statement of a subject, and how it stands on the chain."""

    statement: int
    purpose: str
    given: bool
    """``False``: it withdrew."""
    time: str
    expires: str | None
    root: str | None
    """Of the batch that holds it, hex; ``None``: not anchored, or a withdrawal."""
    covered: bool | None
    """Whether the chain says that it is in force; ``None``: not anchored."""


def anchor_grants(
    store: Store, contracts: Contracts, account: Any, dataset: str, *, size: int = BATCH
) -> Anchored:
    """Anchor what was granted since the last time, and strike what was revoked.

    Args:
        store: whose statements.
        contracts: where.
        account: steward of the data set.
        dataset: name of a registered data set.
        size: most statements in one batch.

    Raises:
        UnknownNameError: no such data set, or it is not registered.
        NotPermittedError: the account is not the steward.
        OnChainError: the node does not answer; call again to go on.
    """
    return _anchor(store, contracts, account, "grant", dataset, size, None)


def anchor_consents(
    store: Store, contracts: Contracts, account: Any, dataset: str, salts: Salts, *, size: int = BATCH
) -> Anchored:
    """Anchor what was consented to since the last time, and withdraw what was withdrawn.

    Args:
        salts: from the vault (``records.sealing.commitment_salts``).

    Raises:
        ConfigurationError: there is no vault: the archive is not encrypted.
        UnknownNameError, NotPermittedError, OnChainError: as :func:`anchor_grants`.
    """
    return _anchor(store, contracts, account, "consent", dataset, size, salts)


def show(
    connection: Connection,
    contracts: Contracts,
    kind: Kind,
    dataset: str,
    rows: Sequence[Any],
    salts: Salts | None,
) -> list[Shown]:
    """Return those statements that are anchored, each with its proof.

    Args:
        connection: a transaction.
        contracts: where they are anchored.
        kind: ``grant`` or ``consent``.
        dataset: name of the data set.
        rows: of the table of grants or of consents.
        salts: from the vault, for consents.
    """
    found = find_dataset(connection, dataset)
    id = find_id(connection, contracts.chain.network, "dataset", dataset)
    made = _leaves(connection, kind, found, id, rows, salts, make=False)
    hashed, shown = keccak(), []
    trees: dict[int, Tree] = {}
    batches = _batches(connection, contracts, kind, found)
    for row in rows:
        if row.id not in made:
            continue
        digest = made[row.id].digest(hashed)
        for number, leaves in enumerate(batches):
            if find(leaves, digest) is not None:
                if number not in trees:
                    trees[number] = Tree(leaves)
                tree = trees[number]
                leaf = made[row.id]
                shown.append(Shown(row.id, row.purpose, row.expires, leaf, tree.root, tree.prove(digest)))
    return shown


def standing(store: Store, contracts: Contracts, dataset: str, subject: str, salts: Salts) -> list[Standing]:
    """Return a subject's statements, oldest first, each as the chain knows it.

    Args:
        store: whose statements.
        contracts: where they are anchored.
        dataset: name of the data set.
        subject: identifier as its records carry it.
        salts: from the vault.

    Raises:
        UnknownNameError: no such data set, or the subject has stated nothing, or was erased.
        OnChainError: the node does not answer.
    """
    with store.read() as connection:
        person = find_subject(connection, find_dataset(connection, dataset), subject)
        rows = statements_of(connection, dataset, -1 if person is None else person.id)
        given = [row for row in rows if row.given]
        shown = {one.statement: one for one in show(connection, contracts, "consent", dataset, given, salts)}
    found = []
    for row in rows:
        one = shown.get(row.id)
        root, covered = None, None
        if one is not None:
            root, covered = one.root.hex(), contracts.consents.covered(one.leaf, one.proof)
        found.append(Standing(row.id, row.purpose, row.given, row.time, row.expires, root, covered))
    return found


def _anchor(
    store: Store,
    contracts: Contracts,
    account: Any,
    kind: Kind,
    dataset: str,
    size: int,
    salts: Salts | None,
) -> Anchored:
    client: Any = contracts.grants if kind == "grant" else contracts.consents
    hashed = keccak()
    with store.write() as connection:
        found = find_dataset(connection, dataset, lock=True)
        id = find_id(connection, contracts.chain.network, "dataset", dataset)
        newest, old = _in_force(connection, kind, found)
        leaves = _leaves(connection, kind, found, id, newest, salts, make=True).values()
        ended = _leaves(connection, kind, found, id, old, salts, make=False).values()
        there = {leaf for batch in _batches(connection, contracts, kind, found) for leaf in batch}
        lost = set(connection.execute(_lost(contracts.chain.network)).scalars())
        gone = {
            leaf for batch in _batches(connection, contracts, STRUCK[kind], found, lost) for leaf in batch
        }
        added = [digest for leaf in leaves if (digest := leaf.digest(hashed)) not in there]
        strike = sorted({leaf.digest(hashed) for leaf in ended} & there - gone)
    # What is taken back goes first, and is noted once it stands there.
    gas = 0
    for at in range(0, len(strike), STRUCK_AT_ONCE):
        part = strike[at : at + STRUCK_AT_ONCE]
        sent = (client.strike if kind == "grant" else client.withdraw)(account, id, part)
        gas += sent.gas
        with store.write() as connection:
            _keep(connection, contracts, STRUCK[kind], found, part, account.address, sent.hash)
    parts = [filled(added[at : at + size]) for at in range(0, len(added), size)]
    if parts:
        with store.write() as connection:
            for part in parts:
                _keep(connection, contracts, kind, found, part, account.address, None)
    batches, more = _send_waiting(store, contracts, account, kind, found, id)
    return Anchored(len(added), batches, len(strike), gas + more)


def _keep(
    connection: Connection,
    contracts: Contracts,
    kind: str,
    dataset: Dataset,
    leaves: list[bytes],
    by: str,
    sent: str | None,
) -> None:
    """Keep a batch before it is sent, or what was struck after it was."""
    root = Tree(leaves).root.hex() if sent is None else ""
    row = {"network": contracts.chain.network, "kind": kind, "dataset": dataset.id, "root": root}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(insert(table).values(**row, leaves=b"".join(leaves), hash=sent, time=time))
    detail = {"dataset": dataset.name, "root": root, "leaves": len(leaves)}
    append(connection, f"chain.batch.{kind}", actor=by, detail=detail)


def _send_waiting(
    store: Store, contracts: Contracts, account: Any, kind: Kind, dataset: Dataset, id: bytes
) -> tuple[int, int]:
    """Send the batches that were made and are not on the chain: of an interrupted run, or whose transaction was lost."""
    client: Any = contracts.grants if kind == "grant" else contracts.consents
    network = contracts.chain.network
    mine = (table.c.network == network, table.c.kind == kind, table.c.dataset == dataset.id)
    with store.read() as connection:
        query = select(table.c.id, table.c.root, func.length(table.c.leaves).label("bytes"))
        waiting = connection.execute(
            query.where(*mine, or_(table.c.hash.is_(None), table.c.hash.in_(_lost(network)))).order_by(
                table.c.id
            )
        ).all()
    gas = 0
    for row in waiting:
        try:
            sent: Sent | None = client.anchor(account, id, bytes.fromhex(row.root), row.bytes // 32)
        except ConflictError as error:
            if "anchored already" not in str(error):
                raise
            sent = None  # it had come through before the interruption
        gas += sent.gas if sent else 0
        with store.write() as connection:
            connection.execute(
                update(table).where(table.c.id == row.id).values(hash=sent.hash if sent else "earlier")
            )
    return len(waiting), gas


def _in_force(connection: Connection, kind: Kind, dataset: Dataset) -> tuple[list[Any], list[Any]]:
    """Return the statements in force, and those given before that a later one has ended.

    All of them are looked at every time: numbers of rows say nothing about what is new, since SQLite gives that of an
    erased row to the next one.
    """
    source = grants if kind == "grant" else consents
    query = select(source).where(source.c.dataset == dataset.id).order_by(source.c.id)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    newest: dict[tuple[Any, str], Any] = {}
    given = []
    for row in connection.execute(query):
        newest[(row.grantee if kind == "grant" else row.subject), row.purpose] = row
        if row.given and (row.expires is None or row.expires >= now):
            given.append(row)
    last = {row.id for row in newest.values()}
    return [row for row in given if row.id in last], [row for row in given if row.id not in last]


def _leaves(
    connection: Connection,
    kind: Kind,
    dataset: Dataset,
    id: bytes,
    rows: Iterable[Any],
    salts: Salts | None,
    *,
    make: bool,
) -> dict[int, Leaf]:
    rows = list(rows)
    if kind == "grant":
        return {row.id: grant_leaf(dataset, id, row) for row in rows}
    own = sorted({row.subject for row in rows if row.subject is not None})
    known = salts(connection, own, make) if salts is not None and own else {}
    made = {}
    for row in rows:
        salt = known.get(row.subject) if row.subject is not None else bytes.fromhex(dataset.salt)
        if salt is not None:
            made[row.id] = consent_leaf(salt, id, row)
    return made


def grant_leaf(dataset: Dataset, id: bytes, row: Any) -> Leaf:
    """Return the leaf of a grant (a row of the table of grants)."""
    salt = bytes.fromhex(keyed_digest(dataset.salt, b"chain\0grant\0%d" % row.id))
    return Leaf(
        id, grantee_digest(dataset, row.grantee), purpose_word(row.purpose), seconds(row.expires), salt
    )


def consent_leaf(salt: bytes, id: bytes, row: Any) -> Leaf:
    """Return the leaf of a consent: both who and salt are HMACs under the subject's salt, new for each statement."""
    who, blind = (
        bytes.fromhex(keyed_digest(salt.hex(), b"%b\0%d" % (name, row.id))) for name in (b"who", b"blind")
    )
    return Leaf(id, who, purpose_word(row.purpose), seconds(row.expires), blind)


def _lost(network: str) -> Select[tuple[str]]:
    """Transactions that will never be on the chain: another took the nonce, or the contract refused."""
    states = (outbox.REPLACED, outbox.FAILED)
    return select(chain_transactions.c.hash).where(
        chain_transactions.c.network == network, chain_transactions.c.state.in_(states)
    )


def _batches(
    connection: Connection, contracts: Contracts, kind: str, dataset: Dataset, lost: Collection[str] = ()
) -> list[list[bytes]]:
    query = (
        select(table.c.leaves, table.c.hash)
        .where(
            table.c.network == contracts.chain.network, table.c.kind == kind, table.c.dataset == dataset.id
        )
        .order_by(table.c.id)
    )
    return [split(row.leaves) for row in connection.execute(query) if row.hash not in lost]


def statements_of(connection: Connection, dataset: str, subject: int) -> Sequence[Row[Any]]:
    """Return a subject's statements, oldest first.

    Raises:
        UnknownNameError: there is no such data set, or the subject has none.
    """
    found = find_dataset(connection, dataset)
    query = select(consents).where(consents.c.dataset == found.id, consents.c.subject == subject)
    rows = connection.execute(query.order_by(consents.c.id)).all()
    if not rows:
        raise UnknownNameError(f"{dataset}: this subject has stated nothing")
    return rows
