"""The sources of papers: whether each is set up and answers, and since when not. Asks nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.doctor import Finding, failed, ok, warning

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.store.sources import Answer

LOOK_BACK: Final = timedelta(days=30)
LONG: Final = timedelta(days=3)
"""A source may be away over a weekend; without a good answer for so long it is lost."""


def look_at_sources(app: App) -> list[Finding]:
    """What each source said of its newest list day, as the database has it."""
    if not app.sources:
        return [failed("sources", "none", "Set DIGEST_SOURCES, as in DIGEST_SOURCES=hf,arxiv.")]
    good, found = [], []
    for entry in app.sources:
        if entry.source is None:
            found.append(failed("sources", f"{entry.name}: {entry.problem}", "Mend it."))
            continue
        answers = app.store.sources.answers(app.clock().date() - LOOK_BACK, [entry.name])
        if not answers:
            advice = "Ask: `paper-digest ingest`."
            found.append(warning("sources", f"{entry.name} was never asked", advice))
        # A file, or a feed, may speak for several.
        for label in sorted({one.label for one in answers}):
            said = [one for one in answers if one.label == label]
            newest = max(said, key=lambda one: one.day)
            last = max((one.good_at for one in said if one.good_at), default=None)
            if newest.lacking:
                found.append(_lacking(app, newest, last))
            elif last is not None:
                good.append(f"{label} at {app.at(last)}")
    return [*([ok("sources", f"answered: {', '.join(good)}")] if good else []), *found]


def _lacking(app: App, newest: Answer, last: datetime | None) -> Finding:
    """A source that has not said all, and when it last did."""
    told = f"{newest.label}, list of {newest.day}: {newest.said}"
    if newest.said_note:
        told += f", {newest.said_note}"
    told += f"; the last good answer came {app.at(last)}" if last else "; never a good answer"
    advice = f"See what it says: `paper-digest sources test {newest.entry}`."
    lost = last is None or app.clock() - last > LONG
    return (failed if lost else warning)("sources", told, advice)
