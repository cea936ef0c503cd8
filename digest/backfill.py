"""Filling in the past: the list days of a span, one after the other, and which are left.

Every day is stored as it comes, so a back-fill that is stopped goes on where it was; days that
were answered fully are not asked for again. It asks as politely as an ingest does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.errors import SourceError
from digest.ingest import take_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from digest.app import App
    from digest.sources import Entry, Fetch, Source
    from digest.sources.http import Polite

_ENOUGH: Final = 3
"""Failures in a row after which a source is left alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question answered: the days until then, of all the days that were to be asked for."""

    done: int
    days: int
    day: date


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What came: papers new and changed, how many days were there already, what is incomplete.

    `stopped` says, in a verb phrase, why it ended before its end.
    """

    days: int
    had: int
    new: int
    changed: int
    incomplete: tuple[Fetch, ...] = ()
    stopped: str = ""


def backfill(
    app: App,
    entry: Entry,
    since: date,
    until: date,
    *,
    on_step: Callable[[Step], None] = lambda _: None,
) -> BackfillReport:
    """Ask a source for every list day from `since` to `until` that we do not have.

    Raises SourceError for a source that cannot say what it listed in the past. Ends early where
    a server wants to be left alone, or fails three times in a row; called again, it goes on.
    """
    from digest.sources.timetable import timetable_of  # noqa: PLC0415 -- needed here only

    source = _source(entry)
    timetable = timetable_of(source)
    if timetable.span is None:
        raise SourceError(f"{entry.name} only says what it lists now: there is nothing to fill in")
    chunks = list(_chunks(since, until, timetable.span.days))
    have = app.store.sources.good_days(entry.name, since, until)
    left = [(first, last) for first, last in chunks if last not in have]
    days, had = (until - since).days + 1, sum(_length(*one) for one in chunks if one not in left)
    new = changed = failures = 0
    done = had
    incomplete: list[Fetch] = []
    stopped = ""
    with app.polite() as client:
        for first, last in left:
            bad = []
            for fetch in _asked(app, source, first, last, client):
                stored = take_in(app, fetch.papers)
                app.store.sources.record(entry.name, [fetch], app.clock(), timetable)
                new, changed = new + stored.new, changed + stored.changed
                bad += [] if fetch.state.complete else [fetch]
            incomplete += bad
            failures = failures + 1 if any(not fetch.papers for fetch in bad) else 0
            stopped = _why_stop(bad, failures)
            if stopped:
                break
            done += _length(first, last)
            on_step(Step(done, days, last))
    return BackfillReport(days, had, new, changed, tuple(incomplete), stopped)


def _source(entry: Entry) -> Source:
    if entry.source is None:
        raise SourceError(entry.problem)
    return entry.source


def _asked(app: App, source: Source, first: date, last: date, client: Polite) -> Iterator[Fetch]:
    """What a source says of a few days; that there is nothing where it does not say a word."""
    from digest.sources import Fetch, FetchState, Window  # noqa: PLC0415 -- needed here only

    spoke = False
    for fetch in source.fetch(Window(first, last, app.clock()), client):
        spoke = True
        yield fetch
    if not spoke:
        yield Fetch(
            source.name, source.label, last, FetchState.EMPTY, note="lists nothing that day"
        )


def _chunks(since: date, until: date, days: int) -> Iterator[tuple[date, date]]:
    """The span in pieces of so many days, each with its first and last."""
    first = since.toordinal()
    while first <= until.toordinal():
        last = min(first + max(1, days) - 1, until.toordinal())
        yield since.fromordinal(first), since.fromordinal(last)
        first = last + 1


def _length(first: date, last: date) -> int:
    return (last - first).days + 1


def _why_stop(bad: list[Fetch], failures: int) -> str:
    for fetch in bad:
        if fetch.state.value in {"throttled", "misconfigured"}:
            return fetch.note
    return bad[0].note if bad and failures >= _ENOUGH else ""
