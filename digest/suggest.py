"""Suggestions: the terms that set some papers apart from all others, each with its volume. Pure.

A term is one to three words side by side. Its worth is the share of the given papers that have
it, times the logarithm of how much more often they have it than the papers of the last days.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.match.stored import store
from digest.volume import Volume, volume
from subscribers.lexemes import STOP_WORDS
from subscribers.profile import Profile
from subscribers.query import write
from subscribers.tree import Term, patterns_of
from subscribers.words import fold, is_acronym

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.papers import Paper
    from digest.volume import Recent
    from subscribers.words import Token

MOST: Final = 12
_LONGEST: Final = 3
_ASKED: Final = 400
"""Terms, those in most of the given papers, that are held against the others."""
_SHORTEST: Final = 3
_SAID_ENOUGH: Final = 2
_NO_MORE: Final = 0.8
"""A shorter term is left out where a longer one has so much of its papers."""
_JOINING: Final = frozenset({"of", "to", "in", "for"})
"""Small words inside a term: chain of thought, text to image."""
_JOINTS: Final = frozenset(" -\u2010\u2011\u2012\u2013")
_OF_ABSTRACTS: Final = """
    ability able abstract accuracy achieve across address aim all allow also although among
    analysis analyze any approach are available based baseline be because been benchmark best
    better between both can capability case challenge challenging code common compare compared
    comprehensive consider consistent consistently contribution could current data dataset
    demonstrate demonstrated design despite develop different directly do due during each
    effective effectively effectiveness efficient eight enable end enhance evaluate evaluation
    even existing experiment experimental explore extensive few field find finding five fewer
    first focus following four framework from fundamental further general generate given good
    great has have help here high higher how however idea identify impact important improve
    improved improvement improving include including increase input insight instead introduce
    investigate issue its key known large larger lead leading leverage leveraging like limited
    limitation low lower main make many may mean method methodology model more most much
    multiple namely need new no novel number observe obtain often one only open order other our
    output outperform over overall paper particular perform performance period popular possible
    potential practical present previous previously prior problem process proposed propose
    provide provided public publicly range rate real recent recently reduce related release
    require research result resulting reveal robust same scale second set seven several should
    show shown significant significantly simple simply since single six small so solution some
    specifically specific standard state still strategy strong study such suggest superior
    support system task technique ten than that their them then there these they this those
    three through thus time together too toward training two type typically under understand
    understanding unlike up us use used user using various very via was way we well were what
    when where whether which while who whose wide widely will within work world would yet yield
    you your
"""
_SAYS_NOTHING: Final = STOP_WORDS | frozenset(_OF_ABSTRACTS.split())


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A term as a line of keywords, how many of the given papers have it, and what it brings."""

    text: str
    papers: int
    brings: Volume


def suggest(given: Sequence[Paper], recent: Recent, *, most: int = MOST) -> tuple[Suggestion, ...]:
    """The terms that set the given papers apart, best first; none where nothing does."""
    having: Counter[tuple[str, ...]] = Counter()
    spelled: dict[tuple[str, ...], Counter[str]] = {}
    for paper in given:
        found = dict(_terms(paper.title)) | dict(_terms(paper.abstract or paper.summary))
        having.update(found.keys())
        for words, written in found.items():
            spelled.setdefault(words, Counter())[_in_lower_case(written)] += 1
    least = 1 if len(given) < _SHORTEST else 2
    asked = [words for words, count in _commonest(having) if count >= least][:_ASKED]
    terms = {words: _term(spelled[words]) for words in asked}
    lines = {words: write(term) for words, term in terms.items()}
    counts = recent.asked([store(Profile(text)) for text in lines.values()]) if lines else []
    elsewhere = dict(zip(lines, (len(each.places) for each in counts), strict=True))
    size = len(recent.papers)

    def worth(words: tuple[str, ...]) -> float:
        share = having[words] / len(given)
        usual = (elsewhere[words] + 1) / (size + 2)
        return share * math.log(share / usual) * (1 + len(words) / 4)

    kept = [words for words in asked if not _is_within(words, asked, having)]
    best = sorted(kept, key=lambda words: (-worth(words), words))
    chosen = _varied([words for words in best if worth(words) > 0])[:most]
    return tuple(
        Suggestion(lines[words], having[words], volume(lines[words], recent)) for words in chosen
    )


def _varied(best: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The terms without those that have a word which others before them said often enough."""
    said: Counter[str] = Counter()
    kept = []
    for words in best:
        if all(said[word] < _SAID_ENOUGH for word in words if word not in _SAYS_NOTHING):
            said.update(words)
            kept.append(words)
    return kept


def _commonest(having: Counter[tuple[str, ...]]) -> list[tuple[tuple[str, ...], int]]:
    """In most papers first; of equals the longer, then in the order of the alphabet."""
    return sorted(having.items(), key=lambda one: (-one[1], -len(one[0]), one[0]))


def _is_within(
    words: tuple[str, ...], asked: Sequence[tuple[str, ...]], having: Counter[tuple[str, ...]]
) -> bool:
    """Whether a longer term says the same of nearly the same papers."""
    size = len(words)
    return any(
        len(longer) > size
        and having[longer] >= _NO_MORE * having[words]
        and any(longer[at : at + size] == words for at in range(len(longer) - size + 1))
        for longer in asked
    )


def _term(spelled: Counter[str]) -> Term:
    """The term as it is mostly written, the shortest of equals."""
    text = min(spelled, key=lambda one: (-spelled[one], len(one), one))
    return Term(text, patterns=patterns_of(text))


def _in_lower_case(written: str) -> str:
    """All but acronyms in lower case."""
    return re.sub(r"[^\W_]+", lambda one: one[0] if is_acronym(one[0]) else one[0].lower(), written)


def _terms(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every stretch of words that may be a term: folded, and as it is written."""
    tokens = fold(text)
    for start in range(len(tokens)):
        for size in range(1, _LONGEST + 1):
            stretch = tokens[start : start + size]
            if len(stretch) < size or not _are_joined(text, stretch[-2:]):
                break
            words = tuple(token.word for token in stretch)
            inner = all(_says_something(word) or word in _JOINING for word in words[1:-1])
            if inner and _says_something(words[0]) and _says_something(words[-1]):
                yield words, text[stretch[0].start : stretch[-1].end]


def _are_joined(text: str, pair: Sequence[Token]) -> bool:
    """Whether nothing but a blank or a hyphen stands between two words."""
    if len(pair) < 2:  # noqa: PLR2004 -- a word by itself
        return True
    one, other = pair
    between = text[one.end : other.start]
    return len(between) <= 1 and set(between) <= _JOINTS


def _says_something(word: str) -> bool:
    """Whether a word can begin or end a term."""
    is_adverb = word.endswith("ly") and len(word) > _SHORTEST + len("ly")
    return (
        len(word) >= _SHORTEST
        and not word.isdecimal()
        and not is_adverb
        and word not in _SAYS_NOTHING
    )
