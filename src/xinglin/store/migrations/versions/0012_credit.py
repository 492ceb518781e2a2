"""Payouts of credit, the shares of the sites, and objections; accounts of subjects."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make room for payouts, shares, objections, and for who looks after a subject's consents."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "credit_payouts",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("replaces", number, nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("closes", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["replaces"], ["credit_payouts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_credit_payouts_model"), "credit_payouts", ["model"])
    op.create_table(
        "credit_shares",
        sa.Column("payout", number, nullable=False),
        sa.Column("site", sa.String(length=100), nullable=False),
        sa.Column("steward", sa.String(length=200), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("claimed", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["payout"], ["credit_payouts.id"]),
        sa.PrimaryKeyConstraint("payout", "site"),
    )
    op.create_index("credit_shares_by_steward", "credit_shares", ["steward"])
    op.create_table(
        "credit_objections",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("payout", number, nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.String(length=64), nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=200), nullable=True),
        sa.Column("answered", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["payout"], ["credit_payouts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_credit_objections_payout"), "credit_objections", ["payout"])
    op.create_table(
        "subject_accounts",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("subject", number, nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.ForeignKeyConstraint(["subject"], ["subjects.id"]),
        sa.PrimaryKeyConstraint("account", "dataset"),
    )
