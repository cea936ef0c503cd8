"""The tables, declared once for SQLite and PostgreSQL.

SQLModel declares and validates nothing here (`table=True`); Core queries them. Rows never leave
`digest.store`. Every key is 64 bits and never reused (SQLite: AUTOINCREMENT), because old links
and logs name rows. Instants are UTC; states are text with a CHECK, not an ENUM, so that both
databases migrate alike. The design's page says why each table is there.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 -- a table is read with its types
from typing import Any, ClassVar, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from digest.store.columns import Instant, Key, counted, key, one_of, refers

STATES: Final = (
    "ready",
    "leased",
    "sending",
    "accepted",
    "deferred",
    "rejected",
    "unknown",
    "expired",
    "cancelled",
    "dropped",
)
NOT_SENT: Final = ("expired", "cancelled", "dropped", "rejected")
"""States of a delivery whose papers are offered to the reader again."""


class PaperRow(SQLModel, table=True):
    """One work: the merged view of its source records.

    `merged_into` is the paper that its records now belong to, where it turned out to be that one;
    it stays, because deliveries name it, and comes back when the two are parted.
    """

    __tablename__: ClassVar[Any] = "paper"
    __table_args__ = (
        Index("ix_paper_votes", "id", "upvotes", "comments", "stars"),
        Index("ix_paper_counted", "upvotes", "comments", "stars", "id", **counted()),
        Index(
            "ix_paper_noticed", "first_seen_at", "id", "upvotes", "comments", "stars", **counted()
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    first_seen_at: datetime = Field(sa_column=Column(Instant, nullable=False, index=True))
    announced_on: date | None = Field(sa_column=Column(Date, index=True))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    signals_at: datetime | None = Field(sa_column=Column(Instant))
    merged_into: int | None = Field(sa_column=Column(BigInteger, index=True))


class MergeRow(SQLModel, table=True):
    """That two papers were taken for one, why, and when they were parted again, if they were.

    What a reader was sent of one counts as sent of the other, also after they were parted.
    `by_hand`: parted by a person, so the same evidence does not merge them again.
    """

    __tablename__: ClassVar[Any] = "merge"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = key()
    kept: int = refers("paper.id", index=True)
    lost: int = refers("paper.id", index=True)
    evidence: str = Field(sa_column=Column(Text, nullable=False))
    merged_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    parted_at: datetime | None = Field(sa_column=Column(Instant))
    by_hand: bool = False


class AliasRow(SQLModel, table=True):
    """Every name that a record of a paper gives it; several papers may claim one."""

    __tablename__: ClassVar[Any] = "alias"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    record: int = Field(
        sa_column=Column(
            Key, ForeignKey("record.id", ondelete="CASCADE"), primary_key=True, index=True
        )
    )
    paper: int = refers("paper.id", index=True)


class RecordRow(SQLModel, table=True):
    """What one source said of a paper, kept as it said it.

    `digest` is of everything it said, listings and counts included; `title` a hash of the title
    as titles are compared, None where it says too little.
    """

    __tablename__: ClassVar[Any] = "record"
    __table_args__ = (
        UniqueConstraint("source", "name", name="uq_record"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    paper: int = refers("paper.id", index=True)
    source: str = Field(sa_column=Column(Text, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    title: int | None = Field(sa_column=Column(BigInteger, index=True))
    seen_at: datetime = Field(sa_column=Column(Instant, nullable=False, index=True))


class ListingRow(SQLModel, table=True):
    """One appearance of a paper in a source on a day."""

    __tablename__: ClassVar[Any] = "listing"
    __table_args__ = (
        UniqueConstraint("record", "source", "day", "kind", name="uq_listing_record"),
        Index("ix_listing_paper", "paper"),
        Index("ix_listing_source_day", "source", "day"),
        Index("ix_listing_kind_day", "kind", "day"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    paper: int = refers("paper.id")
    record: int = refers("record.id")
    source: str = Field(sa_column=Column(Text, nullable=False))
    label: str = Field(sa_column=Column(Text, nullable=False))
    day: date = Field(sa_column=Column(Date, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    category: str = Field(sa_column=Column(Text, nullable=False))
    version: int | None = None
    first_seen_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class SignalRow(SQLModel, table=True):
    """Counts of a paper as seen at one instant; a row only when one of them moved."""

    __tablename__: ClassVar[Any] = "signal"
    __table_args__ = (Index("ix_signal_paper", "paper", "seen_at"), {"sqlite_autoincrement": True})

    id: int | None = key()
    paper: int = refers("paper.id")
    record: int = refers("record.id", index=True)
    seen_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None


class CatalogueRow(SQLModel, table=True):
    """What a paper can be found by: its place, newest greatest, and its words, indexed."""

    __tablename__: ClassVar[Any] = "catalogue"

    place: int = Field(
        sa_column=Column(
            BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
        )
    )
    paper: int = Field(
        sa_column=Column(
            Key, ForeignKey("paper.id", ondelete="CASCADE"), nullable=False, unique=True
        )
    )
    words: str = Field(sa_column=Column(Text, nullable=False))


class BriefRow(SQLModel, table=True):
    """What a list says of a paper, packed (`digest.store.briefs`)."""

    __tablename__: ClassVar[Any] = "brief"

    paper: int = Field(
        sa_column=Column(
            Key, ForeignKey("paper.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        )
    )
    body: str = Field(sa_column=Column(Text, nullable=False))


class FacetRow(SQLModel, table=True):
    """Under what a paper stands on a day: a source, a category, an organization, or just there."""

    __tablename__: ClassVar[Any] = "facet"
    __table_args__ = (
        Index("ix_facet_day", "day", "kind", "name"),
        Index("ix_facet_paper", "paper"),
        {"sqlite_with_rowid": False},
    )

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    day: date = Field(sa_column=Column(Date, primary_key=True))
    paper: int = Field(
        sa_column=Column(
            Key, ForeignKey("paper.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        )
    )


class ShelfRow(SQLModel, table=True):
    """What stands on a day and under what, packed (`digest.store.shelves`)."""

    __tablename__: ClassVar[Any] = "shelf"

    day: date = Field(sa_column=Column(Date, primary_key=True))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class FetchRow(SQLModel, table=True):
    """What an entry of DIGEST_SOURCES answered for a list day: the best of it, and the newest.

    `state`, `papers`, `skipped` and `note` are of the best answer; `said` and `said_note` of the
    newest, `tries` how many in a row were incomplete, `next_at` when it is due again, if ever.
    """

    __tablename__: ClassVar[Any] = "fetch"
    __table_args__ = (
        UniqueConstraint("entry", "source", "day", name="uq_fetch_entry"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    entry: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(sa_column=Column(Text, nullable=False))
    label: str = Field(sa_column=Column(Text, nullable=False))
    day: date = Field(sa_column=Column(Date, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    papers: int = 0
    skipped: int = 0
    note: str = Field(sa_column=Column(Text, nullable=False))
    asked_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    good_at: datetime | None = Field(sa_column=Column(Instant))
    retry_at: datetime | None = Field(sa_column=Column(Instant))
    next_at: datetime | None = Field(sa_column=Column(Instant))
    said: str = Field(sa_column=Column(Text, nullable=False))
    said_note: str = Field(sa_column=Column(Text, nullable=False))
    tries: int = 0
    filling: bool = False


class ValidatorRow(SQLModel, table=True):
    """What a server gave an entry to ask "has this changed?" with, by address."""

    __tablename__: ClassVar[Any] = "validator"

    entry: str = Field(sa_column=Column(Text, primary_key=True))
    url: str = Field(sa_column=Column(Text, primary_key=True))
    etag: str = Field(sa_column=Column(Text, nullable=False))
    last_modified: str = Field(sa_column=Column(Text, nullable=False))
    kept_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class SubscriberRow(SQLModel, table=True):
    """An address on a list and what it asked for."""

    __tablename__: ClassVar[Any] = "subscriber"
    __table_args__ = (
        UniqueConstraint("list_name", "address_key", name="uq_subscriber"),
        one_of("status", ("pending", "active", "paused", "unsubscribed")),
        Index("ix_subscriber_due", "next_due"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    public_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    list_name: str = Field(sa_column=Column(Text, nullable=False))
    address: str = Field(sa_column=Column(Text, nullable=False))
    address_key: str = Field(sa_column=Column(Text, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    preferences: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    confirmed_at: datetime | None = Field(sa_column=Column(Instant))
    paused_until: datetime | None = Field(sa_column=Column(Instant))
    next_due: datetime | None = Field(sa_column=Column(Instant))
    last_day: date | None = Field(sa_column=Column(Date))


class SuppressionRow(SQLModel, table=True):
    """An address never to write to, over all lists. `cause`: bounces, complaint or hand."""

    __tablename__: ClassVar[Any] = "suppression"

    address_key: str = Field(sa_column=Column(Text, primary_key=True))
    cause: str = Field(sa_column=Column(Text, nullable=False, server_default="hand"))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = Field(sa_column=Column(Instant, nullable=False))


class ReturnRow(SQLModel, table=True):
    """One bounce or complaint that came back; `key` is the same for the same one told twice."""

    __tablename__: ClassVar[Any] = "returned"
    __table_args__ = (
        Index("ix_returned_address", "address_key", "at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    delivery: int | None = Field(
        sa_column=Column(Key, ForeignKey("delivery.id", ondelete="SET NULL"), index=True)
    )
    address_key: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    via: str = Field(sa_column=Column(Text, nullable=False))
    code: int | None = None
    enhanced: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    taken_at: datetime = Field(sa_column=Column(Instant, nullable=False, index=True))
    counts: bool = True


class IssueRow(SQLModel, table=True):
    """One tick's batch of readers: candidates = prepared + excluded."""

    __tablename__: ClassVar[Any] = "issue"
    __table_args__ = (
        one_of("state", ("sending", "paused", "cancelled", "done")),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    frozen_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    candidates: int
    prepared: int
    excluded: int


class ExclusionRow(SQLModel, table=True):
    """A reader who was due and got nothing, and why; kept 30 days."""

    __tablename__: ClassVar[Any] = "exclusion"
    __table_args__ = (
        Index("ix_exclusion_subscriber", "subscriber", "issue"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    issue: int = refers("issue.id", index=True)
    subscriber: int = refers("subscriber.id")
    reason: str = Field(sa_column=Column(Text, nullable=False))


class DeliveryRow(SQLModel, table=True):
    """One message to one reader, and how it fares. `selection` is what was frozen for it."""

    __tablename__: ClassVar[Any] = "delivery"
    __table_args__ = (
        one_of("state", STATES),
        Index("ix_delivery_queue", "state", "not_before"),
        Index("ix_delivery_subscriber", "subscriber", "id"),
        Index("ix_delivery_issue", "issue"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    public_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    channel: str = Field(sa_column=Column(Text, nullable=False))
    list_name: str = Field(sa_column=Column(Text, nullable=False))
    subscriber: int | None = Field(
        sa_column=Column(Key, ForeignKey("subscriber.id", ondelete="SET NULL"))
    )
    issue: int | None = Field(sa_column=Column(Key, ForeignKey("issue.id", ondelete="SET NULL")))
    dedupe_key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    state: str = Field(sa_column=Column(Text, nullable=False))
    attempt: int = 0
    not_before: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime | None = Field(sa_column=Column(Instant))
    lease_owner: str | None = Field(sa_column=Column(Text))
    lease_until: datetime | None = Field(sa_column=Column(Instant))
    message_id: str = Field(sa_column=Column(Text, nullable=False, index=True))
    relay: str = Field(sa_column=Column(Text, nullable=False))
    code: int | None = None
    enhanced: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    selection: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    settled_at: datetime | None = Field(sa_column=Column(Instant))


class PaceRow(SQLModel, table=True):
    """How many messages went to a relay or a domain in one slot of time (`digest.pace`)."""

    __tablename__: ClassVar[Any] = "pace"

    scope: str = Field(sa_column=Column(Text, primary_key=True))
    slot: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    taken: int


class AttemptRow(SQLModel, table=True):
    """One try at a delivery; written when it ends, never changed."""

    __tablename__: ClassVar[Any] = "attempt"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = key()
    delivery: int = refers("delivery.id", index=True)
    attempt: int
    ended_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    relay: str = Field(sa_column=Column(Text, nullable=False))
    code: int | None = None
    enhanced: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))


class FeedbackRow(SQLModel, table=True):
    """What a reader said of a paper; gone with the reader."""

    __tablename__: ClassVar[Any] = "feedback"
    __table_args__ = (
        UniqueConstraint("subscriber", "paper", name="uq_feedback"),
        one_of("verdict", ("save", "not_for_me")),
        Index("ix_feedback_subscriber", "subscriber", "verdict", "at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = key()
    subscriber: int = refers("subscriber.id")
    paper: int = refers("paper.id", index=True)
    verdict: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    delivery: int | None = Field(
        sa_column=Column(Key, ForeignKey("delivery.id", ondelete="SET NULL"))
    )


class LibraryRow(SQLModel, table=True):
    """A paper a reader has, by one of its names; gone with the reader."""

    __tablename__: ClassVar[Any] = "library"

    subscriber: int = Field(
        sa_column=Column(Key, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True)
    )
    name: str = Field(sa_column=Column(Text, primary_key=True))


metadata = SQLModel.metadata
