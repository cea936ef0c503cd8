"""Learning from what a reader saved: a few weighted words that reorder what keywords found.

Rocchio's method: the middle of the saved papers less the middle of all, and less half the
middle of those that were waved away; of it the 64 words that change an order most. Measured
against a linear support vector machine in bench/quality.py: as good, and nothing to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from digest.match.learned import Learned, Weight
from digest.match.scan import Scan
from digest.match.tfidf import TfIdf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy.typing as npt

    from digest.papers import Paper

LEAST_SAVED: Final = 5
"""Fewer saved papers say too little."""
MOST_WORDS: Final = 64
_WAVED: Final = 0.5
_FEWEST_PAPERS: Final = 2
_UNIT: Final = 1000


class Lessons:
    """Papers to learn from: those at hand, and `older` ones that readers judged.

    What a word is worth depends on the papers at hand alone, so that what is learned of a reader
    is the same whatever others saved. `tfidf` is that of the papers at hand, where it was made.
    """

    def __init__(
        self, papers: Sequence[Paper], older: Iterable[Paper] = (), tfidf: TfIdf | None = None
    ) -> None:
        others = list(older)
        self._place = {paper.number: place for place, paper in enumerate([*papers, *others])}
        self._tfidf = tfidf or TfIdf(_scan(papers))
        rows = self._tfidf.rows
        self._rows = sparse.vstack([rows, self._tfidf.also(_scan(others))], format="csr")
        self._middle = np.asarray(rows.mean(axis=0)).ravel()
        squares = np.asarray(rows.multiply(rows).mean(axis=0)).ravel()
        # What a word in one paper or in most papers would teach is chance, or nothing.
        self._spread = np.sqrt(np.maximum(squares - self._middle**2, 0))
        self._spread[self._tfidf.having < _FEWEST_PAPERS] = 0
        self._spread[2 * self._tfidf.having > max(len(papers), 1)] = 0
        self._words = list(self._tfidf.words)

    def learn(self, saved: Collection[int], waved: Collection[int] = ()) -> Learned | None:
        """What a reader likes, from the numbers of papers; None while too few were saved."""
        liked = [self._place[number] for number in saved if number in self._place]
        if len(liked) < LEAST_SAVED:
            return None
        weights = self._mean(liked) - self._middle
        disliked = [self._place[number] for number in waved if number in self._place]
        if disliked:
            weights -= _WAVED * (self._mean(disliked) - self._middle)
        worth = np.abs(weights) * self._spread
        # In order of worth, and of the words among equals: the same every time.
        order = sorted(np.flatnonzero(worth), key=lambda n: (-worth[n], self._words[n]))
        kept = order[:MOST_WORDS]
        length = float(np.linalg.norm(weights[kept])) or 1.0
        there = self._rows[liked][:, kept].toarray() > 0
        found = []
        for place, n in enumerate(kept):
            thousandths = round(_UNIT * float(weights[n]) / length)
            if thousandths:
                bits = sum(1 << row for row in np.flatnonzero(there[:, place]).tolist())
                found.append(Weight(self._words[n], thousandths, bits))
        return Learned(tuple(found), len(liked))

    def _mean(self, places: Sequence[int]) -> npt.NDArray[np.float64]:
        return np.asarray(self._rows[list(places)].mean(axis=0)).ravel()


def _scan(papers: Iterable[Paper]) -> Scan:
    return Scan([text for one in papers for text in (one.title, one.abstract or one.summary)])
