"""The registry of model versions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make room for versions, the evidence about them, and which one is released."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "model_versions",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("checkpoint", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("change", sa.String(length=20), nullable=False),
        sa.Column("retired", sa.Integer(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "number", name="uq_model_number"),
    )
    op.create_index(op.f("ix_model_versions_checkpoint"), "model_versions", ["checkpoint"])
    op.create_table(
        "model_evidence",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["model_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_model_evidence_version"), "model_evidence", ["version"])
    op.create_table(
        "model_live",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", number, nullable=True),
        sa.Column("since", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["model_versions.id"]),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "model_traffic",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("feature", sa.String(length=20), nullable=False),
        sa.Column("bin", sa.String(length=40), nullable=False),
        sa.Column("count", number, nullable=False),
        sa.PrimaryKeyConstraint("model", "day", "feature", "bin"),
    )
