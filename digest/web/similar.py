"""Papers like a paper: those that share the words of its title that few others have."""

from __future__ import annotations

import math
from collections import defaultdict
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from digest.store.catalogue import title_words
from subscribers.lexemes import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.app import App
    from digest.papers import Paper

MOST: Final = 5
_WORDS: Final = 8
_HAVING: Final = 250
"""Papers looked up for a word, the newest; of a common word they tell how common it is."""
_READ: Final = 10
_SHARED: Final = 0.2
"""How much of the paper's own weight another has to share; less is a coincidence."""


def similar(app: App, paper: Paper) -> list[Paper]:
    """The papers most like this one, most like it first; none where nothing is."""
    words = sorted(title_words(paper) - STOP_WORDS, key=lambda word: (-len(word), word))[:_WORDS]
    having = app.store.archive.having(words, most=_HAVING)
    weights = rarities(having)
    scores: defaultdict[int, float] = defaultdict(float)
    for word, numbers in having.items():
        for number in numbers:
            scores[number] += weights[word]
    scores.pop(paper.number, None)
    best = [number for number, _ in nlargest(_READ, scores.items(), key=itemgetter(1, 0))]
    papers = app.store.briefs.by_numbers(best)
    enough = _SHARED * sum(weights.values())

    def shared(other: Paper) -> float:
        """Its score, with what stands in its title counted twice."""
        own = title_words(other)
        return scores[other.number] + sum(weight for word, weight in weights.items() if word in own)

    likely = (papers[number] for number in best if number in papers and scores[number] >= enough)
    return list(islice(sorted(likely, key=lambda other: (-shared(other), -other.number)), MOST))


def rarities(having: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """How much each word tells: ln(papers / papers that have it), both estimated.

    Numbers are given in order, so the greatest says how many papers there are, and where a word
    is too common to be looked up in all of them, the smallest says how far it was.
    """
    total = max((max(numbers, default=0) for numbers in having.values()), default=0)
    weights = {}
    for word, numbers in having.items():
        looked_at = total - min(numbers) + 1 if len(numbers) >= _HAVING else total
        weights[word] = math.log(max(looked_at / len(numbers), 1.0)) if numbers else 0.0
    return weights
