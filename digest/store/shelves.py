"""Shelves: a list day of the archive in one packed row, and days put together.

Everything a list shows before a paper is read: which papers, most upvoted first, and what each
stands under. It is derived from `facet` and the counts of papers, and packed anew, in the same
transaction, whenever one of the two changes for its day; so a month is read from thirty rows.
"""

from __future__ import annotations

import json
import struct
import threading
from array import array
from collections import Counter, OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Date, bindparam, delete, insert, select

from digest.store.catalogue import FACET, LISTED
from digest.store.database import chunks
from digest.store.incoming import PAPER
from digest.store.tables import ShelfRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from digest.store.database import Database

    Numbers = NDArray[np.int64]

SHELF: Final = ShelfRow.__table__  # type: ignore[attr-defined]
FACETS: Final = ("category", "organization", "source")
KEPT: Final = 400
"""Days that a process keeps unpacked, some 30 kB each; those asked for longest ago go first."""

_DAY: Final = bindparam("day", type_=Date)
_FACETS_OF: Final = select(FACET.c.kind, FACET.c.name, FACET.c.paper).where(FACET.c.day == _DAY)
_VOTES_OF: Final = select(PAPER.c.id, PAPER.c.upvotes, PAPER.c.comments).where(
    PAPER.c.id.in_(
        select(FACET.c.paper).where(FACET.c.kind == LISTED, FACET.c.name == "", FACET.c.day == _DAY)
    )
)
_BETWEEN: Final = (
    select(SHELF.c.day, SHELF.c.digest)
    .where(SHELF.c.day.between(bindparam("first", type_=Date), bindparam("last", type_=Date)))
    .order_by(SHELF.c.day)
)
_BODIES: Final = select(SHELF.c.day, SHELF.c.digest, SHELF.c.body).where(
    SHELF.c.day.in_(bindparam("days", expanding=True))
)


# Writing


def days_of(connection: Connection, numbers: Collection[int]) -> set[date]:
    """The days on which these papers are listed."""
    days: set[date] = set()
    for part in chunks(sorted(numbers)):
        listed = (FACET.c.kind == LISTED) & FACET.c.paper.in_(part)
        days.update(connection.execute(select(FACET.c.day).where(listed).distinct()).scalars())
    return days


def shelve(connection: Connection, days: Iterable[date]) -> None:
    """Pack these days anew, out of what papers stand under now."""
    for day in sorted(days):
        body = _packed(connection, day)
        connection.execute(delete(SHELF).where(SHELF.c.day == day))
        if body:
            digest = blake2b(body, digest_size=8).digest()
            connection.execute(insert(SHELF), {"day": day, "digest": digest, "body": body})


def shelve_missing(connection: Connection) -> None:
    """Pack every day that is not there: all of them when the table is new."""
    missing = select(FACET.c.day).distinct().where(FACET.c.day.not_in(select(SHELF.c.day)))
    shelve(connection, connection.execute(missing).scalars().all())


def _packed(connection: Connection, day: date) -> bytes:
    """A day as bytes, little-endian; none where nothing was listed.

    A line of JSON, {kind: {name: papers}}; then 64 bits each: numbers of papers, most upvoted
    first, their upvotes, their comments (-1: nobody told us); then, 32 bits each, the places in
    that order of the papers under each name, name by name.
    """
    votes = [
        (-1 if upvotes is None else upvotes, -1 if comments is None else comments, number)
        for number, upvotes, comments in connection.execute(_VOTES_OF, {"day": day}).all()
    ]
    if not votes:
        return b""
    votes.sort(reverse=True)
    place = {number: at for at, (_, _, number) in enumerate(votes)}
    under: dict[str, dict[str, list[int]]] = {kind: {} for kind in FACETS}
    for kind, name, number in connection.execute(_FACETS_OF, {"day": day}).all():
        if kind != LISTED:
            under[kind].setdefault(name, []).append(place[number])
    counts = {
        kind: {name: len(places) for name, places in names.items()} for kind, names in under.items()
    }
    head = json.dumps(counts, ensure_ascii=False, separators=(",", ":"))
    places = [at for names in under.values() for each in names.values() for at in sorted(each)]
    columns = [number for _, _, number in votes] + [row[0] for row in votes]
    columns += [row[1] for row in votes]
    return b"".join((
        f"{len(votes)} {head}\n".encode(),
        struct.pack(f"<{len(columns)}q", *columns),
        struct.pack(f"<{len(places)}i", *places),
    ))  # fmt: skip


# Reading


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """What was listed on a day, most upvoted first; `under` are places in that order."""

    papers: Numbers
    upvotes: Numbers
    comments: Numbers
    counts: Mapping[str, Mapping[str, int]]
    under: Mapping[tuple[str, str], NDArray[np.int32]]

    @classmethod
    def of(cls, body: bytes) -> Shelf:
        """A day as it was packed."""
        import numpy as np  # noqa: PLC0415 -- only the pages read lists

        end = body.index(b"\n") + 1
        size, _, head = body[:end].decode().partition(" ")
        columns = np.frombuffer(body, "<i8", 3 * int(size), end).reshape(3, -1)
        places = np.frombuffer(body, "<i4", offset=end + columns.nbytes)
        counts: dict[str, dict[str, int]] = json.loads(head)
        under, at = {}, 0
        for kind, names in counts.items():
            for name, papers in names.items():
                under[kind, name] = places[at : at + papers]
                at += papers
        return cls(columns[0], columns[1], columns[2], counts, under)

    def places(self, facet: tuple[str, str] | None) -> NDArray[np.int32] | slice:
        """Where the papers stand that are under a facet, or all."""
        return slice(None) if facet is None else self.under.get(facet, slice(0))


class Shelves:
    """The list days of an installation, each unpacked once until it changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: OrderedDict[date, tuple[bytes, Shelf]] = OrderedDict()

    def days(self) -> list[date]:
        """Every list day, in order."""
        with self._database.read() as connection:
            return list(connection.execute(select(SHELF.c.day).order_by(SHELF.c.day)).scalars())

    def between(self, first: date, last: date) -> list[Shelf]:
        """The list days of a span, oldest first."""
        with self._database.read() as connection:
            there: list[Any] = list(
                connection.execute(_BETWEEN, {"first": first, "last": last}).all()
            )
            with self._lock:
                held = {row.day: self._kept.get(row.day) for row in there}
            stale = [row.day for row in there if (h := held[row.day]) is None or h[0] != row.digest]
            for days in chunks(stale):
                for row in connection.execute(_BODIES, {"days": days}).all():
                    held[row.day] = (row.digest, Shelf.of(row.body))
        with self._lock:
            for day, one in held.items():
                if one is not None:
                    self._kept[day] = one
                    self._kept.move_to_end(day)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return [one[1] for one in held.values() if one is not None]


def put_together(
    shelves: Sequence[Shelf], filters: Mapping[str, str], *, most: int | None = None
) -> array[int]:
    """The different papers of these days under all of these facets, most upvoted first."""
    import numpy as np  # noqa: PLC0415

    facets = [(kind, name) for kind, name in filters.items() if name]
    first = facets[0] if facets else None
    chosen = [(shelf, shelf.places(first)) for shelf in shelves]
    papers = _joined(shelf.papers[places] for shelf, places in chosen)
    if len(shelves) > 1:
        upvotes = _joined(shelf.upvotes[places] for shelf, places in chosen)
        comments = _joined(shelf.comments[places] for shelf, places in chosen)
        papers = papers[np.lexsort((papers, comments, upvotes))[::-1]]
        # The same paper on two days has the same counts, so it stands beside itself.
        papers = papers[np.diff(papers, prepend=0) != 0]
    for facet in facets[1:]:
        # On any of these days: what one source lists today, another may have listed before.
        under = _joined(shelf.papers[shelf.places(facet)] for shelf in shelves)
        papers = papers[np.isin(papers, under)]
    listed = array("q")
    listed.frombytes(papers[:most].tobytes())
    return listed


def _joined(columns: Iterable[Numbers]) -> Numbers:
    import numpy as np  # noqa: PLC0415

    return np.concatenate((np.empty(0, np.int64), *columns))


def names(shelves: Iterable[Shelf]) -> dict[str, list[tuple[str, int]]]:
    """Per facet, the names papers of these days stand under and how often, most often first."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in FACETS}
    for shelf in shelves:
        for kind, found in shelf.counts.items():
            counts[kind].update(found)
    return {
        kind: sorted(found.items(), key=lambda one: (-one[1], one[0]))
        for kind, found in counts.items()
    }
