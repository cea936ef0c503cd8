"""Names of people: when an author is the one who was asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from subscribers.words import plain

if TYPE_CHECKING:
    from digest.papers import Author

_ORCID: Final = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])")
_SEMANTIC_SCHOLAR: Final = re.compile(r"(?:s2:)?(\d{4,12})")
_SUFFIXES: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})


@lru_cache(maxsize=1 << 14)
def name_parts(name: str) -> tuple[str, ...]:
    """The parts of a name, folded, family name last: `LeCun, Yann` is (yann, lecun).

    Initials are single letters; an apostrophe joins (O'Brien), a hyphen parts (Jean-Luc).
    """
    family, comma, given = plain(name).casefold().partition(",")
    ordered = f"{given} {family}" if comma and given.strip() not in _SUFFIXES else family
    joined = re.sub(r"['\u2019\u02bc`]", "", ordered)
    found = tuple(part for part in re.findall(r"[^\W_]+", joined) if part not in _SUFFIXES)
    return found or tuple(re.findall(r"[^\W_]+", joined))


def is_author(asked: str, author: Author) -> bool:
    """Whether this author may be the one asked for.

    By ORCID or Semantic Scholar id, where one is asked for, and by nothing else; otherwise each
    part of the asked name is a part of the author's, in any order, an initial standing for any
    part that begins with it; the family name must be there in full.
    """
    if orcid := _ORCID.fullmatch(asked.strip()):
        return orcid[1].upper() == author.orcid.upper().rpartition("/")[2]
    if scholar := _SEMANTIC_SCHOLAR.fullmatch(asked.strip()):
        return scholar[1] == author.semantic_scholar
    wanted, there = name_parts(asked), name_parts(author.name)
    if not wanted or not there:
        return False
    if len(wanted) == 1:
        return wanted[0] in there
    return _fits(wanted, there)


def _fits(wanted: tuple[str, ...], there: tuple[str, ...]) -> bool:
    left = list(there)
    loose = []
    full = set()
    for part in wanted:
        if part in left:
            left.remove(part)
            full.add(part)
        else:
            loose.append(part)
    # One family name in full: the asked one's, or, where a name is turned round, the author's.
    if wanted[-1] not in full and there[-1] not in full:
        return False
    if not any(len(part) > 1 for part in full):
        return False
    for part in loose:
        initial = next((other for other in left if _stands_for(part, other)), None)
        if initial is None:
            return False
        left.remove(initial)
    return True


def _stands_for(one: str, other: str) -> bool:
    return (len(one) == 1 or len(other) == 1) and one[0] == other[0]
