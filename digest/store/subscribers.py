"""Subscribers: who reads, as stored."""

from __future__ import annotations

import base64
import secrets
from array import array
from dataclasses import asdict, fields, replace
from datetime import time
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    CursorResult,
    Row,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from digest.errors import Conflict, NotFound
from digest.store.database import chunks
from digest.store.moves import note_move
from digest.store.tables import AttemptRow, DeliveryRow, SubscriberRow, SuppressionRow
from subscribers.profile import Layout, Order, Profile
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from digest.store.database import Database

SUBSCRIBER = SubscriberRow.__table__  # type: ignore[attr-defined]
SUPPRESSION = SuppressionRow.__table__  # type: ignore[attr-defined]
DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
ATTEMPT = AttemptRow.__table__  # type: ignore[attr-defined]

_COLUMNS = (
    "public_id",
    "list_name",
    "address",
    "name",
    "created_at",
    "confirmed_at",
    "paused_until",
    "next_due",
    "last_day",
)
_PLAIN = ("summaries", "figures", "language", "quiet_notes", "came_from")
_LATER: Final = {"left_because": "", "learning": True, "empty_days": False}
"""What rows of earlier versions do not have, and what it is there."""
_TUPLES = ("muted_words", "muted_authors", "synonyms")
_BY_NUMBERS: Final = (
    select(SUBSCRIBER)
    .where(SUBSCRIBER.c.id.in_(bindparam("numbers", expanding=True)))
    .order_by(SUBSCRIBER.c.id)
)
"""Put together once: a sender asks it for every hundred messages."""


def new_public_id() -> str:
    """64 random bits as 13 characters of lower-case base32."""
    return base64.b32encode(secrets.token_bytes(8)).decode().rstrip("=").lower()


def address_key(address: str) -> str:
    """What two spellings of one address have in common: case is not a difference in practice."""
    return address.casefold()


class Subscribers:
    """The subscribers of an installation, over all its lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, subscriber: Subscriber, now: datetime) -> Subscriber:
        """Store a new subscriber; the result has number, public id and `created_at`.

        Raises Conflict when the address is on that list already.
        """
        fresh = replace(subscriber, public_id=new_public_id(), created_at=now)
        try:
            with self._database.write() as connection:
                result = connection.execute(insert(SUBSCRIBER).values(**_values(fresh)))
                return replace(fresh, number=_number(result))
        except Exception as error:
            if isinstance(error.__cause__, IntegrityError):
                raise Conflict(
                    f"{subscriber.address} is on the list {subscriber.list_name!r} already: "
                    f"change it with `paper-digest subscribers edit {subscriber.address}`"
                ) from error
            raise

    def add_all(self, subscribers: Sequence[Subscriber], now: datetime) -> int:
        """Store new subscribers in one transaction, passing over who is there; how many."""
        rows = [
            _values(replace(one, public_id=new_public_id(), created_at=now)) for one in subscribers
        ]
        with self._database.write() as connection:
            there = _keys(connection, [(row["list_name"], row["address_key"]) for row in rows])
            fresh = [row for row in rows if (row["list_name"], row["address_key"]) not in there]
            for part in chunks(fresh):
                connection.execute(insert(SUBSCRIBER), list(part))
            return len(fresh)

    def among(self, addresses: Sequence[str], list_name: str = "main") -> dict[str, Subscriber]:
        """Who of these addresses is on a list, by the address as given."""
        by_key: dict[str, list[str]] = {}
        for address in addresses:
            by_key.setdefault(address_key(address), []).append(address)
        found: dict[str, Subscriber] = {}
        for part in chunks(list(by_key)):
            here = SUBSCRIBER.c.address_key.in_(part) & (SUBSCRIBER.c.list_name == list_name)
            for reader in self._where(here):
                found |= dict.fromkeys(by_key[address_key(reader.address)], reader)
        return found

    def update(self, subscriber: Subscriber) -> None:
        """Store everything of a subscriber anew; NotFound when it is gone."""
        where = SUBSCRIBER.c.id == subscriber.number
        with self._database.write() as connection:
            before = connection.execute(select(SUBSCRIBER.c.address_key).where(where)).scalar()
            if before is None:
                raise NotFound(f"{subscriber.address} is not a subscriber any more")
            if before != address_key(subscriber.address):
                note_move(connection, subscriber.number, before)
            connection.execute(update(SUBSCRIBER).where(where).values(**_values(subscriber)))

    def change(self, number: int, how: Callable[[Subscriber], Subscriber]) -> Subscriber:
        """Read a subscriber, change it and store it, in one transaction; the result is stored.

        So two changes at once, from a page and from a digest that was just frozen, keep both.
        NotFound when it is gone, Conflict when its new address is on that list already; what
        `how` raises leaves everything as it was.
        """
        one = select(SUBSCRIBER).where(SUBSCRIBER.c.id == number).with_for_update()
        with self._database.write() as connection:
            row = connection.execute(one).one_or_none()
            if row is None:
                raise NotFound("this reader is not here any more")
            before = subscriber_of(row)
            after = how(before)
            if address_key(after.address) != address_key(before.address):
                _refuse_taken(connection, after)
                note_move(connection, number, address_key(before.address))
            if after != before:
                where = SUBSCRIBER.c.id == number
                connection.execute(update(SUBSCRIBER).where(where).values(**_values(after)))
            return after

    def erase(self, subscriber: Subscriber, nothing: bytes) -> None:
        """Delete a subscriber and every word of theirs, also those kept with their deliveries.

        What went out stays counted, with `nothing` (an empty packed selection) for its papers
        and without what relays said, which may name the address.
        """
        mine = select(DELIVERY.c.id).where(DELIVERY.c.subscriber == subscriber.number)
        with self._database.write() as connection:
            of_mine = update(ATTEMPT).where(ATTEMPT.c.delivery.in_(mine))
            connection.execute(of_mine.values(text=""))
            sent = update(DELIVERY).where(DELIVERY.c.subscriber == subscriber.number)
            connection.execute(sent.values(text="", selection=nothing))
            connection.execute(delete(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber.number))

    def forget_pending(self, before: datetime) -> int:
        """Delete who asked before that instant and never confirmed; the result says how many."""
        waiting = (SUBSCRIBER.c.status == "pending") & (SUBSCRIBER.c.created_at < before)
        with self._database.write() as connection:
            return connection.execute(delete(SUBSCRIBER).where(waiting)).rowcount

    def by_address(self, address: str, list_name: str = "main") -> Subscriber:
        """The subscriber with that address on a list; NotFound otherwise."""
        key = address_key(address)
        found = self._where(
            (SUBSCRIBER.c.address_key == key) & (SUBSCRIBER.c.list_name == list_name)
        )
        if not found:
            raise NotFound(
                f"there is no reader {address} on the list {list_name!r}: "
                "`paper-digest subscribers list` shows who there is"
            )
        return found[0]

    def by_public_id(self, public_id: str) -> Subscriber:
        """The subscriber a link names; NotFound when it is gone."""
        found = self._where(SUBSCRIBER.c.public_id == public_id)
        if not found:
            raise NotFound("this reader is not here any more")
        return found[0]

    def by_number(self, number: int | None) -> Subscriber:
        """The subscriber of that number; NotFound when it is gone."""
        found = self._where(SUBSCRIBER.c.id == number)
        if not found:
            raise NotFound("this reader is not here any more")
        return found[0]

    def by_numbers(self, numbers: Sequence[int]) -> dict[int, Subscriber]:
        """The subscribers of these numbers; a number nobody has is left out."""
        with self._database.read() as connection:
            rows = connection.execute(_BY_NUMBERS, {"numbers": list(numbers)})
            return {row.id: subscriber_of(row) for row in rows}

    def all(self) -> list[Subscriber]:
        """Every subscriber, in the order they came."""
        return self._where(SUBSCRIBER.c.id > 0)

    def due(self, now: datetime) -> array[int]:
        """The numbers of who is due then, paused readers whose pause has ended included."""
        return self._numbers(
            (SUBSCRIBER.c.next_due <= now) & SUBSCRIBER.c.status.in_(("active", "paused"))
        )

    def active(self) -> array[int]:
        """The numbers of all who are written to."""
        return self._numbers(SUBSCRIBER.c.status == "active")

    def wishes(self, numbers: Sequence[int]) -> Iterator[tuple[int, Cadence, bool]]:
        """Of these subscribers number, cadence, and whether new versions of papers are wanted."""
        asked = select(SUBSCRIBER.c.id, SUBSCRIBER.c.preferences)
        with self._database.read() as connection:
            for part in chunks(numbers):
                rows = connection.execute(
                    asked.where(SUBSCRIBER.c.id.in_(part)).order_by(SUBSCRIBER.c.id)
                )
                for number, kept in rows:
                    cadence = Cadence(kept["schedule"]["cadence"])
                    yield number, cadence, any(one.get("new_versions") for one in kept["profiles"])

    def _numbers(self, condition: Any) -> array[int]:  # noqa: ANN401 -- an SQL expression
        with self._database.read() as connection:
            rows = connection.execute(
                select(SUBSCRIBER.c.id).where(condition).order_by(SUBSCRIBER.c.id)
            )
            return array("q", rows.scalars())

    def _where(self, condition: Any) -> list[Subscriber]:  # noqa: ANN401 -- an SQL expression
        with self._database.read() as connection:
            rows = connection.execute(select(SUBSCRIBER).where(condition).order_by(SUBSCRIBER.c.id))
            return [subscriber_of(row) for row in rows]


def _keys(connection: Connection, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (list, address key) are there."""
    found: set[tuple[str, str]] = set()
    asked = select(SUBSCRIBER.c.list_name, SUBSCRIBER.c.address_key)
    for part in chunks([key for _, key in wanted]):
        rows = connection.execute(asked.where(SUBSCRIBER.c.address_key.in_(part)))
        found |= {(row.list_name, row.address_key) for row in rows}
    return found


def _refuse_taken(connection: Connection, reader: Subscriber) -> None:
    where = (SUBSCRIBER.c.address_key == address_key(reader.address)) & (
        SUBSCRIBER.c.list_name == reader.list_name
    )
    if connection.execute(select(SUBSCRIBER.c.id).where(where)).first() is not None:
        raise Conflict(f"{reader.address} is on the list {reader.list_name!r} already")


def _number(result: CursorResult[Any]) -> int:
    """The key that an INSERT made."""
    key = result.inserted_primary_key
    return int(key[0]) if key else 0


def suppressed(connection: Connection, address: str) -> str | None:
    """Why an address is never written to, or None."""
    reason = select(SUPPRESSION.c.reason).where(SUPPRESSION.c.address_key == address_key(address))
    found: str | None = connection.execute(reason).scalar_one_or_none()
    return found


def _values(subscriber: Subscriber) -> dict[str, Any]:
    values = {name: getattr(subscriber, name) for name in _COLUMNS}
    schedule = subscriber.schedule
    values["preferences"] = {
        **{name: getattr(subscriber, name) for name in (*_PLAIN, *_LATER)},
        **{name: list(getattr(subscriber, name)) for name in _TUPLES},
        "layout": subscriber.layout.value,
        "schedule": {
            "cadence": schedule.cadence.value,
            "at": schedule.at.strftime("%H:%M"),
            "zone": schedule.zone,
            "weekday": schedule.weekday,
        },
        "profiles": [
            {key: value for key, value in asdict(profile).items() if value is not None}
            for profile in subscriber.profiles
        ],
    }
    return values | {
        "status": subscriber.status.value,
        "address_key": address_key(subscriber.address),
    }


def subscriber_of(row: Row[Any]) -> Subscriber:
    """A stored row as the value everything else works with."""
    kept: dict[str, Any] = row.preferences
    schedule = kept["schedule"]
    stored: dict[str, Any] = dict(zip(_COLUMNS, _of_columns(row), strict=True))
    stored |= {name: kept[name] for name in _PLAIN}
    stored |= {name: kept.get(name, usual) for name, usual in _LATER.items()}
    stored |= {name: tuple(kept.get(name, ())) for name in _TUPLES}
    return Subscriber(
        number=row.id,
        status=Status(row.status),
        layout=Layout(kept["layout"]),
        schedule=_schedule(
            schedule["cadence"], schedule["at"], schedule["zone"], schedule["weekday"]
        ),
        profiles=tuple(_profile(one) for one in kept["profiles"]),
        **stored,
    )


_of_columns: Final = attrgetter(*_COLUMNS)


@lru_cache(maxsize=1024)
def _schedule(cadence: str, at: str, zone: str, weekday: int) -> Schedule:
    """Of which there are few, however many readers keep them."""
    return Schedule(Cadence(cadence), time.fromisoformat(at), zone, weekday)


_OF_PROFILE: Final = frozenset(field.name for field in fields(Profile))


def _profile(stored: dict[str, Any]) -> Profile:
    values = {key: value for key, value in stored.items() if key in _OF_PROFILE}
    values["order"] = Order(values.get("order", Order.RELEVANT))
    if values.get("layout"):
        values["layout"] = Layout(values["layout"])
    return Profile(**values)
