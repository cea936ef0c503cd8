"""Rankings: what a profile matches, in order; each match finds out why when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, overload

import numpy as np

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
    import numpy.typing as npt

    from digest.match.desk import Desk, PointsOf
    from digest.match.engine import Answer, Engine
    from digest.match.learned import Learned
    from digest.match.stored import Understood
    from subscribers.tree import Line

_NUMBER_BITS: Final = 40
"""Bits for the number of a line, beside the place of a paper in one integer."""


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

    __slots__ = ("_at", "_ranking", "paper", "score")

    def __init__(self, ranking: Ranking, at: int, paper: int, points: int) -> None:
        self._ranking = ranking
        self._at = at
        self.paper = paper
        self.score = points / POINT

    @property
    def line(self) -> int:
        """The number of the line it fits best; 0 for the whole, which is the top ten."""
        lines = self._ranking.lines(self._at)
        return lines[0].number if lines else 0

    @property
    def also_lines(self) -> tuple[int, ...]:
        """The other lines it fits."""
        return tuple(sorted(line.number for line in self._ranking.lines(self._at)[1:]))

    @property
    def parts(self) -> Parts:
        """What its score is made of."""
        return self._ranking.parts(self._at)

    @property
    def lines(self) -> tuple[LineScore, ...]:
        """The lines it fits, the best first, taken apart: what --explain prints."""
        return self._ranking.taken_apart(self._at)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is there, best first; never empty."""
        return self._ranking.reasons(self._at)

    def __repr__(self) -> str:
        return f"Match({self.paper}, line={self.line}, score={self.score}, {self.reasons})"


class Shown:
    """The papers shown to some profiles that were answered together, all of them explained.

    Who asks why one paper is there will ask it of the others: lines that readers share are
    looked up once, and paper by paper.
    """

    def __init__(self, engine: Engine, desk: Desk, answer: Answer, asked: list[Understood]) -> None:
        self._engine = engine
        self._desk = desk
        self._answer = answer
        self._asked = asked

    def told(self, row: int, at: int) -> list[tuple[Reason, ...]]:
        """What each line says of the paper that stands there for a profile, the best line first."""
        begins, told = self._told
        cell = self._first[row] + at
        return told[begins[cell] : begins[cell + 1]]

    @cached_property
    def _first(self) -> list[int]:
        first: list[int] = self._answer.first.tolist()
        return first

    @cached_property
    def _told(self) -> tuple[list[int], list[tuple[Reason, ...]]]:
        """Where the lines of each cell begin, and what every line says."""
        teller, answer = self._engine.teller, self._answer
        begins, lines = self._desk.fitting(answer.first, answer.places)
        pairs = [
            pair
            for asked in self._asked
            for pair in zip(asked.programs, asked.query.lines, strict=True)
        ]
        numbers = np.array(
            [teller.number(program, line) for program, line in pairs], dtype=np.int64
        )
        sizes = np.array([len(asked.programs) for asked in self._asked])
        first = np.repeat(np.cumsum(sizes) - sizes, np.diff(begins[answer.first]))
        pair_of = first + lines
        place_of = np.repeat(answer.places, np.diff(begins))
        # One paper behind the other, so that what was read of it is still near the processor.
        keys = (place_of.astype(np.int64) << _NUMBER_BITS) | numbers[pair_of]
        _, which, back = np.unique(keys, return_index=True, return_inverse=True)
        told = [
            teller.told(number, pairs[pair][1], place)
            for number, pair, place in zip(
                numbers[pair_of[which]].tolist(),
                pair_of[which].tolist(),
                place_of[which].tolist(),
                strict=True,
            )
        ]
        return begins.tolist(), [told[n] for n in back.tolist()]


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
        shown: Shown | None,
    ) -> None:
        self.engine = engine
        self._desk = desk
        self._row = row
        self._asked = asked
        self._liked = liked
        self._shown = shown
        # A view: the rankings of a whole issue may be held together.
        a, b = int(answer.first[row]), int(answer.first[row + 1])
        self._places, self._points = answer.places[a:b], answer.points[a:b]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Match: ...
    @overload
    def __getitem__(self, at: slice) -> list[Match]: ...
    def __getitem__(self, at: int | slice) -> Match | list[Match]:
        if isinstance(at, slice):
            return list(self._matches(range(*at.indices(len(self)))))
        at = range(len(self))[at]
        return next(self._matches(range(at, at + 1)))

    def __iter__(self) -> Iterator[Match]:
        return self._matches(range(len(self)))

    def _matches(self, wanted: range) -> Iterator[Match]:
        """The matches at some places of the order."""
        if not wanted:
            return iter(())
        papers = self.engine.papers
        part = slice(wanted.start, wanted.stop if wanted.stop >= 0 else None, wanted.step)
        found = zip(wanted, self._places[part].tolist(), self._points[part].tolist(), strict=True)
        return (Match(self, at, papers[place].number, points) for at, place, points in found)

    @cached_property
    def _points_of(self) -> list[PointsOf]:
        return self._desk.points_of(self._row)

    @cached_property
    def _numbers(self) -> list[int]:
        """What the teller knows each line by."""
        pairs = zip(self._asked.programs, self._asked.query.lines, strict=True)
        return [self.engine.teller.number(program, line) for program, line in pairs]

    def _fits(self, at: int) -> list[tuple[int, int]]:
        """The lines that a paper fits, from 0, behind their points below 0: the best first."""
        column = self.engine.best.columns[self._places[at]]
        found = [(-each, n) for n, of in enumerate(self._points_of) if (each := of(column))]
        if len(found) > 1:
            found.sort()
        return found

    def lines(self, at: int) -> list[Line]:
        """The lines that a paper fits, the one it fits best first."""
        lines = self._asked.query.lines
        return [lines[n] for _, n in self._fits(at)]

    def _told(self, at: int) -> Sequence[tuple[Reason, ...]]:
        """What each line says that a paper fits, the best first."""
        if self._shown is not None:
            return self._shown.told(self._row, at)
        place, lines, numbers = int(self._places[at]), self._asked.query.lines, self._numbers
        tell = self.engine.teller.told
        return [tell(numbers[n], lines[n], place) for _, n in self._fits(at)]

    def reasons(self, at: int) -> tuple[Reason, ...]:
        """Why a paper is there."""
        told = self._told(at)
        found: tuple[Reason, ...]
        if len(told) == 1 and len(told[0]) == 1:
            found = told[0]
        elif told:
            # Only what is not there may have brought it in (a OR -b): the line is the reason.
            found = together(told) or (Reason(ReasonKind.TERM, self.lines(at)[0].text, "line"),)
        else:
            return (trend_reason(self.engine.papers[self._places[at]], self.engine.now),)
        if self._liked is None or self._learned[self._places[at]] <= 0:
            return found
        like = self._liked.like(self.engine.index.tfidf.of(int(self._places[at])))
        return (*found, learned_reason(like)) if like else found

    def taken_apart(self, at: int) -> tuple[LineScore, ...]:
        """The lines that a paper fits, with their terms."""
        index, reading = self.engine.index, self.engine.index.reading(int(self._places[at]))
        told = []
        for points, number in self._fits(at):
            line = self._asked.query.lines[number]
            terms = []
            for term, coefficient in coefficients(line.tree):
                if amount := strength(term, reading):
                    having = index.rows([atom(term)]).nnz
                    rare = int(self.engine.rarity[having])
                    share = coefficient / COEFFICIENT_UNIT
                    terms.append(TermScore(term.text, share, rare / POINT, amount / STRENGTH_UNIT))
            told.append(LineScore(line.number, line.text, -points / POINT, tuple(terms)))
        return tuple(told)

    def parts(self, at: int) -> Parts:
        """What the points of a paper are made of."""
        place, points = int(self._places[at]), int(self._points[at])
        trend, fresh = self.engine.trend_points[place], self.engine.fresh_points[place]
        learned = int(self._learned[place])
        relevance = points - trend - fresh - learned
        return Parts(relevance / POINT, trend / POINT, fresh / POINT, learned / POINT)

    @cached_property
    def _learned(self) -> npt.NDArray[np.int64]:
        return self._desk.learned(self._row)
