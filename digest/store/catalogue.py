"""The catalogue: what a paper can be found by, kept with every paper as it is stored.

Three things are derived from a paper: on which days it stands under which source, category and
organization (`facet`), what lists say of it (`brief`), and its words (`catalogue`). A word here
is a folded word of title and abstract, or a marked one: t:forgetting (of the title), a:harrow
(author), d:1741101 (an id of one), o:lindqvist (organization), c:cs.lg (category), s:arxiv
(source), i:arxiv_2611.00001 (id). They find candidates, at least every paper that a keyword text
means; `subscribers.finding` then has the last word.

A paper's `place` is the day it was first listed, then its number, in one integer: descending, it
is newest first, over all of an archive that was filled in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection, delete, insert, select

from digest.papers import ListingKind
from digest.store.briefs import BRIEF, pack_brief
from digest.store.database import chunks
from digest.store.tables import CatalogueRow, FacetRow
from subscribers.finding import ARCHIVE_END, beginnings, categories, paper_ids
from subscribers.names import author_id, ids_of, name_keys
from subscribers.tree import And, Field, Floor, Form, Node, Not, Or, Pattern, Term
from subscribers.words import fold, parts, plain, scanner, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from digest.papers import Paper

CATALOGUE = CatalogueRow.__table__  # type: ignore[attr-defined]
FACET = FacetRow.__table__  # type: ignore[attr-defined]

LISTED: Final = "listed"
"""The facet every paper has on each day that a source listed it."""
_NUMBER_BITS: Final = 40
_LONGEST_WORD: Final = 120
_UNSAFE: Final = re.compile(r"[^\w.+#*:-]")


def place_of(day: date | None, number: int) -> int:
    """Where a paper stands in the archive: later days, then later papers, are greater."""
    return ((day.toordinal() if day else 0) << _NUMBER_BITS) | number


def catalogue(connection: Connection, papers: Iterable[Paper]) -> set[date]:
    """Enter stored papers, or what changed of them; they come with number and listings.

    The days on which a paper now stands under something else than before.
    """
    entered = {paper.number: paper for paper in papers}
    held, facets, briefs = _held(connection, sorted(entered))
    rows, gone, fresh, dropped, retold = [], [], [], [], []
    for number, paper in entered.items():
        place, text = place_of(paper.announced_on, number), " ".join(sorted(_words_of(paper)))
        if held.get(number) != (place, text):
            # Deleted and made anew, because triggers carry both over into the index of words.
            gone += [number] if number in held else []
            rows.append({"place": place, "paper": number, "words": text})
        if briefs.get(number) != (brief := pack_brief(paper)):
            retold.append({"paper": number, "body": brief})
        wanted, had = set(_facets_of(paper)), facets.get(number, set())
        fresh += [(*one, number) for one in wanted - had]
        dropped += [(*one, number) for one in had - wanted]
    for part in chunks(gone):
        connection.execute(delete(CATALOGUE).where(CATALOGUE.c.paper.in_(part)))
    if rows:
        connection.execute(insert(CATALOGUE), rows)
    for part in chunks([row["paper"] for row in retold if row["paper"] in briefs]):
        connection.execute(delete(BRIEF).where(BRIEF.c.paper.in_(part)))
    if retold:
        connection.execute(insert(BRIEF), retold)
    for kind, name, day, number in dropped:
        same = (FACET.c.kind == kind) & (FACET.c.name == name) & (FACET.c.day == day)
        connection.execute(delete(FACET).where(same & (FACET.c.paper == number)))
    if fresh:
        keys = ("kind", "name", "day", "paper")
        values: list[dict[str, Any]] = [dict(zip(keys, one, strict=True)) for one in sorted(fresh)]
        connection.execute(insert(FACET), values)
    return {day for _, _, day, _ in (*fresh, *dropped)}


def leave(connection: Connection, number: int) -> None:
    """Take a paper out of the catalogue."""
    connection.execute(delete(CATALOGUE).where(CATALOGUE.c.paper == number))
    connection.execute(delete(BRIEF).where(BRIEF.c.paper == number))
    connection.execute(delete(FACET).where(FACET.c.paper == number))


def _held(
    connection: Connection, numbers: Sequence[int]
) -> tuple[dict[int, tuple[int, str]], dict[int, set[tuple[str, str, date]]], dict[int, str]]:
    """What the catalogue says of these papers: place and words, facets, and the brief."""
    held: dict[int, tuple[int, str]] = {}
    facets: dict[int, set[tuple[str, str, date]]] = {}
    briefs: dict[int, str] = {}
    for part in chunks(numbers):
        for row in connection.execute(select(CATALOGUE).where(CATALOGUE.c.paper.in_(part))):
            held[row.paper] = (row.place, row.words)
        for facet in connection.execute(select(FACET).where(FACET.c.paper.in_(part))):
            facets.setdefault(facet.paper, set()).add((facet.kind, facet.name, facet.day))
        for brief in connection.execute(select(BRIEF).where(BRIEF.c.paper.in_(part))):
            briefs[brief.paper] = brief.body
    return held, facets, briefs


def _facets_of(paper: Paper) -> Iterator[tuple[str, str, date]]:
    """Under what a paper stands on which day; a new version is not listed again."""
    for listing in paper.listings:
        if listing.kind is ListingKind.REPLACE:
            continue
        yield LISTED, "", listing.day
        yield "source", listing.label or listing.source, listing.day
        for category in dict.fromkeys((*paper.categories, listing.category)):
            if category:
                yield "category", category, listing.day
        if paper.organization:
            yield "organization", paper.organization, listing.day


def _words_of(paper: Paper) -> set[str]:
    title = _words_in(paper.title)
    found = title | _words_in(paper.abstract or paper.summary)
    found.update([f"t:{word}"[:_LONGEST_WORD] for word in title])
    for author in paper.authors:
        found.update(_safe(f"a:{key}") for key in name_keys(author.name))
        found.update(_safe(f"d:{own.casefold()}") for own in ids_of(author))
    found.update(_safe(f"o:{word}") for word in words(paper.organization))
    found.update(_safe(f"c:{category.casefold()}") for category in categories(paper))
    sources = {name for one in paper.listings for name in (one.source, one.label)}
    found.update(_safe(f"s:{plain(name).casefold()}") for name in sources)
    found.update(_safe(f"i:{str(name).casefold()}") for name in (paper.id, *paper.aliases))
    return found


def _words_in(text: str) -> set[str]:
    # Each different piece once: where it stands does not matter here.
    return set[str]().union(*map(_of_piece, set(scanner(text).findall(text))))


@lru_cache(maxsize=1 << 15)
def _of_piece(piece: str) -> tuple[str, ...]:
    """The words of one piece of a text, folded and as written: most texts share most of them."""
    return tuple({
        _safe(one) for word, written, _, _ in parts(piece) for one in (word, written.casefold())
    })  # fmt: skip


def title_words(paper: Paper) -> set[str]:
    """The words of its title and keywords, as they stand in the catalogue."""
    text = " ".join((paper.title, *paper.keywords))
    return {_safe(token.word) for token in fold(text)}


def _safe(word: str) -> str:
    """The word as both databases keep it whole; two different ones may come out the same."""
    if word.isalnum() and len(word) <= _LONGEST_WORD:
        return word
    return _UNSAFE.sub("_", word)[:_LONGEST_WORD]


@dataclass(frozen=True, slots=True)
class Asked:
    """What candidates must have: a word, the beginning of one, all or any of several parts.

    `any` without parts is what nothing has; None in place of an Asked is what everything has.
    """

    kind: Literal["word", "beginning", "all", "any"]
    text: str = ""
    parts: tuple[Asked, ...] = ()

    def fts5(self) -> str:
        """For SQLite's full-text index."""
        if self.kind in {"word", "beginning"}:
            return f'"{self.text}"' + ("*" if self.kind == "beginning" else "")
        glue = " AND " if self.kind == "all" else " OR "
        return f"({glue.join(part.fts5() for part in self.parts)})"

    def tsquery(self) -> str:
        """For PostgreSQL's."""
        if self.kind in {"word", "beginning"}:
            return f"'{self.text}'" + (":*" if self.kind == "beginning" else "")
        glue = " & " if self.kind == "all" else " | "
        return f"({glue.join(part.tsquery() for part in self.parts)})"


NOTHING: Final = Asked("any")


def word(text: str) -> Asked:
    """Papers with this word of the catalogue."""
    return Asked("word", _safe(text))


def every(parts: Iterable[Asked | None]) -> Asked | None:
    """What has all of these; what everything has asks for nothing."""
    asked = tuple(dict.fromkeys(part for part in parts if part is not None))
    if NOTHING in asked:
        return NOTHING
    return Asked("all", parts=asked) if len(asked) > 1 else next(iter(asked), None)


def some(parts: Iterable[Asked | None]) -> Asked | None:
    """What has one of these."""
    asked = list(parts)
    if any(part is None for part in asked):
        return None
    there = tuple(dict.fromkeys(part for part in asked if part is not None and part != NOTHING))
    return there[0] if len(there) == 1 else Asked("any", parts=there)


def asked_by(node: Node) -> Asked | None:
    """What a paper must have in the catalogue for a part of a query to be so of it."""
    match node:
        case And(parts):
            needed = (p for p in parts if not (isinstance(p, Term) and p.optional))
            return every(map(asked_by, needed))
        case Or(parts):
            return some(map(asked_by, parts))
        case Term() if node.field.is_text:
            mark = "t:" if node.field is Field.TITLE else ""
            return every(_pattern(pattern, mark) for pattern in node.patterns)
        case Term():
            return _field(node.field, node.text)
        case Not() | Floor():
            return None


def _pattern(pattern: Pattern, mark: str) -> Asked | None:
    if pattern.form is Form.PREFIX:
        typed, others = beginnings(pattern.value)
        starts = (start for start in {typed, *others} if start)
        return some(Asked("beginning", _safe(f"{mark}{start}")) for start in starts)
    value = pattern.value.casefold() if pattern.form is Form.WRITTEN else pattern.value
    return word(f"{mark}{value}")


def _field(field: Field, text: str) -> Asked | None:
    match field:
        case Field.AUTHOR:
            if own := author_id(text):
                return word(f"d:{own.casefold()}")
            return some(word(f"a:{key}") for key in name_keys(text))
        case Field.ORG:
            return every(word(f"o:{each}") for each in words(text)) or NOTHING
        case Field.CATEGORY:
            return _category(text.casefold())
        case Field.SOURCE:
            return word(f"s:{plain(text).casefold()}")
        case _:
            return some(word(f"i:{str(name).casefold()}") for name in paper_ids(text))


def _category(text: str) -> Asked | None:
    """What `is_category` says: cs.cl is itself; cs and cs.* are also what stands below it."""
    start = f"c:{text.removesuffix('.*').removesuffix('*')}"
    if text.endswith("*") and not text.endswith(".*"):
        return Asked("beginning", _safe(start))
    return some((word(start), *(Asked("beginning", _safe(start + end)) for end in ARCHIVE_END)))
