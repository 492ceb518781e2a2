"""Annotation: campaigns, roles, items, places, decisions, the model's votes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables of annotation."""
    op.create_table(
        "annotation_campaigns",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created", sa.String(length=32), nullable=False),
        sa.Column("lead", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("scheme", sa.JSON(), nullable=False),
        sa.Column("scheme_digest", sa.String(length=64), nullable=False),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.Column("assisted", sa.Boolean(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("audit_seed", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "annotation_roles",
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "user", "role"),
    )
    op.create_table(
        "annotation_items",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("record", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("audit", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("final_system", sa.String(length=40), nullable=True),
        sa.Column("final_value", sa.String(length=200), nullable=True),
        sa.Column("final_display", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign", "key", "audit", name="annotation_items_once"),
    )
    op.create_index(
        "annotation_items_by_state", "annotation_items", ["campaign", "audit", "state"], unique=False
    )
    op.create_table(
        "annotation_slots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=True),
        sa.Column("leased_until", sa.Float(), nullable=True),
        sa.Column("opened", sa.Float(), nullable=True),
        sa.Column("length", sa.Integer(), nullable=True),
        sa.Column("vote_seen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign", "record", "annotator", name="annotation_slots_one_a_person"),
    )
    op.create_index(op.f("ix_annotation_slots_item"), "annotation_slots", ["item"], unique=False)
    op.create_index(
        "annotation_slots_by_queue",
        "annotation_slots",
        ["campaign", "stage", "state", "position"],
        unique=False,
    )
    op.create_index(
        "annotation_slots_by_person", "annotation_slots", ["campaign", "annotator", "state"], unique=False
    )
    op.create_table(
        "annotation_decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=True),
        sa.Column("value", sa.String(length=200), nullable=True),
        sa.Column("display", sa.String(length=400), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_annotation_decisions_slot"), "annotation_decisions", ["slot"], unique=False)
    op.create_index(
        "annotation_decisions_by_person",
        "annotation_decisions",
        ["campaign", "annotator", "id"],
        unique=False,
    )
    op.create_table(
        "annotation_votes",
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=True),
        sa.Column("value", sa.String(length=200), nullable=True),
        sa.Column("display", sa.String(length=400), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("item"),
    )
