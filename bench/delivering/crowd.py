"""A database full of readers with a digest waiting for each: `python -m bench.delivering.crowd`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from bench.render import _paper
from digest.match import match
from digest.selection import select as choose
from digest.store import open_store
from digest.store.deliveries import Prepared
from digest.store.subscribers import SUBSCRIBER, new_public_id
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from digest.papers import Paper
    from digest.store import Store

PAPERS = 60
PATTERNS = 40
"""Readers share their wishes, as readers do: so many different selections."""
_WISHES = ("experts", "unlearning\nagents", "experts\nrouting", "language", "audit")
_BATCH = 5_000


def fill(url: str, readers: int, layout: Layout, papers_each: int) -> None:
    """Make the database, its papers and readers, and freeze a digest for each."""
    now = datetime.now(UTC)
    with open_store(url) as store:
        papers = _papers(store, now)
        first = store.subscribers.add(_reader(0, layout, papers_each).confirm(now), now)
        patterns = [_packed(number, layout, papers, papers_each, now) for number in range(PATTERNS)]
        with store.database.write() as connection:
            row = connection.execute(
                select(SUBSCRIBER).where(SUBSCRIBER.c.id == first.number)
            ).one()
            kept = {name: value for name, value in row._mapping.items() if name != "id"}  # noqa: SLF001 -- SQLAlchemy's public way
            for start in range(1, readers, _BATCH):
                rows = []
                for number in range(start, min(start + _BATCH, readers)):
                    address = f"reader{number}@example.org"
                    names = {"address": address, "address_key": address}
                    rows.append({**kept, **names, "public_id": new_public_id()})
                connection.execute(insert(SUBSCRIBER), rows)
        expires = now + timedelta(hours=20)
        prepared = [
            Prepared(
                one,
                "digest",
                f"{one.number}:digest",
                patterns[one.number % PATTERNS],
                expires,
                expires,
                date(2026, 11, 20),
            )
            for one in store.subscribers.all()
        ]
        store.deliveries.freeze(prepared, [], channel="smtp", domain="example.org", now=now)


def _papers(store: Store, now: datetime) -> dict[int, Paper]:
    """As long as those of a listing: one sentence each."""
    made = []
    for number in range(1, PAPERS + 1):
        paper = _paper(number)
        abstract = ". ".join(paper.abstract.split(". ")[:1]) + "."
        listings = tuple(replace(one, day=now.date()) for one in paper.listings)
        made.append(
            replace(
                paper,
                abstract=abstract,
                listings=listings,
                image_url="",
                code_url="",
                discussion_url="",
                number=0,
            )
        )
    store.papers.ingest(made, now)
    return {paper.number: paper for paper in store.papers.between(now.date(), now.date())}


def _packed(
    number: int, layout: Layout, papers: dict[int, Paper], most: int, now: datetime
) -> bytes:
    ordered = sorted(papers)
    mine = {one: papers[one] for one in (ordered + ordered)[number : number + most]}
    reader = _reader(number, layout, most)
    found = match(list(mine.values()), reader.profiles, now=now)
    since = now - timedelta(days=1)
    chosen = choose(reader, mine, found, since=since, until=now, looked_at=213)
    assert len(chosen.picks) == most, len(chosen.picks)
    return chosen.pack()


def _reader(number: int, layout: Layout, most: int) -> Subscriber:
    wish = f"{_WISHES[number % len(_WISHES)]}\nof"
    return Subscriber(
        f"reader{number}@example.org",
        profiles=(Profile(wish, limit=most),),
        layout=layout,
        summaries=layout is Layout.FULL,
    )


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    fill(order["database"], order["readers"], Layout(order["layout"]), order["papers"])
