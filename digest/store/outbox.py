"""The outbox: the part of the delivery log that a sender works on.

States: ready -> leased -> sending -> accepted | deferred | rejected | unknown, and expired,
cancelled, dropped. `sending` is committed before the final dot, so what a crash leaves behind is
either safe to send again (leased) or recorded as unknown (sending). What happens once per message
is `digest.store.journal`; this is what happens once per batch, per issue or per start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    Index,
    Integer,
    Row,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from digest.errors import Conflict, NotFound
from digest.pace import counts_still
from digest.store.database import chunks
from digest.store.deliveries import ATTEMPT, DELIVERY, ISSUE, WRITTEN_TO, Delivery
from digest.store.subscribers import SUBSCRIBER, SUPPRESSION
from digest.store.tables import PaceRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from digest.store.database import Database

PACE = PaceRow.__table__  # type: ignore[attr-defined]

_ALONE: Final = text("issue IS NULL")
Index(
    "ix_delivery_alone",
    DELIVERY.c.state,
    DELIVERY.c.not_before,
    sqlite_where=_ALONE,
    postgresql_where=_ALONE,
)
"""Finds what belongs to no issue among a hundred thousand digests that wait."""

LEASE: Final = timedelta(minutes=15)
"""Longer than the ten minutes a relay may take over the final dot (RFC 5321 4.5.3.2.6)."""
TO_SEND: Final = ("ready", "deferred")
UNDER_WAY: Final = ("leased", "sending")
ENDED: Final = "the program ended between the final dot and the relay's answer"
_NAMES: Final = tuple(field.name for field in fields(Delivery))
_ELSEWHERE: Final = {"number": DELIVERY.c.id, "address": SUBSCRIBER.c.address}
_FIELDS: Final = tuple(
    _ELSEWHERE[name] if name in _ELSEWHERE else DELIVERY.c[name] for name in _NAMES
)
"""What a Delivery is made of, in its own order: this is read for every message."""
_NUMBER, _ADDRESS, _KIND, _STATE, _ATTEMPT = map(
    _NAMES.index, ("number", "address", "kind", "state", "attempt")
)
_HELD: Final = select(ISSUE.c.id).where(ISSUE.c.state.in_(("paused", "cancelled")))
_RUNNING: Final = or_(DELIVERY.c.issue.is_(None), DELIVERY.c.issue.not_in(_HELD))
# What is asked for every few messages is put together once: that takes as long as the asking.
_READERS: Final = DELIVERY.outerjoin(SUBSCRIBER, DELIVERY.c.subscriber == SUBSCRIBER.c.id)
_THESE: Final = DELIVERY.c.id.in_(bindparam("numbers", expanding=True))
_READ: Final = select(*_FIELDS).select_from(_READERS).where(_THESE)
_DUE: Final[Any] = (
    select(
        *_FIELDS,
        DELIVERY.c.expires_at,
        SUBSCRIBER.c.status.label("reader_status"),
        SUPPRESSION.c.reason.label("suppressed"),
    )
    .select_from(
        _READERS.outerjoin(SUPPRESSION, SUPPRESSION.c.address_key == SUBSCRIBER.c.address_key)
    )
    .where(
        DELIVERY.c.state == bindparam("waits"), DELIVERY.c.not_before <= bindparam("now"), _RUNNING
    )
    .order_by(DELIVERY.c.not_before, DELIVERY.c.id)
    .limit(bindparam("most", type_=Integer))
)
_DUE_ALONE: Final[Any] = _DUE.where(DELIVERY.c.issue.is_(None))
_TAKE: Final = (
    update(DELIVERY)
    .where(_THESE, DELIVERY.c.state.in_(TO_SEND), _RUNNING)
    .values(
        state="leased",
        attempt=DELIVERY.c.attempt + 1,
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
    )
)
_ALREADY: Final = {
    "sending": "being sent already",
    "done": "done: nothing of it waits any more",
    "cancelled": "cancelled: nothing of it waits any more",
}
_EXPIRED: Final = "not sent before its time was over"
_SAID: Final[dict[str, Any]] = {"relay": "", "code": None, "enhanced": ""}
"""A decision of ours takes the place of a relay's reply, which stays with its attempt."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a sender that died had left: so many free again, so many unknown."""

    freed: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue as the log has it: its frozen audience, and how many are in which state.

    `reason` says why it is paused, or what it waits for.
    """

    number: int
    frozen_at: datetime
    state: str
    reason: str
    candidates: int
    prepared: int
    excluded: int
    states: dict[str, int]

    @property
    def waiting(self) -> int:
        """How many digests of it are still to be sent."""
        return sum(self.states.get(state, 0) for state in (*TO_SEND, "leased"))


class Outbox:
    """What is to be sent, and who is at it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, now: datetime) -> int:
        """How many deliveries a sender would find something to do for at that instant.

        What a sender that died had in its hands is among them: it wants to be recovered. So is
        what waits although its time is over: it wants to be ended.
        """
        is_time = or_(DELIVERY.c.not_before <= now, DELIVERY.c.expires_at <= now)
        due = DELIVERY.c.state.in_(TO_SEND) & is_time & _RUNNING
        where = due | DELIVERY.c.state.in_(UNDER_WAY)
        with self._database.read() as connection:
            count = select(func.count()).select_from(DELIVERY).where(where)
            return int(connection.execute(count).scalar_one())

    def expire(self, now: datetime) -> int:
        """End what still waits although its time is over; its papers are offered again."""
        late = DELIVERY.c.state.in_(TO_SEND) & (DELIVERY.c.expires_at <= now)
        ended = {"state": "expired", "settled_at": now, **_SAID, "text": _EXPIRED}
        with self._database.write() as connection:
            return connection.execute(update(DELIVERY).where(late).values(**ended)).rowcount

    def lease(self, owner: str, most: int, now: datetime, *, alone: bool = False) -> list[Delivery]:
        """Take up to `most` deliveries to send; nobody else is given them until the lease ends.

        With `alone` only what belongs to no issue, which goes first in any case.

        Status, address and suppression are read again: who is no longer to be written to is
        cancelled with the reason. What has passed its end is expired.
        """
        taken: list[Delivery] = []
        while len(taken) < most:
            # Read first: whoever writes keeps the journal waiting, and every connection with it.
            with self._database.read() as connection:
                rows = _due(connection, now, most - len(taken), alone=alone)
            late, stopped, fit = _sorted_out(rows, now)
            if not rows:
                break
            with self._database.write() as connection:
                _end(connection, late, now)
                _cancel(connection, stopped, now)
                ours = _take(connection, fit, owner, now)
            taken += [_leased(row) for row in fit if row[_NUMBER] in ours]
            if len(ours) == len(rows):
                break
        return taken

    def read(self, numbers: Sequence[int]) -> dict[int, Delivery]:
        """Deliveries by number, as they are now; a number that none has is left out."""
        found: dict[int, Delivery] = {}
        with self._database.read() as connection:
            for part in chunks(numbers):
                for row in connection.execute(_READ, {"numbers": part}):
                    found[row[_NUMBER]] = Delivery(*row)
        return found

    def release(
        self, deliveries: Iterable[Delivery], owner: str, not_before: datetime | None = None
    ) -> None:
        """Give leased deliveries back, as if they had not been taken; to be sent later, if so."""
        later = {"not_before": not_before} if not_before else {}
        rows = [{"number": one.number, "tried": one.attempt} for one in deliveries]
        if not rows:
            return
        mine = (
            (DELIVERY.c.id == bindparam("number"))
            & (DELIVERY.c.attempt == bindparam("tried"))
            & (DELIVERY.c.lease_owner == owner)
            & (DELIVERY.c.state == "leased")
        )
        change = update(DELIVERY).where(mine)
        free = {"state": "ready", "lease_owner": None, "lease_until": None, **later}
        with self._database.write() as connection:
            connection.execute(change.values(attempt=DELIVERY.c.attempt - 1, **free), rows)

    def recover(self, now: datetime, unknown: str = "unknown") -> Recovered:
        """Make up for a sender that died: leased is ready again, sending is unknown.

        `unknown` is the state to put those into: "unknown", "ready" to send them again, "dropped"
        to let go of them. Either way the attempt is written down as unknown. Call it only where
        no sender can be at work (at start, under the sender's lock).
        """
        with self._database.write() as connection:
            freed = connection.execute(
                update(DELIVERY)
                .where(DELIVERY.c.state == "leased")
                .values(
                    state="ready",
                    attempt=DELIVERY.c.attempt - 1,
                    lease_owner=None,
                    lease_until=None,
                )
            ).rowcount
            lost = connection.execute(
                select(DELIVERY.c.id, DELIVERY.c.attempt, DELIVERY.c.relay).where(
                    DELIVERY.c.state == "sending"
                )
            ).all()
            if lost:
                said = {"state": "unknown", "enhanced": "", "text": ENDED, "ended_at": now}
                rows = [
                    {"delivery": one.id, "attempt": one.attempt, "relay": one.relay, **said}
                    for one in lost
                ]
                connection.execute(insert(ATTEMPT), rows)
                again = {"lease_owner": None, "not_before": now} if unknown == "ready" else {}
                connection.execute(
                    update(DELIVERY)
                    .where(DELIVERY.c.state == "sending")
                    .values(state=unknown, settled_at=now, text=ENDED, **again)
                )
        return Recovered(freed, len(lost))

    def issues(self, limit: int = 20) -> list[Issue]:
        """The newest issues, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(ISSUE).order_by(ISSUE.c.id.desc()).limit(limit)).all()
            return _counted(connection, rows)

    def running(self) -> list[int]:
        """The issues that are being sent or are paused, by number."""
        query = select(ISSUE.c.id).where(ISSUE.c.state.in_(("sending", "paused")))
        with self._database.read() as connection:
            return [
                int(number) for number in connection.execute(query.order_by(ISSUE.c.id)).scalars()
            ]

    def issue(self, number: int) -> Issue:
        """One issue; NotFound when there is none of that number."""
        with self._database.read() as connection:
            found = connection.execute(select(ISSUE).where(ISSUE.c.id == number)).all()
            if not found:
                raise NotFound(f"there is no issue {number}: `paper-digest issues` lists them")
            return _counted(connection, found)[0]

    def pause(self, number: int, reason: str) -> None:
        """Send nothing more of an issue, not even what a sender has in its hands before its dot.

        Raises Conflict where there is nothing to pause.
        """
        with self._database.write() as connection:
            _turn(connection, number, "paused", reason, ("sending", "paused"))

    def resume(self, number: int) -> None:
        """Let a paused issue go on; Conflict where it is not paused."""
        with self._database.write() as connection:
            _turn(connection, number, "sending", "", ("paused",))

    def cancel(self, number: int, reason: str, now: datetime) -> int:
        """End an issue: what was not sent never will be, and its papers are offered again.

        Returns how many deliveries were cancelled. What is between its dot and the relay's
        answer is settled as the relay says.
        """
        waiting = (DELIVERY.c.issue == number) & DELIVERY.c.state.in_((*TO_SEND, "leased"))
        said = f"the issue was ended: {reason}"
        ended = {"state": "cancelled", "settled_at": now, **_SAID, "text": said}
        with self._database.write() as connection:
            _turn(connection, number, "cancelled", reason, ("sending", "paused"))
            return connection.execute(update(DELIVERY).where(waiting).values(**ended)).rowcount

    def paces(self, now: datetime) -> list[tuple[str, int, int]]:
        """What was counted of the pace and still counts; the rest is forgotten."""
        moment = now.timestamp()
        with self._database.write() as connection:
            rows = [tuple(row) for row in connection.execute(select(PACE))]
            old = [row for row in rows if not counts_still(row[0], row[1], moment)]
            for scope, slot, _ in old:
                connection.execute(delete(PACE).where(PACE.c.scope == scope, PACE.c.slot == slot))
        return [
            (scope, slot, taken) for scope, slot, taken in rows if (scope, slot, taken) not in old
        ]

    def note(self, reason: str) -> None:
        """Write down what the issues that are being sent wait for; nothing when it is over."""
        with self._database.write() as connection:
            running = (ISSUE.c.state == "sending") & (ISSUE.c.reason != reason)
            connection.execute(update(ISSUE).where(running).values(reason=reason))

    def close_issues(self) -> None:
        """Call every issue done of which nothing is to be sent any more.

        What one was paused for stays said: it is why mails of it were refused or are unknown.
        """
        open_states, was_paused = (*TO_SEND, *UNDER_WAY), ISSUE.c.state == "paused"
        unfinished = select(DELIVERY.c.issue).where(
            DELIVERY.c.state.in_(open_states), DELIVERY.c.issue.is_not(None)
        )
        with self._database.write() as connection:
            connection.execute(
                update(ISSUE)
                .where(ISSUE.c.state.in_(("sending", "paused")), ISSUE.c.id.not_in(unfinished))
                .values(state="done", reason=case((was_paused, ISSUE.c.reason), else_=""))
            )


def _turn(
    connection: Connection, number: int, state: str, reason: str, froms: Sequence[str]
) -> None:
    """Put an issue into another state; NotFound or Conflict where it cannot be."""
    which = (ISSUE.c.id == number) & ISSUE.c.state.in_(froms)
    change = update(ISSUE).where(which).values(state=state, reason=reason)
    if connection.execute(change).rowcount:
        return
    now = connection.execute(select(ISSUE.c.state).where(ISSUE.c.id == number)).scalar()
    if now is None:
        raise NotFound(f"there is no issue {number}: `paper-digest issues` lists them")
    raise Conflict(f"issue {number} is {_ALREADY.get(str(now), now)}")


def _end(connection: Connection, late: Sequence[int], now: datetime) -> None:
    """Expire these, as far as they still wait."""
    for part in chunks(late):
        which = DELIVERY.c.id.in_(part) & DELIVERY.c.state.in_(TO_SEND)
        connection.execute(
            update(DELIVERY)
            .where(which)
            .values(state="expired", settled_at=now, **_SAID, text=_EXPIRED)
        )


def _due(connection: Connection, now: datetime, most: int, *, alone: bool) -> list[Row[Any]]:
    """What is to be sent next, one state after the other so that the index gives the order.

    First what belongs to no issue: whoever just signed up waits for it, and digests do not mind.
    """
    queries = (_DUE_ALONE,) if alone else (_DUE_ALONE, _DUE)
    rows: dict[int, Row[Any]] = {}
    for some, state in product(queries, TO_SEND):
        if len(rows) < most:
            asked = {"waits": state, "now": now, "most": most}
            rows |= {row[_NUMBER]: row for row in connection.execute(some, asked)}
    return list(rows.values())[:most]


def _sorted_out(
    rows: Sequence[Row[Any]], now: datetime
) -> tuple[list[int], list[tuple[int, str]], list[Row[Any]]]:
    """Whose time is over; who is not to be written to after all, with the reason; the rest."""
    late: list[int] = []
    stopped: list[tuple[int, str]] = []
    fit: list[Row[Any]] = []
    for row in rows:  # by place: this is read for every message
        values: Sequence[Any] = row
        expires, status, suppressed = values[-3:]
        if expires is not None and expires <= now:
            late.append(row[_NUMBER])
        elif row[_ADDRESS] is None:
            stopped.append((row[_NUMBER], "the reader was removed"))
        elif status not in WRITTEN_TO.get(row[_KIND], ("active",)):
            stopped.append((row[_NUMBER], f"the reader is {status}"))
        elif suppressed is not None:
            why = f"the address is never written to: {suppressed}"
            stopped.append((row[_NUMBER], why))
        else:
            fit.append(row)
    return late, stopped, fit


def _cancel(connection: Connection, stopped: Sequence[tuple[int, str]], now: datetime) -> None:
    if not stopped:
        return
    waits = or_(*(DELIVERY.c.state == state for state in TO_SEND))  # no IN (...) for many rows
    change = (
        update(DELIVERY)
        .where((DELIVERY.c.id == bindparam("number")) & waits)
        .values(state="cancelled", settled_at=now, **_SAID, text=bindparam("why"))
    )
    connection.execute(change, [{"number": number, "why": why} for number, why in stopped])


def _take(
    connection: Connection, rows: Sequence[Row[Any]], owner: str, now: datetime
) -> AbstractSet[int]:
    """Lease these; which of them were still to be had."""
    until, taken = now + LEASE, set[int]()
    for part in chunks([row[_NUMBER] for row in rows]):
        given = {"numbers": part, "owner": owner, "until": until}
        if connection.execute(_TAKE, given).rowcount == len(part):
            taken.update(part)
            continue
        mine = DELIVERY.c.id.in_(part) & (DELIVERY.c.lease_owner == owner)
        leased = mine & (DELIVERY.c.state == "leased") & (DELIVERY.c.lease_until == until)
        taken.update(connection.execute(select(DELIVERY.c.id).where(leased)).scalars())
    return taken


def _leased(row: Row[Any]) -> Delivery:
    """The delivery as it is now that it was taken."""
    values: list[Any] = list(row[: len(_FIELDS)])
    values[_STATE] = "leased"
    values[_ATTEMPT] += 1
    return Delivery(*values)


def _counted(connection: Connection, rows: Sequence[Row[Any]]) -> list[Issue]:
    counts: dict[int, dict[str, int]] = {row.id: {} for row in rows}
    query = (
        select(DELIVERY.c.issue, DELIVERY.c.state, func.count())
        .where(DELIVERY.c.issue.in_(list(counts)))
        .group_by(DELIVERY.c.issue, DELIVERY.c.state)
    )
    for number, state, times in connection.execute(query):
        counts[number][state] = times
    return [
        Issue(
            row.id,
            row.frozen_at,
            row.state,
            row.reason,
            row.candidates,
            row.prepared,
            row.excluded,
            counts[row.id],
        )
        for row in rows
    ]
