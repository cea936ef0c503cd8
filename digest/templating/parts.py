"""The parts a mail's templates come in, an operator's laid over ours one by one.

MJML is compiled first, once, with Jinja's tags passing through; then Jinja runs on the HTML. In
that order no paper can contain MJML. Files are read when the parts are, never later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from digest.errors import TemplateError, why
from digest.templating.sandbox import Sandbox
from digest.templating.slim import slim

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jinja2 import Template

PARTS: Final = {
    "digest.mjml": "the frame of a digest: where its parts go",
    "letter.mjml": "the frame of a short mail",
    "style.mjml": "colours, sizes and dark mode, in the head of every mail",
    "masthead.html": "the brand and the day",
    "lead.html": "headline, lead sentence, what was incomplete, the note of the day",
    "lead.txt": "the same in the text part",
    "interest.html": "the heading of one interest",
    "interest.txt": "the same in the text part",
    "card.html": "a paper in full",
    "card.txt": "the same in the text part",
    "compact.html": "a paper in a title and a line",
    "compact.txt": "the same in the text part",
    "title.html": "a paper in its title alone",
    "title.txt": "the same in the text part",
    "foot.html": "what did not fit, the links, why this came, who sends it",
    "foot.txt": "the same in the text part",
    "note.html": "a short mail: confirm, welcome back, quiet week and the like",
    "note.txt": "the same in the text part",
}
"""Every file of a mail's templates, and what it is."""
LAYOUT_PARTS: Final = {"full": "card", "compact": "compact", "titles": "title"}
"""Which part shows a paper, by layout."""
_MARK: Final = re.compile(r"\[\[(\w+)\]\]")
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a template: its text, where it lies, and whether it is the operator's."""

    name: str
    text: str
    path: Path
    own: bool


@dataclass(frozen=True)
class Compiled:
    """Everything a mail is printed from."""

    top: Template
    interest: Template
    close: Template
    bottom: Template
    note: Template
    cards: Mapping[str, Template]
    """By layout: full, compact, titles."""
    texts: Mapping[str, Template]
    """By part: lead, interest, full, compact, titles, foot, note."""
    sources: Mapping[str, str]
    """What was compiled, by what it is for: to see what templates do with a reader's values."""


def templates_dir() -> Path:
    """Where our templates lie: in the wheel beside the code, else at the repository's root."""
    inside = Path(__file__).parent.parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent.parent / "templates"


def sources(overlay: Path | None, without: Collection[str] = ()) -> dict[str, Source]:
    """The source of every part; the overlay's where it has one that is not in `without`."""
    found = {}
    for name in PARTS:
        path = (overlay / "email" / name) if overlay else None
        own = path is not None and name not in without and path.is_file()
        at = path if own and path is not None else templates_dir() / "email" / name
        found[name] = Source(name, _read(at), at, own)
    return found


def strangers(overlay: Path | None) -> list[Path]:
    """Files of the overlay that stand for nothing of ours: misspelt, or of an older version."""
    folder = overlay / "email" if overlay else None
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name not in PARTS)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{path} cannot be read: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path} cannot be read: it is not UTF-8 text") from error


def compile_parts(parts: Mapping[str, Source]) -> Compiled:
    """Compile every part; TemplateError names the file, and the line where it is known."""
    html, text = Sandbox(html=True), Sandbox(html=False)
    for source in parts.values():
        # An operator's by itself first: only here is the line of a mistake the file's own.
        if source.own:
            kind = text if source.name.endswith(".txt") else html
            kind.compiled(source.text, str(source.path))
    top, opening, closing, bottom = _cut(_framed("digest.mjml", parts), parts["digest.mjml"])
    heading = opening + _inner(parts["interest.html"])
    cards = {lay: _inner(parts[f"{name}.html"]) for lay, name in LAYOUT_PARTS.items()}
    texts = {name: parts[f"{name}.txt"].text for name in ("lead", "interest", "foot", "note")}
    texts |= {lay: parts[f"{name}.txt"].text for lay, name in LAYOUT_PARTS.items()}
    return Compiled(
        top=html.compiled(top, f"digest.mjml+{_HEAD}+lead.html"),
        interest=html.compiled(heading, "digest.mjml+interest.html"),
        close=html.compiled(closing, "digest.mjml"),
        bottom=html.compiled(bottom, "digest.mjml+foot.html"),
        note=html.compiled(_framed("letter.mjml", parts), f"letter.mjml+{_HEAD}+note.html"),
        cards={
            lay: html.compiled(source, f"{LAYOUT_PARTS[lay]}.html") for lay, source in cards.items()
        },
        texts={
            name: text.compiled(source, f"{LAYOUT_PARTS.get(name, name)}.txt")
            for name, source in texts.items()
        },
        sources={
            "top": top,
            "interest": heading,
            "bottom": bottom,
            **{f"{lay}.html": source for lay, source in cards.items()},
            **{name: source for name, source in texts.items() if name != "note"},
        },
    )


_HEAD: Final = "style.mjml+masthead.html"


def _inner(source: Source) -> str:
    return _tight(_COMMENT.sub("", source.text))


def _framed(name: str, parts: Mapping[str, Source]) -> str:
    """A frame as HTML, its parts in their places; TemplateError where MJML makes nothing of it.

    Parts that are HTML are put in behind MJML, which would read them as XML.
    """
    frame = parts[name]

    def filled(text: str, kind: str) -> str:
        return _MARK.sub(lambda found: part(f"{found[1]}.{kind}", found[0]), text)

    def part(name: str, mark: str) -> str:
        return _COMMENT.sub("", parts[name].text) if name in _IN_FRAMES else mark

    try:
        html = _compiled_mjml(filled(_COMMENT.sub("", frame.text), "mjml"))
    except ValueError as error:
        raise TemplateError(f"{frame.path}: MJML does not compile: {error}") from error
    return slim(_tight(filled(html, "html")))


_IN_FRAMES: Final = ("style.mjml", "masthead.html", "lead.html", "foot.html", "note.html")


@lru_cache(maxsize=32)
def _compiled_mjml(mjml: str) -> str:
    from mjml import mjml2html  # noqa: PLC0415 -- only what renders needs it

    html: str = mjml2html(mjml, fonts={})
    return html


def _cut(html: str, frame: Source) -> tuple[str, str, str, str]:
    """A digest's frame in its four pieces: before, around and after the interests."""
    places = [html.find(f"[[{mark}]]") for mark in ("each", "interest", "papers", "end")]
    if places != sorted(places) or min(places) < 0:
        raise TemplateError(
            f"{frame.path}: it needs [[each]], [[interest]], [[papers]] and [[end]], in this order"
        )
    each, interest, papers, end = places
    return (
        html[:each],
        html[each + len("[[each]]") : interest],
        html[papers + len("[[papers]]") : end],
        html[end + len("[[end]]") :],
    )


def _tight(html: str) -> str:
    """Without blanks at the ends of lines, indents of lines, and empty lines."""
    lines = (line.strip(" \t") for line in html.split("\n"))
    return "\n".join(line for line in lines if line)
