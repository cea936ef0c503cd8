"""The archive: papers as the public reads them, by day, by what they are filed under, by words."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Date, bindparam, func, or_, select, text

from digest.papers import Paper, PaperId, Signals
from digest.store.catalogue import FACET, LISTED, NOTHING, Asked, asked_by, some, word
from digest.store.papers import ALIAS, LISTING, PAPER, RECORD, SIGNAL
from subscribers.tree import And, Floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import TextClause

    from digest.store.database import Database
    from subscribers.tree import Node, Query

FACETS: Final = ("category", "organization", "source")
END: Final = (1 << 63) - 1
"""A place behind every paper's: where a search begins."""
_NUMBER: Final = (1 << 40) - 1


@dataclass(frozen=True, slots=True)
class Around:
    """The list days next to a span of days, where there are any, and the newest of all."""

    before: date | None
    after: date | None
    newest: date | None


# Statements that every page asks are put together once.
_REVISION: Final = select(
    select(func.max(RECORD.c.seen_at)).scalar_subquery(),
    select(func.max(LISTING.c.id)).scalar_subquery(),
    select(func.max(SIGNAL.c.id)).scalar_subquery(),
)
_FIRST: Final = bindparam("first", type_=Date)
_LAST: Final = bindparam("last", type_=Date)
_LISTED: Final = (FACET.c.kind == LISTED) & (FACET.c.name == "")
_AROUND: Final = select(
    select(func.max(FACET.c.day)).where(_LISTED, FACET.c.day < _FIRST).scalar_subquery(),
    select(func.min(FACET.c.day)).where(_LISTED, FACET.c.day > _LAST).scalar_subquery(),
    select(func.max(FACET.c.day)).where(_LISTED).scalar_subquery(),
)
# Grouped as the index is ordered, so that nothing has to be sorted.
_FACETS: Final = (
    select(FACET.c.kind, FACET.c.name, func.count())
    .where(FACET.c.day.between(_FIRST, _LAST), FACET.c.kind != LISTED)
    .group_by(FACET.c.day, FACET.c.kind, FACET.c.name)
)


class Archive:
    """The papers of an installation, for reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # SQLite would look into the papers themselves: many times as many pages.
        self._votes = "paper INDEXED BY ix_paper_votes" if database.is_sqlite else "paper"

    def revision(self) -> str:
        """Changes whenever a paper, a listing or a count does, and only then."""
        with self._database.read() as connection:
            return "-".join(map(str, connection.execute(_REVISION).one()))

    def changed_at(self) -> datetime | None:
        """When a source last said something new of any paper."""
        with self._database.read() as connection:
            changed: datetime | None = connection.execute(
                select(func.max(RECORD.c.seen_at))
            ).scalar_one()
            return changed

    def around(self, first: date, last: date) -> Around:
        """The list days before the first day, after the last, and the newest."""
        with self._database.read() as connection:
            return Around(*connection.execute(_AROUND, {"first": first, "last": last}).one())

    def shelf(
        self, first: date, last: date, filters: Mapping[str, str], *, most: int | None = None
    ) -> array[int]:
        """Papers listed in a span of days under all of these facets, most upvoted first."""
        named = [(LISTED, ""), *((kind, name) for kind, name in filters.items() if name)]
        values: dict[str, Any] = {"first": first, "last": last, "most": most}
        under = []
        # Whatever stands under a facet is listed.
        for place, (kind, name) in enumerate(named[1:] or named):
            under.append(
                f"id IN (SELECT paper FROM facet WHERE kind = :kind{place}"  # noqa: S608 -- a number
                f" AND name = :name{place} AND day BETWEEN :first AND :last)"
            )
            values |= {f"kind{place}": kind, f"name{place}": name}
        asked = _statement(
            f"SELECT id FROM {self._votes} WHERE {' AND '.join(under)}"  # noqa: S608 -- see above
            " ORDER BY COALESCE(upvotes, -1) DESC, COALESCE(comments, -1) DESC, id DESC"
            f"{'' if most is None else ' LIMIT :most'}"
        ).bindparams(_FIRST, _LAST)
        with self._database.read() as connection:
            return array("q", connection.execute(asked, values).scalars().all())

    def facets(self, first: date, last: date) -> dict[str, list[tuple[str, int]]]:
        """Per facet, the names papers of those days stand under and how often, most often first.

        On one day that is how many papers; over several, one may stand there more than once.
        """
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in FACETS}
        with self._database.read() as connection:
            days = {"first": first, "last": last}
            for kind, name, papers in connection.execute(_FACETS, days).all():
                counts[kind][name] += papers
        return {
            kind: sorted(found.items(), key=lambda one: (-one[1], one[0]))
            for kind, found in counts.items()
        }

    def noticed(self, since: datetime, filters: Mapping[str, str]) -> list[Paper]:
        """Papers first seen since then that somebody counted for: numbers, counts, and no text."""
        counts = (PAPER.c.upvotes, PAPER.c.comments, PAPER.c.stars)
        asked = select(PAPER.c.id, PAPER.c.name, PAPER.c.first_seen_at, *counts).where(
            PAPER.c.first_seen_at > since, or_(*(count > 0 for count in counts))
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
                    PaperId.parse(row.name),
                    "",
                    number=row.id,
                    first_seen_at=row.first_seen_at,
                    signals=Signals(row.upvotes, row.comments, row.stars),
                )
                for row in connection.execute(asked)
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
        with self._database.read() as connection:
            return {
                text: [
                    place & _NUMBER for place in self._placed(connection, word(text), (), END, most)
                ]
                for text in words
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
        values: dict[str, Any] = {"before": before, "most": most}
        place, table, where = "place", "catalogue", ["place < :before"]
        if asked == NOTHING:
            return []
        if asked is not None:
            if self._database.is_sqlite:
                place, table = "search.rowid", "search"
                where = ["search MATCH :asked", "search.rowid < :before"]
                values["asked"] = asked.fts5()
            else:
                where.append(
                    "array_to_tsvector(string_to_array(words, ' ')) @@ CAST(:asked AS tsquery)"
                )
                values["asked"] = asked.tsquery()
        for position, floor in enumerate(floors):
            column = PAPER.c[floor.signal].name  # one of three columns, never what was typed
            where.append(
                f"EXISTS (SELECT 1 FROM {self._votes} WHERE paper.id = ({place} & {_NUMBER})"  # noqa: S608
                f" AND paper.{column} > :floor{position})"
            )
            values[f"floor{position}"] = floor.above
        statement = _statement(
            f"SELECT {place} FROM {table} WHERE {' AND '.join(where)}"  # noqa: S608 -- see above
            f" ORDER BY {place} DESC LIMIT :most"
        )
        return connection.execute(statement, values).scalars().all()


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
