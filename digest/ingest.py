"""Ask every source that is due for its list days, and store what is new.

Each source is asked in a thread of its own, so that a slow one holds up nobody; what they answer
is stored here, one answer after the other. When a source is due is digest.sources.timetable.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from digest.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime

    from digest.app import App
    from digest.papers import Paper
    from digest.sources import Entry, Fetch, Source, Window
    from digest.sources.asking import Asked
    from digest.sources.timetable import Plan
    from digest.store.papers import Ingested


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What the sources brought: their answers, and how many papers were new or changed.

    `failed` has one sentence for each source that could not be asked at all; `waiting` says of
    each that was not due when it will be (None: not before a setting changes).
    """

    fetches: tuple[Fetch, ...]
    new: int
    changed: int
    failed: tuple[str, ...] = ()
    waiting: tuple[tuple[str, datetime | None], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every source said all it had to say."""
        return not self.failed and all(fetch.state.complete for fetch in self.fetches)


@dataclass(frozen=True, slots=True)
class Progress:
    """One answer that was stored, and how many of the sources asked have ended."""

    fetch: Fetch
    ended: int
    asked: int


def ingest(
    app: App,
    *,
    now: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    ending: Callable[[], bool] = lambda: False,
) -> IngestReport:
    """Ask every source that is due, or all of them with `now`, and store what is new.

    A source that fails takes nothing from the others; what it did not say is asked again when
    its next try is due. With `now` a server's own wish for quiet is still kept. When `ending`
    says so nobody is waited for; who has not answered to the end is asked again next time.
    """
    from digest.sources.asking import Asked, Asking, Ended  # noqa: PLC0415 -- needed to ingest only
    from digest.sources.timetable import timetable_of  # noqa: PLC0415

    report = _Report()
    asked: list[Asked] = []
    moment = app.clock()
    for entry in app.sources:
        if entry.source is None:
            _misconfigured(app, entry, report, moment)
            continue
        plan, window = _planned(app, entry.name, entry.source, moment)
        if not now and not plan.due:
            report.waiting.append((entry.name, plan.next_at))
            continue
        due = None if now else plan.due
        asked.append(Asked(entry.name, entry.source, _equipped(app, entry, window, due, plan.have)))
    if not asked:
        return report.done()
    app.store.sources.forget_validators(moment - timedelta(days=30))
    ended = 0
    answers: defaultdict[str, list[Fetch]] = defaultdict(list)
    with app.polite() as client, Asking(asked, client, ending) as asking:
        for one, event in asking:
            if not isinstance(event, Ended):
                fetch = _stored(app, event, report)
                answers[one.entry].append(fetch)
                on_progress(Progress(fetch, ended, len(asked)))
                continue
            ended += 1
            silent = list(_closing(one, event.error, app.clock()))
            report.fetches += silent if event.error else []
            # What is recorded need not be asked again, so its papers are stored by now.
            told = [*answers[one.entry], *silent]
            app.store.sources.record(one.entry, told, app.clock(), timetable_of(one.source))
    return report.done()


def _stored(app: App, fetch: Fetch, report: _Report) -> Fetch:
    """What was stored of an answer; nothing, and a failure, where a source breaks its contract."""
    from digest.sources import FetchState  # noqa: PLC0415 -- needed to ingest only

    try:
        stored = take_in(app, fetch.papers)
    except (TypeError, ValueError, AttributeError) as error:
        note = f"gave papers that cannot be stored: {' '.join(str(error).split())[:200]}"
        fetch = replace(fetch, state=FetchState.FAILED, papers=(), validators=(), note=note)
        stored = app.store.papers.ingest((), app.clock())
    report.add(fetch, stored)
    return fetch


def take_in(app: App, papers: Sequence[Paper]) -> Ingested:
    """Store papers that came now.

    A digest takes for news what came before its instant: nothing may be stored under an earlier
    one while an issue, or somebody's welcome, is decided.
    """
    with app.store.database.turn("issue"), app.store.database.turn("welcome"):
        return app.store.papers.ingest(papers, app.clock())


def next_try(app: App, entry: Entry) -> datetime | None:
    """When a source is asked next: now or earlier where it is due, None where it never is."""
    if entry.source is None:
        return None
    return _planned(app, entry.name, entry.source, app.clock())[0].next_at


def _planned(app: App, name: str, source: Source, now: datetime) -> tuple[Plan, Window]:
    """When a source is due, and for which of its last list days."""
    from digest.sources import FIRST_REACH, Window  # noqa: PLC0415 -- needed to ingest only
    from digest.sources.timetable import plan, timetable_of  # noqa: PLC0415

    window = Window.last(FIRST_REACH, now)
    known = app.store.sources.known(name, window.since)
    return plan(timetable_of(source), known, window), window


def _equipped(
    app: App, entry: Entry, window: Window, due: frozenset[date] | None, have: frozenset[date]
) -> Window:
    """The window with all that was learnt from earlier answers."""
    name = entry.source.name if entry.source else entry.name
    return replace(
        window,
        due=due,
        have=have,
        validators=app.store.sources.validators(entry.name),
        listed=app.store.papers.listed(name, window.since),
    )


@dataclass(slots=True)
class _Report:
    fetches: list[Fetch] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waiting: list[tuple[str, datetime | None]] = field(default_factory=list)
    new: int = 0
    changed: int = 0

    def add(self, fetch: Fetch, stored: Ingested) -> None:
        self.fetches.append(fetch)
        self.new += stored.new
        self.changed += stored.changed

    def done(self) -> IngestReport:
        return IngestReport(
            tuple(self.fetches), self.new, self.changed, tuple(self.failed), tuple(self.waiting)
        )


def _misconfigured(app: App, entry: Entry, report: _Report, now: datetime) -> None:
    """Keep and tell that an entry of the settings names no source."""
    from digest.sources import Fetch, FetchState  # noqa: PLC0415 -- needed to ingest only
    from digest.sources.timetable import HOURLY  # noqa: PLC0415

    note = f"is wrong: {entry.problem}"
    fetch = Fetch(entry.name, entry.name, now.date(), FetchState.MISCONFIGURED, note=note)
    app.store.sources.record(entry.name, [fetch], now, HOURLY)
    report.failed.append(f"DIGEST_SOURCES: {entry.problem}")


def _closing(asked: Asked, error: BaseException | None, now: datetime) -> Iterator[Fetch]:
    """What is kept of the days a source was asked for and said nothing about."""
    from digest.sources import Fetch, FetchState  # noqa: PLC0415 -- needed to ingest only
    from digest.sources.timetable import timetable_of  # noqa: PLC0415

    name, label = asked.source.name, asked.source.label
    if error is not None:
        told = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
        note = f"could not be asked: {' '.join(told.split())[:200]}"
        silent = sorted((asked.window.due or {asked.window.until}) - asked.said)
        for day in silent or [asked.window.until]:
            yield Fetch(name, label, day, FetchState.FAILED, note=note)
        return
    timetable = timetable_of(asked.source)
    for day in sorted((asked.window.due or set()) - asked.said):
        if (opens := timetable.opens(day)) is not None and opens <= now:
            yield Fetch(name, label, day, FetchState.EMPTY, note="lists nothing that day")
