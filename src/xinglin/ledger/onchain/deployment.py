"""Which contracts are in force for a store: the newest deployment that was noted in it."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, insert, select

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.ledger.chain import append
from xinglin.ledger.onchain.chain import LOCAL, Chain
from xinglin.ledger.onchain.contracts import Contracts
from xinglin.store import Store
from xinglin.store.tables_onchain import chain_deployments as table

URL = "XINGLIN_CHAIN_URL"
"""Takes the place of the URL that was noted; for one that holds a secret."""
_open: dict[Engine, tuple[int, str | None, Contracts]] = {}
_MOST = 4  # stores whose contracts one process holds open
_turn = threading.Lock()


def note(store: Store, contracts: Contracts, *, url: str | None, by: str) -> None:
    """Note a deployment: from here on it is in force.

    Args:
        store: where.
        contracts: deployed or attached.
        url: of the node, without secrets; ``None``: the in-process EVM.
        by: who.

    Raises:
        InvalidInputError: the URL holds a password or a query.
    """
    if url is not None:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query:
            raise InvalidInputError(f"the URL holds a secret, which the store would keep: set {URL} instead")
    row = {
        "network": contracts.chain.network,
        "url": url,
        "confirmations": contracts.chain.confirmations,
        "addresses": contracts.addresses(),
    }
    with store.write() as connection:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        connection.execute(insert(table).values(**row, time=time, by=by))
        append(
            connection,
            "chain.deploy",
            actor=by,
            detail={"network": row["network"], "addresses": row["addresses"]},
        )


def newest(connection: Connection) -> Any | None:
    """Return the row of the deployment in force; ``None``: this store uses no chain."""
    return connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).first()


def in_force(store: Store) -> Contracts | None:
    """Return the contracts in force; ``None``: this store uses no chain.

    The contracts of one store are opened once a process: the in-process EVM is replayed once.

    Raises:
        OnChainError: the node does not answer.
        ConfigurationError: it is a node of another network.
        MissingExtraError: the extra ``chain`` is not installed.
    """
    with store.read() as connection:
        row = newest(connection)
    if row is None:
        return None
    url = None if row.network == LOCAL else os.environ.get(URL) or row.url
    with _turn:
        held = _open.get(store.engine)
        if held is not None and held[:2] == (row.id, url):
            return held[2]
        if row.network == LOCAL:
            chain = Chain.in_process(store)
        else:
            if not url:
                raise ConfigurationError(
                    f"the deployment in force is on {row.network}: set {URL} to its node"
                )
            chain = Chain.node(url, store, confirmations=row.confirmations)
            if chain.network != row.network:
                raise ConfigurationError(
                    f"the node is of the network {chain.network}, the deployment of {row.network}: check {URL}"
                )
        contracts = Contracts.attach(chain, row.addresses)
        while len(_open) >= _MOST:
            _open.pop(next(iter(_open)))
        _open[store.engine] = (row.id, url, contracts)
        return contracts
