"""What each source answered, per list day, and when it is due again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from digest.sources import Validator
from digest.sources.timetable import Known, after
from digest.store.tables import FetchRow, ValidatorRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from digest.sources import Fetch
    from digest.sources.timetable import Timetable
    from digest.store.database import Database

FETCH = FetchRow.__table__  # type: ignore[attr-defined]
VALIDATOR = ValidatorRow.__table__  # type: ignore[attr-defined]
GOOD: Final = ("ok", "empty")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an entry of DIGEST_SOURCES answered for one list day. Instants are UTC.

    `state`, `papers`, `skipped` and `note` are of the best answer, `said` and `said_note` of the
    newest. `tries` counts the newest answers in a row that were not complete. `filling` says
    that the list could still gain papers when it was last answered fully.
    """

    entry: str
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
    next_at: datetime | None
    said: str
    said_note: str
    tries: int
    filling: bool

    @property
    def good(self) -> bool:
        """Whether the source has said all it had to say, at least once."""
        return self.state in GOOD

    @property
    def lacking(self) -> bool:
        """Whether papers may be missing: there was no full answer, or none since it filled on."""
        return not self.good or (self.filling and self.said not in GOOD)


class Sources:
    """The answers of all sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, entry: str, fetches: Sequence[Fetch], now: datetime, timetable: Timetable
    ) -> None:
        """Keep answers, when their days are due again, and what to ask with then.

        Call it once their papers are stored: a validator that outlived its papers would hide
        them for ever. A day that was answered fully stays so, whatever comes later.
        """
        if not fetches:
            return
        with self._database.write() as connection:
            for fetch in fetches:
                _record(connection, entry, fetch, now, timetable)

    def answers(self, since: date, entries: Sequence[str] = ()) -> list[Answer]:
        """The answers for list days from `since` on, newest day first; of these entries or all."""
        query = select(FETCH).where(FETCH.c.day >= since)
        if entries:
            query = query.where(FETCH.c.entry.in_(entries))
        with self._database.read() as connection:
            rows = connection.execute(
                query.order_by(FETCH.c.day.desc(), FETCH.c.entry, FETCH.c.source)
            )
            return [_answer(row) for row in rows]

    def known(self, entry: str, since: date) -> dict[date, Known]:
        """What is known of the list days of an entry from `since` on."""
        days: dict[date, Known] = {}
        for answer in self.answers(since, [entry]):
            # A list that was filling when it was answered fully is not one we have.
            have = answer.good and not answer.filling
            one = Known(have, answer.next_at, answer.retry_at)
            had = days.get(answer.day)
            days[answer.day] = one if had is None else _joined(had, one)
        return days

    def good_days(self, entry: str, since: date, until: date) -> frozenset[date]:
        """The list days between two, both included, that need not be asked for again.

        Those that an entry answered fully for, and that had closed by then.
        """
        query = select(FETCH.c.day).where(
            FETCH.c.entry == entry,
            FETCH.c.day >= since,
            FETCH.c.day <= until,
            FETCH.c.state.in_(GOOD),
            FETCH.c.filling.is_(False),
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def newest(self) -> dict[str, list[tuple[Answer, Answer | None]]]:
        """For each entry the newest answer, and the newest of those that were good with papers.

        A folder of files speaks for several sources, and has a pair for each.
        """
        good = FETCH.c.state.in_(GOOD) & (FETCH.c.papers > 0)
        found: dict[str, list[tuple[Answer, Answer | None]]] = {}
        with self._database.read() as connection:
            asked = _last(connection, FETCH.c.asked_at.is_not(None))
            brought = _last(connection, good)
        for (entry, source), answer in asked.items():
            found.setdefault(entry, []).append((answer, brought.get((entry, source))))
        return found

    def validators(self, entry: str) -> dict[str, Validator]:
        """What to ask an entry's addresses with, by address."""
        query = select(VALIDATOR).where(VALIDATOR.c.entry == entry)
        with self._database.read() as connection:
            rows = connection.execute(query)
            return {row.url: Validator(row.url, row.etag, row.last_modified) for row in rows}

    def forget_validators(self, before: datetime) -> None:
        """Drop what has not been confirmed since: its list is not asked for any more."""
        with self._database.read() as connection:
            old = select(VALIDATOR.c.url).where(VALIDATOR.c.kept_at < before).limit(1)
            if connection.execute(old).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(delete(VALIDATOR).where(VALIDATOR.c.kept_at < before))


def _record(
    connection: Connection, entry: str, fetch: Fetch, now: datetime, timetable: Timetable
) -> None:
    about = {"entry": entry, "source": fetch.source, "day": fetch.day}
    where = and_(*(FETCH.c[key] == value for key, value in about.items()))
    before = connection.execute(select(FETCH).where(where)).first()
    values = _newest(fetch, now, before, timetable) | _best(fetch, now, before)
    if before is None:
        connection.execute(insert(FETCH).values(**about, **values))
    else:
        connection.execute(update(FETCH).where(where).values(**values))
    if fetch.state.complete:
        _keep(connection, entry, fetch.validators, now)


def _newest(
    fetch: Fetch, now: datetime, before: Row[Any] | None, timetable: Timetable
) -> dict[str, Any]:
    """What the newest answer says by itself."""
    complete = fetch.state.complete
    tries = 0 if complete else 1 + (before.tries if before else 0)
    filled = before.filling if before and before.state in GOOD else True
    return {
        "label": fetch.label,
        "asked_at": now,
        "retry_at": fetch.retry_at,
        "next_at": after(timetable, fetch.day, fetch.state, now, tries, fetch.retry_at),
        "said": fetch.state.value,
        "said_note": fetch.note,
        "tries": tries,
        "filling": timetable.fills(fetch.day, now) if complete else filled,
    }


def _best(fetch: Fetch, now: datetime, before: Row[Any] | None) -> dict[str, Any]:
    """What is kept of an answer beside the best one there was before."""
    values = {
        "state": fetch.state.value,
        "papers": len(fetch.papers),
        "skipped": len(fetch.skipped),
        "note": fetch.note,
    }
    if before is None:
        return values | ({"good_at": now} if fetch.state.complete else {})
    had = before.papers > 0
    if fetch.state.complete:
        # "Has nothing new" (304) says that what was there still holds.
        kept = had and before.state == "ok" and not fetch.papers
        return {"good_at": now} if kept else {**values, "good_at": now}
    if before.state in GOOD or (had and not fetch.papers):
        return {}
    return values


def _keep(
    connection: Connection, entry: str, validators: Sequence[Validator], now: datetime
) -> None:
    for one in validators:
        where = (VALIDATOR.c.entry == entry) & (VALIDATOR.c.url == one.url)
        values = {"etag": one.etag, "last_modified": one.last_modified, "kept_at": now}
        if not connection.execute(update(VALIDATOR).where(where).values(**values)).rowcount:
            connection.execute(insert(VALIDATOR).values(entry=entry, url=one.url, **values))


def _joined(one: Known, other: Known) -> Known:
    """Both answers for one day of an entry that speaks for several sources."""
    moments = [each.next_at for each in (one, other) if each.next_at]
    quiet = [each.quiet_until for each in (one, other) if each.quiet_until]
    return Known(one.good and other.good, min(moments, default=None), max(quiet, default=None))


def _last(
    connection: Connection,
    condition: Any,  # noqa: ANN401 -- SQL
) -> dict[tuple[str, str], Answer]:
    """The newest answer of each entry about each of its sources, of those that meet a condition."""
    column = FETCH.c
    newest = (
        select(column.entry, column.source, func.max(column.day).label("day"))
        .where(condition)
        .group_by(column.entry, column.source)
        .subquery()
    )
    same = [column[name] == newest.c[name] for name in ("entry", "source", "day")]
    rows = connection.execute(
        select(FETCH).join(newest, and_(*same)).where(condition).order_by(column.label)
    )
    return {(row.entry, row.source): _answer(row) for row in rows}


def _answer(row: Row[Any]) -> Answer:
    return Answer(**{one.name: getattr(row, one.name) for one in fields(Answer)})
