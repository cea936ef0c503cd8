"""Why: what a reader got, will get or did not get, and what stopped it. Reads only.

`about` answers "why did this reader get nothing?", `about_paper` "why did I get this?" and "why
did I not?". What was sent is told from what was frozen then, all else from today's keywords.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.errors import Conflict, NotFound
from digest.misses import lacks, nearest
from digest.news import FIRST, GRACE, consider, matched
from digest.papers import PaperId
from digest.preview import window_of
from digest.selection import Selection, muted, near_misses
from digest.store.history import EXCLUDED, WITH_PAPERS, Sought
from digest.volume import because
from subscribers.finding import paper_ids
from subscribers.profile import called
from subscribers.query import check, matches
from subscribers.subscriber import Status
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.app import App
    from digest.news import Considered
    from digest.papers import Paper
    from digest.selection import Pick
    from digest.store.history import Entry
    from digest.store.sources import Answer
    from subscribers.subscriber import Subscriber

LAST: Final = 5
"""Entries of the history that are told of a reader."""
_PAST: Final = 400
"""Entries of the history that are looked through for a paper: a digest a day for a year."""
_TITLES: Final = 50
_DIGESTS: Final = frozenset({"digest", "welcome", EXCLUDED})


@dataclass(frozen=True, slots=True)
class Told:
    """A paper and one sentence about it."""

    paper: Paper
    why: str


@dataclass(frozen=True, slots=True)
class Reader:
    """What there is to know of a reader's digests.

    `stopped` are the reasons why nothing is sent now, whatever matches; `last` the newest
    entries of the history; `sources` the newest answer of each. `looked_at` papers are new for
    the reader at this moment, of which `matched` match, `picks` would be in a digest now, and
    `misses` nearly.
    """

    reader: Subscriber
    stopped: tuple[str, ...]
    last: tuple[Entry, ...]
    sources: tuple[Answer, ...]
    incomplete: tuple[str, ...]
    since: datetime | None
    looked_at: int
    matched: int
    picks: tuple[Told, ...]
    misses: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Interest:
    """How one interest stands to a paper: its score now, and what each line lacks, if anything."""

    name: str
    score: float | None
    lacks: tuple[tuple[str, str], ...]

    @property
    def fits(self) -> bool:
        """Whether a line of it brings the paper."""
        return any(not why for _, why in self.lacks) or not self.lacks


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a paper for a reader, in one sentence; when it was sent, and each interest."""

    paper: Paper
    sentence: str
    sent: tuple[tuple[Entry, str], ...]
    interests: tuple[Interest, ...]


def about(app: App, reader: Subscriber, now: datetime) -> Reader:
    """Everything that decides what the reader gets next, and got last."""
    (considered,) = consider(app, [reader], now)
    papers, selection = considered.papers, considered.selection
    missed = nearest(reader, papers, selection, considered.misses)
    asked = frozenset(app.settings.sources)
    newest = [
        one for name, some in app.store.sources.newest().items() if name in asked for one in some
    ]
    return Reader(
        reader,
        _stopped(app, reader),
        tuple(app.store.history.find(Sought(readers=(reader.number,)), LAST)),
        tuple(best or said for said, best in newest),
        selection.incomplete,
        selection.since,
        selection.looked_at,
        selection.matched,
        tuple(Told(papers[pick.paper], because(pick.reasons)) for pick in selection.picks),
        tuple(Told(papers[miss.paper], miss.why) for miss in missed),
    )


def _stopped(app: App, reader: Subscriber) -> tuple[str, ...]:
    """What keeps every mail from this reader."""
    found = []
    match reader.status:
        case Status.PENDING:
            found.append("the address was never confirmed, so nothing is sent to it")
        case Status.UNSUBSCRIBED:
            found.append("the reader unsubscribed")
        case Status.PAUSED:
            end = app.at(reader.paused_until) if reader.paused_until else "resumed"
            found.append(f"paused until {end}")
        case _:
            pass
    suppressed = app.store.suppressions.among([reader.address]).values()
    found += [f"never written to since {app.at(one.since)}: {one.reason}" for one in suppressed]
    return tuple(found)


def about_paper(app: App, reader: Subscriber, named: str, now: datetime) -> Verdict:
    """What became of a paper for a reader; NotFound and Conflict as in find_paper()."""
    paper = find_paper(app, named)
    history = app.store.history.find(Sought(readers=(reader.number,)), _PAST)
    sent = tuple(
        (entry, because(pick.reasons))
        for entry in history
        if (pick := _pick_of(entry, paper)) is not None
    )
    (considered,) = consider(app, [reader], now)
    return Verdict(
        paper,
        _sentence(app, reader, paper, sent, history, considered, now),
        sent,
        _interests(app, reader, paper, considered.selection.since, now),
    )


def find_paper(app: App, named: str) -> Paper:
    """The paper of an arXiv id, DOI, scheme:id, address or title, in any of their forms.

    NotFound when there is none, Conflict, naming them, when a title means several.
    """
    text = named.strip()
    for name in [*paper_ids(text), PaperId("url", text)]:
        number = app.store.archive.number_of(str(name))
        if number is not None:
            return app.store.papers.by_numbers([number])[number]
    found = _titled(app, text)
    same = [paper for paper in found if words(paper.title) == words(text)]
    found = same or found
    if not found:
        raise NotFound(
            f"there is no paper {named!r:.120} here: name it by arXiv id, DOI, address or title"
        )
    if len(found) > 1:
        some = "; ".join(f"{paper.id} {paper.title}" for paper in found[:LAST])
        raise Conflict(f"{len(found)} papers have that in their title: {some}")
    return found[0]


def _titled(app: App, text: str) -> list[Paper]:
    """The papers with these words, in this order, in their title."""
    query = check('title:"{}"'.format(text.replace('"', " ")))[0]
    if not query.asks:
        return []
    places = app.store.archive.candidates(query, before=1 << 62, most=_TITLES)
    papers = app.store.papers.by_numbers([number for _, number in places])
    return [paper for paper in papers.values() if matches(query, paper)]


def _pick_of(entry: Entry, paper: Paper) -> Pick | None:
    """The paper as it stood in a digest, if it did."""
    if entry.kind not in WITH_PAPERS or not entry.selection:
        return None
    picks = Selection.unpack(entry.selection).picks
    return next((pick for pick in picks if pick.paper == paper.number), None)


def _interests(
    app: App, reader: Subscriber, paper: Paper, since: datetime | None, now: datetime
) -> tuple[Interest, ...]:
    """How each interest stands to the paper; scores are those among the papers of these days."""
    first = (now - _reach(reader, since)).date()
    listed = app.store.papers.between(first, now.date() + timedelta(days=1))
    among = {one.number: one for one in listed} | {paper.number: paper}
    found = matched(app, reader, list(among.values()), now)
    return tuple(
        Interest(
            called(profile),
            next((one.score for one in ranking if one.paper == paper.number), None),
            lacks(check(profile.text)[0], paper),
        )
        for profile, ranking in zip(reader.profiles, found, strict=True)
    )


def _sentence(  # noqa: PLR0917 -- one answer, many facts
    app: App,
    reader: Subscriber,
    paper: Paper,
    sent: Sequence[tuple[Entry, str]],
    history: Sequence[Entry],
    considered: Considered,
    now: datetime,
) -> str:
    """The first of these that is so: sent, in the next one, nearly, not matched, then, too old."""
    if sent:
        entry, why = sent[0]
        return f"It was in the {entry.kind} of {app.at(entry.created_at)} ({entry.state}): {why}."
    for pick in considered.selection.picks:
        if pick.paper == paper.number:
            return f"It would be in a digest now: {because(pick.reasons)}."
    for miss in considered.misses:
        if miss.paper == paper.number:
            return f"It would not be in a digest now: {miss.why}."
    if (unmatched := _unmatched(reader, paper)) or (unmatched := muted(reader, paper)):
        return f"It is in no digest: {unmatched}."
    return _then(app, reader, paper, history) or _outside(app, reader, paper, considered, now)


def _unmatched(reader: Subscriber, paper: Paper) -> str:
    """What keeps the paper from every line of every interest, the shortest list first."""
    found = [each for one in reader.profiles for each in lacks(check(one.text)[0], paper)]
    if any(not why for _, why in found) or not found:
        return ""
    text, why = min(found, key=lambda each: each[1].count(","))
    others = " (nor any other line)" if len(found) > 1 else ""
    is_out = "it is " if why.startswith("left out") else ""
    return f"it does not fit {text!r}, because {is_out}{why}{others}"


def _then(app: App, reader: Subscriber, paper: Paper, history: Sequence[Entry]) -> str:
    """What the first digest after the paper came made of it, by today's keywords."""
    came = paper.first_seen_at
    after = [
        entry
        for entry in history
        if entry.kind in _DIGESTS and came is not None and entry.created_at >= came
    ]
    if not after:
        return ""
    entry = after[-1]
    if entry.state == EXCLUDED:
        return f"Nothing was sent on {app.at(entry.created_at)}, when it was new: {entry.text}."
    selection = Selection.unpack(entry.selection)
    window = window_of(app, selection)
    if paper.number not in window:
        return ""
    found = matched(app, reader, list(window.values()), selection.until)
    for miss in near_misses(reader, window, found, selection):
        if miss.paper == paper.number:
            return f"It was not in the {entry.kind} of {app.at(entry.created_at)}: {miss.why}."
    return ""


def _outside(
    app: App, reader: Subscriber, paper: Paper, considered: Considered, now: datetime
) -> str:
    """Why a paper that fits is not new for the reader."""
    since = considered.selection.since
    reach = _reach(reader, since)
    day = paper.announced_on
    if day is None:
        return "It is in no digest: no source has listed it on a day."
    if day < (now - reach).date():
        return f"It is in no digest now: listed on {day}, and one reaches {reach.days} days back."
    return f"It is not new: it was here before the last digest of {app.at(since or now)}."


def _reach(reader: Subscriber, since: datetime | None) -> timedelta:
    return FIRST if since is None else reader.schedule.cadence.period + GRACE
