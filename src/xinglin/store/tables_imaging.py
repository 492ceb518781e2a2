"""The schema of decisions on images. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table

from xinglin.store.metadata import RowNumber, metadata

imaging_decisions = Table(
    "imaging_decisions",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("time", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("series", String(200), nullable=False, index=True),
    Column("frame", String(200), nullable=False),
    Column("x", Float, nullable=False),
    Column("y", Float, nullable=False),
    Column("z", Float, nullable=False),
    Column("diameter", Float),
    Column("score", Float),
    Column("system", String(40), nullable=False),
    Column("value", String(40), nullable=False),
    Column("state", String(8), nullable=False),
    Column("subject", String(64), nullable=False),
)
"""What a reader decided about one place: LPS millimetres in ``frame``. ``score`` is the detector's, ``None`` if the reader
found the place; ``subject`` the digest of the series in the ledger, under a salt of ``salts``."""
