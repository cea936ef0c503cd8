"""A million profiles against 1,500 papers, in a process of its own: time and memory.

The same papers and profiles as bench/match.py draws, ten times as many. Profiles are compiled as
they are drawn, a block at a time; only compiling and answering are timed.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import time
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.match import (
    ASKED_TANTIVY,
    NOW,
    PAPERS,
    TOP,
    crowd,
    mixed,
    real_texts,
    stored_forms,
    tantivy_seconds,
)
from digest.match.audience import Audience
from digest.match.engine import Engine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PROFILES = 1_000_000
BLOCK = 50_000


def measure() -> list[Figure]:
    """Against tantivy asked once per profile; a million against ten times a hundred thousand."""
    few, _ = _alone(PROFILES // 10)
    many, gigabytes = _alone(PROFILES)
    print(f"{PROFILES // 10:,} profiles: {few:.2f} s; {PROFILES:,}: {many:.2f} s")
    chance = random.Random(4)
    papers = mixed(real_texts(), PAPERS, chance)
    each = tantivy_seconds(papers, crowd(papers, chance)(ASKED_TANTIVY))
    figures = [
        Figure("million_over_10_x_100k", many / few / 10, 1.2, "x"),
        Figure("million_peak_memory", gigabytes, 2, "GB"),
    ]
    if each is not None:
        ratio = each * PROFILES / many
        figures.append(Figure("million_vs_tantivy", ratio, 20, "x", more_is_better=True))
    return figures


def _alone(profiles: int) -> tuple[float, float]:
    """Seconds and gigabytes of one answer, in a process that does nothing else."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(profiles, far))
    process.start()
    far.close()
    told = json.loads(near.recv())
    process.join()
    return told[0], told[1]


def _answer(profiles: int, out: Connection) -> None:
    chance = random.Random(4)
    papers = mixed(real_texts(), PAPERS, chance)
    audience = Audience()
    taken, known = 0.0, 0
    draw = crowd(papers, chance)
    while known < profiles:
        stored = stored_forms(draw(BLOCK))
        began = time.perf_counter()
        audience.extend(stored)
        known += len(stored)
        taken += time.perf_counter() - began
    began = time.perf_counter()
    answer = Engine(papers, now=NOW).answer(audience, top=TOP)
    taken += time.perf_counter() - began
    assert len(answer.first) == profiles + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    out.send(json.dumps([taken, peak]))
