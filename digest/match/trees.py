"""Lines that are more than one term: answered many at once, shape by shape.

All trees of one shape (`a b -c`, say) are evaluated together, each operator once, on rows of
bits, one bit a paper. Then what holds is scored, cell by cell.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from digest.match.rows import Rows, points_of, ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from scipy import sparse

    from digest.match.audience import Programs

    Ints = npt.NDArray[np.int64]
    Columns = npt.NDArray[np.int32]
    Bits = npt.NDArray[np.uint64]

_WORD: Final = 64
_CELLS: Final = 1 << 22
"""Trees times papers that are unpacked at once."""


class Trees:
    """The trees of some programs, ready to be evaluated against the papers of an index."""

    def __init__(
        self, programs: Programs, strengths: sparse.csr_array, rarities: Ints, columns: Columns
    ) -> None:
        self._shapes = programs.shapes
        self._shape = np.array(programs.shape, dtype=np.int64)
        self._first = np.array([*programs.first_leaf, len(programs.leaf_atoms)], dtype=np.int64)
        self._atoms = np.array(programs.leaf_atoms, dtype=np.int64)
        self._counts = np.array(programs.leaf_counts, dtype=np.int64)
        self._strengths = strengths
        self._rarities = rarities
        # A bit for each column, papers only: there are columns without one.
        real = np.zeros(-(-strengths.shape[1] // _WORD) * _WORD, dtype=bool)
        real[columns] = True
        self._every: Bits = np.packbits(real, bitorder="little").view(np.uint64)

    def rows(self, asked: Ints) -> tuple[Ints, Rows]:
        """The asked trees in an order of their own, and the papers and points of each."""
        asked = asked[np.argsort(self._shape[asked], kind="stable")]
        if not len(asked):
            nothing = np.zeros(0, dtype=np.int32)
            return asked, Rows(np.zeros(1, dtype=np.int64), nothing, nothing)
        starts = self._first[asked]
        leaves = self._first[asked + 1] - starts
        used, local = np.unique(self._atoms[ranges(starts, leaves)], return_inverse=True)
        strength, bits = self._dense(used)
        begins = np.cumsum(leaves) - leaves
        flat = strength.ravel()
        having, columns, points = [], [], []
        for start, end in self._slices(asked):
            width = int(leaves[start])
            each = begins[start:end, np.newaxis] + np.arange(width)
            atoms = local[each]
            each_having, column = self._cells(self._shape[asked[start]], atoms, bits)
            counts = self._counts[starts[start:end, np.newaxis] + np.arange(width)]
            factor = counts * self._rarities[used[atoms]]
            sums = np.zeros(len(column), dtype=np.int64)
            for leaf in np.flatnonzero(counts.any(axis=0)):
                cell = np.repeat(atoms[:, leaf] * strength.shape[1], each_having) + column
                sums += np.repeat(factor[:, leaf], each_having) * flat[cell]
            having.append(each_having)
            columns.append(column.astype(np.int32))
            points.append(points_of(sums))
        first = np.concatenate([[0], np.cumsum(np.concatenate(having))])
        return asked, Rows(first, np.concatenate(columns), np.concatenate(points))

    def _slices(self, asked: Ints) -> Iterator[tuple[int, int]]:
        """Stretches of one shape, and no longer than can be unpacked at once."""
        shapes = self._shape[asked]
        most = max(1, _CELLS // (len(self._every) * _WORD))
        cuts = [*np.flatnonzero(np.diff(shapes, prepend=-1)).tolist(), len(asked)]
        for start, end in pairwise(cuts):
            for first in range(start, end, most):
                yield first, min(first + most, end)

    def _cells(self, shape: int, atoms: Ints, bits: Bits) -> tuple[Ints, Ints]:
        """Of which papers some trees of a shape are so: how many of each tree, then columns."""
        there = self._evaluate(self._shapes[shape], atoms, bits)
        there = np.ascontiguousarray(np.broadcast_to(there, (len(atoms), len(self._every))))
        unpacked = np.unpackbits(there.view(np.uint8), axis=1, bitorder="little")
        having = np.bitwise_count(there).sum(axis=1, dtype=np.int64)
        row = np.repeat(np.arange(len(atoms)) * unpacked.shape[1], having)
        return having, np.flatnonzero(unpacked.view(bool)) - row

    def _dense(self, used: Ints) -> tuple[npt.NDArray[np.uint8], Bits]:
        """Of each used atom a row of strengths, and a row of bits that say where it stands."""
        starts = self._strengths.indptr[used].astype(np.int64)
        counts = self._strengths.indptr[used + 1] - starts
        cells = ranges(starts, counts)
        row = np.repeat(np.arange(len(used)), counts)
        column = self._strengths.indices[cells]
        there = np.zeros((len(used), len(self._every) * _WORD), dtype=np.uint8)
        there[row, column] = 1
        bits = np.packbits(there, axis=1, bitorder="little").view(np.uint64)
        there[row, column] = self._strengths.data[cells]
        return there, bits

    def _evaluate(self, shape: object, atoms: Ints, bits: Bits) -> Bits:
        """Of each tree of a shape, the papers of which it is so."""
        if isinstance(shape, int):
            return bits[atoms[:, shape]]
        if not isinstance(shape, list):
            raise TypeError(shape)
        sign, *parts = shape
        if sign == "!":
            return self._every & ~self._evaluate(parts[0], atoms, bits)
        # A conjunction of nothing but optional words asks for nothing.
        held = self._evaluate(parts[0], atoms, bits) if parts else self._every
        for part in parts[1:]:
            if sign == "&":
                held &= self._evaluate(part, atoms, bits)
            else:
                held |= self._evaluate(part, atoms, bits)
        return held
