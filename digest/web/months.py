"""The month the live answer is counted over, kept in memory for a minute."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.web.answer import DAYS, Month

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App

FRESH: Final = timedelta(seconds=60)


class Months:
    """The papers of the last thirty days, read again when they are older than a minute."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._read: tuple[datetime, Month] | None = None

    def current(self) -> Month:
        """The month up to today (UTC)."""
        now = self._app.clock()
        with self._lock:
            if self._read is None or not timedelta() <= now - self._read[0] < FRESH:
                today = now.date()
                first = today - timedelta(days=DAYS - 1)
                papers = self._app.store.papers.between(first, today + timedelta(days=1))
                self._read = now, Month.of(papers, today)
            return self._read[1]
