"""The papers the live answer is counted over: indexed once, made anew when papers have come."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar, cast

from digest.errors import PaperDigestError
from digest.volume import DAYS, Recent
from digest.web.answer import Newest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from digest.app import App

_log = logging.getLogger(__name__)


Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, eq=False)
class Month:
    """The papers of the last thirty days, indexed; those of their newest day once more.

    `labels` are the names of the sources they come from, in order.
    """

    recent: Recent
    newest: Newest
    labels: tuple[str, ...]
    _answers: dict[str, object] = field(default_factory=dict)

    def kept(self, text: str, make: Callable[[], Made]) -> Made:
        """What was made of a text once; the starters and the empty field are asked for most."""
        held = self._answers.get(text)
        if held is None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            held = self._answers[text] = make()
        return cast("Made", held)

    @classmethod
    def of(cls, recent: Recent) -> Month:
        """Everything a front page wants to know of these papers."""
        labels = {listing.label for paper in recent.papers for listing in paper.listings}
        return cls(recent, Newest.of(recent), tuple(sorted(labels)))


LOOK_AGAIN: Final = timedelta(seconds=60)
MOST_ANSWERS: Final = 256


class Months:
    """The last thirty days (UTC) of an installation, safe to ask from several threads.

    The first one who asks waits for the index; from then on it is made anew beside the answers,
    so nobody waits again.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._made: tuple[Month, tuple[str, date]] | None = None
        self._looked: datetime | None = None

    def current(self) -> Month:
        """The newest index there is; at most a minute and one making behind the database."""
        now = self._app.clock()
        with self._lock:
            if self._made is None:
                self._made = self._make(now)
            elif self._looked is None or not timedelta() <= now - self._looked < LOOK_AGAIN:
                threading.Thread(target=self._remake, args=[now], daemon=True).start()
            else:
                return self._made[0]
            self._looked = now
            return self._made[0]

    def _make(self, now: datetime) -> tuple[Month, tuple[str, date]]:
        store, today = self._app.store, now.date()
        state = store.archive.revision(), today
        papers = store.papers.between(today - timedelta(days=DAYS - 1), today + timedelta(days=1))
        return Month.of(Recent(papers, today=today, now=now)), state

    def _remake(self, now: datetime) -> None:
        try:
            if self._made and self._made[1] == (self._app.store.archive.revision(), now.date()):
                return
            made = self._make(now)
        except PaperDigestError as error:
            _log.error("live answer keeps its old papers: %s", error)
            return
        with self._lock:
            self._made = made
