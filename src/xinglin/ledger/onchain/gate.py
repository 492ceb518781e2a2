"""The chain's word at every read: what :func:`xinglin.ledger.grants.check` found in the store must stand there too.

Asked only about data sets that are registered on a chain. Fails closed: no node, no access. What a node
answered is kept for ``KEEP`` seconds and never beyond the grant's expiry; a revocation in the store counts at once, one
that reached the chain alone after that time at the latest.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from sqlalchemy import Connection, Engine, select

from xinglin.errors import NotPermittedError, OnChainError
from xinglin.ledger.onchain.batches import Tree, find, keccak, split
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.onchain.deployment import in_force, newest
from xinglin.ledger.onchain.names import grantee_digest, known, purpose_word
from xinglin.ledger.onchain.statements import grant_leaf
from xinglin.ledger.subjects import Dataset
from xinglin.store import Store
from xinglin.store.tables_onchain import chain_batches

KEEP = 60
"""Seconds for which an answer of a node holds."""
_MOST = 10_000  # answers
_kept: dict[tuple[Engine, str, str, int], tuple[float, int]] = {}
_turn = threading.Lock()


def require(connection: Connection, dataset: Dataset, grantee: str, purpose: str, statement: Any) -> None:
    """Check that the chain grants what the store grants.

    Args:
        connection: the caller's transaction.
        dataset: to be read.
        grantee: who.
        purpose: what for.
        statement: the row of the grant in force in the store.

    Raises:
        NotPermittedError: the chain does not grant it.
        OnChainError: the node does not answer: nothing is read.
    """
    row = newest(connection)
    id = None if row is None else known(connection, row.network, "dataset", dataset.name)
    if row is None or id is None:
        raise NotPermittedError(
            f"{dataset.name} is registered on a chain that is not in force any more: "
            f"`xinglin ledger register dataset {dataset.name}`"
        )
    key = (connection.engine, f"{row.id}:{dataset.id}:{grantee}", purpose, int(statement.id))
    with _turn:
        kept = _kept.get(key)
    if kept is not None and time.monotonic() - kept[0] < KEEP and time.time() <= kept[1]:
        return
    try:
        contracts = in_force(Store(connection.engine))
        if contracts is None:
            raise OnChainError("no deployment is in force any more")
        until = _until(connection, contracts, dataset, id, grantee, purpose, statement)
    except OnChainError as error:
        raise OnChainError(
            f"{dataset.name} cannot be read while its grants cannot be checked: {error}"
        ) from error
    if until is None:
        raise NotPermittedError(
            f"{grantee} needs a grant on the chain to read {dataset.name} for {purpose}; none is in force there: "
            f"`xinglin ledger grant {dataset.name} --to {grantee} --purpose {purpose}` or `xinglin ledger anchor`"
        )
    if contracts.chain.remote:
        with _turn:
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[key] = (time.monotonic(), until)


def _until(
    connection: Connection,
    contracts: Contracts,
    dataset: Dataset,
    id: bytes,
    grantee: str,
    purpose: str,
    statement: Any,
) -> int | None:
    """Return the last second of what the chain grants."""
    direct = contracts.grants.until(id, grantee_digest(dataset, grantee), purpose_word(purpose))
    if direct is not None:
        return direct
    leaf = grant_leaf(dataset, id, statement)
    digest = leaf.digest(keccak())
    query = select(chain_batches.c.leaves).where(
        chain_batches.c.network == contracts.chain.network,
        chain_batches.c.kind == "grant",
        chain_batches.c.dataset == dataset.id,
    )
    for row in connection.execute(query.order_by(chain_batches.c.id.desc())):
        leaves = split(row.leaves)
        if find(leaves, digest) is not None and contracts.grants.allowed_in_batch(
            leaf, Tree(leaves).prove(digest)
        ):
            return leaf.expiry
    return None
