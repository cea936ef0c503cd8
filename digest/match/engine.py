"""The engine: many stored profiles answered at once, the same as one by one.

Different lines are answered once, however many readers share them: a line of one term is a row
of the index, any other line a few operations on whole rows of bits. Then one sparse product,
profiles x lines with lines x papers, scores everybody, in blocks of profiles that bound memory.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from operator import add
from typing import TYPE_CHECKING, Final

import numpy as np

from digest.match.audience import Audience
from digest.match.best import Best
from digest.match.desk import Desk
from digest.match.index import Index
from digest.match.ranking import Answered, Ranking, Shown
from digest.match.score import POINT, fresh_points, ranks, rarity, trend, trend_points
from digest.match.stored import form, program, understood
from digest.match.teller import Teller
from subscribers.tree import Not

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.match.learned import Learned
    from digest.papers import Paper
    from subscribers.profile import Profile
    from subscribers.tree import Line

    Ints = npt.NDArray[np.int64]

_PROFILES: Final = 1_000
"""Profiles whose matches are held at once by match()."""
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
        places, points = self.places[a:b].tolist(), self.points[a:b].tolist()
        return [(place, each / POINT) for place, each in zip(places, points, strict=True)]


class Engine:
    """Papers at hand, ready to answer profiles; papers are scanned once, when it is made.

    What `like`, an engine of nearly the same papers, has scanned is not scanned again.
    """

    def __init__(
        self, papers: Sequence[Paper], *, now: datetime, like: Engine | None = None
    ) -> None:
        self.papers = papers
        self.now = now
        self.index: Index = Index(papers, like.index if like else None)
        self.size = len(papers)
        trends = [trend(paper, now) for paper in papers]
        self.trend_points = [trend_points(paper, now) for paper in papers]
        self.fresh_points = [fresh_points(paper, now) for paper in papers]
        extra = list(map(add, self.trend_points, self.fresh_points))
        self.best = Best(extra, ranks(papers, trends))
        self.rarity = np.array([rarity(n, self.size) for n in range(self.size + 1)], dtype=np.int64)
        self._tellers: list[Teller] = []

    @cached_property
    def place_of(self) -> dict[int, int]:
        """Where the paper of a number stands among those given."""
        return {paper.number: place for place, paper in enumerate(self.papers)}

    def answer(self, audience: Audience | Sequence[str], *, top: int) -> Answer:
        """The best `top` papers of each profile; stored forms are compiled first."""
        if not isinstance(audience, Audience):
            audience = Audience(audience)
        return self._answered(self._desk(audience), len(audience), top)

    def match(
        self,
        profiles: Sequence[Profile],
        *,
        top: int | None = None,
        learned: Sequence[Learned | None] | None = None,
    ) -> Iterator[Ranking]:
        """Per profile its matches, best first: all of them, or the best `top`.

        `learned` is what was learned of each profile's reader, where anything was. Profiles are
        taken a few at a time as the answers are asked for; what a match says of itself is found
        out when it is asked.
        """
        liked = learned or [None] * len(profiles)
        for start in range(0, len(profiles), _PROFILES):
            block = slice(start, start + _PROFILES)
            asked = [understood(profile.text) for profile in profiles[block]]
            stored = map(form, profiles[block], asked, liked[block])
            desk = self._desk(Audience(stored))
            answer = self._answered(desk, len(asked), self.size if top is None else top)
            answered = Answered(self, desk, asked, liked[block], answer)
            shown = (
                None
                if top is None
                else Shown(answered, np.arange(len(asked)), answer.first, answer.places)
            )
            for row in range(len(asked)):
                yield Ranking(answered, row, shown)

    def tell(
        self, programs: Sequence[str], lines: Sequence[Line], cell: Ints, which: Ints, place: Ints
    ) -> tuple[Ints, list[str]]:
        """The same as Teller.reasons(), for any number of callers at once."""
        try:
            teller = self._tellers.pop()
        except IndexError:
            teller = Teller(self.index, self.now)
        told = teller.reasons(programs, lines, cell, which, place)
        self._tellers.append(teller)
        return told

    def leaves_out(self, line: Line) -> npt.NDArray[np.bool_]:
        """Which papers a line of exclusions leaves out, by place."""
        out = np.zeros(self.size, dtype=np.bool_)
        wanted = replace(line, tree=Not(line.tree), excludes=False)
        out[self.answer([program(wanted)], top=self.size).places] = True
        return out

    def _desk(self, audience: Audience) -> Desk:
        return Desk(audience, self.index, self.best, self.rarity)

    def _answered(self, desk: Desk, profiles: int, top: int) -> Answer:
        if not profiles or not self.size:
            nothing = np.zeros(0, dtype=np.int32)
            return Answer(np.zeros(profiles + 1, dtype=np.int64), nothing, nothing)
        blocks = desk.blocks()
        if len(blocks) == 1:
            held = [desk.block(*blocks[0], top)]
        else:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                held = list(pool.map(lambda block: desk.block(block[0], block[1], top), blocks))
        counts, places, points = (np.concatenate(each) for each in zip(*held, strict=True))
        return Answer(np.concatenate([[0], np.cumsum(counts)]), places, points)
