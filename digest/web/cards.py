"""A paper as the archive lists it: one entry in words, with its place on these pages. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from digest.cards import apart, where
from digest.language import language
from digest.phrases import authors_line
from digest.tex import typeset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.papers import Paper
    from subscribers.finding import Found, Hit

Pieces = tuple[tuple[str, bool], ...]
"""A text in pieces: (piece, whether it is one of the words that were asked for)."""

SNIPPET: Final = 240
_BEFORE: Final = 100
"""Where the first mark of a snippet stands at the latest, in characters."""
_PLAIN_NAME: Final = re.compile(r"(?!.*(?://|\.\.))[A-Za-z]+:[A-Za-z0-9][A-Za-z0-9._/()-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a list; `comments` is None where nobody told us of any."""

    path: str
    title: Pieces
    organization: str
    authors: str
    facts: str
    comments: int | None
    discussion: str
    snippet: Pieces = ()


def path_of(paper: Paper) -> str:
    """Where a paper's page is: by its name where that can stand in a path, else by its number."""
    name = str(paper.id)
    if paper.id.scheme != "url" and _PLAIN_NAME.fullmatch(name):
        return f"/paper/{quote(name, safe='/:()')}"
    return f"/paper/{paper.number}"


def entry(paper: Paper, found: Sequence[Found] = ()) -> Entry:
    """A paper's entry; what a search found is marked, or quoted where the title shows none."""
    hits = [hit for one in found for hit in one.hits]
    title = typeset(paper.title)
    in_title = apart([title.span(hit.start, hit.end) for hit in hits if hit.field == "title"])
    return Entry(
        path=path_of(paper),
        title=pieces(title.text, in_title),
        organization=paper.organization,
        authors=authors_line(paper.authors),
        facts=facts(paper),
        comments=paper.signals.comments,
        discussion=paper.discussion_url,
        snippet=() if in_title else _quoted(paper, hits),
    )


def _quoted(paper: Paper, hits: Sequence[Hit]) -> Pieces:
    """Where the abstract says it; words are found in a text as typed, and shown in it as set."""
    inside = [hit for hit in hits if hit.field in {"abstract", "summary"}]
    if not inside:
        return ()
    body = typeset(paper.abstract or paper.summary)
    return snippet(body.text, apart([body.span(hit.start, hit.end) for hit in inside]))


def facts(paper: Paper) -> str:
    """Source and section, date, version or venue, upvotes, as a mail says them."""
    return where(paper, language("en"))


def pieces(text: str, marks: Sequence[tuple[int, int]]) -> Pieces:
    """The text cut at its marks, which are apart and in order."""
    cut: list[tuple[str, bool]] = []
    last = 0
    for start, end in marks:
        cut += [(text[last:start], False), (text[start:end], True)]
        last = end
    cut.append((text[last:], False))
    return tuple(piece for piece in cut if piece[0])


def snippet(text: str, marks: Sequence[tuple[int, int]]) -> Pieces:
    """The stretch of a text around its first mark, cut at words, with every mark in it."""
    first = marks[0][0]
    begin = 0
    if first > SNIPPET // 2:
        begin = text.find(" ", first - _BEFORE, first) + 1 or first
    last = max(begin + SNIPPET, marks[0][1])
    if last < len(text):
        last = max(text.rfind(" ", begin, last), marks[0][1])
    inside = [(start - begin, end - begin) for start, end in marks if end <= last]
    shown = list(pieces(text[begin:last], inside))
    before = (("…", False),) if begin else ()
    after = (("…", False),) if last < len(text) else ()
    return (*before, *shown, *after)
