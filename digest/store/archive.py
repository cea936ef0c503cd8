"""The archive: papers as the public reads them, by day, by what they are filed under, by words."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, func, select, text

from digest.papers import Paper, PaperId, Signals
from digest.store.catalogue import FACET, NOTHING, Asked, asked_by, some, word
from digest.store.papers import ALIAS, LISTING, PAPER, RECORD, SIGNAL
from digest.store.shelves import FACETS, Shelves, put_together
from subscribers.tree import And, Floor

__all__ = ["END", "FACETS", "Archive", "Around", "around"]

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import TextClause

    from digest.store.database import Database
    from digest.store.shelves import Shelf
    from subscribers.tree import Node, Query

END: Final = (1 << 63) - 1
"""A place behind every paper's: where a search begins."""
_NUMBER: Final = (1 << 40) - 1
_COUNTED: Final = "(upvotes > 0 OR comments > 0 OR stars > 0)"
"""As the index of counts has it, which is used for what implies it."""
_NAMELESS: Final = PaperId("number", "0")
FEW: Final = 1_000


@dataclass(frozen=True, slots=True)
class Around:
    """The list days next to a span of days, where there are any, and the newest of all."""

    before: date | None
    after: date | None
    newest: date | None


# A statement that every page asks is put together once.
_REVISION: Final = select(
    select(func.max(RECORD.c.seen_at)).scalar_subquery(),
    select(func.max(LISTING.c.id)).scalar_subquery(),
    select(func.max(SIGNAL.c.id)).scalar_subquery(),
)


def around(days: Sequence[date], first: date, last: date) -> Around:
    """What stands around a span of days among the list days, which are in order."""
    before, after = bisect_left(days, first), bisect_right(days, last)
    return Around(
        days[before - 1] if before else None,
        days[after] if after < len(days) else None,
        days[-1] if days else None,
    )


class Archive:
    """The papers of an installation, for reading only.

    Where fewer than `few` papers pass a floor, they are read for their words; else what has the
    words is read for its counts.
    """

    def __init__(self, database: Database, few: int = FEW) -> None:
        self._database = database
        self._most_read = few
        self._shelves = Shelves(database)
        # SQLite would look into the papers themselves: many times as many pages.
        self._votes = "paper INDEXED BY ix_paper_votes" if database.is_sqlite else "paper"
        # Where words are looked up, how a place is called there, and how a word is asked for.
        self._words, self._place, self._match = (
            ("search", "search.rowid", "search MATCH :asked{}")
            if database.is_sqlite
            else (
                "catalogue",
                "place",
                "array_to_tsvector(string_to_array(words, ' ')) @@ CAST(:asked{} AS tsquery)",
            )
        )

    def revision(self) -> str:
        """Changes whenever a paper, a listing or a count does, and only then."""
        with self._database.read() as connection:
            return "-".join(map(str, connection.execute(_REVISION).one()))

    def changes(self) -> int | None:
        """Another number whenever the revision may be another one; None where it is to be asked."""
        return self._database.changes()

    def changed_at(self) -> datetime | None:
        """When a source last said something new of any paper."""
        with self._database.read() as connection:
            changed: datetime | None = connection.execute(
                select(func.max(RECORD.c.seen_at))
            ).scalar_one()
            return changed

    def days(self) -> list[date]:
        """Every list day there is, in order."""
        return self._shelves.days()

    def shelves(self, first: date, last: date) -> list[Shelf]:
        """The list days of a span, oldest first."""
        return self._shelves.between(first, last)

    def shelf(
        self, first: date, last: date, filters: Mapping[str, str], *, most: int | None = None
    ) -> array[int]:
        """Papers listed in a span of days under all of these facets, most upvoted first."""
        return put_together(self.shelves(first, last), filters, most=most)

    def noticed(self, since: datetime, filters: Mapping[str, str]) -> list[Paper]:
        """Papers first seen since then that somebody counted for: numbers and counts alone."""
        counts = (PAPER.c.upvotes, PAPER.c.comments, PAPER.c.stars)
        asked = select(PAPER.c.id, PAPER.c.first_seen_at, *counts).where(
            PAPER.c.first_seen_at > since, text(_COUNTED)
        )
        # A list may be dated two days before it was first seen, over a weekend.
        recent = FACET.c.day >= since.date() - timedelta(days=2)
        for kind, name in filters.items():
            if name:
                under = select(FACET.c.paper).where(
                    FACET.c.kind == kind, FACET.c.name == name, recent
                )
                asked = asked.where(PAPER.c.id.in_(under))
        with self._database.read() as connection:
            return [
                Paper(
                    _NAMELESS,
                    "",
                    number=number,
                    first_seen_at=seen,
                    signals=Signals(*counted),
                )
                for number, seen, *counted in connection.execute(asked).all()
            ]

    def number_of(self, name: str) -> int | None:
        """The paper of any of its names, as in arxiv:2610.01234."""
        asked = select(func.min(ALIAS.c.paper)).where(ALIAS.c.name == name)
        with self._database.read() as connection:
            number: int | None = connection.execute(asked).scalar_one()
            return number

    def history(self, number: int) -> tuple[Signals, ...]:
        """A paper's counts over time, oldest first; one entry whenever one of them moved."""
        asked = select(SIGNAL).where(SIGNAL.c.paper == number).order_by(SIGNAL.c.seen_at)
        with self._database.read() as connection:
            return tuple(
                Signals(row.upvotes, row.comments, row.stars, row.seen_at)
                for row in connection.execute(asked)
            )

    def _written(self, asked: Asked) -> str:
        """What is asked for, as the index of words reads it."""
        return asked.fts5() if self._database.is_sqlite else asked.tsquery()

    def candidates(self, query: Query, *, before: int, most: int) -> list[tuple[int, int]]:
        """(place, paper) of what a query may mean, newest first, from places below `before`.

        At least every paper that it means is among them; `subscribers.finding` says which.
        """
        with self._database.read() as connection:
            each = [
                self._placed(connection, asked, floors, before, most)
                for floors, asked in _alternatives(query).items()
            ]
        merged = dict.fromkeys(merge(*each, reverse=True))
        return [(place, place & _NUMBER) for place in islice(merged, most)]

    def having(self, words: Iterable[str], *, most: int) -> dict[str, list[int]]:
        """Per word of the catalogue, the newest papers that have it, at most so many."""
        asked = list(words)
        if not asked:
            return {}
        gather = "group_concat({})" if self._database.is_sqlite else "string_agg({}, ',')"
        paper = f"CAST(place & {_NUMBER} AS text)"
        # One row a word, and one statement: rows are dearer to fetch than numbers to read.
        newest = (
            f"SELECT {at}, {gather.format(paper)} FROM (SELECT {self._place} AS place"  # noqa: S608 -- no value
            f" FROM {self._words} WHERE {self._match.format(at)}"
            f" ORDER BY {self._place} DESC LIMIT :most) AS newest"
            for at in range(len(asked))
        )
        values: dict[str, Any] = {
            f"asked{at}": self._written(word(text)) for at, text in enumerate(asked)
        }
        with self._database.read() as connection:
            rows = connection.execute(
                _statement(" UNION ALL ".join(newest)), values | {"most": most}
            ).all()
        return {
            asked[at]: [int(n) for n in papers.split(",")] if papers else [] for at, papers in rows
        }

    def _placed(
        self,
        connection: Connection,
        asked: Asked | None,
        floors: Sequence[Floor],
        before: int,
        most: int,
    ) -> Sequence[int]:
        """Places below `before`, greatest first, of what has these words and passes the floors."""
        if asked == NOTHING:
            return []
        # A column is one of three, never what was typed.
        passed = " AND ".join(
            f"paper.{PAPER.c[floor.signal].name} > :floor{at}" for at, floor in enumerate(floors)
        )
        values: dict[str, Any] = {f"floor{at}": one.above for at, one in enumerate(floors)}
        if floors and self._are_few(connection, passed, values):
            statement = self._read_for_words(asked, passed, values)
        else:
            place, table = "place", "catalogue"
            where = []
            if asked is not None:
                place, table = self._place, self._words
                where.append(self._match.format(0))
                values["asked0"] = self._written(asked)
            where.append(f"{place} < :before")
            if floors:
                where.append(
                    f"EXISTS (SELECT 1 FROM {self._votes}"  # noqa: S608 -- see above
                    f" WHERE paper.id = ({place} & {_NUMBER}) AND {passed})"
                )
            statement = (
                f"SELECT {place} FROM {table} WHERE {' AND '.join(where)}"  # noqa: S608
                f" ORDER BY {place} DESC LIMIT :most"
            )
        values |= {"before": before, "most": most}
        return connection.execute(_statement(statement), values).scalars().all()

    def _are_few(self, connection: Connection, passed: str, values: Mapping[str, Any]) -> bool:
        """Whether so few papers pass the floors that it is quickest to begin with them."""
        counted = _statement(
            f"SELECT count(*) FROM (SELECT 1 FROM paper WHERE {_COUNTED} AND {passed}"  # noqa: S608
            " LIMIT :few) AS passed"
        )
        return (
            int(connection.execute(counted, {**values, "few": self._most_read}).scalar_one())
            < self._most_read
        )

    def _read_for_words(self, asked: Asked | None, passed: str, values: dict[str, Any]) -> str:
        """The statement that looks the words up in what the catalogue says of few papers."""
        where = [_COUNTED, passed, "catalogue.place < :before"]
        if asked is not None:
            contains = "instr" if self._database.is_sqlite else "strpos"
            where.append(_in_words(asked, contains, values))
        return (
            "SELECT catalogue.place FROM paper CROSS JOIN catalogue"  # noqa: S608
            f" WHERE catalogue.paper = paper.id AND {' AND '.join(where)}"
            " ORDER BY catalogue.place DESC LIMIT :most"
        )


def _in_words(asked: Asked, contains: str, values: dict[str, Any]) -> str:
    """The condition that a paper's words, as they stand in the catalogue, are what is asked for."""
    if asked.parts:
        glue = " AND " if asked.kind == "all" else " OR "
        return f"({glue.join(_in_words(part, contains, values) for part in asked.parts)})"
    name = f"word{len(values)}"
    values[name] = f" {asked.text}{' ' if asked.kind == 'word' else ''}"
    return f"{contains}(' ' || catalogue.words || ' ', :{name}) > 0"


@lru_cache(maxsize=64)
def _statement(sql: str) -> TextClause:
    """Reading where the values go takes longer than many an answer."""
    return text(sql)


def _alternatives(query: Query) -> dict[tuple[Floor, ...], Asked | None]:
    """What candidates must have, per set of floors that they must pass."""
    if not query.asks:
        return {(): None}
    asked: dict[tuple[Floor, ...], list[Asked | None]] = {}
    for line in query.asks:
        asked.setdefault(_floors(line.tree), []).append(asked_by(line.tree))
    return {floors: some(parts) for floors, parts in asked.items()}


def _floors(tree: Node) -> tuple[Floor, ...]:
    """The floors that whatever fits the tree has passed."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    return tuple(part for part in parts if isinstance(part, Floor))
