"""The journal of a sender: what is written twice for every message, many messages to a commit.

One thread writes for all connections. While one group is being made durable the next one gathers,
so the cost of a commit is shared by whatever is in flight. A sender waits for its intent, not for
its outcome. Statements go straight to the driver: they run thousands of times a second.
"""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from digest.errors import StoreError, StoreUnavailable
from digest.store.outbox import LEASE
from digest.store.tables import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from digest.store.database import Database
    from digest.store.deliveries import Delivery

RENEWED: Final = 30.0
"""Seconds between two renewals of what this sender has leased."""
PATIENCE: Final = 10.0
"""How long outcomes that cannot be written are tried again before the journal is closed."""
_PAUSE: Final = 0.25
_INTEND: Final = """
UPDATE delivery SET state = 'sending', relay = ?
WHERE id = ? AND attempt = ? AND lease_owner = ? AND state = 'leased' AND NOT EXISTS (
    SELECT 1 FROM issue WHERE issue.id = delivery.issue AND issue.state IN ('paused', 'cancelled')
)
"""
_SETTLE: Final = """
UPDATE delivery SET state = ?, settled_at = ?, relay = ?, code = ?, enhanced = ?, text = ?,
    not_before = coalesce(?, not_before)
WHERE id = ? AND attempt = ? AND lease_owner = ? AND state IN ('leased', 'sending', 'unknown')
"""
_ATTEMPT: Final = """
INSERT INTO attempt (delivery, attempt, ended_at, state, relay, code, enhanced, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_RENEW: Final = """
UPDATE delivery SET lease_until = ? WHERE lease_owner = ? AND state IN ('leased', 'sending')
"""
_PACE: Final = """
INSERT INTO pace (scope, slot, taken) VALUES (?, ?, ?)
ON CONFLICT (scope, slot) DO UPDATE SET taken = excluded.taken
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one attempt; `state` is the delivery's then, where it is another one.

    `not_before` is when it is tried next, None where it is not.
    """

    delivery: Delivery
    outcome: str
    at: datetime
    relay: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    not_before: datetime | None = None
    state: str = ""


class Ticket:
    """An intent on its way to the disk."""

    __slots__ = ("_done", "_error", "_kept", "delivery", "relay")

    def __init__(self, delivery: Delivery, relay: str) -> None:
        self.delivery = delivery
        self.relay = relay
        self._kept = False
        self._error: StoreError | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def wait(self) -> bool:
        """Wait until it is durable; False when the delivery is no longer ours to send.

        Raises StoreUnavailable when it could not be written: then no dot may be sent.
        """
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._kept

    def end(self, *, kept: bool, error: StoreError | None = None) -> None:
        """Say what came of it; called once, by the journal."""
        self._kept, self._error = kept, error
        self._done.release()


class Journal:
    """Writes intents and outcomes of one sender, named by `owner`, in groups.

    `clock` gives the instants of leases. `paces` gives what was counted of the pace since it was
    last asked: rows of (scope, slot, taken). After an error nothing more is intended; outcomes
    are kept and tried again until `close`.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        clock: Callable[[], datetime],
        *,
        paces: Callable[[], Sequence[tuple[str, int, int]]] = tuple,
        patience: float = PATIENCE,
    ) -> None:
        self.error: StoreError | None = None
        self._database = database
        self._owner = owner
        self._clock = clock
        self._paces = paces
        self._patience = patience
        self._queue: SimpleQueue[Ticket | Settled | None] = SimpleQueue()
        self._unwritten: list[Settled] = []
        self._raw: Any = None
        self._file = _identity(database)
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def intend(self, delivery: Delivery, relay: str = "") -> Ticket:
        """Begin to write down that a delivery's final dot is about to be sent."""
        ticket = Ticket(delivery, relay)
        self._queue.put(ticket)
        return ticket

    def settle(self, settled: Settled) -> None:
        """Write down what became of an attempt, soon; the attempt is kept as a row of its own.

        The same owner and attempt may still settle an `unknown` that a recovery made of it.
        """
        self._queue.put(settled)

    def close(self) -> None:
        """Write what is left; raises StoreUnavailable when that cannot be."""
        self._queue.put(None)
        self._thread.join()
        if self._unwritten and self.error is not None:
            raise self.error

    def _write(self) -> None:
        """The thread: one group after the other."""
        running = True
        while running:
            tickets, running = self._gather()
            self._group(tickets)
        deadline = time.monotonic() + self._patience
        while self._unwritten and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            self._group([])
        self._forget()

    def _gather(self) -> tuple[list[Ticket], bool]:
        """Everything that waits now, or the first thing to come; outcomes go to `_unwritten`."""
        tickets: list[Ticket] = []
        running = True
        try:
            one = self._queue.get(timeout=RENEWED)
            while True:
                if one is None:
                    running = False
                elif isinstance(one, Ticket):
                    tickets.append(one)
                else:
                    self._unwritten.append(one)
                one = self._queue.get_nowait()
        except Empty:
            return tickets, running

    def _group(self, tickets: list[Ticket]) -> None:
        """One transaction; its tickets end durable, or with the error."""
        renew = time.monotonic() - self._renewed > RENEWED
        if not (tickets or self._unwritten or renew):
            return
        if self.error is not None:  # what failed once is not trusted with another dot
            for ticket in tickets:
                ticket.end(kept=False, error=self.error)
            tickets = []
        settled = self._unwritten
        try:
            kept = self._transaction(tickets, settled, renew=renew)
        except StoreError as error:
            self.error = error
            self._forget()
            for ticket in tickets:
                ticket.end(kept=False, error=error)
            return
        self._unwritten = []
        if renew:
            self._renewed = time.monotonic()
        for ticket, ours in zip(tickets, kept, strict=True):
            ticket.end(kept=ours)

    def _transaction(
        self, tickets: Sequence[Ticket], settled: Sequence[Settled], *, renew: bool
    ) -> list[bool]:
        if self._file != _identity(self._database):
            raise StoreUnavailable(
                f"the database {self._database.path} is gone or was replaced while mails were sent"
            )
        try:
            with self._database.writing if self._database.is_sqlite else nullcontext():
                return self._written(tickets, settled, renew=renew)
        except Exception as error:
            raise self._database.ours(error) from error

    def _written(
        self, tickets: Sequence[Ticket], settled: Sequence[Settled], *, renew: bool
    ) -> list[bool]:
        cursor = self._cursor()
        self._outcomes(cursor, settled)
        rows = [
            (one.relay, one.delivery.number, one.delivery.attempt, self._owner) for one in tickets
        ]
        kept = self._each(cursor, _INTEND, rows)
        paces = self._paces()
        if paces:
            cursor.executemany(self._sql(_PACE), paces)
        if renew:
            until = self._instant(self._clock() + LEASE)
            cursor.execute(self._sql(_RENEW), (until, self._owner))
        self._commit(cursor)
        return kept

    def _outcomes(self, cursor: Any, settled: Iterable[Settled]) -> None:  # noqa: ANN401 -- the driver's
        changes, attempts = [], []
        for one in settled:
            said = (one.relay, one.code, one.enhanced, one.text)
            name = (one.delivery.number, one.delivery.attempt)
            at, again = self._instant(one.at), self._instant(one.not_before)
            changes.append((one.state or one.outcome, at, *said, again, *name, self._owner))
            attempts.append((*name, at, one.outcome, *said))
        ours = self._each(cursor, _SETTLE, changes)
        rows = [row for row, mine in zip(attempts, ours, strict=True) if mine]
        if rows:
            cursor.executemany(self._sql(_ATTEMPT), rows)

    def _each(self, cursor: Any, sql: str, rows: Sequence[tuple[Any, ...]]) -> list[bool]:  # noqa: ANN401
        """Run an UPDATE for every row; whether each of them found its row."""
        if not rows:
            return []
        if self._database.is_sqlite:
            return [cursor.execute(sql, row).rowcount > 0 for row in rows]
        # psycopg pipelines them, and counts them one by one only where something is returned.
        cursor.executemany(self._sql(sql) + " RETURNING id", rows, returning=True)
        found = []
        while True:
            found.append(cursor.fetchone() is not None)
            if not cursor.nextset():
                return found

    def _cursor(self) -> Any:  # noqa: ANN401 -- the driver's own
        if self._raw is None:
            self._raw = self._database.engine.raw_connection()
        cursor = self._raw.cursor()
        if self._database.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        return cursor

    def _commit(self, cursor: Any) -> None:  # noqa: ANN401 -- the driver's own
        if self._database.is_sqlite:
            cursor.execute("COMMIT")
        else:
            self._raw.commit()
        cursor.close()

    def _forget(self) -> None:
        """Give the connection up, and what it had not committed with it."""
        raw, self._raw = self._raw, None
        if raw is not None:
            with suppress(Exception):  # it may be the very thing that broke
                if self._database.is_sqlite and raw.driver_connection.in_transaction:
                    raw.driver_connection.execute("ROLLBACK")
                else:
                    raw.rollback()
            raw.invalidate()
            raw.close()

    def _sql(self, sql: str) -> str:
        return sql if self._database.is_sqlite else sql.replace("?", "%s")

    def _instant(self, moment: datetime | None) -> Any:  # noqa: ANN401 -- as the database keeps it
        if moment is None or not self._database.is_sqlite:
            return moment
        return to_micros(moment)


def _identity(database: Database) -> tuple[int, int] | None:
    """Which file a SQLite database is; a file that was moved away still takes writes."""
    path = database.path
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino
