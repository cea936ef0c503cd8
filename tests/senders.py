"""Senders as real processes, on a database of their own, for tests that kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from digest.store.deliveries import Prepared
from digest.store.subscribers import SUBSCRIBER, new_public_id
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.store import Store

ROOT = Path(__file__).parent.parent


@dataclass
class Sender:
    """A sender at work; `kill` from any thread, `wait` for its status and what it said."""

    pid: int
    said: list[str] = field(default_factory=list)

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Senders:
    """Starts senders, each forked from one process that has imported everything."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout

    def start(self, store: Store, relay: str, **order: Any) -> Sender:  # noqa: ANN401 -- of an order
        url = store.database.url.render_as_string(hide_password=False)
        self._orders.write(json.dumps({"database": url, "relay": relay, **order}) + "\n")
        self._orders.flush()
        said: list[str] = []
        while not (line := self._answers.readline()).startswith("pid "):
            assert line, "the zygote ended"
            said.append(line)
        return Sender(int(line.split()[1]), said)

    def wait(self, sender: Sender) -> int:
        while not (line := self._answers.readline()).startswith("ended "):
            assert line, "the zygote ended"
            sender.said.append(line.strip())
        return int(line.split()[1])

    def run(self, store: Store, relay: str, **order: Any) -> Sender:  # noqa: ANN401 -- of an order
        """Start a sender and wait until it ends by itself."""
        sender = self.start(store, relay, **order)
        self.wait(sender)
        return sender

    def close(self) -> None:
        self._orders.close()
        self._process.wait(30)
        self._answers.close()


@contextmanager
def preloaded() -> Iterator[Senders]:
    senders = Senders()
    try:
        yield senders
    finally:
        senders.close()


class Killer:
    """Kills a sender at the nth time a stage is seen; on its own thread's time, not the clock's."""

    def __init__(self, stage: str, nth: int) -> None:
        self.victim: Sender | None = None
        self._ready = threading.Event()
        self._stage = stage
        self._left = nth
        self._lock = threading.Lock()

    def aim(self, sender: Sender) -> None:
        self.victim = sender
        self._ready.set()

    def __call__(self, stage: str, session: object) -> None:
        del session
        if stage != self._stage:
            return
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self._ready.wait(20)
        if self.victim is not None:
            self.victim.kill()


def freeze(store: Store, count: int, *, now: datetime | None = None) -> set[str]:
    """Freeze an issue for so many readers who are new; their addresses."""
    now = now or datetime.now(UTC)
    expires = now + timedelta(hours=20)
    prepared = [
        Prepared(one, "digest", f"{one.number}:digest", b"", expires, expires, date(2026, 11, 20))
        for one in crowd(store, count, now)
    ]
    store.deliveries.freeze(prepared, [], channel="smtp", domain="example.org", now=now)
    return {one.subscriber.address for one in prepared}


def crowd(store: Store, count: int, now: datetime) -> list[Subscriber]:
    """So many active readers, written at once."""
    first = store.subscribers.add(Subscriber("r0@example.org").confirm(now), now)
    with store.database.write() as connection:
        row = connection.execute(select(SUBSCRIBER).where(SUBSCRIBER.c.id == first.number)).one()
        kept = {name: value for name, value in row._mapping.items() if name != "id"}  # noqa: SLF001 -- SQLAlchemy's public way
        others = []
        for number in range(1, count):
            address = f"r{number}@example.org"
            names = {"address": address, "address_key": address, "public_id": new_public_id()}
            others.append({**kept, **names})
        if others:
            connection.execute(insert(SUBSCRIBER), others)
    return store.subscribers.all()


def states(store: Store) -> dict[str, str]:
    """The state of every delivery, by address."""
    return {one.address: one.state for one in store.deliveries.history(limit=100_000)}


def unknowns(store: Store) -> set[str]:
    """Whoever had an attempt that was written down as unknown."""
    with store.database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT subscriber.address FROM attempt JOIN delivery ON delivery.id = attempt.delivery"
            " JOIN subscriber ON subscriber.id = delivery.subscriber"
            " WHERE attempt.state = 'unknown'"
        )
        return {row[0] for row in rows}


def between_dot_and_answer(store: Store) -> int:
    """How many deliveries a dead sender left behind their intent."""
    with store.database.read() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT count(*) FROM delivery WHERE state = 'sending'"
            ).scalar_one()
        )
