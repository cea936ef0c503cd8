"""Mutes: words and authors that a reader wants never to see, over all interests.

A mute is read as a line of keywords is, and folded alike; but words that follow each other are
meant as one phrase, so that muting `image generation` leaves `image retrieval` alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from subscribers.finding import Reading, holds
from subscribers.names import is_author
from subscribers.query import check
from subscribers.tree import And, Field, Line, Node, Not, Or, Term, patterns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.papers import Paper


def muted_by(words: Sequence[str], authors: Sequence[str], paper: Paper) -> str:
    """The first mute that the paper falls under, as the reader wrote it, or nothing."""
    for name in authors:
        if any(is_author(name, author) for author in paper.authors):
            return name
    if not words:
        return ""
    reading = _reading(paper)
    return next((one for one in words if (asked := mute(one)) and holds(asked, reading)), "")


@lru_cache(maxsize=1 << 12)
def mute(text: str) -> Node | None:
    """What one mute leaves out; None where it says nothing. A minus before it changes nothing."""
    query, mistakes = check(text)
    if mistakes:
        patterns = patterns_of(text)
        return Term(text, patterns=patterns) if patterns else None
    found = [_phrase(line.tree) for line in query.lines]
    if not found:
        return None
    return found[0] if len(found) == 1 else Or(tuple(found))


def muted_lines(words: Sequence[str], authors: Sequence[str]) -> tuple[Line, ...]:
    """The mutes of a reader as lines of exclusions, each with the text it was written in."""
    trees = [(one, asked) for one in words if (asked := mute(one)) is not None]
    trees += [(name, Term(name, Field.AUTHOR)) for name in authors if name.strip()]
    return tuple(Line(0, text, Not(tree), text, excludes=True) for text, tree in trees)


def _phrase(tree: Node) -> Node:
    match tree:
        case Not(part):
            return _phrase(part)
        case And(parts) if all(
            isinstance(each, Term) and each.field is Field.ANY for each in parts
        ):
            terms = [each for each in parts if isinstance(each, Term)]
            patterns = tuple(pattern for term in terms for pattern in term.patterns)
            return Term(" ".join(term.text for term in terms), patterns=patterns)
        case _:
            return tree


_reading = lru_cache(maxsize=1 << 11)(Reading)
