"""What each entry of DIGEST_SOURCES answered last and is asked next; what it is asked with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Instant, Key

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEPT = "source, label, day, state, papers, skipped, note, asked_at, good_at, retry_at"


def upgrade() -> None:
    """Make the table of answers anew with what is in it, and the table of validators."""
    op.rename_table("fetch", "fetch_before")
    op.create_table(
        "fetch",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("good_at", Instant, nullable=True),
        sa.Column("retry_at", Instant, nullable=True),
        sa.Column("next_at", Instant, nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("said_note", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("filling", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry", "source", "day", name="uq_fetch_entry"),
        sqlite_autoincrement=True,
    )
    # Which entry of the settings an answer belonged to was not kept: a source's own name is one
    # where nothing stands behind the colon, and every day is due at once.
    op.execute(
        f'INSERT INTO "fetch" ({_KEPT}, entry, next_at, said, said_note, tries, filling)'  # noqa: S608 -- no value of anybody's
        f" SELECT {_KEPT}, source, asked_at, state, note, 0, CAST(0 AS BOOLEAN) FROM fetch_before"
    )
    op.drop_table("fetch_before")
    op.create_table(
        "validator",
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.Text(), nullable=False),
        sa.Column("kept_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("entry", "url"),
    )
