"""Addresses never to write to, over all lists, and what came back that made them so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite

from digest.bounces import Kind
from digest.bounces.judging import ENOUGH, HALF_LIFE, WEIGHTS, score
from digest.store.database import chunks
from digest.store.moves import sent_to
from digest.store.subscribers import SUBSCRIBER, SUPPRESSION, address_key, subscriber_of
from digest.store.tables import DeliveryRow, ReturnRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from digest.bounces import Report
    from digest.store.database import Database

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
RETURNED = ReturnRow.__table__  # type: ignore[attr-defined]

KEPT: Final = timedelta(days=400)
"""How long a report is kept: longer than anybody tells one twice."""
_LOOK_BACK: Final = 10 * HALF_LIFE


class Cause(StrEnum):
    """Why an address is never written to."""

    BOUNCES = "bounces"
    COMPLAINT = "complaint"
    HAND = "hand"


class Taken(StrEnum):
    """What a report led to."""

    NOTED = "noted"
    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    REPEATED = "repeated"
    """It was known already: nothing happened."""
    UNKNOWN = "unknown"
    """It is about no delivery and no reader that is here."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address (folded: case is no difference), why nothing is sent to it, and since when."""

    address: str
    cause: Cause
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """One report as stored; `delivery` is its public id, or "" where none is known."""

    address: str
    kind: Kind
    via: str
    code: int | None
    enhanced: str
    text: str
    at: datetime
    delivery: str
    counts: bool


class Suppressions:
    """The suppressed addresses of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, report: Report, now: datetime) -> Taken:
        """Store a report and do what follows from it, in one transaction; told twice, done once.

        A complaint ends the subscription and suppresses the address, an unsubscription ends the
        subscription, bounces suppress the address when they are enough.
        """
        with self._database.write() as connection:
            delivery, reader, key = _about(connection, report)
            if not key:
                return Taken.UNKNOWN
            fresh = _add(
                connection,
                RETURNED,
                key=report.key,
                delivery=delivery,
                address_key=key,
                kind=report.kind.value,
                via=report.via,
                code=report.code,
                enhanced=report.enhanced,
                text=report.text,
                at=report.at,
                taken_at=now,
                counts=True,
            )
            if not fresh:
                return Taken.REPEATED
            return _follow(connection, report, key, reader, now)

    def add(self, address: str, reason: str, now: datetime, cause: Cause = Cause.HAND) -> bool:
        """Never write to that address again, on any list; False when it was so already."""
        with self._database.write() as connection:
            return _suppress(connection, address_key(address), cause, reason, now)

    def remove(self, address: str) -> bool:
        """Write to that address again, its bounces forgiven; False when it was not suppressed."""
        key = address_key(address)
        with self._database.write() as connection:
            forgiven = update(RETURNED).where(RETURNED.c.address_key == key).values(counts=False)
            connection.execute(forgiven)
            gone = connection.execute(delete(SUPPRESSION).where(SUPPRESSION.c.address_key == key))
            return bool(gone.rowcount)

    def all(self) -> list[Suppression]:
        """Every suppressed address, newest first."""
        query = select(SUPPRESSION).order_by(SUPPRESSION.c.since.desc(), SUPPRESSION.c.address_key)
        with self._database.read() as connection:
            return [_suppression(row) for row in connection.execute(query)]

    def among(self, addresses: Iterable[str]) -> dict[str, Suppression]:
        """Which of these addresses are suppressed, by the address as given."""
        by_key: dict[str, list[str]] = {}
        for address in addresses:
            by_key.setdefault(address_key(address), []).append(address)
        found: dict[str, Suppression] = {}
        with self._database.read() as connection:
            for part in chunks(list(by_key)):
                query = select(SUPPRESSION).where(SUPPRESSION.c.address_key.in_(part))
                for row in connection.execute(query):
                    for address in by_key[row.address_key]:
                        found[address] = _suppression(row)
        return found

    def returned(self, address: str = "", limit: int = 100) -> list[Returned]:
        """What came back, newest first; about one address when it is given."""
        query = (
            select(RETURNED, DELIVERY.c.public_id)
            .select_from(RETURNED.outerjoin(DELIVERY, RETURNED.c.delivery == DELIVERY.c.id))
            .order_by(RETURNED.c.at.desc(), RETURNED.c.id.desc())
            .limit(limit)
        )
        if address:
            query = query.where(RETURNED.c.address_key == address_key(address))
        with self._database.read() as connection:
            return [_returned(row) for row in connection.execute(query)]

    def weight(self, address: str, now: datetime) -> float:
        """How much of what came back counts against an address now; at ENOUGH it is suppressed."""
        with self._database.read() as connection:
            return _weighed(connection, address_key(address), now)[0]

    def forget_old(self, now: datetime) -> int:
        """Delete reports that nobody will tell again; says how many."""
        with self._database.write() as connection:
            old = delete(RETURNED).where(RETURNED.c.taken_at < now - KEPT)
            return connection.execute(old).rowcount


def _about(connection: Connection, report: Report) -> tuple[int | None, Row[Any] | None, str]:
    """The delivery, the reader and the address a report is about, as far as they are here.

    What a mail says of its recipient is never believed: its tag names the delivery. The address
    is the one that was written to, also where the reader has another by now.
    """
    if not report.public_id:
        return None, None, address_key(report.address)
    sent = connection.execute(
        select(DELIVERY.c.id, DELIVERY.c.subscriber, DELIVERY.c.kind, DELIVERY.c.selection).where(
            DELIVERY.c.public_id == report.public_id
        )
    ).first()
    if sent is None:
        return None, None, ""
    whose = select(SUBSCRIBER).where(SUBSCRIBER.c.id == sent.subscriber)
    reader = connection.execute(whose.with_for_update()).first()
    if reader is None:
        return sent.id, None, ""
    return sent.id, reader, sent_to(connection, sent) or reader.address_key


def _follow(
    connection: Connection, report: Report, key: str, reader: Row[Any] | None, now: datetime
) -> Taken:
    """What a new report leads to."""
    if report.kind in {Kind.COMPLAINT, Kind.UNSUBSCRIBE}:
        # A provider that names the address alone means every list it is on.
        one = SUBSCRIBER.c.id == reader.id if reader else SUBSCRIBER.c.address_key == key
        left = _leave(connection, one)
        if report.kind is Kind.COMPLAINT:
            reason = " ".join(filter(None, ("a complaint:", report.text))).rstrip(":")
            if _suppress(connection, key, Cause.COMPLAINT, reason, now):
                return Taken.SUPPRESSED
        return Taken.UNSUBSCRIBED if left else Taken.NOTED
    if report.kind not in WEIGHTS:
        return Taken.NOTED
    weight, bounces = _weighed(connection, key, now)
    if weight < ENOUGH:
        return Taken.NOTED
    said = " ".join(filter(None, (str(report.code or ""), report.enhanced, report.text)))
    reason = f"{bounces} bounces, the last: {said}" if said else f"{bounces} bounces"
    done = _suppress(connection, key, Cause.BOUNCES, reason, now)
    return Taken.SUPPRESSED if done else Taken.NOTED


def _weighed(connection: Connection, key: str, now: datetime) -> tuple[float, int]:
    """What counts against an address by now, and how many bounces that is."""
    came = connection.execute(
        select(RETURNED.c.kind, RETURNED.c.at).where(
            RETURNED.c.address_key == key,
            RETURNED.c.counts.is_(True),
            RETURNED.c.at >= now - _LOOK_BACK,
        )
    ).all()
    weight = score([(Kind(row.kind), row.at) for row in came], now)
    return weight, sum(row.kind in WEIGHTS for row in came)


def _leave(connection: Connection, which: Any) -> bool:  # noqa: ANN401 -- an SQL expression
    """End these subscriptions; False when they had all ended."""
    left = False
    for row in connection.execute(select(SUBSCRIBER).where(which).with_for_update()).all():
        before = subscriber_of(row)
        after = before.unsubscribe()
        if after != before:
            left = True
            connection.execute(
                update(SUBSCRIBER)
                .where(SUBSCRIBER.c.id == row.id)
                .values(
                    status=after.status.value,
                    next_due=after.next_due,
                    paused_until=after.paused_until,
                )
            )
    return left


def _suppress(connection: Connection, key: str, cause: Cause, reason: str, now: datetime) -> bool:
    return _add(
        connection, SUPPRESSION, address_key=key, cause=cause.value, reason=reason, since=now
    )


def _add(connection: Connection, table: Any, **values: Any) -> bool:  # noqa: ANN401 -- columns
    """Insert a row; False when one with its key is there, also one that just comes in beside."""
    insert = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(new.returning(*table.primary_key)).first() is not None


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(row.address_key, Cause(row.cause), row.reason, row.since)


def _returned(row: Row[Any]) -> Returned:
    return Returned(
        row.address_key,
        Kind(row.kind),
        row.via,
        row.code,
        row.enhanced,
        row.text,
        row.at,
        row.public_id or "",
        row.counts,
    )
