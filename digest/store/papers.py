"""Papers: every source's record kept, one merged view derived, nothing written twice."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, select

from digest.errors import NotFound
from digest.papers import ListingKind, PaperId, Signals
from digest.store.catalogue import CATALOGUE, catalogue
from digest.store.database import CHUNK, chunks
from digest.store.incoming import (
    ALIAS,
    LISTING,
    MERGE,
    PAPER,
    RECORD,
    SIGNAL,
    Incoming,
    Ingested,
    unseen,
)
from digest.store.merging import Merging
from digest.store.packing import stored
from digest.store.shelves import shelve, shelve_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from digest.papers import Paper
    from digest.store.database import Database

__all__ = ["ALIAS", "LISTING", "PAPER", "RECORD", "SIGNAL", "Ingested", "Papers", "enter_missing"]
_LOCK: Final = 0x7061706572  # "paper": an advisory lock of PostgreSQL, for this program alone

_NUMBERED: Final = select(PAPER).where(PAPER.c.id.in_(bindparam("numbers", expanding=True)))


class Papers:
    """The papers of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ingest(self, papers: Sequence[Paper], now: datetime) -> Ingested:
        """Store what one source said; a second identical call writes nothing.

        Each paper carries the listings that source saw. Which paper a record belongs to is
        digest.merge's to say. Counts that moved are kept with `now`.
        """
        incoming = list(map(Incoming, papers))
        with self._database.read() as connection:
            news = unseen(connection, incoming)
        if not news:
            return Ingested(same=len(incoming))
        with self._writing() as connection:
            stored_now = Merging(connection, now).store(unseen(connection, news))
        same = len(incoming) - stored_now.new - stored_now.changed
        return replace(stored_now, same=max(0, same))

    def part(self, number: int, names: Iterable[str], now: datetime) -> int:
        """Undo a merge by hand: the records of these names leave a paper and stay out of it.

        The number of the paper they are now. What a reader was sent of one counts for both.
        Raises NotFound where the paper has no such record beside others.
        """
        with self._writing() as connection:
            gone = Merging(connection, now).part(number, names)
        if gone is None:
            raise NotFound(f"paper {number} holds no such record beside another")
        return gone

    def same_works(self) -> dict[int, frozenset[int]]:
        """For each paper that is or was one with another: all of them, itself included."""
        links: dict[int, set[int]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(MERGE.c.kept, MERGE.c.lost)):
                joined = links.get(row.kept, {row.kept}) | links.get(row.lost, {row.lost})
                links.update(dict.fromkeys(joined, joined))
        return {number: frozenset(joined) for number, joined in links.items()}

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction in which nobody else stores papers."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:  # where a write takes no lock by itself
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            yield connection

    def between(self, first_day: date, last_day: date) -> list[Paper]:
        """Every paper announced from one list day to another, both included, by number."""
        inside = (first_day <= PAPER.c.announced_on) & (PAPER.c.announced_on <= last_day)
        with self._database.read() as connection:
            rows = connection.execute(select(PAPER).where(inside).order_by(PAPER.c.id)).all()
            return stored(connection, rows)

    def replaced(self, first_day: date, last_day: date) -> list[Paper]:
        """Every paper of which a new version was listed on these days, both included, by number."""
        listed = select(LISTING.c.paper).where(
            LISTING.c.kind == ListingKind.REPLACE.value, LISTING.c.day.between(first_day, last_day)
        )
        with self._database.read() as connection:
            where = PAPER.c.id.in_(listed)
            rows = connection.execute(select(PAPER).where(where).order_by(PAPER.c.id)).all()
            return stored(connection, rows)

    def by_numbers(self, numbers: Iterable[int]) -> dict[int, Paper]:
        """The papers of these numbers; a number nobody has is left out.

        A number whose paper turned out to be another one brings that one, under the number.
        """
        found: dict[int, Paper] = {}
        merged: dict[int, int] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(set(numbers))):
                rows = connection.execute(_NUMBERED, {"numbers": part}).all()
                merged.update({row.id: row.merged_into for row in rows if row.merged_into})
                found.update({paper.number: paper for paper in stored(connection, rows)})
            for part in chunks(sorted(set(merged.values()))):
                rows = connection.execute(_NUMBERED, {"numbers": part}).all()
                now = {paper.number: paper for paper in stored(connection, rows)}
                found.update({
                    old: replace(now[kept], number=old)
                    for old, kept in merged.items()
                    if kept in now
                })  # fmt: skip
        return found

    def signals_at(self, numbers: Iterable[int], moment: datetime) -> dict[int, Signals]:
        """The counts of these papers as they were known at that instant."""
        signals: dict[int, Signals] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(set(numbers))):
                rows = connection.execute(
                    select(SIGNAL)
                    .where(SIGNAL.c.paper.in_(part), SIGNAL.c.seen_at <= moment)
                    .order_by(SIGNAL.c.seen_at, SIGNAL.c.id)
                )
                for row in rows:
                    signals[row.paper] = Signals(row.upvotes, row.comments, row.stars, row.seen_at)
        return signals

    def count(self) -> int:
        """How many papers there are."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(PAPER).where(PAPER.c.merged_into.is_(None))
            return int(connection.execute(query).scalar_one())

    def listed(self, source: str, since: date) -> dict[date, frozenset[PaperId]]:
        """What a source listed on each day from `since` on, under the ids it gave."""
        days: dict[date, set[PaperId]] = {}
        with self._database.read() as connection:
            rows = connection.execute(
                select(LISTING.c.day, RECORD.c.name)
                .join(RECORD, RECORD.c.id == LISTING.c.record)
                .where(LISTING.c.source == source, LISTING.c.day >= since)
            )
            for row in rows:
                days.setdefault(row.day, set()).add(PaperId.parse(row.name))
        return {day: frozenset(names) for day, names in days.items()}


def enter_missing(connection: Connection) -> None:
    """Enter every paper into the catalogue that is not there, and pack every day that is not."""
    unknown = PAPER.c.id.not_in(select(CATALOGUE.c.paper)) & PAPER.c.merged_into.is_(None)
    last, days = 0, set[date]()
    while rows := connection.execute(
        select(PAPER).where(unknown, PAPER.c.id > last).order_by(PAPER.c.id).limit(CHUNK)
    ).all():
        days |= catalogue(connection, stored(connection, rows))
        last = rows[-1].id
    shelve(connection, days)
    shelve_missing(connection)
