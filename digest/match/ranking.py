"""Rankings: what a profile matches, in order; each match finds out why when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

from digest.match.reasons import Reason, ReasonKind, learned_reason, together, trend_reason
from digest.match.score import (
    COEFFICIENT_UNIT,
    POINT,
    STRENGTH_UNIT,
    Parts,
    coefficients,
    strength,
)
from digest.match.stored import atom

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from digest.match.desk import Desk
    from digest.match.engine import Answer, Engine
    from digest.match.learned import Learned
    from digest.match.stored import Understood
    from subscribers.tree import Line


@dataclass(frozen=True, slots=True)
class TermScore:
    """One term of a line: how much of the line it is, how rare it is, how strongly it stands."""

    text: str
    share: float
    rarity: float
    strength: float

    @property
    def points(self) -> float:
        """Points it brings the line."""
        return self.share * self.rarity * self.strength


@dataclass(frozen=True, slots=True)
class LineScore:
    """A line that a paper fits, its points, and the terms that made them."""

    line: int
    text: str
    points: float
    terms: tuple[TermScore, ...]


class Match:
    """A paper that fits a profile: its number, its score in points, and why it fits."""

    __slots__ = ("_place", "_ranking", "paper", "score")

    def __init__(self, ranking: Ranking, place: int, points: int) -> None:
        self._ranking = ranking
        self._place = place
        self.paper = ranking.engine.papers[place].number
        self.score = points / POINT

    @property
    def line(self) -> int:
        """The number of the line it fits best; 0 for the whole, which is the top ten."""
        lines = self._ranking.lines(self._place)
        return lines[0].number if lines else 0

    @property
    def also_lines(self) -> tuple[int, ...]:
        """The other lines it fits."""
        return tuple(sorted(line.number for line in self._ranking.lines(self._place)[1:]))

    @property
    def parts(self) -> Parts:
        """What its score is made of."""
        return self._ranking.parts(self._place, round(self.score * POINT))

    @property
    def lines(self) -> tuple[LineScore, ...]:
        """The lines it fits, the best first, taken apart: what --explain prints."""
        return self._ranking.taken_apart(self._place)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is there, best first; never empty."""
        return self._ranking.reasons(self._place)

    def __repr__(self) -> str:
        return f"Match({self.paper}, line={self.line}, score={self.score}, {self.reasons})"


class Ranking(Sequence[Match]):
    """One profile's matches, best first."""

    def __init__(
        self,
        engine: Engine,
        desk: Desk,
        row: int,
        *,
        asked: Understood,
        liked: Learned | None,
        answer: Answer,
    ) -> None:
        self.engine = engine
        self._desk = desk
        self._row = row
        self._asked = asked
        self._liked = liked
        self._places, self._points = answer.row(row)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Match: ...
    @overload
    def __getitem__(self, at: slice) -> list[Match]: ...
    def __getitem__(self, at: int | slice) -> Match | list[Match]:
        if isinstance(at, slice):
            pairs = zip(self._places[at], self._points[at], strict=True)
            return [Match(self, place, points) for place, points in pairs]
        return Match(self, self._places[at], self._points[at])

    @cached_property
    def _points_of(self) -> tuple[list[Line], npt.NDArray[np.int32]]:
        """The lines that ask, and a row for each of them: its points in every paper."""
        asks = [
            (line, program)
            for line, program in zip(self._asked.query.lines, self._asked.programs, strict=True)
            if not line.excludes
        ]
        return [line for line, _ in asks], self._desk.table([program for _, program in asks])

    def lines(self, place: int) -> list[Line]:
        """The lines that a paper fits, the one it fits best first."""
        lines, table = self._points_of
        points = table[:, place].tolist()
        if len(points) == 1:
            return lines if points[0] else []
        fitting = [(-each, n) for n, each in enumerate(points) if each]
        fitting.sort()
        return [lines[n] for _, n in fitting]

    def reasons(self, place: int) -> tuple[Reason, ...]:
        """Why a paper is there."""
        lines = self.lines(place)
        if not lines:
            return (trend_reason(self.engine.papers[place], self.engine.now),)
        told = [self.engine.told(line, place) for line in lines]
        # Only what is not there may have brought it in (a OR -b): then the line is the reason.
        found = together(told) or (Reason(ReasonKind.TERM, lines[0].text, "line"),)
        if self._liked is None or self._learned[place] <= 0:
            return found
        like = self._liked.like(self.engine.index.tfidf.of(place))
        return (*found, learned_reason(like)) if like else found

    def taken_apart(self, place: int) -> tuple[LineScore, ...]:
        """The lines that a paper fits, with their terms."""
        index, (lines, table) = self.engine.index, self._points_of
        reading = index.reading(place)
        told = []
        for line in self.lines(place):
            terms = []
            for term, coefficient in coefficients(line.tree):
                if amount := strength(term, reading):
                    having = index.rows([atom(term)]).nnz
                    rare = int(self.engine.rarity[having])
                    share = coefficient / COEFFICIENT_UNIT
                    terms.append(TermScore(term.text, share, rare / POINT, amount / STRENGTH_UNIT))
            points = int(table[lines.index(line), place]) / POINT
            told.append(LineScore(line.number, line.text, points, tuple(terms)))
        return tuple(told)

    def parts(self, place: int, points: int) -> Parts:
        """What the points of a paper are made of."""
        trend, fresh = self.engine.trend_points[place], self.engine.fresh_points[place]
        learned = int(self._learned[place])
        relevance = points - trend - fresh - learned
        return Parts(relevance / POINT, trend / POINT, fresh / POINT, learned / POINT)

    @cached_property
    def _learned(self) -> npt.NDArray[np.int64]:
        return self._desk.learned(self._row)
