"""A day of listings from the wire into the database: time, memory, growth, and parsing alone.

2,000 arXiv papers (two entries of 1,000, because arXiv cuts a feed at 2,000) and 100 of Daily
Papers, 60 of them the same papers, served over real HTTP by another process; asked, read, merged
and stored by `digest.ingest`, in a process of its own so that its memory is its own. The pauses
that politeness asks for are left out: they are the same for everybody.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import feedparser

from bench.figures import Figure
from digest.app import open_app
from digest.ingest import ingest
from digest.settings import load
from digest.sources.arxiv_feed import read_feed
from digest.store import open_store
from digest.testing import FixtureServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
PAPERS = 2_000
FEATURED = 100
SHARED = 60
GROWN = 50_000
ROUNDS = 5
ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


def measure() -> list[Figure]:
    """A day, the same day again, a day after 48,000 papers; and parsing beside feedparser."""
    with _served() as server, tempfile.TemporaryDirectory() as folder:
        days = []
        for number in range(ROUNDS):
            (own := Path(folder) / str(number)).mkdir()
            days.append(_child("day", str(own), server.url))
        grown = _child("growth", folder, server.url)
    day = {name: min(one[name] for one in days) for name in days[0]}
    day["written"] = max(one["written"] for one in days)
    parsing = _parsing()
    print(
        f"parse {PAPERS:,} items: {parsing['ours']:.3f} s, feedparser alone "
        f"{parsing['feedparser']:.3f} s (it finds neither ids nor authors)"
    )
    print(
        f"a day took {day['first']:.2f} s at best of {ROUNDS} ({day['cpu']:.2f} s of processor), "
        f"at worst {max(one['first'] for one in days):.2f} s; again {day['again']:.2f} s"
    )
    print(
        f"a database of {GROWN:,} papers: {grown['megabytes']:.0f} MB; its last day took "
        f"{grown['last']:.2f} s of processor, its first {grown['first']:.2f} s"
    )
    return [
        Figure("ingest_day_seconds", day["first"], 2.0, "s"),
        Figure("ingest_day_again_ratio", day["again"] / day["first"], 0.5, "of the first"),
        Figure("ingest_day_again_rows_written", day["written"], 0, "rows"),
        Figure("ingest_day_peak_memory", day["peak"], 150.0, "MB"),
        Figure("ingest_50000th_paper_ratio", grown["last"] / grown["first"], 2.0, "of the first"),
        Figure("parse_ratio_to_feedparser", parsing["ours"] / parsing["feedparser"], 1.0, "times"),
    ]


def _child(what: str, folder: str, url: str) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DIGEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "bench.sources", what, folder, url],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _day(folder: str, url: str) -> dict[str, float]:
    """A day's ingest into an empty database, and the same again when all of it is due again."""
    settings = load({
        "DIGEST_DATABASE_URL": f"sqlite:///{folder}/day.db",
        "DIGEST_SOURCES": "arxiv:cs.CL,arxiv:cs.LG,hf",
        "DIGEST_ARXIV_URL": url,
        "DIGEST_HF_URL": url,
    })  # fmt: skip
    seconds, cpu = [], []
    written = 0
    with open_app(settings, clock=lambda: NOW, sleep=lambda _: None) as app:
        with app.polite():
            pass  # what a process imports once
        for _ in range(2):
            began, worked = time.perf_counter(), time.process_time()
            report = ingest(app, now=True)
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - worked)
            written = report.new + report.changed
        stored = app.store.papers.count()
    assert stored == PAPERS + FEATURED - SHARED, stored
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "first": seconds[0],
        "again": seconds[1],
        "cpu": cpu[0],
        "written": written,
        "peak": peak,
    }


def _growth(folder: str) -> dict[str, float]:
    """Days of 2,000 papers until there are 50,000: how long the first and the last one took."""
    seconds = []
    with open_store(f"sqlite:///{folder}/grown.db") as store:
        for number in range(GROWN // PAPERS):
            day = DAY + timedelta(days=number)
            feed = read_feed(_feed("cs.CL", number * PAPERS, PAPERS, day), "arxiv", "arXiv", day)
            assert feed is not None
            # Of the processor: a ratio of waits would measure what else the machine does.
            began = time.process_time()
            store.papers.ingest(feed.papers, NOW + timedelta(days=number))
            seconds.append(time.process_time() - began)
        assert store.papers.count() == GROWN
    files = Path(folder).glob("grown.db*")
    megabytes = sum(path.stat().st_size for path in files) / 1_000_000
    # The middle of a few days: the first one also makes the pages every later one finds.
    return {"first": _middle(seconds[1:4]), "last": _middle(seconds[-3:]), "megabytes": megabytes}


def _parsing() -> dict[str, float]:
    """Reading the feed's bytes, ours and feedparser with the options that keep texts whole."""
    body = _feed("cs.CL", 0, PAPERS, DAY)

    def theirs() -> int:
        parsed = feedparser.parse(
            io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False
        )
        return len(parsed.entries)

    def ours() -> int:
        feed = read_feed(body, "arxiv", "arXiv", DAY)
        return feed.items if feed else 0

    seconds: dict[str, list[float]] = {"ours": [], "feedparser": []}
    for _ in range(ROUNDS):
        for name, parse in (("ours", ours), ("feedparser", theirs)):
            began = time.perf_counter()
            found = parse()
            seconds[name].append(time.perf_counter() - began)
            assert found == PAPERS
    return {name: _middle(one) for name, one in seconds.items()}


def _middle(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


@contextlib.contextmanager
def _served() -> Iterator[FixtureServer]:
    """ArXiv and Daily Papers on one address: the day, and nothing on the others."""
    pages = {
        "/rss/cs.CL": _feed("cs.CL", 0, PAPERS // 2, DAY),
        "/rss/cs.LG": _feed("cs.LG", PAPERS // 2, PAPERS // 2, DAY),
        "/api/query": b'<feed xmlns="http://www.w3.org/2005/Atom"><title>None</title></feed>',
    }
    daily = json.dumps([_item(PAPERS - SHARED + n) for n in range(FEATURED)]).encode()

    def answer(request: Request) -> Reply:
        if request.path == "/api/daily_papers":
            return Reply(daily if request.query.get("date") == str(DAY) else b"[]")
        return Reply(pages.get(request.path, b""))

    with FixtureServer(answer) as server:
        yield server


def _texts() -> list[tuple[str, str]]:
    """Titles and abstracts as papers have them: real ones where they lie beside the checkout."""
    files = sorted(CORPUS.glob("listing-*.json")) or [ROOT / "digest" / "sample.json"]
    found = []
    for path in files:
        if path.is_file():
            listed = json.loads(path.read_text(encoding="utf-8"))["papers"]
            found += [(one["title"], one["abstract"]) for one in listed]
    return found or [("An Invented Title of Several Words", "We invent a method. " * 60)]


_WORDS = [text.split() for _, text in _texts()]
_TITLES = [title for title, _ in _texts()]


def _text(number: int) -> tuple[str, str, str]:
    """The title, abstract and authors of an invented paper, the same for the same number."""
    chance = random.Random(number)
    words: list[str] = []
    while len(words) < 180:
        source = chance.choice(_WORDS)
        start = chance.randrange(max(1, len(source) - 30))
        words += source[start : start + 30]
    title = f"{chance.choice(_TITLES)} {number}"
    names = ", ".join(f"Author{chance.randrange(9_999)} Name{n}" for n in range(6))
    return title, " ".join(words), names


def _feed(category: str, first: int, papers: int, day: date) -> bytes:
    """A feed as arXiv writes it."""
    items = []
    for number in range(first, first + papers):
        title, abstract, names = _text(number)
        arxiv = _id(number)
        items.append(
            f"<item><title>{escape(title)}</title><link>https://arxiv.org/abs/{arxiv}</link>"
            f"<description>arXiv:{arxiv}v1 Announce Type: new \nAbstract: {escape(abstract)}"
            f'</description><guid isPermaLink="false">oai:arXiv.org:{arxiv}v1</guid>'
            f"<category>{category}</category><category>stat.ML</category>"
            "<arxiv:announce_type>new</arxiv:announce_type>"
            f"<dc:creator>{escape(names)}</dc:creator></item>"
        )
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{category} updates on arXiv.org</title>"
        f"<pubDate>{day:%a, %d %b %Y} 00:00:00 -0500</pubDate>"
    )
    return (head + "".join(items) + "</channel></rss>").encode()


def _id(number: int) -> str:
    return f"26{1 + number // 90_000:02}.{number % 90_000:05}"


def _item(number: int) -> dict[str, Any]:
    """One item of Daily Papers."""
    title, abstract, names = _text(number)
    return {
        "paper": {
            "id": _id(number),
            "title": title,
            "summary": abstract,
            "authors": [{"name": name, "hidden": False} for name in names.split(", ")],
            "publishedAt": "2026-11-19T00:00:00.000Z",
            "submittedOnDailyAt": "2026-11-20T00:00:00.000Z",
            "upvotes": number % 90,
            "githubStars": number % 7,
            "ai_summary": abstract[:200],
            "organization": {"fullname": "Example Lab"},
        },
        "numComments": number % 5,
    }


if __name__ == "__main__":
    what, folder, url = sys.argv[1:]
    print(json.dumps(_day(folder, url) if what == "day" else _growth(folder)))
