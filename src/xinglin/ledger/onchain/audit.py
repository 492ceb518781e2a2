"""The audit chain's size and root on the EVM chain: whoever rewrites or shortens the one is shown by the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from xinglin.errors import ChainBrokenError, ConflictError
from xinglin.ledger import merkle
from xinglin.ledger.heads import hashes
from xinglin.ledger.onchain.chain import Sent
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.ledger.onchain.names import find
from xinglin.store import Store
from xinglin.store.tables_ledger import ledger_head

LOG = "audit"
"""Name of a store's own log."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of the audit chain on the EVM chain."""

    size: int
    """Entries."""
    root: bytes
    """Of the RFC 6962 tree over their hashes (``ledger.merkle``)."""
    sent: Sent | None
    """The transaction; ``None``: it was there already."""


def anchor_audit(store: Store, contracts: Contracts, account: Any, *, log: str = LOG) -> Anchor:
    """Anchor the audit chain as it is now.

    Args:
        store: whose audit chain.
        contracts: where.
        account: steward of the log.
        log: name under which it was registered.

    Raises:
        UnknownNameError: the log is not registered.
        ConflictError: the chain holds a longer one already: this store is an old copy.
        ChainBrokenError: what is anchored is not in this store's chain: it was rewritten.
        OnChainError: the node does not answer.
    """
    before = check_anchor(store, contracts, log=log)
    with store.read() as connection:
        id = find(connection, contracts.chain.network, "log", log)
        size = int(connection.execute(select(ledger_head.c.seq)).scalar_one())
        root = merkle.root(bytes.fromhex(one) for one in hashes(connection, size))
    if before is not None and before.size == size:
        return before
    return Anchor(size, root, contracts.audit.anchor(account, id, size, root))


def check_anchor(store: Store, contracts: Contracts, *, log: str = LOG) -> Anchor | None:
    """Compare the audit chain with what is anchored; return that, ``None`` where nothing is yet.

    Raises:
        ChainBrokenError: the first entries do not give the anchored root.
        ConflictError: fewer entries are here than were anchored.
        UnknownNameError, OnChainError: as :func:`anchor_audit`.
    """
    with store.read() as connection:
        id = find(connection, contracts.chain.network, "log", log)
        size, root = contracts.audit.newest(id)
        if size == 0:
            return None
        here = [bytes.fromhex(one) for one in hashes(connection, size)]
    if len(here) < size:
        raise ConflictError(
            f"{size} entries are anchored and {len(here)} are here: the audit chain was cut off, or an old backup "
            "was restored"
        )
    if merkle.root(here) != root:
        raise ChainBrokenError(
            f"the first {size} entries do not give the anchored root: the audit chain was rewritten"
        )
    return Anchor(size, root, None)
