"""Rankings: what a profile matches, in order; each match finds out why when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
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
    from collections.abc import Collection, Iterable

    import numpy.typing as npt

    from digest.match.desk import Desk, PointsOf
    from digest.match.engine import Answer, Engine
    from digest.match.learned import Learned
    from digest.match.stored import Understood
    from subscribers.tree import Line, Query

_STRETCH: Final = 32
"""Matches that are made at once, as one walks through them."""
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

    __slots__ = ("_at", "_cell", "_shown", "paper", "ranking", "score")

    def __init__(self, ranking: Ranking, at: int, paper: int, points: int) -> None:
        self.ranking = ranking
        self._at = at
        self._shown: Shown | None = None
        self._cell = 0
        self.paper = paper
        self.score = points / POINT

    def is_shown(self, shown: Shown, cell: int) -> None:
        """Have it explained together with others."""
        self._shown, self._cell = shown, cell

    @property
    def place(self) -> int:
        """Which of the papers at hand it is, counted from 0."""
        return int(self.ranking.places[self._at])

    @property
    def fits(self) -> Sequence[Line]:
        """The lines it fits, the one it fits best first."""
        return self._shown.lines(self._cell) if self._shown else self.ranking.lines(self._at)

    @property
    def line(self) -> int:
        """The number of the line it fits best; 0 for the whole, which is the top ten."""
        lines = self.fits
        return lines[0].number if lines else 0

    @property
    def also_lines(self) -> tuple[int, ...]:
        """The other lines it fits."""
        return tuple(sorted([line.number for line in self.fits[1:]]))

    @property
    def parts(self) -> Parts:
        """What its score is made of."""
        return self.ranking.parts(self._at)

    @property
    def lines(self) -> tuple[LineScore, ...]:
        """The lines it fits, the best first, taken apart: what --explain prints."""
        return self.ranking.taken_apart(self._at)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is there, best first; never empty."""
        told = self._shown.told(self._cell) if self._shown else self.ranking.told(self._at)
        return self.ranking.reasons(self._at, told)

    def __repr__(self) -> str:
        return f"Match({self.paper}, line={self.line}, score={self.score}, {self.reasons})"


def distinct(rankings: Sequence[Ranking]) -> int:
    """How many papers are in one ranking at least; of the same engine, all of them."""
    if len(rankings) == 1:
        return len(rankings[0])
    places = [found.places for found in rankings]
    return len(np.unique(np.concatenate(places))) if places else 0


def explain(matches: Iterable[Match]) -> None:
    """Find out together why all of these are there: the same as one by one, and quicker."""
    together: dict[Answered, list[Match]] = {}
    for match in matches:
        together.setdefault(match.ranking.answered, []).append(match)
    for answered, some in together.items():
        some.sort(key=_row_of)
        rows = np.array([match.ranking.row for match in some], dtype=np.int64)
        first = np.searchsorted(rows, np.arange(len(answered.asked) + 1))
        places = np.array([match.place for match in some], dtype=np.int32)
        shown = Shown(answered, first, places)
        for cell, match in enumerate(some):
            match.is_shown(shown, cell)


def _row_of(match: Match) -> int:
    return match.ranking.row


@dataclass(eq=False, slots=True)
class Answered:
    """Profiles that were answered together, each in a row; `liked` is what was learned."""

    engine: Engine
    desk: Desk
    asked: Sequence[Understood]
    liked: Sequence[Learned | None]
    answer: Answer


class Shown:
    """Papers shown to some profiles that were answered together, all of them explained.

    `places` are those of all profiles, one behind the other; profile n has the cells from
    first[n] to first[n + 1]. Who asks why one paper is there will ask it of the others: lines
    that readers share are looked up once, and paper by paper.
    """

    def __init__(
        self, answered: Answered, first: npt.NDArray[np.int64], places: npt.NDArray[np.int32]
    ) -> None:
        self._answered = answered
        self._first = first
        self._places = places

    def lines(self, cell: int) -> list[Line]:
        """The lines that a cell's paper fits, the best first."""
        begins, lines, _ = self._told
        return lines[begins[cell] : begins[cell + 1]]

    def told(self, cell: int) -> list[tuple[Reason, ...]]:
        """What each of these lines says of it."""
        begins, _, told = self._told
        return told[begins[cell] : begins[cell + 1]]

    @cached_property
    def _told(self) -> tuple[list[int], list[Line], list[tuple[Reason, ...]]]:
        """Where the lines of each cell begin, the lines, and what every line says."""
        teller, places = self._answered.engine.teller, self._places
        begins, lines = self._answered.desk.fitting(self._first, places)
        pairs = [
            pair
            for asked in self._answered.asked
            for pair in zip(asked.programs, asked.query.lines, strict=True)
        ]
        numbers = np.array(
            [teller.number(program, line) for program, line in pairs], dtype=np.int64
        )
        sizes = np.array([len(asked.programs) for asked in self._answered.asked])
        first = np.repeat(np.cumsum(sizes) - sizes, np.diff(begins[self._first]))
        pair_of = first + lines
        place_of = np.repeat(places, np.diff(begins))
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
        fitting = [pairs[pair][1] for pair in pair_of.tolist()]
        return begins.tolist(), fitting, [told[n] for n in back.tolist()]


class Ranking(Sequence[Match]):
    """One profile's matches, best first."""

    def __init__(self, answered: Answered, row: int, shown: Shown | None = None) -> None:
        self.answered = answered
        self.row = row
        self.shown = shown
        # A view: the rankings of a whole block are held together.
        a, b = answered.answer.first[row : row + 2].tolist()
        self._first = a
        self.places, self.points = answered.answer.places[a:b], answered.answer.points[a:b]

    @property
    def papers(self) -> int:
        """How many papers were at hand."""
        return self.answered.engine.size

    @property
    def query(self) -> Query:
        """The profile's keywords as they were read, each line once."""
        return self.answered.asked[self.row].query

    def only(self, kept: npt.NDArray[np.bool_], lowest: float = 0.0) -> Ranking:
        """The matches among some papers, with that score at least; `kept` says it by place."""
        there = kept[self.places]
        if lowest > 0:
            there &= self.points / POINT >= lowest
        part = copy(self)
        part.places, part.points = self.places[there], self.points[there]
        part.shown = None
        return part

    def among(self, places: Collection[int]) -> list[Match]:
        """The matches that are one of a few papers, the best first."""
        at = np.flatnonzero(np.isin(self.places, list(places)))
        return [self[one] for one in at.tolist()]

    def __len__(self) -> int:
        return len(self.places)

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
        # Most who ask take a few: what nobody comes to is not made.
        for start in range(0, len(self), _STRETCH):
            yield from self._matches(range(start, min(start + _STRETCH, len(self))))

    def _matches(self, wanted: range) -> Iterator[Match]:
        """The matches at some places of the order."""
        if not wanted:
            return
        papers, shown, first = self.answered.engine.papers, self.shown, self._first
        part = slice(wanted.start, wanted.stop if wanted.stop >= 0 else None, wanted.step)
        found = zip(wanted, self.places[part].tolist(), self.points[part].tolist(), strict=True)
        for at, place, points in found:
            match = Match(self, at, papers[place].number, points)
            if shown is not None:
                match.is_shown(shown, first + at)
            yield match

    @cached_property
    def _points_of(self) -> list[PointsOf]:
        return self.answered.desk.points_of(self.row)

    @cached_property
    def _numbers(self) -> list[int]:
        """What the teller knows each line by."""
        asked = self.answered.asked[self.row]
        pairs = zip(asked.programs, asked.query.lines, strict=True)
        return [self.answered.engine.teller.number(program, line) for program, line in pairs]

    def _fits(self, at: int) -> list[tuple[int, int]]:
        """The lines that a paper fits, from 0, behind their points below 0: the best first."""
        column = self.answered.engine.best.columns[self.places[at]]
        found = [(-each, n) for n, of in enumerate(self._points_of) if (each := of(column))]
        if len(found) > 1:
            found.sort()
        return found

    def lines(self, at: int) -> list[Line]:
        """The lines that a paper fits, the one it fits best first."""
        lines = self.query.lines
        return [lines[n] for _, n in self._fits(at)]

    def told(self, at: int) -> list[tuple[Reason, ...]]:
        """What each line says that a paper fits, the best first."""
        place, lines, numbers = int(self.places[at]), self.query.lines, self._numbers
        tell = self.answered.engine.teller.told
        return [tell(numbers[n], lines[n], place) for _, n in self._fits(at)]

    def reasons(self, at: int, told: Sequence[tuple[Reason, ...]]) -> tuple[Reason, ...]:
        """Why a paper is there, out of what each line says of it that it fits."""
        found: tuple[Reason, ...]
        if len(told) == 1 and len(told[0]) == 1:
            found = told[0]
        elif told:
            # Only what is not there may have brought it in (a OR -b): the line is the reason.
            found = together(told) or (Reason(ReasonKind.TERM, self.lines(at)[0].text, "line"),)
        else:
            return (
                trend_reason(
                    self.answered.engine.papers[self.places[at]], self.answered.engine.now
                ),
            )
        liked = self.answered.liked[self.row]
        if liked is None or self._learned[self.places[at]] <= 0:
            return found
        like = liked.like(self.answered.engine.index.tfidf.of(int(self.places[at])))
        return (*found, learned_reason(like)) if like else found

    def taken_apart(self, at: int) -> tuple[LineScore, ...]:
        """The lines that a paper fits, with their terms."""
        index, reading = (
            self.answered.engine.index,
            self.answered.engine.index.reading(int(self.places[at])),
        )
        told = []
        for points, number in self._fits(at):
            line = self.query.lines[number]
            terms = []
            for term, coefficient in coefficients(line.tree):
                if amount := strength(term, reading):
                    having = index.rows([atom(term)]).nnz
                    rare = int(self.answered.engine.rarity[having])
                    share = coefficient / COEFFICIENT_UNIT
                    terms.append(TermScore(term.text, share, rare / POINT, amount / STRENGTH_UNIT))
            told.append(LineScore(line.number, line.text, -points / POINT, tuple(terms)))
        return tuple(told)

    def parts(self, at: int) -> Parts:
        """What the points of a paper are made of."""
        place, points = int(self.places[at]), int(self.points[at])
        trend, fresh = (
            self.answered.engine.trend_points[place],
            self.answered.engine.fresh_points[place],
        )
        learned = int(self._learned[place])
        relevance = points - trend - fresh - learned
        return Parts(relevance / POINT, trend / POINT, fresh / POINT, learned / POINT)

    @cached_property
    def _learned(self) -> npt.NDArray[np.int64]:
        return self.answered.desk.learned(self.row)
