"""The addresses that readers had before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of former addresses; it goes with the reader."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "former_address",
        sa.Column("id", key, primary_key=True, autoincrement=True),
        sa.Column("subscriber", key, nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("last_delivery", key, nullable=False),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_former_address_subscriber", "former_address", ["subscriber"])
