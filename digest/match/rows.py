"""Sparse rows: what the engine's parts hand each other, and the two sums they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from digest.match.score import MOST_POINTS, SUM_UNIT

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of cells: row n has the columns indices[first[n] : first[n + 1]], and their points."""

    first: Ints
    indices: npt.NDArray[np.int32]
    points: npt.NDArray[np.int32]


def points_of(sums: Ints) -> npt.NDArray[np.int32]:
    """The same as score.line_points, for many."""
    return np.clip(np.rint(sums / SUM_UNIT), 1, MOST_POINTS).astype(np.int32)


def ranges(starts: Ints, counts: Ints) -> Ints:
    """starts[0], starts[0]+1, ... for counts[0] numbers, then the same for the next."""
    ends = np.cumsum(counts)
    return np.repeat(starts - ends + counts, counts) + np.arange(int(ends[-1]) if len(ends) else 0)
