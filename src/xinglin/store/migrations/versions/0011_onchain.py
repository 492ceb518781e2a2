"""The ledger on an EVM chain."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make room for signed transactions, deployments, ids and batches."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "chain_transactions",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("network", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("nonce", number, nullable=False),
        sa.Column("what", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("block", number, nullable=True),
        sa.Column("block_time", number, nullable=True),
        sa.Column("gas", number, nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("network", "hash", name="uq_chain_transaction"),
    )
    op.create_index("chain_transactions_in_order", "chain_transactions", ["network", "sender", "nonce"])
    op.create_table(
        "chain_deployments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=80), nullable=False),
        sa.Column("url", sa.String(length=400), nullable=True),
        sa.Column("confirmations", sa.Integer(), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "chain_ids",
        sa.Column("network", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("network", "kind", "name"),
    )
    op.create_table(
        "chain_batches",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("network", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chain_batches_of_dataset", "chain_batches", ["network", "kind", "dataset"])
