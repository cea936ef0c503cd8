"""A paper as others cite it: BibTeX and RIS. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from digest.papers import Paper

_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_SPECIAL: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "#": r"\#",
        "%": r"\%",
        "&": r"\&",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
_CAPITALS: Final = re.compile(r"(?<!\w)(\w*[^\W\d_]\w*[A-Z]\w*)(?!\w)")
_NOT_KEY: Final = re.compile(r"[^a-z0-9]")
_DULL: Final = frozenset({"a", "an", "the", "on", "of", "in", "for", "to", "and", "is", "are"})


def bibtex(papers: Iterable[Paper]) -> str:
    """BibTeX entries, keys unique among them: @article where a venue is known, else @misc.

    TeX in a title is kept as its author typed it; words with capitals inside are braced, so that
    no style makes them small.
    """
    taken: set[str] = set()
    return "\n".join(_entry(paper, _key(paper, taken)) for paper in papers)


def ris(papers: Iterable[Paper]) -> str:
    """RIS records (JOUR where a venue is known, else UNPB), as Zotero and others read them."""
    return "".join(_record(paper) for paper in papers)


def _entry(paper: Paper, key: str) -> str:
    day = _day(paper)
    fields = [
        ("title", _title(paper.title)),
        ("author", " and ".join(_tex(author.name) for author in paper.authors)),
        ("journal", _tex(paper.venue)),
        ("year", str(day.year) if day else ""),
        ("doi", _value(paper, "doi")),
        ("eprint", _value(paper, "arxiv")),
        ("archiveprefix", "arXiv" if _value(paper, "arxiv") else ""),
        ("url", paper.url),
    ]
    lines = [f"  {name} = {{{value}}}," for name, value in fields if value]
    if day:
        lines.append(f"  month = {_MONTHS[day.month - 1]},")
    kind = "article" if paper.venue else "misc"
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def _record(paper: Paper) -> str:
    day = _day(paper)
    lines = [
        ("TY", "JOUR" if paper.venue else "UNPB"),
        ("TI", paper.title),
        *(("AU", author.name) for author in paper.authors),
        ("JO", paper.venue),
        ("PY", str(day.year) if day else ""),
        ("DA", f"{day:%Y/%m/%d}" if day else ""),
        ("AB", paper.abstract),
        *(("KW", keyword) for keyword in paper.keywords),
        ("DO", _value(paper, "doi")),
        ("UR", paper.url),
        ("L1", paper.pdf_url),
        ("AN", f"arXiv:{arxiv}" if (arxiv := _value(paper, "arxiv")) else ""),
    ]
    body = "".join(f"{tag}  - {value}\r\n" for tag, value in lines if value)
    return f"{body}ER  - \r\n"


def _day(paper: Paper) -> date | None:
    return paper.published_at.date() if paper.published_at else paper.announced_on


def _value(paper: Paper, scheme: str) -> str:
    """The paper's id of that scheme, its own or another name of it."""
    names = (paper.id, *paper.aliases)
    return next((name.value for name in names if name.scheme == scheme), "")


def _key(paper: Paper, taken: set[str]) -> str:
    """harrow2026forgetting, and harrow2026forgettinga where that is taken."""
    family = paper.authors[0].name if paper.authors else paper.organization
    family = family.partition(",")[0] if "," in family else family.rpartition(" ")[2]
    first = next((w for w in _words(paper.title) if w not in _DULL), "")
    day = _day(paper)
    stem = f"{''.join(_words(family))}{day.year if day else ''}{first}" or "paper"
    key, number = stem, 0
    while key in taken:
        key, number = f"{stem}{_letters(number)}", number + 1
    taken.add(key)
    return key


def _letters(number: int) -> str:
    return (_letters(number // 26 - 1) if number >= 26 else "") + chr(97 + number % 26)  # noqa: PLR2004 -- letters


def _words(text: str) -> Sequence[str]:
    return [word for part in text.lower().split() if (word := _NOT_KEY.sub("", part))]


def _title(title: str) -> str:
    if "$" in title or "\\" in title:
        # Typed as TeX, and cut by nobody where its braces match.
        return title if _is_balanced(title) else _tex(title)
    return _CAPITALS.sub(r"{\1}", _tex(title))


def _is_balanced(text: str) -> bool:
    depth = 0
    for letter in re.sub(r"\\.", "", text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:
            return False
    return depth == 0 and not text.endswith("\\") and re.sub(r"\\.", "", text).count("$") % 2 == 0


def _tex(text: str) -> str:
    return text.translate(_SPECIAL).replace("$", r"\$")


FORMATS: Final[dict[str, tuple[Callable[[Iterable[Paper]], str], str]]] = {
    "bib": (bibtex, "application/x-bibtex; charset=utf-8"),
    "ris": (ris, "application/x-research-info-systems; charset=utf-8"),
}
"""What a citation can be written as: by what, and the media type it is served as."""
