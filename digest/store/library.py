"""Libraries: the papers readers say they have, by the names of `subscribers.library`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from digest.errors import NotFound
from digest.store.database import chunks
from digest.store.subscribers import SUBSCRIBER
from digest.store.tables import LibraryRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from digest.store.database import Database

LIBRARY = LibraryRow.__table__  # type: ignore[attr-defined]


class Libraries:
    """The libraries of an installation's readers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, subscriber: int, names: Iterable[str]) -> int:
        """Enter these names; the number of those that are new. NotFound when the reader is gone."""
        mine = LIBRARY.c.subscriber == subscriber
        reader = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.id == subscriber).with_for_update()
        with self._database.write() as connection:
            if connection.execute(reader).first() is None:
                raise NotFound("this reader is not here any more")
            known = set(connection.execute(select(LIBRARY.c.name).where(mine)).scalars())
            fresh = [name for name in dict.fromkeys(names) if name not in known]
            for part in chunks(fresh):
                rows = [{"subscriber": subscriber, "name": name} for name in part]
                connection.execute(insert(LIBRARY), rows)
            return len(fresh)

    def remove(self, subscriber: int, names: Iterable[str]) -> int:
        """Strike these names; the number of those that were there."""
        gone = 0
        with self._database.write() as connection:
            for part in chunks(list(dict.fromkeys(names))):
                where = (LIBRARY.c.subscriber == subscriber) & LIBRARY.c.name.in_(part)
                gone += connection.execute(delete(LIBRARY).where(where)).rowcount
        return gone

    def clear(self, subscriber: int) -> None:
        """Forget everything a reader has."""
        with self._database.write() as connection:
            connection.execute(delete(LIBRARY).where(LIBRARY.c.subscriber == subscriber))

    def of(self, subscriber: int) -> list[str]:
        """The names a reader has entered, in alphabetical order."""
        return sorted(self.of_all([subscriber]).get(subscriber, ()))

    def of_all(self, subscribers: Sequence[int]) -> dict[int, frozenset[str]]:
        """The names of these readers; who has none is left out."""
        found: dict[int, set[str]] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(set(subscribers))):
                rows = connection.execute(select(LIBRARY).where(LIBRARY.c.subscriber.in_(part)))
                for row in rows:
                    found.setdefault(row.subscriber, set()).add(row.name)
        return {number: frozenset(names) for number, names in found.items()}
