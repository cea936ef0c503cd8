"""A list day in one row, packed by `digest.store.migrate`; two indices of what was counted for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the indices for searches with a floor and what is talked about."""
    op.create_table(
        "shelf",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    counted = sa.text("upvotes > 0 OR comments > 0 OR stars > 0")
    counts = ["upvotes", "comments", "stars"]
    for name, columns in (
        ("ix_paper_counted", [*counts, "id"]),
        ("ix_paper_noticed", ["first_seen_at", "id", *counts]),
    ):
        op.create_index(name, "paper", columns, sqlite_where=counted, postgresql_where=counted)
