"""Names, listings and counts belong to a record, so that a merge of two papers can be undone."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Instant, Key
from digest.store.incoming import title_hash

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OF_PAPER = "(SELECT MIN(r.id) FROM record r WHERE r.paper = o.paper)"
_OF_SOURCE = "(SELECT MIN(r.id) FROM record r WHERE r.paper = o.paper AND r.source = o.source)"
_OF_NAME = "(SELECT MIN(r.id) FROM record r WHERE r.paper = o.paper AND r.name = o.name)"
_CHUNK = 1_000


def upgrade() -> None:
    """Make the three tables anew with what is in them, and the table of merges."""
    op.add_column("paper", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.create_index("ix_paper_merged_into", "paper", ["merged_into"], unique=False)
    op.add_column("record", sa.Column("title", sa.BigInteger(), nullable=True))
    _hash_titles()
    op.create_index("ix_record_title", "record", ["title"], unique=False)
    op.create_table(
        "merge",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("kept", Key, nullable=False),
        sa.Column("lost", Key, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("merged_at", Instant, nullable=False),
        sa.Column("parted_at", Instant, nullable=True),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["kept"], ["paper.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["lost"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_merge_kept", "merge", ["kept"], unique=False)
    op.create_index("ix_merge_lost", "merge", ["lost"], unique=False)
    _alias()
    _listing()
    _signal()


def _hash_titles() -> None:
    connection = op.get_bind()
    record = sa.table(
        "record",
        sa.column("id", sa.BigInteger),
        sa.column("body", sa.LargeBinary),
        sa.column("title", sa.BigInteger),
    )
    last = 0
    while rows := connection.execute(
        sa.select(record.c.id, record.c.body)
        .where(record.c.id > last)
        .order_by(record.c.id)
        .limit(_CHUNK)
    ).all():
        hashes = [
            {"b_id": row.id, "hash": title_hash(json.loads(row.body)["title"])} for row in rows
        ]
        one = sa.update(record).where(record.c.id == sa.bindparam("b_id"))
        connection.execute(one.values(title=sa.bindparam("hash")), hashes)
        last = rows[-1].id


def _alias() -> None:
    op.rename_table("alias", "alias_before")
    op.create_table(
        "alias",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("record", Key, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["record"], ["record.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "record"),
    )
    record = f"COALESCE({_OF_NAME}, {_OF_PAPER})"
    op.execute(
        f"INSERT INTO alias (name, record, paper) SELECT o.name, {record}, o.paper"  # noqa: S608 -- no value of anybody's
        f" FROM alias_before o WHERE {_OF_PAPER} IS NOT NULL"
    )
    op.drop_table("alias_before")
    op.create_index("ix_alias_paper", "alias", ["paper"], unique=False)
    op.create_index("ix_alias_record", "alias", ["record"], unique=False)


def _listing() -> None:
    op.rename_table("listing", "listing_before")
    op.create_table(
        "listing",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("record", Key, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["record"], ["record.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("record", "source", "day", "kind", name="uq_listing_record"),
        sqlite_autoincrement=True,
    )
    kept = "source, label, day, kind, category, version, first_seen_at"
    op.execute(
        f"INSERT INTO listing (paper, record, {kept})"  # noqa: S608 -- no value of anybody's
        f" SELECT o.paper, COALESCE({_OF_SOURCE}, {_OF_PAPER}), {kept}"
        f" FROM listing_before o WHERE {_OF_PAPER} IS NOT NULL ORDER BY o.id"
    )
    op.drop_table("listing_before")
    op.create_index("ix_listing_paper", "listing", ["paper"], unique=False)
    op.create_index("ix_listing_source_day", "listing", ["source", "day"], unique=False)


def _signal() -> None:
    op.rename_table("signal", "signal_before")
    op.create_table(
        "signal",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("record", Key, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["record"], ["record.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    kept = "seen_at, upvotes, comments, stars"
    op.execute(
        f"INSERT INTO signal (paper, record, {kept})"  # noqa: S608 -- no value of anybody's
        f" SELECT o.paper, {_OF_PAPER}, {kept}"
        f" FROM signal_before o WHERE {_OF_PAPER} IS NOT NULL ORDER BY o.id"
    )
    op.drop_table("signal_before")
    op.create_index("ix_signal_paper", "signal", ["paper", "seen_at"], unique=False)
    op.create_index("ix_signal_record", "signal", ["record"], unique=False)
