"""Deciding many readers together: in blocks, of which none holds on to what it matched."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from digest import run
from digest.app import App
from digest.match import Engine, Ranking
from digest.news import consider
from digest.papers import Listing, Paper, PaperId, Signals
from digest.selection import select
from digest.settings import Settings
from digest.store import open_store
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
TODAY = NOW.date()
WORDS = ("routing", "larvae", "memory", "planning", "retrieval", "speech", "protein")
MANY = 800


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/papers.db",
        smtp_url=f"eml:{tmp_path}/out",
        sender_name="Reading Group",
        sender_address="digest@example.org",
        contact="people@example.org",
    )
    with open_store(settings.database_url) as store:
        store.papers.ingest([_paper(n) for n in range(60)], NOW - timedelta(hours=3))
        store.subscribers.add_all([_reader(n) for n in range(MANY)], NOW)
        yield App(settings, store, lambda: NOW)


def _paper(n: int) -> Paper:
    """Two or three of the words, the later ones in fewer papers; some papers much alike."""
    title = " ".join(word for place, word in enumerate(WORDS) if n % (place + 2) == 0)
    return Paper(
        PaperId("arxiv", f"2611.{n:05}"),
        f"{title or 'Nothing'} {n}",
        abstract=f"We study {title}. " + "alike words of some length again " * (n % 3),
        listings=(Listing("arxiv", "arXiv", (NOW - timedelta(days=n % 4)).date()),),
        signals=Signals(upvotes=n % 7),
    )


def _reader(n: int) -> Subscriber:
    """One or two interests; every fifth finds nothing, and some only what may not be shown."""
    first = "zebrafish" if n % 5 == 0 else f"{WORDS[n % 7]}\n{WORDS[(n + 2) % 7]} memory"
    profiles = [Profile(first, limit=1 + n % 6, diverse=n % 2 == 0)]
    if n % 3 == 1:
        profiles.append(Profile(f'"{WORDS[n % 4]}" -speech', name="Second"))
    muted = WORDS if n % 11 == 3 else ()
    reader = Subscriber(f"r{n}@example.org", profiles=tuple(profiles), muted_words=muted)
    return reader.confirm(NOW - timedelta(days=3))


def test_decisions_are_the_same_in_parts_of_any_size(app: App) -> None:
    """Together they are more than the engine answers at once."""
    readers = app.store.subscribers.all()
    whole = consider(app, readers, NOW)
    assert sum(bool(one.selection.picks) for one in whole) > MANY // 2
    assert any(one.misses for one in whole if not one.selection.picks)
    for size in (len(readers), 97):
        parts = [
            one
            for start in range(0, len(readers), size)
            for one in consider(app, readers[start : start + size], NOW)
        ]
        assert [one.selection for one in parts] == [one.selection for one in whole]
        for one, other in zip(parts[::7], whole[::7], strict=True):
            assert one.misses == other.misses


def test_deciding_many_at_once_is_deciding_one_match_after_the_other(app: App) -> None:
    """What masks leave out of a block is what selection.select passes over one by one."""
    readers = app.store.subscribers.all()
    papers = app.store.papers.between(TODAY - timedelta(days=9), TODAY)
    shelf = {paper.number: paper for paper in papers}
    engine = Engine(papers, now=NOW)
    for one in consider(app, readers, NOW)[::3]:
        rankings = list(engine.match(one.reader.profiles))
        alone = select(one.reader, shelf, rankings, until=NOW, looked_at=len(papers))
        assert alone.picks == one.selection.picks
        assert alone.matched == one.selection.matched


def test_a_block_is_let_go_of_before_the_next_is_decided(app: App) -> None:
    held = []

    def count(block: run.Decided) -> None:
        gc.collect()
        rankings = sum(isinstance(one, Ranking) for one in gc.get_objects())
        mine = sum(len(one.reader.profiles) for one in block.considered)
        held.append((mine, rankings, block.done))

    report = run.issue(app, everybody=True, on_decided=count, block=50)

    assert report.frozen is not None
    assert report.frozen.candidates == report.readers == MANY
    assert [done for _, _, done in held] == list(range(50, MANY + 1, 50))
    # Each profile's ranking and what of it may be in a digest, of this block and no other.
    assert all(rankings <= 2 * mine for mine, rankings, _ in held)
