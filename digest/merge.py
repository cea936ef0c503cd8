"""When two records are one paper, and what the paper then says. Pure.

Every source keeps its own record of a paper; the merged view is derived from the records, so a
merge can be taken back by parting them again. Two records are one paper when they share an id;
where that id is only an alias, which authors enter and get wrong, title or first author must
agree too. A shared title alone counts last, and only with first author and year.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from digest.papers import Listing, ListingKind, Paper, PaperId, Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime


class Evidence(StrEnum):
    """Why two records are taken for one paper, strongest first."""

    ID = "id"
    ALIAS = "alias"
    TITLE = "title"


_TRUST: Final = ("arxiv", "doi", "pmid", "pmcid", "openreview", "s2", "openalex")
# One work has one of these; two different ones are two works, whatever else they share.
_EXCLUSIVE: Final = frozenset({"arxiv", "pmid"})
# Whose word on title, abstract and authors counts first; who is not named comes before `hf`.
_PRECEDENCE: Final = {
    "arxiv": 0,
    "biorxiv": 1,
    "medrxiv": 1,
    "openreview": 2,
    "crossref": 3,
    "pubmed": 4,
    "openalex": 5,
    "hf": 7,
}
_OTHERS: Final = 6
_STRENGTH: Final = {
    ListingKind.NEW: 0,
    ListingKind.FEATURED: 1,
    ListingKind.CROSS: 2,
    ListingKind.REPLACE: 3,
}
_GENERIC: Final = re.compile(
    r"(?:editorial|introduction|preface|foreword|obituary|errat(?:um|a)|corrigend(?:um|a)"
    r"|book review|table of contents|in this issue|news and views)\b"
    r"|(?:reply|response|correction|comment|commentary|addendum|retraction|erratum)"
    r"(?: notice)? (?:to|on|for|of)\b"
)
_SUFFIX: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})
_MIN_CHARACTERS: Final = 25
_MIN_WORDS: Final = 4
_MIN_FUZZY: Final = 4
_COMPARED: Final = 25
"""Records of one key that a new one is compared with: more of a kind are no one paper."""


def ids(paper: Paper) -> tuple[PaperId, ...]:
    """Every name of the paper once, the one to trust most first."""
    return tuple(sorted(dict.fromkeys((paper.id, *paper.aliases)), key=_trust))


def evidence(one: Paper, other: Paper) -> Evidence | None:
    """Why the two records are one paper, or None when they are two."""
    if one.id == other.id:
        return Evidence.ID
    ours, theirs = set(ids(one)), set(ids(other))
    if any(_differ(ours, theirs, scheme) for scheme in _EXCLUSIVE):
        return None
    if ours & theirs and (_same_title(one, other) or _same_first_author(one, other)):
        return Evidence.ALIAS
    if _same_title(one, other) and _same_first_author(one, other) and _same_time(one, other):
        return Evidence.TITLE
    return None


def title_key(title: str) -> str:
    """The title as it is compared and indexed, or nothing where it says too little.

    TeX commands, markup, case, accents and punctuation do not count. Generic titles
    ("Editorial", "Reply to ...") and very short ones are the key of no paper.
    """
    bare = re.sub(r"\\[A-Za-z]+|<[^<>]{1,40}>", " ", unicodedata.normalize("NFKC", title))
    words = re.findall(r"[^\W_]+", _folded(bare))
    key = " ".join(words)
    if len(key) < _MIN_CHARACTERS and len(words) < _MIN_WORDS:
        return ""
    return "" if _GENERIC.match(key) else key


def merge(records: Sequence[Paper]) -> Paper:
    """The one paper these records of it say; at least one, in any order.

    Each field comes from the source that knows it best and never from one that leaves it
    empty. Signals are the newest known of each. A day and source list it once, as what says
    most. The number is the lowest known, so that an older row stays.
    """
    ranked = sorted(records, key=_rank)
    best = ranked[0]
    names = sorted({name for record in ranked for name in ids(record)}, key=_trust)
    numbers = [record.number for record in ranked if record.number]

    def text(read: Callable[[Paper], str]) -> str:
        return next(filter(None, map(read, ranked)), "")

    return replace(
        best,
        id=names[0],
        aliases=tuple(names[1:]),
        title=text(lambda one: one.title),
        abstract=text(lambda one: one.abstract),
        summary=text(lambda one: one.summary),
        organization=text(lambda one: one.organization),
        venue=text(lambda one: one.venue),
        url=text(lambda one: one.url),
        pdf_url=text(lambda one: one.pdf_url),
        code_url=text(lambda one: one.code_url),
        project_url=text(lambda one: one.project_url),
        discussion_url=text(lambda one: one.discussion_url),
        image_url=text(lambda one: one.image_url),
        authors=next((one.authors for one in ranked if one.authors), ()),
        keywords=next((one.keywords for one in ranked if one.keywords), ()),
        categories=tuple(dict.fromkeys(one for record in ranked for one in record.categories)),
        published_at=_earliest(record.published_at for record in ranked),
        version=max((one.version for one in ranked if one.version), default=None),
        signals=_signals(ranked),
        listings=_listings(ranked),
        sample=any(record.sample for record in ranked),
        number=min(numbers, default=0),
        first_seen_at=_earliest(record.first_seen_at for record in ranked),
    )


def group(records: Sequence[Paper]) -> list[list[int]]:
    """Which records are one paper: their positions, in the order in which each paper began.

    Compared are only records that share an id or a title key, so a day of thousands is quick.
    """
    leader = list(range(len(records)))

    def find(position: int) -> int:
        while leader[position] != position:
            leader[position] = leader[leader[position]]
            position = leader[position]
        return position

    members = {position: [position] for position in leader}
    buckets: dict[PaperId | str, list[int]] = defaultdict(list)
    for position, record in enumerate(records):
        keys: list[PaperId | str] = [*ids(record)]
        keys += filter(None, [title_key(record.title)])
        for key in keys:
            for earlier in buckets[key][:_COMPARED]:
                one, two = sorted((find(earlier), find(position)))
                why = None if one == two else evidence(records[earlier], record)
                if why is None:
                    continue
                ours, theirs = ([records[n] for n in members[side]] for side in (one, two))
                if why is not Evidence.ID and exclude(ours, theirs):
                    continue
                leader[two] = one
                members[one] += members.pop(two)
            buckets[key].append(position)
    return [sorted(found) for _, found in sorted(members.items())]


def exclude(ours: Iterable[Paper], theirs: Iterable[Paper]) -> bool:
    """Whether two groups of records hold ids that no one work can have together."""
    left = {name for one in ours for name in ids(one)}
    right = {name for one in theirs for name in ids(one)}
    return any(_differ(left, right, scheme) for scheme in _EXCLUSIVE)


def _differ(ours: set[PaperId], theirs: set[PaperId], scheme: str) -> bool:
    left = {name for name in ours if name.scheme == scheme}
    right = {name for name in theirs if name.scheme == scheme}
    return bool(left and right and not left & right)


def _trust(name: PaperId) -> tuple[int, str, str]:
    place = _TRUST.index(name.scheme) if name.scheme in _TRUST else len(_TRUST)
    return place, name.scheme, name.value


def _rank(record: Paper) -> tuple[int, int, tuple[int, str, str]]:
    sources = {listing.source for listing in record.listings} or {""}
    place = min(_PRECEDENCE.get(source, _OTHERS) for source in sources)
    # Of two records of one source the later version says what holds now.
    return place, -(record.version or 0), _trust(record.id)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def _signals(records: Iterable[Paper]) -> Signals:
    told = sorted(
        (record.signals for record in records if record.signals.seen_at),
        key=lambda signals: signals.seen_at.timestamp() if signals.seen_at else 0.0,
        reverse=True,
    )

    def newest(read: Callable[[Signals], int | None]) -> int | None:
        return next((count for one in told if (count := read(one)) is not None), None)

    return Signals(
        newest(lambda one: one.upvotes),
        newest(lambda one: one.comments),
        newest(lambda one: one.stars),
        told[0].seen_at if told else None,
    )


def _listings(records: Iterable[Paper]) -> tuple[Listing, ...]:
    best: dict[tuple[date, str], Listing] = {}
    for listing in (one for record in records for one in record.listings):
        key = (listing.day, listing.source)
        had = best.get(key)
        if had is None or _strength(listing) < _strength(had):
            best[key] = listing
    return tuple(best[key] for key in sorted(best))


def _strength(listing: Listing) -> tuple[int, int, str]:
    return _STRENGTH[listing.kind], -(listing.version or 0), listing.category


def _same_title(one: Paper, other: Paper) -> bool:
    key = title_key(one.title)
    return bool(key) and key == title_key(other.title)


def _same_time(one: Paper, other: Paper) -> bool:
    years = [_year(paper) for paper in (one, other)]
    return None in years or abs((years[0] or 0) - (years[1] or 0)) <= 1


def _year(paper: Paper) -> int | None:
    known = paper.published_at or paper.announced_on
    return known.year if known else None


def _same_first_author(one: Paper, other: Paper) -> bool:
    if not one.authors or not other.authors:
        return False
    ours, theirs = (_family_name(paper.authors[0].name) for paper in (one, other))
    if ours == theirs:
        return bool(ours)
    return min(len(ours), len(theirs)) >= _MIN_FUZZY and _one_edit(ours, theirs)


def _family_name(name: str) -> str:
    """The family name of "Ines Harrow" and of "Harrow, Ines", without accents and case."""
    family, comma, _ = name.partition(",")
    words = re.findall(r"[^\W_]+", _folded(family))
    while len(words) > 1 and words[-1] in _SUFFIX:
        words.pop()
    if not words:
        return ""
    return "".join(words) if comma else words[-1]


def _one_edit(one: str, other: str) -> bool:
    """Whether one letter put in, left out or changed makes the two the same."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _folded(text: str) -> str:
    plain = text.casefold()
    if plain.isascii():
        return plain
    spread = unicodedata.normalize("NFKD", plain)
    # Only marks on Latin, Greek and Cyrillic letters: in other scripts they are the letters.
    return unicodedata.normalize("NFC", "".join(c for c in spread if not "\u0300" <= c <= "\u036f"))
