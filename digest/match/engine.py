"""The engine: many stored profiles answered at once, the same as one by one.

Different lines are answered once, however many readers share them: a line of one term is a row
of the index, any other line a few operations on whole rows of bits. Then one sparse product,
profiles x lines with lines x papers, scores everybody, in blocks of profiles that bound memory.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from digest.match.audience import Audience
from digest.match.best import Best
from digest.match.desk import Desk
from digest.match.index import Index
from digest.match.score import POINT, fresh_points, ranks, rarity, trend, trend_points

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.papers import Paper

    Ints = npt.NDArray[np.int64]

_AT_ONCE: Final = 2
"""Blocks answered together: numpy and scipy let go of the interpreter while they work."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best papers of each profile: profile n has places[first[n] : first[n + 1]], best first.

    `places` are positions in the papers given, `points` thousandths of a score point.
    """

    first: Ints
    places: npt.NDArray[np.int32]
    points: npt.NDArray[np.int32]

    def of(self, profile: int) -> list[tuple[int, float]]:
        """(place, score) of one profile's papers, best first."""
        a, b = int(self.first[profile]), int(self.first[profile + 1])
        scores = self.points[a:b] / POINT
        return list(zip(self.places[a:b].tolist(), scores.tolist(), strict=True))


class Engine:
    """Papers at hand, ready to answer stored profiles; papers are scanned once, when it is made."""

    def __init__(self, papers: Sequence[Paper], *, now: datetime) -> None:
        self.index = Index(papers)
        self.size = len(papers)
        trends = [trend(paper, now) for paper in papers]
        extra = [trend_points(paper, now) + fresh_points(paper, now) for paper in papers]
        self.best = Best(extra, ranks(papers, trends))
        self.rarity = np.array([rarity(n, self.size) for n in range(self.size + 1)], dtype=np.int64)

    def answer(self, audience: Audience | Sequence[str], *, top: int) -> Answer:
        """The best `top` papers of each profile; stored forms are compiled first."""
        if not isinstance(audience, Audience):
            audience = Audience(audience)
        if not len(audience) or not self.size:
            nothing = np.zeros(0, dtype=np.int32)
            return Answer(np.zeros(len(audience) + 1, dtype=np.int64), nothing, nothing)
        desk = Desk(audience, self.index, self.best, self.rarity)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            held = list(pool.map(lambda block: desk.block(block[0], block[1], top), desk.blocks()))
        counts, places, points = (np.concatenate(each) for each in zip(*held, strict=True))
        return Answer(np.concatenate([[0], np.cumsum(counts)]), places, points)
