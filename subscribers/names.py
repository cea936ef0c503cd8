"""Names of people: when an author is the one who was asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from subscribers.words import plain

if TYPE_CHECKING:
    from digest.papers import Author

_ORCID: Final = re.compile(
    r"(?:https?://(?:www\.)?orcid\.org/|orcid:)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])", re.IGNORECASE
)
_SEMANTIC_SCHOLAR: Final = re.compile(
    r"(?:s2:|https?://(?:www\.)?semanticscholar\.org/author/(?:[^/\s]+/)?)?(\d{4,12})",
    re.IGNORECASE,
)
_SUFFIXES: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})
_INITIALS: Final = re.compile(r"(?<![^\W_])[A-Z]{2,3}(?![^\W_])")
_TWO_LETTERS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
    | {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe"}
)


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


@lru_cache(maxsize=1 << 14)
def readings(name: str) -> tuple[tuple[str, ...], ...]:
    """The ways a name may be read: as it stands, ö as oe, and capitals as initials (Wu YN)."""
    found = [name_parts(name), name_parts(name.translate(_TWO_LETTERS))]
    if any(letter.islower() for letter in name):
        apart = _INITIALS.sub(lambda capitals: " ".join(capitals[0]), name)
        found.append(name_parts(apart))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1 << 14)
def name_keys(name: str) -> frozenset[str]:
    """What two spellings of one name share at least one of: its parts, and neighbours joined."""
    ways = readings(name)
    whole = {part for way in ways for part in way if len(part) > 1}
    return frozenset(whole | {one + other for way in ways for one, other in pairwise(way)})


def author_id(asked: str) -> str:
    """The ORCID or Semantic Scholar id that is asked for; nothing where a name is."""
    if orcid := _ORCID.fullmatch(asked.strip()):
        return orcid[1].upper()
    scholar = _SEMANTIC_SCHOLAR.fullmatch(asked.strip())
    return scholar[1] if scholar else ""


def names_author(word: str) -> bool:
    """Whether a word by itself can only mean an author: an ORCID, or a page about one person."""
    return bool(_ORCID.fullmatch(word)) or ("/author/" in word and bool(author_id(word)))


def ids_of(author: Author) -> tuple[str, ...]:
    """The ids that a source gave an author, as author_id() reads them."""
    return tuple(filter(None, (author.orcid.upper().rpartition("/")[2], author.semantic_scholar)))


def is_author(asked: str, author: Author) -> bool:
    """Whether this author may be the one asked for.

    By ORCID or Semantic Scholar id, where one is asked for, and by nothing else; otherwise each
    part of the asked name is a part of the author's, in any order, an initial standing for any
    part that begins with it; the family name must be there in full. Parts may be joined (Fei-Fei,
    Feifei), and a middle initial may be missing.
    """
    if own := author_id(asked):
        return own in ids_of(author)
    if name_keys(asked).isdisjoint(name_keys(author.name)):
        return False
    return any(
        _fits(*_joined_alike(wanted, there))
        for wanted in readings(asked)
        for there in readings(author.name)
    )


def _joined_alike(
    wanted: tuple[str, ...], there: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both names with two parts joined where the other has them joined: Le Cun and LeCun."""
    return _with_joined(wanted, there), _with_joined(there, wanted)


def _with_joined(parts: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    for at, (one, other) in enumerate(pairwise(parts)):
        if one + other in others:
            return (*parts[:at], one + other, *parts[at + 2 :])
    return parts


def _fits(wanted: tuple[str, ...], there: tuple[str, ...]) -> bool:
    if not wanted or not there:
        return False
    if len(wanted) == 1:
        return wanted[0] in there
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
    missing = []
    for part in loose:
        initial = next((other for other in left if _stands_for(part, other)), None)
        if initial is None:
            missing.append(part)
        else:
            left.remove(initial)
    # Geoffrey E. Hinton may sign as Geoffrey Hinton; nobody's only given name goes missing.
    known = len(wanted) - len(missing)
    return not missing or (not left and known > 1 and all(len(part) == 1 for part in missing))


def _stands_for(one: str, other: str) -> bool:
    return (len(one) == 1 or len(other) == 1) and one[0] == other[0]
