"""The papers readers have, and listings of new versions by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of libraries, and an index over listings by their kind."""
    op.create_table(
        "library",
        sa.Column("subscriber", Key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("subscriber", "name"),
    )
    op.create_index("ix_listing_kind_day", "listing", ["kind", "day"], unique=False)
