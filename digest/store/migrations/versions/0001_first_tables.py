"""The first tables: papers and their records, readers, issues, deliveries, attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digest.store.columns import Instant, Key

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATES = (
    "'ready', 'leased', 'sending', 'accepted', 'deferred', "
    "'rejected', 'unknown', 'expired', 'cancelled', 'dropped'"
)


def upgrade() -> None:
    """Make every table of the first version."""
    op.create_table(
        "fetch",
        sa.Column("id", Key, autoincrement=True, nullable=False),
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
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "day", name="uq_fetch"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "issue",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("frozen_at", Instant, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("prepared", sa.Integer(), nullable=False),
        sa.Column("excluded", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('sending', 'paused', 'cancelled', 'done')", name="ck_state"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "paper",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.Column("announced_on", sa.Date(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.Column("signals_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_paper_announced_on"), "paper", ["announced_on"], unique=False)
    op.create_index(op.f("ix_paper_first_seen_at"), "paper", ["first_seen_at"], unique=False)
    op.create_table(
        "subscriber",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("preferences", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("confirmed_at", Instant, nullable=True),
        sa.Column("paused_until", Instant, nullable=True),
        sa.Column("next_due", Instant, nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'paused', 'unsubscribed')", name="ck_status"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("list_name", "address_key", name="uq_subscriber"),
        sa.UniqueConstraint("public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriber_due", "subscriber", ["next_due"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("address_key"),
    )
    op.create_table(
        "alias",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(op.f("ix_alias_paper"), "alias", ["paper"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("subscriber", Key, nullable=True),
        sa.Column("issue", Key, nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", Instant, nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("selection", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("settled_at", Instant, nullable=True),
        sa.CheckConstraint(
            f"state IN ({_STATES})",
            name="ck_state",
        ),
        sa.ForeignKeyConstraint(["issue"], ["issue.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_key"),
        sa.UniqueConstraint("public_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_delivery_message_id"), "delivery", ["message_id"], unique=False)
    op.create_index("ix_delivery_queue", "delivery", ["state", "not_before"], unique=False)
    op.create_index("ix_delivery_subscriber", "delivery", ["subscriber", "id"], unique=False)
    op.create_table(
        "exclusion",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("issue", Key, nullable=False),
        sa.Column("subscriber", Key, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["issue"], ["issue.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_exclusion_issue"), "exclusion", ["issue"], unique=False)
    op.create_index("ix_exclusion_subscriber", "exclusion", ["subscriber", "issue"], unique=False)
    op.create_table(
        "listing",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("paper", "source", "day", "kind", name="uq_listing"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_listing_source_day", "listing", ["source", "day"], unique=False)
    op.create_table(
        "record",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "name", name="uq_record"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_record_paper"), "record", ["paper"], unique=False)
    op.create_table(
        "signal",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("paper", Key, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["paper"], ["paper.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_signal_paper", "signal", ["paper", "seen_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("delivery", Key, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ended_at", Instant, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_attempt_delivery"), "attempt", ["delivery"], unique=False)
