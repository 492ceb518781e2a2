"""The schema of the ledger. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Integer, String, Table

from xinglin.store.metadata import RowNumber, metadata

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("previous", String(64), nullable=False),
    Column("time", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(100), nullable=False),
    Column("subjects", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
)

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("time", String(32)),
)
"""One row: the last entry. Locked while an entry is appended, so that writers queue."""

ledger_signed_heads = Table(
    "ledger_signed_heads",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("seq", Integer, nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("root", String(64), nullable=False),
    Column("time", String(32), nullable=False),
    Column("public_key", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""The chain at some moment under somebody's signature; a reader needs no more than the public key."""

salts = Table(
    "salts",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("salt", String(64), nullable=False),
)
"""Salt of each HMAC in the ledger; deleting a row erases the link to the patient."""

retention = Table(
    "retention",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False, index=True),
    Column("purpose", String(40), nullable=False),
    Column("days", Integer, nullable=False),
    Column("basis", String(400), nullable=False),
    Column("by", String(200), nullable=False),
    Column("time", String(32), nullable=False),
)
"""How long the records of a data set are kept for a purpose; the newest statement of each purpose holds."""

subject_accounts = Table(
    "subject_accounts",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), primary_key=True),
    Column("subject", RowNumber, ForeignKey("subjects.id"), nullable=False),
    Column("by", String(200), nullable=False),
    Column("time", String(32), nullable=False),
)
"""Whose account a subject's is, as the steward stated; the subject's identifier stands in no table."""
