"""arXiv: the daily feed, and the query API and OAI-PMH where the feed fails or is gone.

A feed is one announcement day. A day that is past, and a feed that is down, empty on a working
day, yesterday's once more, or cut at its 2,000 items, is asked for from the query API, and from
OAI-PMH when that fails too; the note says so. All of arXiv is one queue: one request each
3 seconds over one connection (info.arxiv.org/help/api/tou.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from digest.papers import Listing, ListingKind, Paper, PaperId
from digest.sources import Answer, AnswerState, Fetch, FetchState, Options, Pace
from digest.sources.arxiv_api import Found, Question, look_up, search
from digest.sources.arxiv_feed import CAP, Feed, read_feed
from digest.sources.arxiv_oai import harvest
from digest.sources.calendar import (
    NEW_YORK,
    OPENED,
    carries_papers,
    is_settled,
    newest_feed_day,
    received,
)
from digest.sources.timetable import Daily, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from digest.sources import Validator, Window
    from digest.sources.http import Polite

NAME: Final = "arxiv"
LABEL: Final = "arXiv"
_PACE: Final = Pace("arxiv.org", gap=3.0, patience=60.0, throttles=frozenset({403, 406, 429, 503}))
_CATEGORY: Final = re.compile(r"(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.(?P<subject>[A-Za-z-]{2,12}))?")
_REPEATED: Final = 0.9
_FEW: Final = 5
_STRENGTH: Final = {ListingKind.NEW: 0, ListingKind.CROSS: 1, ListingKind.REPLACE: 2}


class ArXiv:
    """The new papers of some of arXiv's categories: `arxiv:cs.CL+cs.LG`."""

    name = NAME
    label = LABEL
    timetable: Timetable = Daily(
        NEW_YORK,
        opened=OPENED,
        closed=OPENED,
        weekdays=True,
    )

    def __init__(self, options: Options) -> None:
        written = [one for one in re.split(r"[+,\s]+", options.argument.strip()) if one]
        if not written:
            raise ValueError("needs categories, as in arxiv:cs.CL+cs.LG")
        self._categories = tuple(dict.fromkeys(map(_category, written)))
        base = options.url
        self._feeds = f"{base or 'https://rss.arxiv.org'}/rss"
        self._api = options.more.get("api", base or "https://export.arxiv.org") + "/api/query"
        self._oai = options.more.get("oai", base or "https://oaipmh.arxiv.org") + "/oai"

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch for each list day that exists, oldest first; see Source.fetch.

        Days of `window.have` are left out: a past day costs questions of its own.
        """
        today = newest_feed_day(window.now)
        for day in window.clip(until=today).days:
            if not window.wants(day):
                continue
            if day == today:
                yield self._today(day, window, client)
            elif day not in window.have and carries_papers(day):
                found, note = self._elsewhere(day, client)
                if not found.papers and not found.reason:
                    found = replace(found, reason="listed nothing on a working day")
                    yield replace(_fetch(day, found), state=FetchState.SUSPICIOUS)
                else:
                    yield _fetch(day, found, note)

    def look_up(self, ids: Sequence[str], day: date, client: Polite) -> Found:
        """The papers of these arXiv ids, listed under a day."""
        return look_up(self._api, ids, Listing(NAME, LABEL, day), client, _PACE)

    def _today(self, day: date, window: Window, client: Polite) -> Fetch:
        got = self._feed(self._categories, day, client, window.validators)
        expected = carries_papers(day)
        if got.unchanged and (day in window.have or not expected):
            return replace(_fetch(day, got.found, "has nothing new"), validators=got.validators)
        got = _judged(got, day, window.listed, expected=expected)
        fetch = replace(_fetch(day, got.found, got.trouble), validators=got.validators)
        if got.refused:
            return replace(fetch, state=FetchState.MISCONFIGURED)
        if not expected:
            return _unexpected(fetch, got)
        if not got.trouble:
            return fetch
        if got.behind and not is_settled(day, window.now):
            return replace(fetch, state=FetchState.SUSPICIOUS, note="has not rebuilt its feed yet")
        return self._instead(day, got.trouble, got.found, client)

    def _instead(self, day: date, trouble: str, had: Found, client: Polite) -> Fetch:
        """The day from the other endpoints, joined to what the feed had."""
        found, note = self._elsewhere(day, client)
        papers = _strongest([*had.papers, *found.papers])
        joined = replace(found, papers=papers, skipped=had.skipped + found.skipped)
        if found.reason:
            state = FetchState.PARTIAL if papers else FetchState.FAILED
            if had.retry_at and not papers:
                state = FetchState.THROTTLED
            retry_at = had.retry_at or found.retry_at
            return replace(_fetch(day, joined), state=state, note=trouble, retry_at=retry_at)
        if not papers:
            return replace(_fetch(day, joined), state=FetchState.SUSPICIOUS, note=trouble)
        return _fetch(day, joined, f"{trouble}; {note}")

    def _elsewhere(self, day: date, client: Polite) -> tuple[Found, str]:
        """A day from the query API, or from OAI-PMH where that fails; and a word on which."""
        question = Question(self._categories, received(day), Listing(NAME, LABEL, day))
        asked = search(self._api, question, client, _PACE)
        if not asked.reason:
            return asked, "taken from its query API"
        harvested = harvest(self._oai, question, client, _PACE)
        if not harvested.reason:
            return harvested, f"its query API {asked.reason}; taken from OAI-PMH"
        return replace(asked, papers=_strongest([*asked.papers, *harvested.papers])), ""

    def _feed(
        self,
        categories: Sequence[str],
        day: date,
        client: Polite,
        validators: Mapping[str, Validator] | None = None,
    ) -> _Got:
        """The feed of some categories; in halves where it is cut or one of them is refused."""
        url = f"{self._feeds}/{'+'.join(categories)}"
        answer = client.get(url, pace=_PACE, validators=validators)
        if answer.state is AnswerState.UNCHANGED:
            return _Got(unchanged=True, validators=_kept(answer))
        feed = read_feed(answer.body, NAME, LABEL, day) if answer.body else None
        refused = feed is not None and bool(feed.error)
        cut = feed is not None and feed.items >= CAP
        if (refused or cut) and len(categories) > 1:
            half = len(categories) // 2
            one = self._feed(categories[:half], day, client)
            return one.joined(self._feed(categories[half:], day, client))
        return _got(answer, feed, categories)


@dataclass(frozen=True, slots=True)
class _Got:
    """What the feed gave: `trouble` (a verb phrase) says what is wrong with it.

    `behind` means that its newest day is not the one asked for.
    """

    found: Found = field(default_factory=Found)
    day: date | None = None
    trouble: str = ""
    refused: bool = False
    unchanged: bool = False
    behind: bool = False
    validators: tuple[Validator, ...] = ()

    @property
    def papers(self) -> tuple[Paper, ...]:
        return self.found.papers

    def joined(self, other: _Got) -> _Got:
        """Both halves of a question as one; no validator stands for the whole."""
        found = Found(
            _strongest([*self.papers, *other.papers]),
            self.found.skipped + other.found.skipped,
            retry_at=self.found.retry_at or other.found.retry_at,
        )
        return _Got(
            found,
            self.day or other.day,
            "; ".join(filter(None, [self.trouble, other.trouble])),
            refused=self.refused or other.refused,
        )


def _got(answer: Answer, feed: Feed | None, categories: Sequence[str]) -> _Got:
    if feed is not None and feed.error:
        return _Got(refused=True, trouble=f"has no {'+'.join(categories)}: {feed.error[:200]}")
    if answer.state is not AnswerState.OK or feed is None:
        found = Found(retry_at=answer.retry_at)
        return _Got(found, trouble=answer.reason or "did not answer with a feed")
    trouble = ""
    if not feed.complete:
        trouble = "broke off in the middle"
    elif feed.items >= CAP:
        trouble = f"cut {'+'.join(categories)} at {CAP:,} papers"
    elif feed.items and not feed.papers:
        trouble = "sent papers that we cannot read"
    found = Found(feed.papers, feed.skipped)
    return _Got(found, feed.day, trouble, validators=_kept(answer))


def _judged(
    got: _Got, day: date, listed: Mapping[date, frozenset[PaperId]], *, expected: bool
) -> _Got:
    """The same with what is wrong about its day; papers of another day are no longer in it."""
    if got.trouble:
        return got
    if got.day is not None and got.day != day and got.papers:
        trouble = f"still had its feed of {got.day}"
    elif got.unchanged or _repeats(got.papers, day, listed):
        trouble = "had yesterday's feed once more"
    elif not got.papers and expected:
        trouble = "had an empty feed on a working day"
    else:
        return got
    return _Got(trouble=trouble, behind=True)


def _unexpected(fetch: Fetch, got: _Got) -> Fetch:
    """What a feed says of a day on which nothing is announced."""
    if got.behind or not got.trouble:
        # A feed that is still Friday's on a Saturday hides nothing.
        empty = replace(fetch, state=FetchState.EMPTY, note="announces nothing that day")
        return fetch if fetch.papers else empty
    # There is nothing to miss, but we cannot know: it stays a failure.
    failed = FetchState.THROTTLED if got.found.retry_at else FetchState.FAILED
    return replace(fetch, state=FetchState.PARTIAL if fetch.papers else failed)


def _kept(answer: Answer) -> tuple[Validator, ...]:
    return (answer.validator,) if answer.validator else ()


def _fetch(day: date, found: Found, note: str = "") -> Fetch:
    state = FetchState.OK if found.papers else FetchState.EMPTY
    if found.reason:
        state = FetchState.PARTIAL if found.papers else FetchState.FAILED
        if found.retry_at and not found.papers:
            state = FetchState.THROTTLED
    note = found.reason or note
    return Fetch(
        NAME, LABEL, day, state, found.papers, found.skipped, note, retry_at=found.retry_at
    )


def _strongest(papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Each paper once, in the appearance that says most: new before cross before replace."""
    best: dict[PaperId, Paper] = {}
    for paper in papers:
        had = best.get(paper.id)
        if had is None or _rank(paper) < _rank(had):
            best[paper.id] = paper
    return tuple(best.values())


def _rank(paper: Paper) -> int:
    return _STRENGTH.get(paper.listings[0].kind, len(_STRENGTH))


def _repeats(papers: Sequence[Paper], day: date, listed: Mapping[date, frozenset[PaperId]]) -> bool:
    """Whether a feed is that of the day before once more."""
    before = max((other for other in listed if other < day), default=None)
    if before is None or len(papers) < _FEW:
        return False
    same = sum(paper.id in listed[before] for paper in papers)
    return same >= _REPEATED * len(papers)


def _category(text: str) -> str:
    found = _CATEGORY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no category: write cs.CL, hep-th or math.NA")
    subject = found["subject"]
    if subject is None:
        return found["archive"]
    return f"{found['archive']}.{subject if '-' in subject else subject.upper()}"
