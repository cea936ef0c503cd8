"""Papers in brief, entered with the catalogue, which the next step empties."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Key

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "brief",
        sa.Column("paper", Key, autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("paper"),
    )
