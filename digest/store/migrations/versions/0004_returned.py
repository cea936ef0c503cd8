"""What comes back: bounces and complaints, and the cause of each suppression."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Instant, Key

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of returns; suppressions that are there were made by hand."""
    op.create_table(
        "returned",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("delivery", Key, nullable=True),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_returned_address", "returned", ["address_key", "at"], unique=False)
    op.create_index(op.f("ix_returned_delivery"), "returned", ["delivery"], unique=False)
    op.create_index(op.f("ix_returned_taken_at"), "returned", ["taken_at"], unique=False)
    op.add_column(
        "suppression", sa.Column("cause", sa.Text(), nullable=False, server_default="hand")
    )
