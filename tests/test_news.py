"""Deciding many readers together: in blocks, of which none holds on to what it matched."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from digest.app import App
from digest.match.ranking import Ranking
from digest.news import consider
from digest.papers import Listing, Paper, PaperId, Signals
from digest.settings import Settings
from digest.store import open_store
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
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
            for one in consider(app, readers[start : start + size], NOW, keep_misses=False)
        ]
        assert [one.selection for one in parts] == [one.selection for one in whole]
        for one, other in zip(parts, whole, strict=True):
            assert one.selection.picks or one.misses == other.misses


def test_what_was_matched_is_let_go_where_nobody_asks_for_misses(app: App) -> None:
    readers = app.store.subscribers.all()[:50]
    kept = consider(app, readers, NOW)
    assert _rankings() >= len(kept)
    del kept
    assert _rankings() == 0
    kept = consider(app, readers, NOW, keep_misses=False)
    assert _rankings() == 0
    digest = next(one for one in kept if one.selection.picks)
    with pytest.raises(ValueError, match="not kept"):
        _ = digest.misses


def _rankings() -> int:
    gc.collect()
    return sum(isinstance(one, Ranking) for one in gc.get_objects())
