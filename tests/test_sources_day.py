"""A day from 19:00 to 10:00 in New York, played through on a simulated clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.merge import group
from digest.sources import Fetch, FetchState, Options, Source, Validator, Window
from digest.sources.arxiv import ArXiv
from digest.sources.huggingface import HuggingFace
from digest.testing import Clock, FixtureServer, Reply, Request, polite

if TYPE_CHECKING:
    from digest.papers import Paper, PaperId

NEW_YORK = ZoneInfo("America/New_York")
WEDNESDAY, THURSDAY = date(2026, 11, 18), date(2026, 11, 19)
EVENING = datetime(2026, 11, 18, 19, 0, tzinfo=NEW_YORK)
MORNING = datetime(2026, 11, 19, 10, 0, tzinfo=NEW_YORK)
POLL = timedelta(minutes=20)


@dataclass
class World:
    """Both servers as they are at the clock's hour."""

    clock: Clock
    arxiv_asked: list[datetime] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        now = self.clock.now().astimezone(NEW_YORK)
        since = (now - EVENING).total_seconds() / 3600  # hours since 19:00
        if request.path == "/api/daily_papers":
            return self._daily_papers(request.query["date"], since)
        self.arxiv_asked.append(now)
        if request.path.startswith("/rss/"):
            return self._feed(since)
        if request.path == "/api/query" and 1.0 <= since < 1.75:
            return Reply(b"Rate exceeded.", 429)
        if request.path == "/api/query":
            return Reply(NOTHING_FOUND)
        return Reply(b"", 500)

    def _daily_papers(self, day: str, since: float) -> Reply:
        if day == WEDNESDAY.isoformat():
            return daily(range(100, 108))
        if day != THURSDAY.isoformat() or since < 2.5:
            return Reply(b'{"error":"Invalid date"}', 400)
        if 4.0 <= since < 4.3:
            return Reply(status=429, headers={"RateLimit": '"api";r=0;t=280'})
        if 8.0 <= since < 9.0:
            return Reply(reset_after=0)
        return daily(range(1, 1 + min(10, int((since - 2.5) * 2))))

    def _feed(self, since: float) -> Reply:
        if since < 5.1:
            return feed(WEDNESDAY, range(100, 112))
        if since < 6.0:
            return feed(THURSDAY, range(0))
        if 7.0 <= since < 8.0:
            return Reply(b"<h1>Bad Gateway</h1>", 502)
        return feed(THURSDAY, range(5, 17))


NOTHING_FOUND = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">
<title>arXiv Query</title><o:totalResults>0</o:totalResults></feed>"""


def daily(numbers: range) -> Reply:
    items = [
        {"paper": {"id": f"2611.{n:05}", "title": f"Invented {n}", "upvotes": n}} for n in numbers
    ]
    return Reply(json.dumps(items).encode())


def feed(day: date, numbers: range) -> Reply:
    items = "".join(
        f"<item><title>Invented {n}</title><guid>oai:arXiv.org:2611.{n:05}v1</guid>"
        "<description>arXiv: Announce Type: new \nAbstract: We invent.</description>"
        f"<arxiv:announce_type>new</arxiv:announce_type></item>"
        for n in numbers
    )
    return Reply(
        f'<rss xmlns:arxiv="http://arxiv.org/schemas/atom" version="2.0"><channel>'
        "<title>cs.LG updates on arXiv.org</title>"
        f"<pubDate>{day:%a, %d %b %Y} 00:00:00 -0500</pubDate>{items}</channel></rss>".encode()
    )


@dataclass
class Memory:
    """What a store keeps of one source's fetches, and the window it asks with."""

    source: Source
    papers: list[Paper] = field(default_factory=list)
    states: dict[date, list[FetchState]] = field(default_factory=dict)
    listed: dict[date, set[PaperId]] = field(default_factory=dict)
    validators: dict[str, Validator] = field(default_factory=dict)
    retry_at: datetime | None = None

    def window(self, now: datetime) -> Window:
        have = {day for day, states in self.states.items() if states[-1].complete}
        return replace(
            Window.last(2, now),
            validators=self.validators,
            have=frozenset(have),
            listed={day: frozenset(names) for day, names in self.listed.items()},
        )

    def keep(self, found: Fetch) -> None:
        self.states.setdefault(found.day, []).append(found.state)
        self.papers += found.papers
        for paper in found.papers:
            for listing in paper.listings:
                self.listed.setdefault(listing.day, set()).add(paper.id)
        self.validators.update({one.url: one for one in found.validators})
        self.retry_at = found.retry_at or self.retry_at


def test_a_day_of_filling_throttling_and_outages_ends_with_every_paper_once() -> None:
    clock = Clock(EVENING)
    world = World(clock)
    with FixtureServer(world) as server, polite(clock) as client:
        hf = Memory(HuggingFace(Options(url=server.url)))
        arxiv = Memory(ArXiv(Options(argument="cs.LG", url=server.url)))
        moment = EVENING
        while moment <= MORNING:
            clock.set(moment)
            for memory in (hf, arxiv):
                if memory.retry_at is None or clock.now() >= memory.retry_at:
                    for found in memory.source.fetch(memory.window(clock.now()), client):
                        memory.keep(found)
            moment += POLL

    thursday = [FetchState.OK]
    assert hf.states[THURSDAY][-1:] == arxiv.states[THURSDAY][-1:] == thursday
    assert {FetchState.THROTTLED, FetchState.FAILED} <= set(hf.states[THURSDAY])
    assert {FetchState.SUSPICIOUS, FetchState.OK} <= set(arxiv.states[THURSDAY])
    assert FetchState.OK in arxiv.states[WEDNESDAY]

    records = {
        (paper.id, memory.source.name): paper for memory in (hf, arxiv) for paper in memory.papers
    }
    merged = group(list(records.values()))
    names = {records_id.value for records_id, _ in records}
    wanted = {f"2611.{n:05}" for n in (*range(1, 17), *range(100, 112))}
    assert names == wanted
    assert len(merged) == len(wanted), "a paper both sources list is one"

    days = {paper.id.value: paper.announced_on for paper in arxiv.papers}
    assert all(
        day == (THURSDAY if name < "2611.00100" else WEDNESDAY) for name, day in days.items()
    )
    gaps = [two - one for one, two in pairwise(world.arxiv_asked)]
    assert min(gaps) >= timedelta(seconds=3)
