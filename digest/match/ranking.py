"""Rankings: what a profile matches, in order; each match finds out why when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from digest.match.reasons import Reason, ReasonKind, together, trend_reason
from digest.match.score import POINT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from digest.match.desk import Desk
    from digest.match.engine import Engine
    from digest.match.stored import Understood
    from subscribers.tree import Line


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
        asked: Understood,
        places: list[int],
        points: list[int],
    ) -> None:
        self.engine = engine
        self._desk = desk
        self._asked = asked
        self._places = places
        self._points = points

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
        return together(told) or (Reason(ReasonKind.TERM, lines[0].text, "line"),)
