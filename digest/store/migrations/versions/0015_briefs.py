"""Papers in brief, and words of titles in the catalogue, which `digest.store.migrate` enters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Key

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and empty the catalogue: each paper without a row is entered anew."""
    op.create_table(
        "brief",
        sa.Column("paper", Key, autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("paper"),
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DELETE FROM catalogue")
        return
    # The index of words is emptied at once, not word by word as each row leaves.
    op.execute("DROP TRIGGER catalogue_left")
    op.execute("DELETE FROM catalogue")
    op.execute("INSERT INTO search(search) VALUES ('delete-all')")
    op.execute(
        "CREATE TRIGGER catalogue_left AFTER DELETE ON catalogue BEGIN "
        "INSERT INTO search(search, rowid, words) VALUES ('delete', old.place, old.words); END"
    )
