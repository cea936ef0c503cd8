"""A word when there is nothing: after a week without a mail, or on each such day, as wished."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.misses import nearest
from digest.notices import Notice, prepared
from subscribers.subscriber import Cadence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from digest.app import App
    from digest.news import Considered
    from digest.selection import Selection
    from digest.store.deliveries import Prepared

LONG: Final = timedelta(days=7) - timedelta(hours=1)
"""A week without a mail; an hour short, for ticks that are never quite on time."""


def quiet_notes(app: App, considered: Iterable[Considered], now: datetime) -> list[Prepared]:
    """A note for everybody who gets no digest and wants to hear of it, to be frozen with the rest.

    A day on which nothing was listed (a weekend, a holiday) is no empty day.
    """
    silent = [one for one in considered if not one.selection.picks]
    weekly = {
        one.reader.number for one in silent if one.reader.quiet_notes and not one.reader.empty_days
    }
    last = app.store.deliveries.last_sent(list(weekly))
    notes: list[Prepared] = []
    for one in silent:
        reader = one.reader
        if reader.empty_days:
            day, looked_at = reader.schedule.local_day(now).isoformat(), _of_late(one, now)
            facts = json.dumps({"day": day, "looked_at": looked_at})
            notes += [prepared(reader, Notice.EMPTY, now, facts)] if looked_at else []
        elif reader.number in weekly:
            since = last.get(reader.number) or reader.confirmed_at or now
            if now - since >= LONG:
                notes.append(prepared(reader, Notice.QUIET, now, _facts(one, since)))
    return notes


def _of_late(one: Considered, now: datetime) -> int:
    """How many papers came since the reader was due before."""
    cadence, day = one.reader.schedule.cadence, timedelta(days=1)
    is_monday = one.reader.schedule.local_day(now).weekday() == 0
    since = now - (day if cadence is Cadence.WEEKDAYS and not is_monday else cadence.period)
    papers = one.papers.values()
    return sum(paper.first_seen_at is not None and paper.first_seen_at > since for paper in papers)


def _facts(one: Considered, since: datetime) -> str:
    """What a quiet week's note tells, as JSON."""
    reader, selection = one.reader, one.selection
    return json.dumps(
        {
            "day": reader.schedule.local_day(since).isoformat(),
            "looked_at": selection.looked_at,
            "complete": not selection.incomplete,
            "nearest": _nearest(one, selection),
        }
    )


def _nearest(one: Considered, selection: Selection) -> dict[str, str] | None:
    near = nearest(one.reader, one.papers, selection, one.misses)
    if not near:
        return None
    paper = one.papers[near[0].paper]
    return {"title": paper.title, "url": paper.url or paper.pdf_url, "why": near[0].why}
