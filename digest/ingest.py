"""Ask every source for its last list days and store what is new."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from digest.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.app import App
    from digest.sources import Fetch


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What the sources brought: their answers, and how many papers were new or changed."""

    fetches: tuple[Fetch, ...]
    new: int
    changed: int
    failed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every source said all it had to say."""
        return not self.failed and all(fetch.state.complete for fetch in self.fetches)


def ingest(app: App, *, on_fetch: Callable[[Fetch], None] = lambda _: None) -> IngestReport:
    """Ask every source for its last list days and store what is new.

    A source that fails takes nothing from the others; what it did not say is asked again next
    time.
    """
    from digest.sources import FIRST_REACH, Window  # noqa: PLC0415 -- needed to ingest only

    fetches: list[Fetch] = []
    failed: list[str] = []
    new = changed = 0
    with app.polite() as client:
        for source in app.sources:
            now = app.clock()
            window = Window.last(FIRST_REACH, now)
            have = app.store.sources.good_days(source.name, window.since)
            try:
                for fetch in source.fetch(replace(window, have=have), client):
                    stored = app.store.papers.ingest(fetch.papers, now)
                    app.store.sources.record(fetch, now)
                    new, changed = new + stored.new, changed + stored.changed
                    fetches.append(fetch)
                    on_fetch(fetch)
            except SourceError as error:
                failed.append(f"{source.label}: {error}")
    return IngestReport(tuple(fetches), new, changed, tuple(failed))
