"""Sending what is frozen: lease, build, intent, dot, settle. Nothing is lost silently.

One sender at a time, kept by a lock file beside a SQLite database. What a sender that died left
behind is recovered at the start: leased is sent, sending is unknown and shown.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.channels import Outcome, Reply
from digest.errors import Conflict, RelayError, StoreError, StoreRestored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from digest.channels import Channel, Connection
    from digest.store import Store
    from digest.store.deliveries import Delivery

BATCH: Final = 50
BACK_OFF: Final = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120))
"""How long a 4xx waits before the next attempt; the last one again and again, until it expires."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for the wire."""

    sender: str
    to: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt and what came of it."""

    delivery: Delivery
    reply: Reply


class _IntentLostError(StoreError):
    """Somebody else has the delivery now: it must not be sent from here."""


def send_all(
    store: Store,
    channel: Channel,
    build: Callable[[Delivery], Outgoing],
    clock: Callable[[], datetime],
    *,
    on_sent: Callable[[Sent], None] = lambda _: None,
    ending: Callable[[], bool] = lambda: False,
) -> tuple[Sent, ...]:
    """Send everything that waits, and say what became of each.

    Ends early, with everything settled or free again, when `ending` says so. Raises
    RelayUnreachable or RelayRefused when the relay is not to be had (nothing is lost),
    Conflict when another sender is at work, StoreRestored for an old copy of the database.
    """
    if not store.deliveries.waiting(clock()):
        return ()
    with _only_sender(store.database.path) as guard:
        guard.check(store.deliveries.newest())
        store.deliveries.recover(clock())
        owner = secrets.token_hex(8)
        sent: list[Sent] = []
        connection: Connection | None = channel.open()
        try:
            while not ending():
                batch = store.deliveries.lease(owner, BATCH, clock())
                if not batch:
                    break
                for position, delivery in enumerate(batch):
                    if connection is None or not connection.usable:
                        connection = _again(store, channel, batch[position:], owner)
                    reply = _send(store, connection, delivery, owner, build, clock)
                    sent.append(Sent(delivery, reply))
                    on_sent(sent[-1])
        finally:
            if connection is not None:
                connection.close()
            guard.keep(store.deliveries.newest())
    return tuple(sent)


def _again(store: Store, channel: Channel, rest: list[Delivery], owner: str) -> Connection:
    """A new connection; without one, what is leased is given back before the error goes on."""
    try:
        return channel.open()
    except RelayError:
        for delivery in rest:
            store.deliveries.release(delivery, owner)
        raise


def _send(  # noqa: PLR0917 -- everything one message needs
    store: Store,
    connection: Connection,
    delivery: Delivery,
    owner: str,
    build: Callable[[Delivery], Outgoing],
    clock: Callable[[], datetime],
) -> Reply:
    def intend() -> None:
        if not store.deliveries.intend(delivery, owner):
            raise _IntentLostError(f"delivery {delivery.public_id} was taken over")

    outgoing = build(delivery)
    try:
        reply = connection.send(
            sender=outgoing.sender, to=outgoing.to, message=outgoing.message, intent=intend
        )
    except _IntentLostError as error:
        return Reply(Outcome.DEFERRED, text=str(error))
    now = clock()
    deferred = reply.outcome is Outcome.DEFERRED
    wait = BACK_OFF[min(delivery.attempt, len(BACK_OFF)) - 1]
    store.deliveries.settle(
        delivery,
        owner,
        reply.outcome.value,
        now,
        relay=reply.relay,
        code=reply.code,
        enhanced=reply.enhanced,
        text=reply.text,
        not_before=now + wait if deferred else None,
    )
    return reply


class _Guard:
    """The highest delivery number ever sent from, kept beside the database."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def check(self, newest: int) -> None:
        """Raise StoreRestored when the database is behind what was already sent from it."""
        if self._path is None or not self._path.exists():
            return
        text = self._path.read_text(encoding="ascii", errors="replace").strip()
        known = int(text) if text.isdigit() else 0
        if newest < known:
            raise StoreRestored(
                f"this database is an older copy: it knows {newest} deliveries and {known} were "
                f"made. Sending would repeat some. If that is meant, remove {self._path}"
            )

    def keep(self, newest: int) -> None:
        """Write the number down, whole or not at all."""
        if self._path is None:
            return
        partial = self._path.with_name(self._path.name + ".part")
        partial.write_text(f"{newest}\n", encoding="ascii")
        partial.replace(self._path)


@contextmanager
def _only_sender(database: Path | None) -> Iterator[_Guard]:
    """Hold the sender's lock; the system gives it back when the process ends, however it ends."""
    if database is None:
        yield _Guard(None)
        return
    lock = database.with_name(database.name + ".sender")
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                f"another paper-digest is sending from {database}: let it finish, or end it first"
            ) from error
        yield _Guard(database.with_name(database.name + ".newest"))
    finally:
        os.close(file)
