"""The schema of the registry. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from xinglin.store.metadata import RowNumber, metadata

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("name", String(200), nullable=False),
    Column("number", String(40), nullable=False),
    Column("checkpoint", String(64), nullable=False, index=True),
    Column("manifest", JSON, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("change", String(20), nullable=False),
    Column("retired", Integer),
    Column("seq", Integer, nullable=False),
    Column("time", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    UniqueConstraint("name", "number", name="uq_model_number"),
)
"""Versions of models; ``seq`` is the ledger entry that registered each, ``retired`` the one that replaced it."""

model_evidence = Table(
    "model_evidence",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("version", RowNumber, ForeignKey("model_versions.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("content", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("time", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
)
"""What was established about a version; the ledger entry ``seq`` names the digest."""

model_live = Table(
    "model_live",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("version", RowNumber, ForeignKey("model_versions.id")),
    Column("since", String(32)),
)
"""The released version of each model, one at most. Its row is locked while one is promoted."""

model_traffic = Table(
    "model_traffic",
    metadata,
    Column("model", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("feature", String(20), primary_key=True),
    Column("bin", String(40), primary_key=True),
    Column("count", RowNumber, nullable=False),
)
"""Answers of a model by day, in bins of one feature at a time."""
