"""A paper, its names, and where it was listed.

*Paper*: one work, however many places list it. *Listing*: one appearance of a paper in a
source on a day. *Signals*: counts that move, each with the instant it was seen.
Everything here is a frozen value; nothing does I/O or reads a clock.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date, datetime  # noqa: TC003 -- dataclasses are read with their types
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

MAX_TITLE: Final = 500
MAX_TEXT: Final = 20_000
MAX_NAME: Final = 200
MAX_AUTHORS: Final = 2_000
MAX_CATEGORIES: Final = 64
MAX_URL: Final = 1_000

_ARXIV_NEW = re.compile(r"(?P<id>\d{4}\.\d{4,5})(?:v(?P<version>\d{1,3}))?", re.ASCII)
_ARXIV_OLD = re.compile(
    r"(?P<id>[a-z][a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(?P<version>\d{1,3}))?", re.ASCII
)
_ARXIV_DOI = "10.48550/arxiv."


@dataclass(frozen=True, slots=True, order=True)
class PaperId:
    """One name of a paper: `arxiv:2610.01234`, `doi:10.1000/x`, `pmid:1`, `url:https://...`.

    arXiv ids carry no version; DOIs are lower case; arXiv's own DOIs are arXiv ids.
    """

    scheme: str
    value: str

    def __str__(self) -> str:
        """Scheme and value with a colon between."""
        return f"{self.scheme}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> PaperId:
        """Read `scheme:value` back; raises ValueError for anything else."""
        scheme, colon, value = text.partition(":")
        if not colon or not scheme.isalnum() or not value:
            reason = f"{text!r} is no paper id: write scheme:value, as in arxiv:2610.01234"
            raise ValueError(reason)
        return cls(scheme, value)

    @classmethod
    def arxiv(cls, text: str) -> PaperId:
        """An arXiv id with or without version, prefix or archive; ValueError if it is none."""
        return cls("arxiv", split_arxiv(text)[0])

    @classmethod
    def doi(cls, text: str) -> PaperId:
        """A DOI, bare or as a link; `10.48550/arXiv.*` becomes the arXiv id it stands for."""
        value = re.sub(
            r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", text.strip(), flags=re.IGNORECASE
        ).lower()
        if value.startswith(_ARXIV_DOI):
            return cls.arxiv(value.removeprefix(_ARXIV_DOI))
        if not re.fullmatch(r"10\.\d{4,9}/\S+", value):
            reason = f"{text!r} is no DOI"
            raise ValueError(reason)
        return cls("doi", value)


def split_arxiv(text: str) -> tuple[str, int | None]:
    """Split an arXiv id into the id proper and its version, if it names one.

    Accepts both id forms (info.arxiv.org/help/arxiv_identifier.html), `arXiv:` and `oai:`
    prefixes and abs/pdf links; raises ValueError for anything else.
    """
    bare = re.sub(
        r"^(?:arxiv:|oai:arxiv\.org:|https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/)",
        "",
        text.strip(),
        flags=re.IGNORECASE,
    ).removesuffix(".pdf")
    found = _ARXIV_NEW.fullmatch(bare) or _ARXIV_OLD.fullmatch(bare)
    if found is None:
        reason = f"{text!r} is no arXiv id"
        raise ValueError(reason)
    version = found["version"]
    return found["id"], int(version) if version else None


@dataclass(frozen=True, slots=True)
class Author:
    """One author as the source writes the name; ids only where a source gives one."""

    name: str
    orcid: str = ""
    semantic_scholar: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """Counts that move. None means nobody told us, which is not zero."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    seen_at: datetime | None = None


class ListingKind(StrEnum):
    """How a source listed a paper."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    FEATURED = "featured"


@dataclass(frozen=True, slots=True)
class Listing:
    """One appearance of a paper in a source on a list day (a date in the source's own zone).

    `label` is what people call the source ("arXiv", "Daily Papers"); `category` the section
    it stood in, if any; `first_seen_at` (UTC) is None until the store has seen it.
    """

    source: str
    label: str
    day: date
    kind: ListingKind = ListingKind.NEW
    category: str = ""
    version: int | None = None
    first_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One work. Texts are plain text (TeX as typed), URLs are http(s) or empty.

    `number` is the store's own number, 0 while not stored. `first_seen_at` (UTC) is when any
    source first brought it. `listings` are oldest first. `sample` marks an invented paper.
    """

    id: PaperId
    title: str
    authors: tuple[Author, ...] = ()
    abstract: str = ""
    summary: str = ""
    organization: str = ""
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    published_at: datetime | None = None
    version: int | None = None
    venue: str = ""
    url: str = ""
    pdf_url: str = ""
    code_url: str = ""
    project_url: str = ""
    discussion_url: str = ""
    image_url: str = ""
    signals: Signals = field(default_factory=Signals)
    aliases: tuple[PaperId, ...] = ()
    listings: tuple[Listing, ...] = ()
    sample: bool = False
    number: int = 0
    first_seen_at: datetime | None = None

    @property
    def announced_on(self) -> date | None:
        """The first day any source listed it, or None while no source has."""
        return min((listing.day for listing in self.listings), default=None)


class MalformedPaper(ValueError):
    """What a source sent is no paper: it has no usable id or title."""


# Bidirectional controls, zero-width marks and soft hyphens say nothing and can reorder or hide
# text. ZWNJ and ZWJ stay: Persian, Indic scripts and emoji need them.
_INVISIBLE = dict.fromkeys(
    [
        *(0x00AD, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF),
        *(*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFFF9, 0xFFFC)),
        *range(0xE0000, 0xE0080),
    ]
)
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
_INVISIBLE_OR_CONTROL = {**_CONTROL, **_INVISIBLE}


def tidy_text(text: str, limit: int = MAX_TEXT) -> str:
    """One line of NFC text without controls, at most `limit` characters, cut at a word."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())  # most texts are, and need no more
    head = text[: limit * 4]
    encodable = head.encode("utf-8", "replace").decode("utf-8")
    clean = " ".join(
        unicodedata.normalize("NFC", encodable).translate(_INVISIBLE_OR_CONTROL).split()
    )
    if len(clean) <= limit:
        return clean
    cut = clean[: limit - 1]
    space = cut.rfind(" ", int(limit * 0.8))
    return (cut[:space] if space > 0 else cut).rstrip() + "…"


def tidy_url(text: str) -> str:
    """The http(s) URL if it is one that may stand in a mail, else nothing."""
    url = text.strip()
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c in "<>\"'\\^`{|}" for c in url):
        return ""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or parts.username:
        return ""
    return url


def tidy(paper: Paper) -> Paper:
    """The same paper with every text and URL made safe and bounded.

    What comes from a source passes here once, before it is stored; nothing behind the store
    has to think of control characters, bidi tricks or a title of a megabyte again.
    Raises MalformedPaper when no id or title is left.
    """
    title = tidy_text(paper.title, MAX_TITLE)
    if not title:
        reason = "it has no title"
        raise MalformedPaper(reason)
    if not _is_name(paper.id):
        reason = f"its id {paper.id.value[:60]!r} is none"
        raise MalformedPaper(reason)
    authors = (
        Author(
            tidy_text(author.name, MAX_NAME),
            tidy_text(author.orcid, 40),
            tidy_text(author.semantic_scholar, 40),
        )
        for author in paper.authors[:MAX_AUTHORS]
    )
    return replace(
        paper,
        title=title,
        authors=tuple(author for author in authors if author.name),
        abstract=tidy_text(paper.abstract),
        summary=tidy_text(paper.summary),
        organization=tidy_text(paper.organization, MAX_NAME),
        categories=_tidy_names(paper.categories),
        keywords=_tidy_names(paper.keywords),
        venue=tidy_text(paper.venue, MAX_NAME),
        url=tidy_url(paper.url),
        pdf_url=tidy_url(paper.pdf_url),
        code_url=tidy_url(paper.code_url),
        project_url=tidy_url(paper.project_url),
        discussion_url=tidy_url(paper.discussion_url),
        image_url=tidy_url(paper.image_url),
        aliases=tuple(filter(_is_name, paper.aliases)),
        listings=tuple(
            replace(
                one,
                label=tidy_text(one.label, MAX_NAME),
                category=tidy_text(one.category, MAX_NAME),
            )
            for one in paper.listings
        ),
    )


def _is_name(name: PaperId) -> bool:
    """Whether a source's name for a paper may stand in a row, in an index and on a page."""
    value = name.value
    if not value.isprintable() or " " in value:
        return False
    return 0 < len(value.encode()) <= MAX_URL  # PostgreSQL indexes 2,700 bytes


def _tidy_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(None, (tidy_text(name, MAX_NAME) for name in names[:MAX_CATEGORIES])))
