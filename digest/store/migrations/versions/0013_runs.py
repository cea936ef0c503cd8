"""How often a sender has run, which a copy of the database cannot know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count to the row that tells a database from its copies."""
    op.add_column(
        "seal", sa.Column("runs", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
