"""The schema of credit. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text

from xinglin.store.metadata import RowNumber, metadata

credit_payouts = Table(
    "credit_payouts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False, index=True),
    Column("evidence", JSON, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("replaces", RowNumber, ForeignKey("credit_payouts.id")),
    Column("time", String(32), nullable=False),
    Column("closes", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("seq", Integer, nullable=False),
)
"""Proposed payouts; ``evidence`` holds coalition values, never patient data; ``closes`` ends the time for objections."""

credit_shares = Table(
    "credit_shares",
    metadata,
    Column("payout", RowNumber, ForeignKey("credit_payouts.id"), primary_key=True),
    Column("site", String(100), primary_key=True),
    Column("steward", String(200), nullable=False),
    Column("points", Integer, nullable=False),
    Column("claimed", String(32)),
    Index("credit_shares_by_steward", "steward"),
)
"""What each site gets, in basis points, and when its steward took it."""

credit_objections = Table(
    "credit_objections",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("payout", RowNumber, ForeignKey("credit_payouts.id"), nullable=False, index=True),
    Column("by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", String(64)),
    Column("time", String(32), nullable=False),
    Column("verdict", String(20)),
    Column("answer", Text),
    Column("answered_by", String(200)),
    Column("answered", String(32)),
)
"""Objections to a payout; ``evidence`` is the digest of the file that the objector shows, ``verdict`` empty while open."""
