"""Deciding an issue: what a reader costs, and what an audience twenty times as large changes.

Readers are due, with profiles of eight lines as bench/match.py draws them and the usual limit of
ten papers, over 1,500 papers that are new to all; everything a first digest needs is in it, from
reading the readers to the last commit of what was decided (SQLite). Each audience is decided in a
process of its own, on a database that another process filled.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.match import NOW, PAPERS, crowd, mixed, real_texts
from digest.app import open_app
from digest.papers import Listing
from digest.run import issue
from digest.settings import load
from digest.store import open_store
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

FEW, SOME, MANY = 5_000, 20_000, 100_000
_AT_ONCE = 5_000


def measure() -> list[Figure]:
    """Processor time each, and memory beyond that of a small audience."""
    taken: dict[int, float] = {}
    peaks: dict[int, float] = {}
    for readers in (FEW, SOME, MANY):
        with TemporaryDirectory(prefix="paper-digest-scale-") as folder:
            url = f"sqlite:///{Path(folder) / 'digest.db'}"
            _alone(_fill, url, readers)
            seconds, megabytes, candidates = _alone(_decide, url, readers)
        assert candidates == readers
        taken[readers], peaks[readers] = seconds / readers, megabytes
        print(f"{readers:,} readers: {taken[readers] * 1e6:.0f} us each, {megabytes:.0f} MB")
    return [
        Figure("decide_each", taken[SOME] * 1e6, 600, "us"),
        Figure("decide_cost_at_100000_to_20000", taken[MANY] / taken[SOME], 1.1, "x"),
        Figure("decide_memory_100000_beyond_5000", peaks[MANY] - peaks[FEW], 300, "MB"),
    ]


def _alone(work: Callable[[str, int, Connection], None], url: str, readers: int) -> list[float]:
    """What a piece of work tells, done in a process of its own."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(url, readers, far))
    process.start()
    far.close()
    told: list[float] = json.loads(near.recv())
    process.join()
    return told


def _fill(url: str, readers: int, out: Connection) -> None:
    chance = random.Random(4)
    papers = mixed(real_texts(), PAPERS, chance)
    draw = crowd(papers, chance)
    listed = [
        replace(
            paper,
            number=0,
            listings=(Listing("arxiv", "arXiv", (NOW - timedelta(days=place % 3)).date()),),
        )
        for place, paper in enumerate(papers)
    ]
    joined = NOW - timedelta(days=1)
    with open_store(url) as store:
        store.papers.ingest(listed, NOW - timedelta(hours=3))
        for start in range(0, readers, _AT_ONCE):
            some = [
                Subscriber(
                    f"reader{start + number}@example.org",
                    (Profile("\n".join(term.ours for term in terms)),),
                    Schedule(Cadence.DAILY),
                ).confirm(joined)
                for number, terms in enumerate(draw(min(_AT_ONCE, readers - start)))
            ]
            store.subscribers.add_all(some, joined)
    out.send(json.dumps([]))


def _decide(url: str, readers: int, out: Connection) -> None:
    settings = load({"DIGEST_DATABASE_URL": url, "DIGEST_SMTP_URL": "eml:outbox"})
    with open_app(settings, clock=lambda: NOW) as app:
        began = time.process_time()
        frozen = issue(app).frozen
        taken = time.process_time() - began
    assert frozen is not None
    assert frozen.prepared > readers // 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.send(json.dumps([taken, peak, frozen.candidates]))
