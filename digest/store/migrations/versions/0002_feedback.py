"""What readers say of papers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Instant, Key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of feedback."""
    op.create_table(
        "feedback",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("subscriber", Key, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("delivery", Key, nullable=True),
        sa.CheckConstraint("verdict IN ('save', 'not_for_me')", name="ck_verdict"),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subscriber", "paper", name="uq_feedback"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_feedback_paper"), "feedback", ["paper"], unique=False)
    op.create_index(
        "ix_feedback_subscriber", "feedback", ["subscriber", "verdict", "at"], unique=False
    )
