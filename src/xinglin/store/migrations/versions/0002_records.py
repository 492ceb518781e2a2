"""Data sets, their records and subjects, intake runs, quarantine, consents and grants."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "subjects",
        sa.Column("id", _number, nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset", "key", name="subjects_by_key"),
    )
    op.create_table(
        "intake_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("form", sa.String(length=40), nullable=False),
        sa.Column("settings", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started", sa.String(length=32), nullable=False),
        sa.Column("moved", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        *(
            sa.Column(name, _number, nullable=False)
            for name in ("taken", "stored", "changed", "repeated", "known", "erased", "quarantined")
        ),
        sa.Column("encodings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_intake_runs_dataset"), "intake_runs", ["dataset"], unique=False)
    op.create_table(
        "records",
        sa.Column("id", _number, nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("subject", _number, nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"]),
        sa.ForeignKeyConstraint(["run"], ["intake_runs.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset", "key", "version", name="records_by_key"),
    )
    op.create_index("records_in_order", "records", ["dataset", "latest", "id", "subject"], unique=False)
    op.create_index(op.f("ix_records_subject"), "records", ["subject"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", _number, nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["intake_runs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_quarantine_run"), "quarantine", ["run"], unique=False)
    op.create_table(
        "consents",
        sa.Column("id", _number, nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("subject", _number, nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.String(length=400), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("expires", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consents_by_subject", "consents", ["dataset", "purpose", "subject"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", _number, nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("grantee", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("expires", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grants_by_grantee", "grants", ["dataset", "grantee", "purpose"], unique=False)
