"""The privacy budget of a node: patients, cells, cohorts, what was spent, limits."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and the node's own salt."""
    node = op.create_table(
        "privacy_node",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(node, [{"id": 1, "salt": secrets.token_hex(32)}])
    op.create_table(
        "privacy_cells",
        sa.Column("id", _number, nullable=False),
        sa.Column("patients", _number, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "privacy_patients",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("cell", _number, nullable=True),
        sa.Column("same_as", sa.LargeBinary(length=16), nullable=True),
        sa.ForeignKeyConstraint(["cell"], ["privacy_cells.id"]),
        sa.ForeignKeyConstraint(["same_as"], ["privacy_patients.key"]),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_privacy_patients_cell"), "privacy_patients", ["cell"], unique=False)
    op.create_index(op.f("ix_privacy_patients_same_as"), "privacy_patients", ["same_as"], unique=False)
    op.create_table(
        "privacy_cohorts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("unidentified", _number, nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "privacy_members",
        sa.Column("cohort", sa.Integer(), nullable=False),
        sa.Column("cell", _number, nullable=False),
        sa.Column("examples", _number, nullable=False),
        sa.Column("identities", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["cohort"], ["privacy_cohorts.id"]),
        sa.ForeignKeyConstraint(["cell"], ["privacy_cells.id"]),
        sa.PrimaryKeyConstraint("cohort", "cell"),
    )
    op.create_index(op.f("ix_privacy_members_cell"), "privacy_members", ["cell"], unique=False)
    op.create_table(
        "privacy_spends",
        sa.Column("id", _number, nullable=False),
        sa.Column("cohort", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("sample_rate", sa.Float(), nullable=False),
        sa.Column("noise_multiplier", sa.Float(), nullable=False),
        sa.Column("steps", _number, nullable=False),
        sa.Column("delta", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["cohort"], ["privacy_cohorts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_privacy_spends_cohort"), "privacy_spends", ["cohort"], unique=False)
    op.create_index(op.f("ix_privacy_spends_job"), "privacy_spends", ["job"], unique=False)
    op.create_table(
        "privacy_limits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=20), nullable=False),
        sa.Column("epsilon", sa.Float(), nullable=True),
        sa.Column("delta", sa.Float(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
