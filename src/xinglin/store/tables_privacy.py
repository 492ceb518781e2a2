"""The schema of the privacy budget. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, String, Table

from xinglin.store.metadata import RowNumber, metadata

privacy_node = Table(
    "privacy_node",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
)
"""One row. ``salt`` keys the digests of patients in the privacy budget of this node; the row is locked while budget
is asked for, so that two jobs take turns."""

privacy_cells = Table(
    "privacy_cells",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("patients", RowNumber, nullable=False),
)
"""Patients who were used together in all that ever happened: they have spent the same."""

privacy_patients = Table(
    "privacy_patients",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("cell", RowNumber, ForeignKey("privacy_cells.id"), index=True),
    Column("same_as", LargeBinary(16), ForeignKey("privacy_patients.key"), index=True),
)
"""``key``: the first half of an HMAC of the patient's identifier under the node's salt. ``same_as``: another
identifier of the same patient, whose row holds the cell."""

privacy_cohorts = Table(
    "privacy_cohorts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("unidentified", RowNumber, nullable=False),
    Column("created", String(32), nullable=False),
)
"""The patients of a data set, whatever its files. ``digest``: SHA-256 over the keyed digests and their counts."""

privacy_members = Table(
    "privacy_members",
    metadata,
    Column("cohort", Integer, ForeignKey("privacy_cohorts.id"), primary_key=True),
    Column("cell", RowNumber, ForeignKey("privacy_cells.id"), primary_key=True, index=True),
    Column("examples", RowNumber, nullable=False),
    Column("identities", Integer, nullable=False),
)
"""A cohort is a union of cells. ``examples`` and ``identities`` that each patient of the cell has in it."""

privacy_spends = Table(
    "privacy_spends",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("cohort", Integer, ForeignKey("privacy_cohorts.id"), nullable=False, index=True),
    Column("job", String(200), nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("sample_rate", Float, nullable=False),
    Column("noise_multiplier", Float, nullable=False),
    Column("steps", RowNumber, nullable=False),
    Column("delta", Float, nullable=False),
    Column("state", String(20), nullable=False),
    Column("time", String(32), nullable=False),
)
"""What was reserved. ``state``: ``reserved``, ``begun``, or ``released`` (the only one that does not count)."""

privacy_limits = Table(
    "privacy_limits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", String(20), nullable=False),
    Column("epsilon", Float),
    Column("delta", Float, nullable=False),
    Column("by", String(200), nullable=False),
    Column("time", String(32), nullable=False),
)
"""Statements in order; the newest of a holder (``patient``, ``hospital``) holds. No epsilon: not limited."""
