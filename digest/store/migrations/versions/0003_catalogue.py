"""The catalogue: what papers are found by; `digest.store.migrate` enters those that are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Key

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The index of words follows the table by itself; what a paper's row takes along when it goes, too.
_SQLITE = (
    (
        "CREATE VIRTUAL TABLE search USING fts5(words, content='catalogue', content_rowid='place', "
        "detail='none', columnsize=0, tokenize=\"ascii tokenchars '_.+#*:-'\")"
    ),
    (
        "CREATE TRIGGER catalogue_entered AFTER INSERT ON catalogue BEGIN "
        "INSERT INTO search(rowid, words) VALUES (new.place, new.words); END"
    ),
    (
        "CREATE TRIGGER catalogue_left AFTER DELETE ON catalogue BEGIN "
        "INSERT INTO search(search, rowid, words) VALUES ('delete', old.place, old.words); END"
    ),
)
_POSTGRESQL = (
    "CREATE INDEX search ON catalogue USING gin (array_to_tsvector(string_to_array(words, ' ')))",
)


def upgrade() -> None:
    """Make the tables and the index."""
    op.create_table(
        "catalogue",
        sa.Column("place", Key, autoincrement=False, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("place"),
        sa.UniqueConstraint("paper"),
    )
    op.create_table(
        "facet",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("paper", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("kind", "name", "day", "paper"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_facet_day", "facet", ["day", "kind", "name"], unique=False)
    op.create_index("ix_facet_paper", "facet", ["paper"], unique=False)
    op.create_index(op.f("ix_record_seen_at"), "record", ["seen_at"], unique=False)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRESQL:
        op.execute(statement)
