"""The live answer: what keywords would have brought over 30 days of 700 papers, as one types.

Times are the processor's, so that whatever else runs does not count.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import replace
from datetime import date, timedelta

from bench.figures import Figure
from bench.match import NOW, mixed, real_texts
from digest.papers import Author, Listing
from digest.volume import Recent, volume

DAYS = 30
A_DAY = 700
ROUNDS = 5
TODAY = date(2026, 11, 20)
NAMES = ("Ines Harrow", "Yann LeCun", *(f"Given{n} Family{n % 3_000}" for n in range(9_000)))
# What people type: words, a slip, what brings nearly all, names, filters, and eight lines at once.
TEXTS = {
    "words": "mixture of experts",
    "slips": "mixtrue of exprets\nunlerning -image",
    "wide": "learning\nlanguage model agents",
    "names": 'author:LeCunn\nauthor:"Ines Harrow" OR category:cs.CL upvotes>20',
    "eight": 'mixture of experts\nunlearning -image\nRAG OR retrieval\n"sparse attention"~5\n'
    "title:diffusion\nreinforc*\nprotein design\nLLM agents -survey\n-medical",
}  # fmt: skip


def measure() -> list[Figure]:
    """The slowest of several texts, each the median of its rounds, none of them the first."""
    chance = random.Random(20261120)
    papers = [
        replace(
            paper,
            authors=tuple(Author(chance.choice(NAMES)) for _ in range(3)),
            categories=(chance.choice(("cs.CL", "cs.LG", "stat.ML")),),
            listings=(Listing("arxiv", "arXiv", TODAY - timedelta(days=chance.randrange(DAYS))),),
        )
        for paper in mixed(real_texts(), DAYS * A_DAY, chance)
    ]
    began = time.process_time()
    recent = Recent(papers, today=TODAY, now=NOW)
    made = time.process_time() - began
    firsts, usual = {}, {}
    for name, text in TEXTS.items():
        times = [_answered(text, recent) for _ in range(ROUNDS + 1)]
        firsts[name], usual[name] = times[0], statistics.median(times[1:])
        print(f"{name:<8}{times[0] * 1000:>8.1f} ms at first, {usual[name] * 1000:>6.1f} ms then")
    return [
        Figure("answer_slowest_ms", max(usual.values()) * 1000, 100, "ms"),
        Figure("answer_words_ms", usual["words"] * 1000, 100, "ms"),
        Figure("answer_index_seconds", made, 10, "s"),
    ]


def _answered(text: str, recent: Recent) -> float:
    began = time.process_time()
    volume(text, recent)
    return time.process_time() - began
