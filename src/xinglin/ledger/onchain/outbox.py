"""Signed transactions in the store: written before they are sent, so that none is lost and none is made twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, or_, select, update

from xinglin.ledger.chain import append
from xinglin.store.tables_onchain import chain_transactions as table

SENT, MINED, CONFIRMED, FAILED, REPLACED = "sent", "mined", "confirmed", "failed", "replaced"
WATCHED = 256
"""Blocks for which a confirmed transaction is still looked after: no reorganisation in practice goes deeper."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A signed transaction of the store."""

    id: int
    hash: str
    raw: bytes
    sender: str
    nonce: int
    what: str
    state: str
    block: int | None
    block_time: int | None


def keep(connection: Connection, network: str, sent: Kept, gas: int | None = None) -> int:
    """Keep a signed transaction, with an entry in the audit chain; return its number."""
    row = {
        "network": network,
        "hash": sent.hash,
        "raw": sent.raw,
        "sender": sent.sender,
        "nonce": sent.nonce,
        "what": sent.what,
        "state": sent.state,
        "block": sent.block,
        "block_time": sent.block_time,
        "gas": gas,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    append(
        connection,
        "chain.send",
        actor=sent.sender,
        detail={"network": network, "hash": sent.hash, "what": sent.what},
    )
    (number,) = connection.execute(insert(table).values(**row)).inserted_primary_key or (0,)
    return int(number)


def since(connection: Connection, network: str, after: int) -> list[Kept]:
    """Return the transactions of a network with a greater number, in order."""
    query = select(table).where(table.c.network == network, table.c.id > after).order_by(table.c.id)
    return _kept(connection, query)


def unsettled(connection: Connection, network: str, newest_block: int) -> list[Kept]:
    """Return what is not confirmed, or so lately that a reorganisation may still take it back; in order of nonces."""
    query = (
        select(table)
        .where(
            table.c.network == network,
            or_(
                table.c.state.in_((SENT, MINED)),
                (table.c.state == CONFIRMED) & (table.c.block > newest_block - WATCHED),
            ),
        )
        .order_by(table.c.sender, table.c.nonce)
    )
    return _kept(connection, query)


def next_nonce(connection: Connection, network: str, sender: str, told: int) -> int:
    """Return the next nonce: what the node told, or one more than that of a transaction that it has not seen yet."""
    newest = connection.execute(
        select(func.max(table.c.nonce)).where(
            table.c.network == network, table.c.sender == sender, table.c.state.in_((SENT, MINED, CONFIRMED))
        )
    ).scalar()
    return max(told, 0 if newest is None else int(newest) + 1)


def note(connection: Connection, number: int, state: str, block: int | None, gas: int | None = None) -> None:
    """Note what became of a transaction."""
    values = {"state": state, "block": block} | ({} if gas is None else {"gas": gas})
    connection.execute(update(table).where(table.c.id == number).values(**values))


def counts(connection: Connection, network: str) -> dict[str, int]:
    """Return how many transactions of a network are in each state."""
    query = select(table.c.state, func.count()).where(table.c.network == network).group_by(table.c.state)
    return {row.state: int(row[1]) for row in connection.execute(query)}


def _kept(connection: Connection, query: Select[Any]) -> list[Kept]:
    return [
        Kept(
            row.id, row.hash, bytes(row.raw), row.sender, row.nonce,
            row.what, row.state, row.block, row.block_time,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
