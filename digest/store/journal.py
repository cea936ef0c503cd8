"""The journal of a sender: what is written twice for every message, many messages to a commit.

One thread writes for all connections. While one group is being made durable the next one gathers,
so the cost of a commit is shared by whatever is in flight. A sender waits for its intent, not for
its outcome. Statements go straight to the driver: they run thousands of times a second.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from digest.errors import StoreError, StoreUnavailable
from digest.store.outbox import LEASE
from digest.store.tables import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from digest.store.database import Database
    from digest.store.deliveries import Delivery

RENEWED: Final = 30.0
"""Seconds between two renewals of what this sender has leased."""
PATIENCE: Final = 10.0
"""How long outcomes that cannot be written are tried again before the journal is closed."""
_PAUSE: Final = 0.25
_WAIT: Final = 0.0003
_MOST_WAITS: Final = 5
"""A group waits while others join it: a commit costs as much for one as for ten."""
# A group is one statement each, its rows in one text of JSON: between two steps of a statement
# the driver gives the interpreter away, and ten senders wait to take it.
_NAMED: Final = {"number": "bigint", "attempt": "integer"}
_INTENT_FIELDS: Final = {**_NAMED, "relay": "text"}
_OUTCOME_FIELDS: Final = {
    **_NAMED,
    "relay": "text",
    "at": "timestamptz",
    "outcome": "text",
    "state": "text",
    "code": "integer",
    "enhanced": "text",
    "said": "text",
    "again": "timestamptz",
}
# The state is no way to find a row (hence || ''): its number is.
_OURS: Final = """
delivery.id = one.number AND delivery.attempt = one.attempt AND delivery.lease_owner = ?
"""
_INTEND: Final = """
UPDATE delivery SET state = 'sending', relay = one.relay FROM {rows}
WHERE {ours} AND delivery.state || '' = 'leased' AND NOT EXISTS (
    SELECT 1 FROM issue WHERE issue.id = delivery.issue AND issue.state IN ('paused', 'cancelled')
)
"""
_INTENDED: Final = """
SELECT delivery.id FROM {rows} CROSS JOIN delivery WHERE {ours} AND delivery.state || '' = 'sending'
"""
_ATTEMPT: Final = """
INSERT INTO attempt (delivery, attempt, ended_at, state, relay, code, enhanced, text)
SELECT one.number, one.attempt, one.at, one.outcome, one.relay, one.code, one.enhanced, one.said
FROM {rows} CROSS JOIN delivery
WHERE {ours} AND delivery.state || '' IN ('leased', 'sending', 'unknown')
"""
_SETTLE: Final = """
UPDATE delivery SET state = one.state, settled_at = one.at, relay = one.relay, code = one.code,
    enhanced = one.enhanced, text = one.said, not_before = coalesce(one.again, not_before)
FROM {rows} WHERE {ours} AND delivery.state || '' IN ('leased', 'sending', 'unknown')
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
        self.company = 1
        """How many connections are at work: where there are several, one waits for others."""
        self._database = database
        self._owner = owner
        self._clock = clock
        self._paces = paces
        self._patience = patience
        self._queue: SimpleQueue[Ticket | Settled | None] = SimpleQueue()
        self._unwritten: list[Settled] = []
        self._raw: Any = None
        path = database.path
        self._path = str(path) if path else None
        self._file = _identity(self._path)
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
        try:
            running = self._sort(self._queue.get(timeout=RENEWED), tickets)
        except Empty:
            return tickets, True
        before = -1
        for _ in range(_MOST_WAITS):
            while running and not self._queue.empty():
                running = self._sort(self._queue.get(), tickets)
            if not running or not before < len(tickets) < self.company:
                break
            before = len(tickets)
            time.sleep(_WAIT)
        return tickets, running

    def _sort(self, one: Ticket | Settled | None, tickets: list[Ticket]) -> bool:
        """Put what came where it belongs; False for what says that it was the last."""
        if isinstance(one, Ticket):
            tickets.append(one)
        elif one is not None:
            self._unwritten.append(one)
        return one is not None

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
        if self._file != _identity(self._path):
            raise StoreUnavailable(
                f"the database {self._path} is gone or was replaced while mails were sent"
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
        if settled:
            outcomes = json.dumps([self._outcome(one) for one in settled])
            for sql in (_ATTEMPT, _SETTLE):
                cursor.execute(self._sql(sql, _OUTCOME_FIELDS), (outcomes, self._owner))
        kept = self._intents(cursor, tickets) if tickets else []
        paces = self._paces()
        if paces:
            cursor.executemany(self._sql(_PACE), paces)
        if renew:
            until = self._instant(self._clock() + LEASE)
            cursor.execute(self._sql(_RENEW), (until, self._owner))
        self._commit(cursor)
        return kept

    def _intents(self, cursor: Any, tickets: Sequence[Ticket]) -> list[bool]:  # noqa: ANN401 -- the driver's
        """Whether each is ours to send; all of them are, but where somebody stopped an issue."""
        rows = [
            {"number": one.delivery.number, "attempt": one.delivery.attempt, "relay": one.relay}
            for one in tickets
        ]
        given = (json.dumps(rows), self._owner)
        cursor.execute(self._sql(_INTEND, _INTENT_FIELDS), given)
        if cursor.rowcount == len(tickets):
            return [True] * len(tickets)
        cursor.execute(self._sql(_INTENDED, _INTENT_FIELDS), given)
        intended = {row[0] for row in cursor.fetchall()}
        return [one.delivery.number in intended for one in tickets]

    def _outcome(self, one: Settled) -> dict[str, Any]:
        return {
            "number": one.delivery.number,
            "attempt": one.delivery.attempt,
            "relay": one.relay,
            "at": self._moment(one.at),
            "outcome": one.outcome,
            "state": one.state or one.outcome,
            "code": one.code,
            "enhanced": one.enhanced,
            "said": one.text,
            "again": self._moment(one.not_before),
        }

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

    def _sql(self, sql: str, fields: Mapping[str, str] | None = None) -> str:
        """A statement as this database has it, its rows read out of JSON."""
        return _as_spoken(sql, tuple((fields or {}).items()), sqlite=self._database.is_sqlite)

    def _instant(self, moment: datetime) -> Any:  # noqa: ANN401 -- as the database keeps it
        return to_micros(moment) if self._database.is_sqlite else moment

    def _moment(self, moment: datetime | None) -> int | str | None:
        """An instant as it stands in JSON."""
        if moment is None:
            return None
        return to_micros(moment) if self._database.is_sqlite else moment.isoformat()


@cache
def _as_spoken(sql: str, fields: tuple[tuple[str, str], ...], *, sqlite: bool) -> str:
    sql = sql.replace("{ours}", _OURS.strip())
    if not sqlite:
        columns = ", ".join(f"{name} {kind}" for name, kind in fields)
        source = f"jsonb_to_recordset(%s::jsonb) AS one ({columns})"
        return sql.replace("?", "%s").replace("{rows}", source)
    columns = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name, _ in fields)
    source = f"(SELECT {columns} FROM json_each(?)) AS one"  # noqa: S608 -- names of ours
    return sql.replace("{rows}", source)


def _identity(path: str | None) -> tuple[int, int] | None:
    """Which file a SQLite database is; a file that was moved away still takes writes."""
    if path is None:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 -- once a commit, and a Path costs as much again
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino
