"""arXiv's daily feeds, RSS 2.0 and Atom 1.0, as papers (info.arxiv.org/help/rss.html).

A feed is one announcement day. Whether a paper is new or cross-listed is said relative to the
categories asked for. `dc:creator` is one string of all authors, with affiliations in brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from digest.papers import (
    Author,
    Listing,
    ListingKind,
    MalformedPaper,
    Paper,
    PaperId,
    split_arxiv,
    tidy,
)
from digest.sources.arxiv_api import doi_alias
from digest.sources.calendar import NEW_YORK
from digest.sources.fields import instant
from digest.sources.markup import Document, Element, read_xml
from digest.tex import letters

CAP: Final = 2000
"""Items at which arXiv cuts a feed, the newest papers first."""
_ATOM: Final = "http://www.w3.org/2005/Atom "
_ARXIV: Final = "http://arxiv.org/schemas/atom "
_DC: Final = "http://purl.org/dc/elements/1.1/ "
_PREFIX: Final = re.compile(r"^arXiv:\S+ Announce Type: \S+\s*(?:Abstract:\s*)?")
_KINDS: Final = {
    "new": ListingKind.NEW,
    "cross": ListingKind.CROSS,
    "replace": ListingKind.REPLACE,
    "replace-cross": ListingKind.REPLACE,
}


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: its list day, the papers in its order, and whether it came whole.

    `error` is what arXiv says in a feed that stands for an error. `items` counts what it
    held, papers or not.
    """

    day: date | None
    papers: tuple[Paper, ...] = ()
    skipped: tuple[str, ...] = ()
    items: int = 0
    complete: bool = True
    error: str = ""


def read_feed(body: bytes, source: str, label: str, otherwise: date) -> Feed | None:
    """The feed of these bytes, or None when they are no feed of arXiv's."""
    document = read_xml(body)
    if document.root.name == "rss":
        channel = document.descend("channel")
        title, description = channel.value("title"), channel.value("description")
        entries, dated = channel.all("item"), channel.value("pubDate")
        day = _rfc_day(dated)
    elif document.root.name == f"{_ATOM}feed":
        channel = document.root
        title, description = channel.value(f"{_ATOM}title"), channel.value(f"{_ATOM}subtitle")
        entries = channel.all(f"{_ATOM}entry")
        day = _iso_day(next((one.value(f"{_ATOM}published") for one in entries), ""))
        day = day or _iso_day(channel.value(f"{_ATOM}updated"))
    else:
        return None
    if title.startswith("Feed error"):
        return Feed(day, error=description or title)
    if "arXiv.org" not in title:
        return None
    papers: dict[PaperId, Paper] = {}
    skipped = []
    for number, entry in enumerate(entries, start=1):
        try:
            paper = _paper(entry, source, label, day or otherwise)
        except MalformedPaper as error:
            skipped.append(f"item {number}: {error}")
        else:
            papers.setdefault(paper.id, paper)
    whole = document.complete and _count(body, document) == len(entries)
    return Feed(day, tuple(papers.values()), tuple(skipped), len(entries), complete=whole)


def _count(body: bytes, document: Document) -> int:
    return body.count(b"</item>" if document.root.name == "rss" else b"</entry>")


def _paper(entry: Element, source: str, label: str, day: date) -> Paper:
    atom = entry.name.startswith(_ATOM)
    names = {
        "id": f"{_ATOM}id" if atom else "guid",
        "title": f"{_ATOM}title" if atom else "title",
        "text": f"{_ATOM}summary" if atom else "description",
    }
    try:
        arxiv, version = split_arxiv(entry.value(names["id"]))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    categories = tuple(
        one.attributes.get("term", "") if atom else one.text
        for one in entry.all(f"{_ATOM}category" if atom else "category")
    )
    kind = _KINDS.get(entry.value(f"{_ARXIV}announce_type"), ListingKind.NEW)
    return tidy(
        Paper(
            id=PaperId("arxiv", arxiv),
            title=letters(entry.value(names["title"])),
            authors=split_creators(entry.value(f"{_DC}creator")),
            abstract=letters(_PREFIX.sub("", entry.value(names["text"]))),
            categories=categories,
            version=version,
            venue=entry.value(f"{_ARXIV}journal_reference"),
            url=f"https://arxiv.org/abs/{arxiv}",
            pdf_url=f"https://arxiv.org/pdf/{arxiv}",
            aliases=doi_alias(entry.value(f"{_ARXIV}DOI")),
            listings=(Listing(source, label, day, kind, next(iter(categories), "")[:40], version),),
        )
    )


def split_creators(text: str) -> tuple[Author, ...]:
    """The authors of one string: "Jane Roe (Example University, Cambridge), John Doe" is two."""
    names, depth, current = [], 0, ""
    for char in text:
        if char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif char == "," and not depth:
            names.append(current)
            current = ""
        elif not depth:
            current += char
    names.append(current)
    return tuple(Author(letters(name.strip())) for name in names if name.strip())


def _rfc_day(text: str) -> date | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return _new_york(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _iso_day(text: str) -> date | None:
    moment = instant(text)
    return _new_york(moment) if moment else None


def _new_york(moment: datetime) -> date | None:
    try:
        return moment.astimezone(NEW_YORK).date()
    except OverflowError:
        return None
