"""The schema of what is on an EVM chain. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from xinglin.store.metadata import RowNumber, metadata

chain_transactions = Table(
    "chain_transactions",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("network", String(80), nullable=False),
    Column("hash", String(66), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("nonce", RowNumber, nullable=False),
    Column("what", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("block", RowNumber),
    Column("block_time", RowNumber),
    Column("gas", RowNumber),
    Column("time", String(32), nullable=False),
    UniqueConstraint("network", "hash", name="uq_chain_transaction"),
    Index("chain_transactions_in_order", "network", "sender", "nonce"),
)
"""What was signed, before it was sent. ``state``: ``sent``, ``mined``, ``confirmed``, ``failed`` or ``replaced``. Of the
in-process EVM these rows, in order, with their block times, are the chain."""

chain_deployments = Table(
    "chain_deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("network", String(80), nullable=False),
    Column("url", String(400)),
    Column("confirmations", Integer, nullable=False),
    Column("addresses", JSON, nullable=False),
    Column("time", String(32), nullable=False),
    Column("by", String(200), nullable=False),
)
"""Where the contracts are; the newest row is in force. No ``url``: the in-process EVM."""

chain_ids = Table(
    "chain_ids",
    metadata,
    Column("network", String(80), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("id", String(64), nullable=False),
    Column("time", String(32), nullable=False),
)
"""Under which id the registry knows a data set, a site, an audit log or a pool; names never leave the store."""

chain_batches = Table(
    "chain_batches",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("network", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False),
    Column("root", String(64), nullable=False),
    Column("leaves", LargeBinary, nullable=False),
    Column("hash", String(66)),
    Column("time", String(32), nullable=False),
    Index("chain_batches_of_dataset", "network", "kind", "dataset"),
)
"""``leaves``: 32 bytes each, sorted; no row says whose they are. ``kind``: ``grant``, ``consent``, and the same with
``-struck`` for leaves that were revoked. ``hash``: of the transaction; empty until it is sent."""
