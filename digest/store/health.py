"""How a database is, seen from inside: whether it is whole, and what waits in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, text

from digest.store.tables import DeliveryRow, IssueRow, PaperRow, SubscriberRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.store.database import Database

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
ISSUE = IssueRow.__table__  # type: ignore[attr-defined]
PAPER = PaperRow.__table__  # type: ignore[attr-defined]
SUBSCRIBER = SubscriberRow.__table__  # type: ignore[attr-defined]
_STEPS: Final = 1_000_000
"""SQLite's steps between two looks at the clock: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A database: what kind, how big, what is broken, what waits.

    `broken` is the first thing an integrity check found, or ""; `checked` whether it came to its
    end in time. `offset` is how far the server's clock is ahead of ours, `newest` the newest
    instant that is written down. `unknown` counts deliveries nobody can tell the end of,
    `overdue` the readers whose digest is due, with the instant of the first.
    """

    kind: str
    revision: str
    size: int
    readers: int
    papers: int
    broken: str
    checked: bool
    offset: timedelta
    newest: datetime | None
    states: Mapping[str, int]
    overdue: tuple[int, datetime | None]
    paused: tuple[tuple[int, str], ...]


def condition(database: Database, now: datetime, *, seconds: float = 10.0) -> Condition:
    """Look at everything; reads only. Raises StoreUnavailable when it cannot be read at all."""
    broken, checked = _integrity(database, seconds)
    with database.read() as connection:

        def one(query: Any) -> Any:  # noqa: ANN401 -- a scalar of any type
            return connection.execute(query).scalar()

        states = select(DELIVERY.c.state, func.count()).group_by(DELIVERY.c.state)
        paused = select(ISSUE.c.id, ISSUE.c.reason).where(ISSUE.c.state == "paused")
        newest = [
            moment
            for column in (DELIVERY.c.created_at, ISSUE.c.frozen_at, PAPER.c.first_seen_at)
            if (moment := one(select(func.max(column)))) is not None
        ]
        is_due = (SUBSCRIBER.c.next_due <= now) & (SUBSCRIBER.c.status == "active")
        first = select(func.count(), func.min(SUBSCRIBER.c.next_due)).where(is_due)
        due = connection.execute(first).one()
        if database.is_sqlite:
            kind = f"SQLite {one(text('SELECT sqlite_version()'))}"
            size = one(
                text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            )
            offset = timedelta()
        else:
            kind = f"PostgreSQL {str(one(text('SHOW server_version'))).partition(' ')[0]}"
            size = one(text("SELECT pg_database_size(current_database())"))
            offset = one(text("SELECT clock_timestamp()")) - now
        return Condition(
            kind,
            str(one(text("SELECT version_num FROM alembic_version"))),
            int(size),
            one(select(func.count()).select_from(SUBSCRIBER)),
            one(select(func.count()).select_from(PAPER)),
            broken,
            checked,
            offset,
            max(newest, default=None),
            {row[0]: row[1] for row in connection.execute(states)},
            (due[0], due[1]),
            tuple((row.id, row.reason) for row in connection.execute(paused)),
        )


def _integrity(database: Database, seconds: float) -> tuple[str, bool]:
    """The first thing that is broken, and whether there was time to look at everything."""
    if not database.is_sqlite:
        return "", True  # PostgreSQL checks pages as it reads them
    import time  # noqa: PLC0415 -- here alone

    ends = time.monotonic() + seconds
    with database.read() as connection:
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
        try:
            said = [str(row[0]) for row in raw.execute("PRAGMA quick_check(1)")]
            loose = raw.execute("PRAGMA foreign_key_check").fetchone()
        except Exception as error:
            if "interrupt" in str(error):
                return "", False
            raise
        finally:
            raw.set_progress_handler(None, 0)
    if said != ["ok"]:
        return said[0].splitlines()[0] if said else "no answer", True
    return (f"a row of {loose[0]} points nowhere" if loose else ""), True
