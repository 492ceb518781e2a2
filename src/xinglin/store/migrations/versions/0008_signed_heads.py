"""The time of the last entry, and signed heads of the chain."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Note the time of the last entry beside its hash, and make room for signed heads."""
    op.add_column("ledger_head", sa.Column("time", sa.String(length=32), nullable=True))
    op.execute("UPDATE ledger_head SET time = (SELECT time FROM ledger WHERE ledger.seq = ledger_head.seq)")
    op.create_table(
        "ledger_signed_heads",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ledger_signed_heads_seq"), "ledger_signed_heads", ["seq"])
