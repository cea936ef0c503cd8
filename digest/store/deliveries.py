"""Deliveries: the log of every message to every reader: what is frozen, and what was sent.

The part of it that a sender works on is `digest.store.outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, insert, select, update

from digest.errors import NotFound
from digest.store.database import chunks
from digest.store.paces import paced
from digest.store.subscribers import SUBSCRIBER, new_public_id
from digest.store.tables import NOT_SENT, AttemptRow, DeliveryRow, ExclusionRow, IssueRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date, datetime

    from digest.store.database import Database
    from subscribers.subscriber import Subscriber

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
ATTEMPT = AttemptRow.__table__  # type: ignore[attr-defined]
ISSUE = IssueRow.__table__  # type: ignore[attr-defined]
EXCLUSION = ExclusionRow.__table__  # type: ignore[attr-defined]

EXCLUSIONS_KEPT: Final = timedelta(days=30)
_LAST_FEW: Final = 8
WRITTEN_TO: Final = {
    "confirm": ("pending",),
    "invitation": ("pending",),
    "already": ("active", "paused"),
    "link": ("active", "paused"),
    "move": ("active", "paused"),
}
"""Whom a kind of message goes to, by status; every other kind to active readers alone."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One digest to freeze: whose, what is in it, and when the reader is due next."""

    subscriber: Subscriber
    kind: str
    dedupe_key: str
    selection: bytes
    expires_at: datetime | None
    next_due: datetime | None
    last_day: date | None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A reader who was due and gets nothing, and why."""

    subscriber: Subscriber
    reason: str
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A frozen audience: candidates = prepared + excluded."""

    issue: int
    candidates: int
    prepared: int
    excluded: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one reader, as the log has it. Instants are UTC.

    `subscriber` is None once the reader was removed; `address` is empty then.
    """

    number: int
    public_id: str
    kind: str
    channel: str
    subscriber: int | None
    address: str
    issue: int | None
    state: str
    attempt: int
    message_id: str
    relay: str
    code: int | None
    enhanced: str
    text: str
    selection: bytes
    created_at: datetime
    settled_at: datetime | None


class Deliveries:
    """The delivery log of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def freeze(
        self,
        prepared: Sequence[Prepared],
        excluded: Sequence[Excluded],
        *,
        channel: str,
        domain: str,
        now: datetime,
        issue: int | None = None,
        notices: Sequence[Prepared] = (),
    ) -> Frozen:
        """Fix a part of an issue's audience, or all of it, in one transaction.

        The first part, without `issue`, makes the issue; the result counts all parts so far. A
        digest whose dedupe key is in the log already counts as excluded, as does every one of an
        issue that was cancelled meanwhile; a reader who was removed meanwhile does not count.
        Every reader's `next_due` moves on in the same transaction, so what is done again adds
        nothing. So do `notices` to excluded readers, as far as their pace allows: they are no
        part of the issue, and are left out where it was cancelled.
        """
        with self._database.write() as connection:
            readers = [one.subscriber.number for one in prepared]
            readers += [one.subscriber.number for one in excluded]
            there = _held(connection, readers)
            keys = _existing_keys(connection, [one.dedupe_key for one in prepared])
            ended = _ended(connection, issue)
            fresh: list[Prepared] = []
            left_out = [one for one in excluded if one.subscriber.number in there]
            for one in prepared:
                if one.subscriber.number not in there:
                    continue
                why = "already made for this day" if one.dedupe_key in keys else ended
                if why:
                    left_out.append(Excluded(one.subscriber, why, one.next_due))
                else:
                    fresh.append(one)
            frozen = _counted(connection, issue, len(fresh), len(left_out), now)
            if fresh:
                rows = [new_row(one, frozen.issue, channel, domain, now) for one in fresh]
                connection.execute(insert(DELIVERY), rows)
            if left_out:
                reasons = [
                    {
                        "issue": frozen.issue,
                        "subscriber": one.subscriber.number,
                        "reason": one.reason,
                    }
                    for one in left_out
                ]
                connection.execute(insert(EXCLUSION), reasons)
            words = [one for one in notices if one.subscriber.number in there and not ended]
            if words and (words := paced(connection, words, now)):
                rows = [new_row(one, None, channel, domain, now) for one in words]
                connection.execute(insert(DELIVERY), rows)
            _move_on(connection, fresh, left_out, now)
        return frozen

    def ledger(
        self, readers: Sequence[int], since: datetime, before: datetime | None = None
    ) -> dict[int, list[bytes]]:
        """The selections of what was sent to these readers from `since` on, or may have been.

        Everything counts but what is expired, cancelled, dropped, rejected, or a test; with
        `before`, what was frozen earlier than that.
        """
        sent: dict[int, list[bytes]] = {number: [] for number in readers}
        with self._database.read() as connection:
            for part in chunks(list(readers)):
                rows = connection.execute(
                    select(DELIVERY.c.subscriber, DELIVERY.c.selection).where(
                        DELIVERY.c.subscriber.in_(part),
                        DELIVERY.c.created_at >= since,
                        *_frozen(before),
                    )
                )
                for row in rows:
                    sent[row.subscriber].append(row.selection)
        return sent

    def lost(
        self, since: datetime, readers: Collection[int], before: datetime | None = None
    ) -> Iterator[tuple[int, datetime, datetime, bytes]]:
        """What these readers were not sent after all, of what was frozen from `since` on.

        Each with its reader, when it was frozen, when that was settled, and its selection. Few
        are lost, so what is lost is gone through, and not what was sent to whom.
        """
        columns = (DELIVERY.c.subscriber, DELIVERY.c.created_at, DELIVERY.c.settled_at)
        which = [
            DELIVERY.c.state.in_(NOT_SENT),
            DELIVERY.c.not_before >= since,  # never earlier than it was frozen, and in the index
            DELIVERY.c.created_at >= since,
            *_with_papers(before),
        ]
        with self._database.read() as connection:
            whose = select(DELIVERY.c.subscriber).where(*which).distinct()
            some = [one for one in connection.execute(whose).scalars() if one in readers]
            for part in chunks(some):
                query = select(*columns, DELIVERY.c.selection)
                mine = query.where(DELIVERY.c.subscriber.in_(part), *which)
                for row in connection.execute(mine):
                    yield tuple(row)

    def last_sent(
        self, readers: Sequence[int], before: datetime | None = None
    ) -> dict[int, datetime]:
        """When the newest digest that went out to each reader was frozen; earlier than `before`.

        The last few of each are looked at, not years of them: no clock goes back for longer.
        """
        few = (
            select(DELIVERY.c.created_at)
            .where(DELIVERY.c.subscriber == SUBSCRIBER.c.id, *_frozen(before))
            .order_by(DELIVERY.c.id.desc())
            .limit(_LAST_FEW)
            .correlate(SUBSCRIBER)
            .subquery()
        )
        last = select(func.max(few.c.created_at)).scalar_subquery()
        newest: dict[int, datetime] = {}
        with self._database.read() as connection:
            for part in chunks(list(readers)):
                rows = connection.execute(
                    select(SUBSCRIBER.c.id, last).where(SUBSCRIBER.c.id.in_(part))
                )
                newest.update({number: moment for number, moment in rows if moment is not None})
        return newest

    def by_public_id(self, public_id: str) -> Delivery:
        """The delivery a link names; NotFound when there is none."""
        with self._database.read() as connection:
            row = connection.execute(_log().where(DELIVERY.c.public_id == public_id)).first()
        if row is None:
            raise NotFound("this digest is not here any more")
        return delivery_of(row)

    def history(self, subscriber: int | None = None, limit: int = 100) -> list[Delivery]:
        """The log, newest first; of one reader when `subscriber` is given."""
        query = _log().order_by(DELIVERY.c.id.desc()).limit(limit)
        if subscriber is not None:
            query = query.where(DELIVERY.c.subscriber == subscriber)
        with self._database.read() as connection:
            return [delivery_of(row) for row in connection.execute(query)]

    def excluded(self, issue: int) -> list[tuple[int, str]]:
        """Who was due in an issue and got nothing, and why: (subscriber number, reason)."""
        query = select(EXCLUSION).where(EXCLUSION.c.issue == issue).order_by(EXCLUSION.c.id)
        with self._database.read() as connection:
            return [(row.subscriber, row.reason) for row in connection.execute(query)]


def new_row(
    one: Prepared, issue: int | None, channel: str, domain: str, now: datetime
) -> dict[str, Any]:
    """What is written down of a message that is frozen now."""
    public_id = new_public_id()
    return {
        "public_id": public_id,
        "kind": one.kind,
        "channel": channel,
        "list_name": one.subscriber.list_name,
        "subscriber": one.subscriber.number,
        "issue": issue,
        "dedupe_key": one.dedupe_key,
        "state": "ready",
        "attempt": 0,
        "not_before": now,
        "expires_at": one.expires_at,
        "message_id": f"<{public_id}@{domain}>",
        "relay": "",
        "enhanced": "",
        "text": "",
        "selection": one.selection,
        "created_at": now,
    }


def _held(connection: Connection, readers: Sequence[int]) -> set[int]:
    """Which of these readers are still there; none of them goes before this is over."""
    found: set[int] = set()
    for part in chunks(readers):
        query = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.id.in_(part)).order_by(SUBSCRIBER.c.id)
        found.update(connection.execute(query.with_for_update()).scalars())
    return found


def _ended(connection: Connection, issue: int | None) -> str:
    """Why an issue was ended meanwhile, or nothing; it is not before this is over."""
    if issue is None:
        return ""
    query = select(ISSUE.c.state, ISSUE.c.reason).where(ISSUE.c.id == issue).with_for_update()
    state, reason = connection.execute(query).one()
    return f"the issue was ended: {reason}" if state == "cancelled" else ""


def _counted(
    connection: Connection, issue: int | None, prepared: int, excluded: int, now: datetime
) -> Frozen:
    """Add to an issue's counts, or make it; what was told of one 30 days old is forgotten."""
    if issue is None:
        made = insert(ISSUE).values(
            frozen_at=now,
            state="sending" if prepared else "done",
            reason="",
            candidates=prepared + excluded,
            prepared=prepared,
            excluded=excluded,
        )
        number = int(connection.execute(made).inserted_primary_key[0])  # type: ignore[index]
        old = select(ISSUE.c.id).where(ISSUE.c.frozen_at < now - EXCLUSIONS_KEPT)
        connection.execute(EXCLUSION.delete().where(EXCLUSION.c.issue.in_(old)))
        return Frozen(number, prepared + excluded, prepared, excluded)
    # A sender may have called it done between two parts.
    goes_on = case((ISSUE.c.state == "done", "sending"), else_=ISSUE.c.state)
    more = (
        update(ISSUE)
        .where(ISSUE.c.id == issue)
        .values(
            state=goes_on if prepared else ISSUE.c.state,
            candidates=ISSUE.c.candidates + prepared + excluded,
            prepared=ISSUE.c.prepared + prepared,
            excluded=ISSUE.c.excluded + excluded,
        )
        .returning(ISSUE.c.candidates, ISSUE.c.prepared, ISSUE.c.excluded)
    )
    return Frozen(issue, *connection.execute(more).one())


def _existing_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in chunks(keys):
        rows = connection.execute(
            select(DELIVERY.c.dedupe_key).where(DELIVERY.c.dedupe_key.in_(part))
        )
        found.update(rows.scalars())
    return found


def _move_on(
    connection: Connection,
    prepared: Sequence[Prepared],
    excluded: Sequence[Excluded],
    now: datetime,
) -> None:
    """Set when each reader is due next, and end the pauses that are over.

    They were read before the audience was frozen: who has left, paused or moved their hour
    meanwhile keeps what they asked for.
    """
    moves: list[tuple[Subscriber, datetime | None, date | None]] = [
        (one.subscriber, one.next_due, one.last_day) for one in prepared
    ]
    moves += [(one.subscriber, one.next_due, None) for one in excluded]
    if not moves:
        return
    reader = SUBSCRIBER.c
    is_as_seen = reader.next_due.is_not_distinct_from(_given("seen", reader.next_due))
    is_over = (reader.status == "paused") & (reader.paused_until <= _given("now", reader.next_due))
    change = (
        update(SUBSCRIBER)
        .where(reader.id == bindparam("number"))
        .values(
            last_day=func.coalesce(_given("day", reader.last_day), reader.last_day),
            next_due=case((is_as_seen, _given("due", reader.next_due)), else_=reader.next_due),
            status=case((is_over, "active"), else_=reader.status),
            paused_until=case((is_over, None), else_=reader.paused_until),
        )
    )
    connection.execute(
        change,
        [
            {"number": who.number, "seen": who.next_due, "due": due, "day": day, "now": now}
            for who, due, day in moves
        ],
    )


def _given(name: str, column: Any) -> Any:  # noqa: ANN401 -- SQL expressions
    """A value to come, stored as that column's are."""
    return bindparam(name, type_=column.type)


def _log() -> Any:  # noqa: ANN401 -- an SQL expression
    return select(
        DELIVERY,
        SUBSCRIBER.c.address,
        SUBSCRIBER.c.status.label("reader_status"),
    ).select_from(DELIVERY.outerjoin(SUBSCRIBER, DELIVERY.c.subscriber == SUBSCRIBER.c.id))


def delivery_of(row: Row[Any], **changed: Any) -> Delivery:  # noqa: ANN401 -- column values
    """A stored row, with its reader's address, as the value everything else works with."""
    values = {
        name: getattr(row, name) for name in Delivery.__slots__ if name not in {"number", "address"}
    }
    return Delivery(number=row.id, address=row.address or "", **(values | changed))


def _frozen(before: datetime | None) -> list[ColumnElement[bool]]:
    """That a digest was sent or may have been; and frozen earlier than that, if it is given."""
    return [DELIVERY.c.state.not_in(NOT_SENT), *_with_papers(before)]


def _with_papers(before: datetime | None) -> list[ColumnElement[bool]]:
    """That a delivery is a digest; and frozen earlier than that, if it is given."""
    kinds = [DELIVERY.c.kind.in_(("digest", "welcome"))]
    return [*kinds, DELIVERY.c.created_at < before] if before else kinds
