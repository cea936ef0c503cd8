"""Feedback: which papers a reader saved or waved away; one word a paper, the newest counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, insert, select, update

from digest.errors import NotFound
from digest.store.database import chunks
from digest.store.subscribers import SUBSCRIBER
from digest.store.tables import FeedbackRow
from subscribers.feedback import Feedback, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.store.database import Database

FEEDBACK = FeedbackRow.__table__  # type: ignore[attr-defined]


class FeedbackLog:
    """What the readers of an installation said of papers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, said: Feedback) -> None:
        """Store a word; said again it changes nothing, the other word takes its place.

        NotFound when the reader is gone.
        """
        # Whoever says two words at once waits for the first one here.
        reader = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.id == said.subscriber)
        where = _about(said.subscriber, said.paper)
        values = {"verdict": said.verdict.value, "at": said.at, "delivery": said.delivery}
        with self._database.write() as connection:
            if connection.execute(reader.with_for_update()).first() is None:
                raise NotFound("this reader is not here any more")
            known = connection.execute(select(FEEDBACK.c.verdict).where(where)).scalar_one_or_none()
            if known is None:
                keys = {"subscriber": said.subscriber, "paper": said.paper}
                connection.execute(insert(FEEDBACK).values(**keys, **values))
            elif known != said.verdict:
                connection.execute(update(FEEDBACK).where(where).values(**values))

    def take_back(self, subscriber: int, paper: int) -> None:
        """Forget what a reader said of a paper; nothing happens where nothing was said."""
        with self._database.write() as connection:
            connection.execute(delete(FEEDBACK).where(_about(subscriber, paper)))

    def on(self, subscriber: int, paper: int) -> Feedback | None:
        """What a reader said of a paper."""
        with self._database.read() as connection:
            row = connection.execute(select(FEEDBACK).where(_about(subscriber, paper))).first()
        return _feedback(row) if row else None

    def of(self, subscriber: int, verdict: Verdict | None = None) -> list[Feedback]:
        """Everything a reader said, or all of one verdict; newest first."""
        query = select(FEEDBACK).where(FEEDBACK.c.subscriber == subscriber)
        if verdict is not None:
            query = query.where(FEEDBACK.c.verdict == verdict.value)
        newest = query.order_by(FEEDBACK.c.at.desc(), FEEDBACK.c.id.desc())
        with self._database.read() as connection:
            return [_feedback(row) for row in connection.execute(newest)]

    def of_all(self, subscribers: Sequence[int]) -> dict[int, list[Feedback]]:
        """Everything these readers said, newest first; an empty list for who said nothing."""
        said: dict[int, list[Feedback]] = {number: [] for number in subscribers}
        with self._database.read() as connection:
            for part in chunks(list(said)):
                query = select(FEEDBACK).where(FEEDBACK.c.subscriber.in_(part))
                newest = query.order_by(FEEDBACK.c.at.desc(), FEEDBACK.c.id.desc())
                for row in connection.execute(newest):
                    said[row.subscriber].append(_feedback(row))
        return said


def _about(subscriber: int, paper: int) -> Any:  # noqa: ANN401 -- an SQL expression
    return (FEEDBACK.c.subscriber == subscriber) & (FEEDBACK.c.paper == paper)


def _feedback(row: Row[Any]) -> Feedback:
    return Feedback(row.subscriber, row.paper, Verdict(row.verdict), row.at, row.delivery)
