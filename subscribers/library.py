"""Libraries: the papers a reader has, read from BibTeX or from pasted ids, links and titles.

A paper is known by its ids, or, where a text gives none, by the words of its title.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.papers import PaperId
from subscribers.finding import PAPER_PAGE
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.papers import Paper

MAX_TEXT: Final = 10_000_000
MAX_ENTRIES: Final = 20_000
MAX_NAMES: Final = 8
_TITLE: Final = "title:"
_LEAST_TITLE: Final = 3
"""Words that a title needs to stand for a paper by itself."""
_LONGEST_TITLE: Final = 500

_ARXIV: Final = re.compile(
    r"(?<![\w./])(?:arxiv:|https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/)?"
    r"(\d{4}\.\d{4,5}|[a-z][a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?(?:\.pdf)?(?![\w/])",
    re.ASCII | re.IGNORECASE,
)
_DOI: Final = re.compile(
    r"(?<![\w/])(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[^\s\"<>{},;]*[A-Za-z0-9])",
    re.ASCII | re.IGNORECASE,
)
_PMID: Final = re.compile(
    r"(?:pmid:\s*|https?://pubmed\.ncbi\.nlm\.nih\.gov/)(\d{1,9})\b", re.ASCII | re.IGNORECASE
)
_BIB_ENTRY: Final = re.compile(r"^[ \t]*@([A-Za-z]{1,30})[ \t]*[{(]", re.ASCII | re.MULTILINE)
_BIB_FIELD: Final = re.compile(r"[\s,]*([A-Za-z][\w-]{0,60})\s*=\s*", re.ASCII)
_BIB_JOINT: Final = re.compile(r"\s*#\s*")
_BIB_BARE: Final = re.compile(r"[^\s,{}\"#]+")
_NOT_ENTRIES: Final = frozenset({"comment", "preamble", "string"})
_WITH_IDS: Final = ("doi", "eprint", "url", "journal", "note", "howpublished", "volume", "pmid")
_BULLET: Final = re.compile(r"\s*(?:[-*\u2022]|\d{1,4}[.)]|\[\d{1,4}\])\s+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a library: its ids, and its title where the text gives one."""

    ids: tuple[PaperId, ...] = ()
    title: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What the paper is known by: its ids, or else its title; nothing where neither will do."""
        if self.ids:
            return tuple(map(str, self.ids))
        return tuple(filter(None, [title_name(self.title)]))


def read_library(text: str) -> tuple[Entry, ...]:
    """The papers of a text: of its BibTeX entries, or else one of each line.

    What names no paper is passed over. Raises ValueError for a text that is too long.
    """
    if len(text) > MAX_TEXT:
        reason = f"this is {len(text):,} characters long; the most is {MAX_TEXT:,}"
        raise ValueError(reason)
    found = (
        list(_bib(text)) if _BIB_ENTRY.search(text) else [_line(one) for one in text.splitlines()]
    )
    entries = tuple(dict.fromkeys(entry for entry in found if entry.names))
    if len(entries) > MAX_ENTRIES:
        reason = f"these are {len(entries):,} papers; the most is {MAX_ENTRIES:,}"
        raise ValueError(reason)
    return entries


def read_names(text: str) -> tuple[str, ...]:
    """The names of papers, one a line, as a library keeps them, or as they may be pasted.

    What names no paper is passed over. Raises ValueError for a text that is too long.
    """
    found: dict[str, None] = {}
    pasted = []
    for line in text.splitlines():
        if line.startswith(_TITLE):
            found[title_name(line.removeprefix(_TITLE))] = None
        else:
            pasted.append(line)
    found |= dict.fromkeys(
        name for entry in read_library("\n".join(pasted)) for name in entry.names
    )
    return tuple(filter(None, found))


def names_of(paper: Paper) -> tuple[str, ...]:
    """Everything a paper may be known by in a library."""
    title = title_name(paper.title)
    return tuple(filter(None, (str(paper.id), *map(str, paper.aliases), title)))


def title_name(title: str) -> str:
    """A title as a name, `title:forgetting on a budget`; nothing for one that is too short."""
    folded = words(title[:_LONGEST_TITLE])
    return _TITLE + " ".join(folded) if len(folded) >= _LEAST_TITLE else ""


def ids_in(text: str) -> tuple[PaperId, ...]:
    """Every arXiv id, DOI and PubMed id in a text, in any of their forms."""
    found: dict[PaperId, None] = {}
    if page := PAPER_PAGE.search(text):
        found[PaperId("arxiv", page[1])] = None
    for doi in _DOI.findall(text):
        found[PaperId.doi(doi)] = None
    for name in _ARXIV.findall(_DOI.sub(" ", text)):
        found[PaperId("arxiv", name)] = None
    for number in _PMID.findall(text):
        found[PaperId("pmid", number)] = None
    return tuple(found)[:MAX_NAMES]


def _line(line: str) -> Entry:
    """One pasted line: its ids, or the whole of it as a title."""
    if ids := ids_in(line):
        return Entry(ids)
    return Entry(title=_BULLET.sub("", line, count=1).strip().strip('"\u201c\u201d'))


def _bib(text: str) -> Iterator[Entry]:
    """The entries of a BibTeX text; what cannot be read ends its entry and no other."""
    heads = list(_BIB_ENTRY.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        if head[1].lower() in _NOT_ENTRIES:
            continue
        fields = dict(_fields(text[head.end() : end]))
        ids: dict[PaperId, None] = {}
        for name in _WITH_IDS:
            value = fields.get(name, "")
            if name == "pmid" and value.isdecimal():
                value = f"pmid:{value}"
            ids.update(dict.fromkeys(ids_in(value)))
        yield Entry(tuple(ids)[:MAX_NAMES], " ".join(fields.get("title", "").split()))


def _fields(entry: str) -> Iterator[tuple[str, str]]:
    """The fields of an entry behind its opening brace, names in lower case."""
    at = entry.find(",") + 1
    while at and (found := _BIB_FIELD.match(entry, at)):
        value, at = _value(entry, found.end())
        while joint := _BIB_JOINT.match(entry, at):
            more, at = _value(entry, joint.end())
            value += more
        yield found[1].lower(), value


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, without its delimiters, and where it ends."""
    opening = text[at : at + 1]
    if opening not in {"{", '"'}:
        bare = _BIB_BARE.match(text, at)
        return (bare[0], bare.end()) if bare else ("", at)
    depth, start = 0, at + 1
    for found in _DELIMITER.finditer(text, start):
        sign = found[0]
        if sign == "{":
            depth += 1
        elif depth:
            depth -= sign == "}"
        elif sign == ("}" if opening == "{" else '"'):
            return text[start : found.start()], found.end()
        elif sign == "}":
            break  # the entry ends inside a quotation
    return text[start : start + _LONGEST_TITLE], len(text)


_DELIMITER: Final = re.compile(r'(?<!\\)[{}"]')
