"""Challenges, their hidden parts, entries and the figures of sites."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make room for challenges."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "challenges",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("organiser", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("board", sa.JSON(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("closed_seq", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "challenge_hidden",
        sa.Column("challenge", sa.String(length=60), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["challenge"], ["challenges.name"]),
        sa.PrimaryKeyConstraint("challenge", "part"),
    )
    op.create_table(
        "challenge_entries",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("challenge", sa.String(length=60), nullable=False),
        sa.Column("entrant", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("losses", sa.LargeBinary(), nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["challenge"], ["challenges.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_challenge_entries_challenge"), "challenge_entries", ["challenge"])
    op.create_table(
        "challenge_sites",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("challenge", sa.String(length=60), nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["challenge"], ["challenges.name"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("challenge", "digest", name="uq_challenge_site_report"),
    )
    op.create_index(op.f("ix_challenge_sites_challenge"), "challenge_sites", ["challenge"])
