"""An index that holds what a list of the archive is sorted by, so that no paper is read for it."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_paper_votes", "paper", ["id", "upvotes", "comments", "stars"], unique=False)
