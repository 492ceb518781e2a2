"""Answers of several codes; the archive's key and its subjects' wrapped data keys."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_WIDER = {
    "annotation_decisions": {"value": 200, "display": 400},
    "annotation_items": {"final_value": 200, "final_display": 400},
}


def upgrade() -> None:
    """Let an answer hold several codes, and a subject a data key."""
    for table, columns in _WIDER.items():
        with op.batch_alter_table(table) as batch:
            for name, length in columns.items():
                batch.alter_column(name, existing_type=sa.String(length=length), type_=sa.Text())
    op.add_column("subjects", sa.Column("data_key", sa.LargeBinary(), nullable=True))
    op.create_table(
        "archive_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.String(length=32), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
