"""A day from 19:00 to 10:00 in New York, played through on a simulated clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.app import App, open_app
from digest.ingest import ingest
from digest.settings import load
from digest.sources import FetchState
from digest.testing import Clock, FixtureServer, Reply, Request

if TYPE_CHECKING:
    from pathlib import Path

NEW_YORK = ZoneInfo("America/New_York")
WEDNESDAY, THURSDAY = date(2026, 11, 18), date(2026, 11, 19)
EVENING = datetime(2026, 11, 18, 19, 0, tzinfo=NEW_YORK)
MORNING = datetime(2026, 11, 19, 10, 0, tzinfo=NEW_YORK)
LOOK = timedelta(minutes=5)


def opened(folder: Path, clock: Clock, url: str) -> App:
    values = {
        "DIGEST_DATABASE_URL": f"sqlite:///{folder / 'digest.db'}",
        "DIGEST_SOURCES": "hf,arxiv:cs.LG",
        "DIGEST_HF_URL": url,
        "DIGEST_ARXIV_URL": url,
    }
    return open_app(load(values), clock=clock.now, sleep=clock.sleep)


@dataclass
class World:
    """Both servers as they are at the clock's hour."""

    clock: Clock
    feeds_asked: list[datetime] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        now = self.clock.now().astimezone(NEW_YORK)
        since = (now - EVENING).total_seconds() / 3600  # hours since 19:00
        if request.path == "/api/daily_papers":
            return self._daily_papers(request.query["date"], since)
        if request.path.startswith("/rss/"):
            self.feeds_asked.append(now)
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
        if 5.4 <= since < 5.55:
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


def test_a_day_of_filling_throttling_and_outages_ends_with_every_paper_once(
    tmp_path: Path,
) -> None:
    clock = Clock(EVENING)
    world = World(clock)
    said: dict[tuple[str, date], list[FetchState]] = {}
    with FixtureServer(world) as server, opened(tmp_path, clock, server.url) as app:
        moment = EVENING
        while moment <= MORNING:
            clock.set(moment)
            for fetch in ingest(app).fetches:
                said.setdefault((fetch.source, fetch.day), []).append(fetch.state)
            moment += LOOK

        hf, arxiv = said["hf", THURSDAY], said["arxiv", THURSDAY]
        assert hf[-1] is arxiv[-1] is FetchState.OK
        assert {FetchState.THROTTLED, FetchState.FAILED} <= set(hf)
        assert FetchState.SUSPICIOUS in arxiv
        assert FetchState.OK in said["arxiv", WEDNESDAY]
        for entry in app.sources:
            ((newest, _),) = app.store.sources.newest()[entry.name]
            assert (newest.day, newest.state, newest.lacking) == (THURSDAY, "ok", False)

        wanted = {f"2611.{n:05}" for n in (*range(1, 17), *range(100, 112))}
        papers = app.store.papers.between(date(2026, 11, 1), THURSDAY + timedelta(days=1))
        assert sorted(paper.id.value for paper in papers) == sorted(wanted)
        assert app.store.papers.count() == len(wanted), "a paper both sources list is one"
        for paper in papers:
            number = int(paper.id.value[-5:])
            listed = {(one.source, one.day) for one in paper.listings}
            day = THURSDAY if number < 100 else WEDNESDAY
            both = number in range(5, 11) or number in range(100, 108)
            only = "arxiv" if number in {*range(11, 17), *range(108, 112)} else "hf"
            assert listed == {(one, day) for one in (("arxiv", "hf") if both else (only,))}
            if "hf" in {one for one, _ in listed}:
                assert paper.signals.upvotes == number

    # Looked at every five minutes, the feed was asked for when there was something to have.
    evening = [one for one in world.feeds_asked if one < EVENING + timedelta(hours=5)]
    night = [one for one in world.feeds_asked if one >= EVENING + timedelta(hours=5)]
    assert (len(evening), len(night)) == (1, 3)


def test_a_day_nobody_was_there_for_is_made_up_for_by_itself(tmp_path: Path) -> None:
    """Off from Tuesday to Thursday: the feed of Wednesday is gone, the query API has it."""
    clock = Clock(datetime(2026, 11, 17, 9, 0, tzinfo=NEW_YORK))
    missed = NOTHING_FOUND.replace(
        b"<o:totalResults>0</o:totalResults>",
        b"<o:totalResults>1</o:totalResults><entry><id>http://arxiv.org/abs/2611.00200v1</id>"
        b"<title>Of Wednesday</title><published>2026-11-17T12:00:00Z</published></entry>",
    )

    def answer(request: Request) -> Reply:
        if request.path.startswith("/rss/"):
            today = clock.now().astimezone(NEW_YORK).date()
            return feed(today, range(today.day, today.day + 1))
        if request.path == "/api/query":
            wednesday = "202611161900 TO 202611171900" in request.query["search_query"]
            return Reply(missed if wednesday else NOTHING_FOUND)
        return Reply(b"[]")

    with FixtureServer(answer) as server, opened(tmp_path, clock, server.url) as app:
        ingest(app)
        clock.set(datetime(2026, 11, 19, 9, 0, tzinfo=NEW_YORK))
        assert app.store.papers.count() == 1
        report = ingest(app)
        assert report.new == 2
        (made_up_for,) = [f for f in report.fetches if f.source == "arxiv" and f.day == WEDNESDAY]
        assert (made_up_for.state, made_up_for.note) == (
            FetchState.OK,
            "taken from its query API",
        )
        days = {p.id.value: p.announced_on for p in app.store.papers.by_numbers(range(9)).values()}
        assert days["2611.00200"] == WEDNESDAY
