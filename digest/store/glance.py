"""A glance at the database that tells whether there is anything to do at all.

cron asks this all day long and the answer is nearly always no, so it costs a hundredth of a
second: the standard library's sqlite3, and none of what opening a Store imports.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_PREFIX: Final = "sqlite:///"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PATIENCE: Final = 5.0
# What is leased or being sent may have been left behind by a crash, so it counts as well.
_BUSY: Final = """
SELECT EXISTS (
    SELECT 1 FROM subscriber WHERE next_due <= :now AND status IN ('active', 'paused')
) OR EXISTS (
    SELECT 1 FROM delivery
    WHERE state IN ('ready', 'deferred', 'leased', 'sending')
    AND (not_before <= :now OR expires_at <= :now)
    AND (issue IS NULL OR issue NOT IN (SELECT id FROM issue WHERE state = 'paused'))
)
"""
_PAUSED: Final = """
SELECT issue.id, count(*) FROM issue JOIN delivery ON delivery.issue = issue.id
WHERE issue.state = 'paused' AND delivery.state IN ('ready', 'deferred', 'leased', 'sending')
GROUP BY issue.id ORDER BY issue.id
"""
_PUT_OFF: Final = """
SELECT count(*), min(not_before) FROM delivery WHERE state IN ('ready', 'deferred')
AND (issue IS NULL OR issue NOT IN (SELECT id FROM issue WHERE state = 'paused'))
"""
_NEXT: Final = """
SELECT next_due, json_extract(preferences, '$.schedule.zone') FROM subscriber
WHERE next_due IS NOT NULL AND status IN ('active', 'paused')
ORDER BY next_due LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Idle:
    """There is nothing to do before `next_due` (UTC), a digest due at an hour of `zone`.

    `paused` are issues that somebody has to resume, each with how many digests of it wait;
    `put_off` how many mails wait for another try, the first of them until `again`.
    """

    readers: int
    next_due: datetime | None = None
    zone: str = "UTC"
    paused: tuple[tuple[int, int], ...] = ()
    put_off: int = 0
    again: datetime | None = None


def glance(url: str, now: datetime) -> Idle | None:
    """Idle when certainly nothing is due and nothing waits to be sent, else None.

    None also where a glance cannot tell: no SQLite file, none there yet, one that another
    version made, one that is locked. Changes nothing, neither tables nor files.
    """
    name, _, query = url.removeprefix(_PREFIX).partition("?")
    # Options and escapes of a URL are SQLAlchemy's to understand.
    if not url.startswith(_PREFIX) or query or "%" in name or not Path(name).is_file():
        return None
    moment = (now - _EPOCH) // timedelta(microseconds=1)
    path = Path(name).resolve().as_uri()
    try:
        with closing(sqlite3.connect(f"{path}?mode=rw", uri=True, timeout=_PATIENCE)) as connection:
            if connection.execute(_BUSY, {"now": moment}).fetchone()[0]:
                return None
            readers = connection.execute("SELECT count(*) FROM subscriber").fetchone()[0]
            due, zone = connection.execute(_NEXT).fetchone() or (None, "UTC")
            paused = tuple(connection.execute(_PAUSED))
            put_off, again = connection.execute(_PUT_OFF).fetchone()
    except sqlite3.Error:
        return None
    return Idle(readers, _instant(due), zone, paused, put_off, _instant(again))


def _instant(stored: int | None) -> datetime | None:
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)
