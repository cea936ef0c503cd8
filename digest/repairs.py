"""Other ways to write a line of keywords: for one that brings nothing, and for one that brings all.

Nothing here counts papers: what is proposed is for `digest.volume` to ask.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final

from subscribers.finding import categories
from subscribers.names import name_parts
from subscribers.query import write
from subscribers.tree import And, Field, Form, Not, Or, Term, leaves, wanted
from subscribers.words import fold, is_acronym, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.match.index import Index
    from digest.papers import Paper
    from subscribers.tree import Line, Node

_SHORTEST: Final = 4
"""Letters a word needs before another is taken for what was meant."""
_LONG: Final = 7
"""Letters from which two slips in one word are thought possible."""
_LONGEST: Final = 32
"""Letters from which a word is not one that somebody mistyped."""
_SLIPS: Final = 2
_MOST: Final = 3
_MOST_COMPARED: Final = 400
_MOST_MENDED: Final = 8
"""Terms of a line that are mended; nobody mistypes more."""
_MOST_ASKED: Final = 24
"""Terms of a line that are looked at for slips."""


class Vocabulary:
    """What papers are written in: their words, and the names in their other fields."""

    def __init__(self, papers: Sequence[Paper], index: Index) -> None:
        self._papers = papers
        self._index = index

    @property
    def words(self) -> Mapping[str, int]:
        """Every folded word, and how often it stands there."""
        return self._index.vocabulary

    def spelled(self, word: str) -> str:
        """A folded word as papers mostly write it, in lower case where its case says nothing."""
        written = self._index.spelled(word)
        return written if is_acronym(written) else written.lower()

    @cached_property
    def authors(self) -> Mapping[str, int]:
        """The parts of authors' names."""
        return Counter({part: names.total() for part, names in self._named.items()})

    def author(self, part: str) -> str:
        """Whose name has that part, as it is written; of several, who has most papers here."""
        names = self._named[part]
        return max(names, key=lambda name: (names[name], name))

    @cached_property
    def _named(self) -> dict[str, Counter[str]]:
        """For each part of a name, the authors who have it and how many papers they have."""
        papers = Counter(author.name for paper in self._papers for author in paper.authors)
        found: dict[str, Counter[str]] = {}
        for name, count in papers.items():
            for part in name_parts(name):
                found.setdefault(part, Counter())[name] = count
        return found

    @cached_property
    def _by_letter(self) -> dict[str, list[str]]:
        """The words by their first letter, the commonest first."""
        found: dict[str, list[str]] = {}
        for word in sorted(self.words, key=lambda one: (-self.words[one], one)):
            if _SHORTEST <= len(word) <= _LONGEST:
                found.setdefault(word[0], []).append(word)
        return found

    def like(self, word: str, known: Mapping[str, int] | None = None) -> list[str]:
        """The known words one slip away, the commonest first; else, of a long word, two slips.

        Two slips are looked for among the commonest words that could be meant: however alike
        the words of some papers are, an answer waits for a few hundred comparisons at most.
        """
        counts = self.words if known is None else known
        if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha():
            return []
        near = sorted(
            {one for one in _one_slip(word) if one in counts and len(one) >= _SHORTEST - 1}
            - {word},
            key=lambda one: (-counts[one], one),
        )
        if near or len(word) < _LONG or known is not None:
            return near[:_MOST]
        letters, size = set(word), len(word)
        could_be = (
            one
            for one in self._by_letter.get(word[0], ())
            if abs(len(one) - size) <= _SLIPS
            and len(letters.symmetric_difference(one)) <= 2 * _SLIPS
        )
        compared = islice(could_be, _MOST_COMPARED)
        return list(islice((one for one in compared if slips(word, one) <= _SLIPS), _MOST))

    @cached_property
    def categories(self) -> list[str]:
        """Every category, as its source writes it."""
        return sorted({name for paper in self._papers for name in categories(paper)})

    @cached_property
    def sources(self) -> list[str]:
        """Every source, by its short name."""
        return sorted({each.source for paper in self._papers for each in paper.listings})

    @cached_property
    def organizations(self) -> Mapping[str, int]:
        """The words of organizations."""
        return Counter(token.word for paper in self._papers for token in fold(paper.organization))


def nearer(line: Line, vocabulary: Vocabulary) -> tuple[list[str], list[str]]:
    """What a line that brings nothing may have meant: slips mended, and the line less one part."""
    alike: dict[Term, list[Term]] = {}
    for leaf in islice(wanted(line.tree), _MOST_ASKED):
        if len(alike) == _MOST_MENDED:
            break
        if isinstance(leaf, Term) and (others := list(_alike(leaf, vocabulary))):
            alike[leaf] = others
    mended = line.tree
    for leaf, others in alike.items():
        mended = _with(mended, leaf, others[0])
    slips = [mended] if len(alike) > 1 else []
    slips += [_with(line.tree, leaf, other) for leaf, others in alike.items() for other in others]
    shorter = []
    if isinstance(line.tree, And):
        asked = [part for part in line.tree.parts if not _is_small(part) and part not in slips]
        shorter = [_less(line.tree, part) for part in asked if len(asked) > 1]
    return _written(slips), _written(shorter)


def _written(nodes: Sequence[Node]) -> list[str]:
    return list(dict.fromkeys(map(write, nodes)))


def _is_small(part: Node) -> bool:
    """Whether nothing is asked for by it: an exclusion, or a word like `of`."""
    return isinstance(part, Not) or (isinstance(part, Term) and part.optional)


def _less(tree: And, part: Node) -> Node:
    """The conjunction without one part, and without small words that are left beside nothing."""
    kept = [each for each in tree.parts if each is not part]
    asked = [n for n, each in enumerate(kept) if not _is_small(each)]
    kept = [
        each
        for n, each in enumerate(kept)
        if isinstance(each, Not) or (asked and asked[0] <= n <= asked[-1])
    ]
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def narrower(line: Line) -> list[str]:
    """Tighter ways to write a line: side by side, in the title only."""
    found: list[Node] = []
    terms = [leaf for leaf in leaves(line.tree) if isinstance(leaf, Term)]
    if isinstance(line.tree, And) and len(terms) == len(line.tree.parts):
        run = [term for term in terms if term.field is Field.ANY and " " not in term.text]
        if len(run) == len(terms):
            phrase = " ".join(term.text for term in run)
            patterns = tuple(pattern for term in run for pattern in term.patterns)
            found.append(Term(phrase, Field.ANY, patterns))
            found.append(Term(phrase, Field.TITLE, patterns))
    if not found:
        found.append(_titled(line.tree))
    return _written([node for node in found if node != line.tree])


def _titled(node: Node) -> Node:
    """The same, with what is asked of the text asked of the title."""
    match node:
        case Term(field=Field.ANY):
            return replace(node, field=Field.TITLE, optional=False)
        case And(parts):
            kept = (each for each in parts if not (isinstance(each, Term) and each.optional))
            return And(tuple(map(_titled, kept)))
        case Or(parts):
            return Or(tuple(map(_titled, parts)))
        case _:
            return node


def _with(node: Node, old: Node, new: Node) -> Node:
    """The tree with one leaf for another."""
    match node:
        case And(parts):
            return And(tuple(_with(part, old, new) for part in parts))
        case Or(parts):
            return Or(tuple(_with(part, old, new) for part in parts))
        case _:
            return new if node == old else node


def _alike(term: Term, vocabulary: Vocabulary) -> Iterator[Term]:
    """Terms that may have been meant by this one."""
    match term.field:
        case Field.AUTHOR:
            yield from _renamed(term, name_parts(term.text), vocabulary.authors, vocabulary)
        case Field.ORG:
            parts = tuple(token.word for token in fold(term.text))
            yield from _renamed(term, parts, vocabulary.organizations, vocabulary)
        case Field.CATEGORY | Field.SOURCE:
            known = vocabulary.categories if term.field is Field.CATEGORY else vocabulary.sources
            folded = {plain(one).casefold(): one for one in known}
            asked = plain(term.text).casefold()
            for one in get_close_matches(asked, folded, _MOST, 0.5):
                yield replace(term, text=folded[one])
        case Field.ID:
            return
        case _:
            yield from _respelled(term, vocabulary)


def _renamed(
    term: Term, parts: tuple[str, ...], known: Mapping[str, int], vocabulary: Vocabulary
) -> Iterator[Term]:
    """The term with one part of a name for another that is known."""
    for at, part in enumerate(parts):
        for other in vocabulary.like(part, known) if part not in known else ():
            if term.field is Field.AUTHOR:
                yield replace(term, text=vocabulary.author(other))
            else:
                yield replace(term, text=" ".join([*parts[:at], other, *parts[at + 1 :]]))


def _respelled(term: Term, vocabulary: Vocabulary) -> Iterator[Term]:
    """The term with one word for another, and one in capitals as a word like any other."""
    tokens = fold(term.text)
    if len(tokens) != len(term.patterns):
        return
    if any(pattern.form is Form.WRITTEN for pattern in term.patterns):
        lower = tuple(
            pattern._replace(form=Form.FOLDED, value=token.word)
            if pattern.form is Form.WRITTEN
            else pattern
            for pattern, token in zip(term.patterns, tokens, strict=True)
        )
        yield replace(term, text=term.text.lower(), patterns=lower)
    for at, (pattern, token) in enumerate(zip(term.patterns, tokens, strict=True)):
        if pattern.form is Form.PREFIX or token.word in vocabulary.words:
            continue
        for other in vocabulary.like(token.word):
            spelled = vocabulary.spelled(other)
            text = term.text[: token.start] + spelled + term.text[token.end :]
            changed = list(term.patterns)
            changed[at] = pattern._replace(form=Form.FOLDED, value=other)
            yield replace(term, text=text, patterns=tuple(changed))


def _one_slip(word: str) -> Iterator[str]:
    """Every word that is one letter more, less, other, or two neighbours swapped away."""
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        for letter in ascii_lowercase:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def slips(one: str, other: str) -> int:
    """How many letters more, less, other or swapped with their neighbour part two words.

    Where these are more than two, some number above two.
    """
    many = _SLIPS + 1
    before: list[int] = []
    row = [min(m, many) for m in range(len(other) + 1)]
    for n, letter in enumerate(one, start=1):
        older, before, row = before, row, [many] * (len(other) + 1)
        row[0] = min(n, many)
        # Further from the diagonal there are more than two letters more or less.
        for m in range(max(1, n - _SLIPS), min(len(other), n + _SLIPS) + 1):
            facing = other[m - 1]
            row[m] = min(row[m - 1] + 1, before[m] + 1, before[m - 1] + (letter != facing))
            if n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == facing:
                row[m] = min(row[m], older[m - 2] + 1)
        if min(row) >= many:
            return many
    return row[-1]
