"""The best of each row: which papers a profile is shown, in order, out of a block of totals.

A bound comes first. The papers are kept in an order in which halving a row again and again, the
larger of each two, leaves the best of each small group of papers alike in trend and freshness;
the twentieth best group bounds the twentieth best paper from below, so that only a few cells
of a row have to be looked at and sorted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Totals = npt.NDArray[np.uint16] | npt.NDArray[np.int32]

_GROUPS: Final = 80
"""The fewest groups: fewer bound worse, more cost more."""
_TOTAL_BITS: Final = 31


class Best:
    """Papers in columns: what each adds to a score, and the order among equals.

    `width` columns hold the papers and some that stay empty; `column_of` a place, and back.
    """

    def __init__(self, extra: Sequence[int], rank: Sequence[int]) -> None:
        size = len(extra)
        self._halvings = 0
        while size >> (self._halvings + 1) >= _GROUPS:
            self._halvings += 1
        members = 1 << self._halvings
        self._groups = -(-size // members)
        self.width = self._groups * members
        by_extra = np.argsort(np.array(extra, dtype=np.int64), kind="stable")
        group, member = np.divmod(np.arange(size), members)
        self.column_of = np.zeros(size, dtype=np.int32)
        self.column_of[by_extra] = member * self._groups + group
        self.columns: list[int] = self.column_of.tolist()
        self._place_of = np.zeros(self.width, dtype=np.int32)
        self._place_of[self.column_of] = np.arange(size)
        self.extra = np.zeros(self.width, dtype=np.int32)
        self.extra[self.column_of] = extra
        self._rank = np.full(self.width, size, dtype=np.int64)
        self._rank[self.column_of] = rank
        self._column_of_rank = np.argsort(self._rank, kind="stable").astype(np.int32)
        self._low_bits = size.bit_length()
        ordered = np.array(extra, dtype=np.int32)[by_extra]
        self._least = ordered[np.arange(self._groups) * members]
        self._most = ordered[np.minimum(np.arange(1, self._groups + 1) * members, size) - 1]

    def of(
        self, totals: Totals, top: int
    ) -> tuple[Ints, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Per row how many papers, then all their places and scores; 0 is no match."""
        cell = np.flatnonzero(self._candidates(totals, top))
        row = cell // self.width
        column = cell - row * self.width
        scores = totals.ravel()[cell].astype(np.int64) + self.extra[column]
        # Row, then score downwards, then rank, in one integer; a tile has few enough cells.
        packed = (row << (_TOTAL_BITS + self._low_bits)) | (
            ((1 << _TOTAL_BITS) - 1 - scores) << self._low_bits
        )
        packed |= self._rank[column]
        packed.sort()
        row = packed >> (_TOTAL_BITS + self._low_bits)
        counts = np.bincount(row, minlength=len(totals))
        nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        packed = packed[nth < top]
        column = self._column_of_rank[packed & ((1 << self._low_bits) - 1)]
        scores = (1 << _TOTAL_BITS) - 1 - ((packed >> self._low_bits) & ((1 << _TOTAL_BITS) - 1))
        return np.minimum(counts, top), self._place_of[column], scores.astype(np.int32)

    def trending(
        self, totals: Totals, top: int
    ) -> tuple[Ints, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The same in order of rank alone."""
        columns = self._column_of_rank
        held = totals[:, columns]
        there = held > 0
        if top < self.width:
            there &= np.cumsum(there, axis=1, dtype=np.int32) <= top
        row, rank = np.divmod(np.flatnonzero(there), self.width)
        column = columns[rank]
        scores = held[row, rank].astype(np.int32) + self.extra[column]
        return np.bincount(row, minlength=len(totals)), self._place_of[column], scores

    def _candidates(self, totals: Totals, top: int) -> npt.NDArray[np.bool_]:
        """All cells that may be among the best of their row, and no cell without a match."""
        if top >= self._groups:
            return totals > 0
        best = totals
        for _ in range(self._halvings):
            half = best.shape[1] // 2
            best = np.maximum(best[:, :half], best[:, half:])
        there = best > 0
        bounds = (best.astype(np.int32) + self._least) * there
        bound = np.partition(bounds, self._groups - top, axis=1)[:, self._groups - top]
        limits = np.maximum(bound[:, np.newaxis] - self._most, 1).astype(totals.dtype)
        shape = (len(totals), -1, self._groups)
        above: npt.NDArray[np.bool_] = totals.reshape(shape) >= limits[:, np.newaxis, :]
        return above.reshape(totals.shape)
