"""The papers the live answer is counted over: indexed once, made anew when papers have come."""

from __future__ import annotations

import gc
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
NAME: Final = "months"
"""Of the threads that read papers."""
_YOUNG: Final = 20_000
"""Objects made before the collector looks again: a page makes thousands, and none of them stays."""


class Months:
    """The last thirty days (UTC) of an installation, safe to ask from several threads.

    The first one who asks waits for the index, unless `begin` was told to make it. From then on
    it is made anew beside the answers, out of what it has, so nobody waits again.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._made: tuple[Month, tuple[str, date]] | None = None
        self._looked: datetime | None = None
        self._beginning: threading.Thread | None = None

    def begin(self) -> threading.Thread:
        """Make the first index in a thread of its own; until it is there, `ready` is None."""
        self._beginning = threading.Thread(target=self._begin, name=NAME, daemon=True)
        self._beginning.start()
        return self._beginning

    def ready(self) -> Month | None:
        """The newest index there is, or None while the first one is being made by `begin`."""
        begun = self._beginning
        return None if self._made is None and begun and begun.is_alive() else self.current()

    def current(self) -> Month:
        """The newest index there is; at most a minute and one making behind the database."""
        now = self._app.clock()
        with self._lock:
            if self._made is None:
                self._made = self._make(now)
            elif self._looked is None or not timedelta() <= now - self._looked < LOOK_AGAIN:
                remaking = threading.Thread(target=self._remake, args=[now], name=NAME, daemon=True)
                remaking.start()
            else:
                return self._made[0]
            self._looked = now
            return self._made[0]

    def _begin(self) -> None:
        try:
            self.current()
        except PaperDigestError as error:
            _log.error("live answer has no papers yet: %s", error)

    def _make(self, now: datetime) -> tuple[Month, tuple[str, date]]:
        store, today = self._app.store, now.date()
        state = store.archive.revision(), today
        papers = store.papers.between(today - timedelta(days=DAYS - 1), today + timedelta(days=1))
        # Once a day from nothing, to forget the words of papers that are out of sight.
        known = self._made[0].recent if self._made and self._made[1][1] == today else None
        month = Month.of(Recent(papers, today=today, now=now, like=known))
        # The collector would look through these papers again and again, and stop every page.
        gc.collect(1)
        gc.freeze()
        gc.set_threshold(_YOUNG)
        return month, state

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
