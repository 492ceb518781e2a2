"""The schema of challenges. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint

from xinglin.store.metadata import RowNumber, metadata

challenges = Table(
    "challenges",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("manifest", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("organiser", String(200), nullable=False),
    Column("state", String(10), nullable=False),
    Column("board", JSON),
    Column("seq", Integer, nullable=False),
    Column("closed_seq", Integer),
)
"""Challenges; ``state`` is open or closed, ``board`` the final one. The row is locked while somebody enters."""

challenge_hidden = Table(
    "challenge_hidden",
    metadata,
    Column("challenge", String(60), ForeignKey("challenges.name"), primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Hidden questions (``inputs``) and answers (``labels``) with the salts of their commitments; told at close."""

challenge_entries = Table(
    "challenge_entries",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("challenge", String(60), ForeignKey("challenges.name"), nullable=False, index=True),
    Column("entrant", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("model", String(64)),
    Column("state", String(10), nullable=False),
    Column("told", JSON, nullable=False),
    Column("content", LargeBinary),
    Column("losses", LargeBinary),
    Column("time", String(32), nullable=False),
    Column("seq", Integer, nullable=False),
)
"""Entries in order: ``digest`` of the predictions, ``model`` of the model's files, ``told`` what the entrant was told.
``losses`` are float64, one a case of the board's part, of accepted entries. ``state`` is accepted (it moved the
entrant's score), kept (it did not) or failed (the model gave no answer)."""

challenge_sites = Table(
    "challenge_sites",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("challenge", String(60), ForeignKey("challenges.name"), nullable=False, index=True),
    Column("site", String(200), nullable=False),
    Column("model", String(64), nullable=False),
    Column("report", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    UniqueConstraint("challenge", "digest", name="uq_challenge_site_report"),
)
"""Signed figures that hospitals measured at home."""
