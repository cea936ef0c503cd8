"""What each source answered, per list day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from digest.store.tables import FetchRow

if TYPE_CHECKING:
    from datetime import date, datetime

    from digest.sources import Fetch
    from digest.store.database import Database

FETCH = FetchRow.__table__  # type: ignore[attr-defined]
GOOD = ("ok", "empty")


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest answer of a source for one list day. Instants are UTC."""

    source: str
    label: str
    day: date
    state: str
    papers: int
    skipped: int
    note: str
    asked_at: datetime
    good_at: datetime | None
    retry_at: datetime | None

    @property
    def good(self) -> bool:
        """Whether the source said all it had to say."""
        return self.state in GOOD


class Sources:
    """The answers of all sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, fetch: Fetch, now: datetime) -> None:
        """Keep an answer in place of the one before it for the same source and day."""
        good = fetch.state.value in GOOD
        values = {
            "label": fetch.label,
            "state": fetch.state.value,
            "papers": len(fetch.papers),
            "skipped": len(fetch.skipped),
            "note": fetch.note,
            "asked_at": now,
            "retry_at": fetch.retry_at,
        } | ({"good_at": now} if good else {})
        where = (FETCH.c.source == fetch.source) & (FETCH.c.day == fetch.day)
        with self._database.write() as connection:
            before = connection.execute(select(FETCH.c.state).where(where)).scalar_one_or_none()
            if before in GOOD and not fetch.papers and fetch.state.value != before:
                # A day that was complete stays so, whatever a later question about it brings.
                values = {"asked_at": now, "retry_at": fetch.retry_at}
            if not connection.execute(update(FETCH).where(where).values(**values)).rowcount:
                connection.execute(
                    insert(FETCH).values(source=fetch.source, day=fetch.day, **values)
                )

    def answers(self, since: date) -> list[Answer]:
        """The answers for list days from `since` on, newest day first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(FETCH)
                .where(FETCH.c.day >= since)
                .order_by(FETCH.c.day.desc(), FETCH.c.source)
            )
            return [
                Answer(**{name: getattr(row, name) for name in Answer.__slots__}) for row in rows
            ]

    def good_days(self, source: str, since: date) -> frozenset[date]:
        """The list days from `since` on that a source answered fully for."""
        query = select(FETCH.c.day).where(
            FETCH.c.source == source, FETCH.c.day >= since, FETCH.c.state.in_(GOOD)
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def last_good_day(self, source: str) -> date | None:
        """The newest list day a source answered fully for."""
        newest = select(func.max(FETCH.c.day)).where(
            (FETCH.c.source == source) & FETCH.c.good_at.is_not(None)
        )
        with self._database.read() as connection:
            day: date | None = connection.execute(newest).scalar_one()
            return day

    def asked_at(self, source: str) -> datetime | None:
        """When a source was last asked."""
        newest = select(func.max(FETCH.c.asked_at)).where(FETCH.c.source == source)
        with self._database.read() as connection:
            moment: datetime | None = connection.execute(newest).scalar_one()
            return moment
