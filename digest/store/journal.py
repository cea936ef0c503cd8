"""The journal of a sender: what is written twice for every message, many messages to a commit.

A sender waits for its intents, and outcomes go with the next of these: so what is not written
down yet is never more than the connections in flight. Statements go straight to the driver: they
run thousands of times a second.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from digest.errors import StoreError, StoreUnavailable
from digest.store.columns import to_micros
from digest.store.outbox import LEASE

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
_LONGEST_UNWRITTEN: Final = 0.02
"""Seconds that an outcome waits for an intent to be committed with."""
# A group is one statement each, its rows in one text of JSON: each step into the driver costs.
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
# What a relay says may name the address, and a reader may have been forgotten meanwhile.
_SAID: Final = "CASE WHEN delivery.subscriber IS NULL THEN '' ELSE one.said END"
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
SELECT one.number, one.attempt, one.at, one.outcome, one.relay, one.code, one.enhanced, {said}
FROM {rows} CROSS JOIN delivery
WHERE {ours} AND delivery.state || '' IN ('leased', 'sending', 'unknown')
"""
_SETTLE: Final = """
UPDATE delivery SET state = one.state, settled_at = one.at, relay = one.relay, code = one.code,
    enhanced = one.enhanced, text = {said}, not_before = coalesce(one.again, not_before)
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


Intent: TypeAlias = "tuple[Delivery, str]"
"""A delivery whose final dot is about to be sent, and the relay it goes to."""


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
        self._unwritten: list[Settled] = []
        self._raw: Any = None
        path = database.path
        self._path = str(path) if path else None
        self._file = _identity(self._path)
        self._renewed = self._written_at = time.monotonic()

    def settle(self, settled: Settled) -> None:
        """Write down what became of an attempt, soon; the attempt is kept as a row of its own.

        The same owner and attempt may still settle an `unknown` that a recovery made of it.
        """
        self._unwritten.append(settled)

    def intend(self, intents: Sequence[Intent]) -> list[bool]:
        """Commit that final dots are about to be sent, with the outcomes that wait.

        False for each delivery that is no longer ours to send. Raises StoreUnavailable when it
        could not be written: then no dot may be sent.
        """
        if self.error is not None:  # what failed once is not trusted with another dot
            raise self.error
        return self._commit(intents)

    def keep_up(self) -> None:
        """Commit what has waited for an intent long enough; renew the leases in time."""
        now = time.monotonic()
        waited = self._unwritten and now - self._written_at > _LONGEST_UNWRITTEN
        if self.error is None and (waited or now - self._renewed > RENEWED):
            self._commit(())

    def close(self) -> None:
        """Write what is left; raises StoreUnavailable when that cannot be."""
        deadline = time.monotonic() + self._patience
        while self._unwritten:
            with suppress(StoreError):
                self._commit(())
                break
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE)
        self._forget()
        if self._unwritten and self.error is not None:
            raise self.error

    def _commit(self, intents: Sequence[Intent]) -> list[bool]:
        """One transaction."""
        now = time.monotonic()
        renew = now - self._renewed > RENEWED
        try:
            kept = self._transaction(intents, self._unwritten, renew=renew)
        except StoreError as error:
            self.error = error
            self._forget()
            raise
        self._unwritten = []
        self._written_at = now
        if renew:
            self._renewed = now
        return kept

    def _transaction(
        self, intents: Sequence[Intent], settled: Sequence[Settled], *, renew: bool
    ) -> list[bool]:
        if self._file != _identity(self._path):
            raise StoreUnavailable(
                f"the database {self._path} is gone or was replaced while mails were sent: put it "
                "back and run it again; what it cannot know is shown as unknown then"
            )
        try:
            with self._database.writing if self._database.is_sqlite else nullcontext():
                return self._written(intents, settled, renew=renew)
        except Exception as error:
            raise self._database.ours(error) from error

    def _written(
        self, intents: Sequence[Intent], settled: Sequence[Settled], *, renew: bool
    ) -> list[bool]:
        cursor = self._cursor()
        if settled:
            outcomes = json.dumps([self._outcome(one) for one in settled])
            for sql in (_ATTEMPT, _SETTLE):
                cursor.execute(self._sql(sql, _OUTCOME_FIELDS), (outcomes, self._owner))
        kept = self._intended(cursor, intents) if intents else []
        paces = self._paces()
        if paces:
            cursor.executemany(self._sql(_PACE), paces)
        if renew:
            cursor.execute(self._sql(_RENEW), (self._instant(self._clock() + LEASE), self._owner))
        self._end(cursor)
        return kept

    def _intended(self, cursor: Any, intents: Sequence[Intent]) -> list[bool]:  # noqa: ANN401 -- the driver's
        """Whether each is ours to send; all of them are, but where somebody stopped an issue."""
        rows = [(delivery.number, delivery.attempt, relay) for delivery, relay in intents]
        given = (json.dumps(rows), self._owner)
        cursor.execute(self._sql(_INTEND, _INTENT_FIELDS), given)
        if cursor.rowcount == len(intents):
            return [True] * len(intents)
        cursor.execute(self._sql(_INTENDED, _INTENT_FIELDS), given)
        intended = {row[0] for row in cursor.fetchall()}
        return [delivery.number in intended for delivery, _ in intents]

    def _outcome(self, one: Settled) -> tuple[Any, ...]:
        """The fields of an outcome, in their order."""
        return (
            one.delivery.number,
            one.delivery.attempt,
            one.relay,
            self._instant(one.at),
            one.outcome,
            one.state or one.outcome,
            one.code,
            one.enhanced,
            one.text,
            None if one.not_before is None else self._instant(one.not_before),
        )

    def _cursor(self) -> Any:  # noqa: ANN401 -- the driver's own
        if self._raw is None:
            self._raw = self._database.engine.raw_connection()
        cursor = self._raw.cursor()
        if self._database.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        return cursor

    def _end(self, cursor: Any) -> None:  # noqa: ANN401 -- the driver's own
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

    def _instant(self, moment: datetime) -> int | str:
        """An instant as the database takes it, from JSON too."""
        return to_micros(moment) if self._database.is_sqlite else moment.isoformat()


@cache
def _as_spoken(sql: str, fields: tuple[tuple[str, str], ...], *, sqlite: bool) -> str:
    sql = sql.replace("{ours}", _OURS.strip()).replace("{said}", _SAID)
    if not sqlite:
        columns = ", ".join(
            f"(value ->> {at})::{kind} AS {name}" for at, (name, kind) in enumerate(fields)
        )
        source = f"(SELECT {columns} FROM jsonb_array_elements(%s::jsonb)) AS one"  # noqa: S608 -- names of ours
        return sql.replace("?", "%s").replace("{rows}", source)
    columns = ", ".join(
        f"json_extract(value, '$[{at}]') AS {name}" for at, (name, _) in enumerate(fields)
    )
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
