"""Deliveries: the log of every message to every reader, and the queue it is sent from.

States: ready -> leased -> sending -> accepted | deferred | rejected | unknown, and expired,
cancelled, dropped. `sending` is committed before the final dot, so what a crash leaves behind is
either safe to send again (leased) or recorded as unknown (sending).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, bindparam, case, func, insert, select, update

from digest.errors import NotFound
from digest.store.database import chunks
from digest.store.subscribers import SUBSCRIBER, new_public_id, suppressed
from digest.store.tables import NOT_SENT, AttemptRow, DeliveryRow, ExclusionRow, IssueRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from digest.store.database import Database
    from subscribers.subscriber import Subscriber

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
ATTEMPT = AttemptRow.__table__  # type: ignore[attr-defined]
ISSUE = IssueRow.__table__  # type: ignore[attr-defined]
EXCLUSION = ExclusionRow.__table__  # type: ignore[attr-defined]

LEASE: Final = timedelta(minutes=15)
"""Longer than the ten minutes a relay may take over the final dot (RFC 5321 4.5.3.2.6)."""
EXCLUSIONS_KEPT: Final = timedelta(days=30)
WRITTEN_TO: Final = {
    "confirm": ("pending",),
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
    ) -> Frozen:
        """Fix an issue's audience in one transaction; doing it again adds nothing.

        A digest whose dedupe key is in the log already counts as excluded. Every reader's
        `next_due` moves on in the same transaction.
        """
        with self._database.write() as connection:
            keys = _existing_keys(connection, [one.dedupe_key for one in prepared])
            fresh = [one for one in prepared if one.dedupe_key not in keys]
            twice = [
                Excluded(one.subscriber, "already made for this day", one.next_due)
                for one in prepared
                if one.dedupe_key in keys
            ]
            left_out = [*excluded, *twice]
            candidates = len(fresh) + len(left_out)
            issue = connection.execute(
                insert(ISSUE).values(
                    frozen_at=now,
                    state="sending" if fresh else "done",
                    reason="",
                    candidates=candidates,
                    prepared=len(fresh),
                    excluded=len(left_out),
                )
            )
            number = int(issue.inserted_primary_key[0])  # type: ignore[index]
            if fresh:
                rows = [new_row(one, number, channel, domain, now) for one in fresh]
                connection.execute(insert(DELIVERY), rows)
            if left_out:
                reasons = [
                    {"issue": number, "subscriber": one.subscriber.number, "reason": one.reason}
                    for one in left_out
                ]
                connection.execute(insert(EXCLUSION), reasons)
            _move_on(connection, fresh, left_out, now)
            old = select(ISSUE.c.id).where(ISSUE.c.frozen_at < now - EXCLUSIONS_KEPT)
            connection.execute(EXCLUSION.delete().where(EXCLUSION.c.issue.in_(old)))
        return Frozen(number, candidates, len(fresh), len(left_out))

    def lease(self, owner: str, most: int, now: datetime) -> list[Delivery]:
        """Take up to `most` deliveries to send; nobody else is given them until the lease ends.

        Status, address and suppression are read again: who is no longer to be written to is
        cancelled with the reason. What has passed its end is expired.
        """
        waiting = DELIVERY.c.state.in_(("ready", "deferred")) & (DELIVERY.c.not_before <= now)
        with self._database.write() as connection:
            connection.execute(
                update(DELIVERY)
                .where(waiting & (DELIVERY.c.expires_at <= now))
                .values(state="expired", settled_at=now, text="not sent before its time was over")
            )
            rows = connection.execute(
                _log().where(waiting, _running()).order_by(DELIVERY.c.id).limit(most)
            ).all()
            taken = []
            for row in rows:
                stopped = _stopped(connection, row)
                if stopped:
                    cancelled = {"state": "cancelled", "settled_at": now, "text": stopped}
                    _change(connection, row.id, cancelled)
                    continue
                leased = {
                    "state": "leased",
                    "attempt": row.attempt + 1,
                    "lease_owner": owner,
                    "lease_until": now + LEASE,
                }
                _change(connection, row.id, leased)
                taken.append(row)
        return [_delivery(row, state="leased", attempt=row.attempt + 1) for row in taken]

    def intend(self, delivery: Delivery, owner: str) -> bool:
        """Commit that the final dot is about to be sent; False when the lease is lost."""
        with self._database.write() as connection:
            return bool(
                connection.execute(
                    update(DELIVERY).where(_mine(delivery, owner, "leased")).values(state="sending")
                ).rowcount
            )

    def settle(
        self,
        delivery: Delivery,
        owner: str,
        state: str,
        now: datetime,
        *,
        relay: str = "",
        code: int | None = None,
        enhanced: str = "",
        text: str = "",
        not_before: datetime | None = None,
    ) -> bool:
        """Write what became of an attempt, and the attempt itself; False when it is not ours.

        The same owner and attempt may still settle an `unknown` that a recovery made of it.
        """
        said = {"state": state, "relay": relay, "code": code, "enhanced": enhanced, "text": text}
        again = {"not_before": not_before} if not_before else {}
        with self._database.write() as connection:
            mine = _mine(delivery, owner, "leased", "sending", "unknown")
            changed = connection.execute(
                update(DELIVERY).where(mine).values(settled_at=now, **said, **again)
            ).rowcount
            if not changed:
                return False
            connection.execute(
                insert(ATTEMPT).values(
                    delivery=delivery.number, attempt=delivery.attempt, ended_at=now, **said
                )
            )
            _close_issue(connection, delivery.issue)
        return True

    def release(self, delivery: Delivery, owner: str) -> None:
        """Give a leased delivery back, as if it had not been taken."""
        free = {"state": "ready", "attempt": delivery.attempt - 1, "lease_owner": None}
        with self._database.write() as connection:
            mine = _mine(delivery, owner, "leased")
            connection.execute(update(DELIVERY).where(mine).values(lease_until=None, **free))

    def newest(self) -> int:
        """The highest number of any delivery, 0 where there is none."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.max(DELIVERY.c.id))).scalar_one() or 0)

    def recover(self, now: datetime) -> int:
        """Make up for a sender that died: leased is ready again, sending is unknown.

        Call it only where no sender can be at work (at start, under the sender's lock).
        Returns how many became unknown.
        """
        with self._database.write() as connection:
            free = {"state": "ready", "lease_owner": None, "lease_until": None}
            connection.execute(update(DELIVERY).where(DELIVERY.c.state == "leased").values(**free))
            why = "the program ended between the final dot and the relay's answer"
            return connection.execute(
                update(DELIVERY)
                .where(DELIVERY.c.state == "sending")
                .values(state="unknown", settled_at=now, text=why)
            ).rowcount

    def ledger(self, readers: Sequence[int], since: datetime) -> dict[int, list[bytes]]:
        """The selections of what was sent to these readers from `since` on, or may have been.

        Everything counts but what is expired, cancelled, dropped, rejected, or a test.
        """
        sent: dict[int, list[bytes]] = {number: [] for number in readers}
        with self._database.read() as connection:
            for part in chunks(list(readers)):
                rows = connection.execute(
                    select(DELIVERY.c.subscriber, DELIVERY.c.selection).where(
                        DELIVERY.c.subscriber.in_(part),
                        DELIVERY.c.created_at >= since,
                        DELIVERY.c.state.not_in(NOT_SENT),
                        DELIVERY.c.kind.in_(("digest", "welcome")),
                    )
                )
                for row in rows:
                    sent[row.subscriber].append(row.selection)
        return sent

    def last_sent(self, readers: Sequence[int]) -> dict[int, datetime]:
        """When the newest digest that went out to each reader was frozen."""
        newest: dict[int, datetime] = {}
        with self._database.read() as connection:
            for part in chunks(list(readers)):
                rows = connection.execute(
                    select(DELIVERY.c.subscriber, func.max(DELIVERY.c.created_at))
                    .where(
                        DELIVERY.c.subscriber.in_(part),
                        DELIVERY.c.state.not_in(NOT_SENT),
                        DELIVERY.c.kind.in_(("digest", "welcome")),
                    )
                    .group_by(DELIVERY.c.subscriber)
                )
                newest.update({row[0]: row[1] for row in rows})
        return newest

    def by_public_id(self, public_id: str) -> Delivery:
        """The delivery a link names; NotFound when there is none."""
        with self._database.read() as connection:
            row = connection.execute(_log().where(DELIVERY.c.public_id == public_id)).first()
        if row is None:
            raise NotFound("this digest is not here any more")
        return _delivery(row)

    def history(self, subscriber: int | None = None, limit: int = 100) -> list[Delivery]:
        """The log, newest first; of one reader when `subscriber` is given."""
        query = _log().order_by(DELIVERY.c.id.desc()).limit(limit)
        if subscriber is not None:
            query = query.where(DELIVERY.c.subscriber == subscriber)
        with self._database.read() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def excluded(self, issue: int) -> list[tuple[int, str]]:
        """Who was due in an issue and got nothing, and why: (subscriber number, reason)."""
        query = select(EXCLUSION).where(EXCLUSION.c.issue == issue).order_by(EXCLUSION.c.id)
        with self._database.read() as connection:
            return [(row.subscriber, row.reason) for row in connection.execute(query)]

    def waiting(self, now: datetime) -> int:
        """How many deliveries a sender would find something to do for at that instant.

        What a sender that died had in its hands is among them: it wants to be recovered.
        """
        due = DELIVERY.c.state.in_(("ready", "deferred")) & (DELIVERY.c.not_before <= now)
        where = due | DELIVERY.c.state.in_(("leased", "sending"))
        with self._database.read() as connection:
            count = select(func.count()).select_from(DELIVERY).where(where)
            return int(connection.execute(count).scalar_one())


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


def _running() -> Any:  # noqa: ANN401 -- an SQL expression
    stopped = select(ISSUE.c.id).where(ISSUE.c.state.in_(("paused", "cancelled")))
    return DELIVERY.c.issue.is_(None) | DELIVERY.c.issue.not_in(stopped)


def _stopped(connection: Connection, row: Row[Any]) -> str:
    """Why this delivery is not to be sent after all, or nothing."""
    if row.address is None:
        return "the reader was removed"
    if row.reader_status not in WRITTEN_TO.get(row.kind, ("active",)):
        return f"the reader is {row.reader_status}"
    reason = suppressed(connection, row.address)
    return f"the address is never written to: {reason}" if reason else ""


def _mine(delivery: Delivery, owner: str, *states: str) -> Any:  # noqa: ANN401 -- an SQL expression
    """Fencing: this row, this attempt, this owner, in one of these states."""
    return (
        (DELIVERY.c.id == delivery.number)
        & (DELIVERY.c.attempt == delivery.attempt)
        & (DELIVERY.c.lease_owner == owner)
        & DELIVERY.c.state.in_(states)
    )


def _change(connection: Connection, number: int, values: dict[str, Any]) -> None:
    connection.execute(update(DELIVERY).where(DELIVERY.c.id == number).values(**values))


def _close_issue(connection: Connection, issue: int | None) -> None:
    """An issue is done when none of its deliveries is still to be sent."""
    if issue is None:
        return
    open_states = ("ready", "leased", "sending", "deferred")
    left = select(func.sum(case((DELIVERY.c.state.in_(open_states), 1), else_=0))).where(
        DELIVERY.c.issue == issue
    )
    if not connection.execute(left).scalar_one():
        connection.execute(
            update(ISSUE)
            .where(ISSUE.c.id == issue, ISSUE.c.state == "sending")
            .values(state="done")
        )


def _delivery(row: Row[Any], **changed: Any) -> Delivery:  # noqa: ANN401 -- column values
    values = {
        name: getattr(row, name) for name in Delivery.__slots__ if name not in {"number", "address"}
    }
    return Delivery(number=row.id, address=row.address or "", **(values | changed))
