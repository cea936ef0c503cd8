"""TF-IDF: how much each word says of each paper, for what is learned from saved papers.

    x(paper, word) = (1 + ln times) x (1 + ln((1 + N) / (1 + n))), rows of length 1

where a word of the title counts twice and n of the N papers have it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from subscribers.lexemes import STOP_WORDS

if TYPE_CHECKING:
    from digest.match.scan import Scan

_SHORTEST: Final = 2


class TfIdf:
    """Papers x words, of a scan that holds a title and an abstract for each paper in turn.

    `words` has the column of each word, `having` how many papers have it.
    """

    def __init__(self, scan: Scan) -> None:
        self.words: dict[str, int] = {}
        for word, _ in scan.names:
            if len(word) >= _SHORTEST and not word.isdigit() and word not in STOP_WORDS:
                self.words.setdefault(word, len(self.words))
        times = self._times(scan)
        self.having = np.bincount(times.indices, minlength=len(self.words))
        self._rare = 1 + np.log((1 + times.shape[0]) / (1 + self.having))
        self.rows = self._weighed(times)

    def also(self, scan: Scan) -> sparse.csr_array:
        """The same of other papers, by the words of these and as rare as they are here."""
        return self._weighed(self._times(scan))

    def _times(self, scan: Scan) -> sparse.csr_array:
        """How often each word stands in each paper."""
        papers = int(scan.text_of[-1] + 1) // 2 if len(scan.text_of) else 0
        columns = [self.words.get(word, -1) for word, _ in scan.names]
        column = np.array(columns, dtype=np.int64)[scan.stream]
        kept = column >= 0
        text = scan.text_of[kept].astype(np.int64)
        return sparse.coo_array(
            (np.where(text % 2, 1.0, 2.0), (text // 2, column[kept])),
            shape=(papers, len(self.words)),
        ).tocsr()

    def _weighed(self, times: sparse.csr_array) -> sparse.csr_array:
        times.data = (1 + np.log(times.data)) * self._rare[times.indices]
        lengths = np.sqrt(times.multiply(times).sum(axis=1))
        lengths[lengths == 0] = 1
        times.data /= np.repeat(lengths, np.diff(times.indptr))
        return times

    def whole(self) -> sparse.csr_array:
        """Words x papers, in ten-thousandths: sums of whole numbers come out the same."""
        turned = self.rows.T.tocsr()
        turned.data = np.rint(turned.data * 10_000).astype(np.int64)
        return turned

    def of(self, paper: int) -> dict[str, float]:
        """What each word says of one paper."""
        row = self.rows[[paper]]
        return {self._names[n]: x for n, x in zip(row.indices.tolist(), row.data, strict=True)}

    @cached_property
    def _names(self) -> list[str]:
        return list(self.words)
