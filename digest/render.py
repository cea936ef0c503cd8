"""Templates to mail: MJML is compiled first, once; Jinja runs on the resulting HTML.

Autoescape is always on, an unknown variable is an error, and the sandbox keeps an operator's
template from more than words. Templates are read when a Renderer is made, never later.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from digest.compose import PROMISE, Card, Digest
from digest.errors import TemplateError
from digest.phrases import compact_count, counted
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import Template

WIDTH: Final = 72
SERIF: Final = "Charter, 'Iowan Old Style', Cambria, 'Noto Serif', Georgia, serif"
SANS: Final = (
    "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
)
_NO_SERIF: Final = ("zh", "ja", "ko")
_FIGURE: Final = re.compile(r"https://.+\.(?:png|jpe?g|webp)(?:\?.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Brand:
    """Who sends: the masthead's name, and the line at the foot (name and postal address)."""

    name: str = "Paper Digest"
    sender: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class DigestLinks:
    """The links of one mail; empty where there is no public URL. `feedback` is per card."""

    manage: str = ""
    pause: str = ""
    unsubscribe: str = ""
    browser: str = ""
    home: str = ""
    feedback: Callable[[int], str] | None = None
    unsubscribe_mailto: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A short mail: paragraphs, at most one button, a foot."""

    subject: str
    headline: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    button: str = ""
    url: str = ""
    foot: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's texts: subject and preheader, HTML part, text part (72 columns)."""

    subject: str
    preheader: str
    html: str
    text: str


def templates_dir() -> Path:
    """Where our templates lie: in the wheel beside the code, else at the repository's root."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


class Renderer:
    """Compiled templates; a file of `overlay`/email stands for ours of the same name."""

    def __init__(self, brand: Brand, overlay: Path | None = None) -> None:
        self.brand = brand
        self._folders = [folder / "email" for folder in (overlay, templates_dir()) if folder]
        self._digest = self._html("digest.mjml")
        self._digest_text = self._text("digest.txt")
        self._note = self._html("note.mjml")
        self._note_text = self._text("note.txt")

    def digest(self, digest: Digest, links: DigestLinks) -> Rendered:
        """One reader's digest."""
        values = {
            **self._common(digest.language),
            "digest": digest,
            "groups": [
                {
                    "name": group.name,
                    "heading": group.name[:1].upper() + group.name[1:],
                    "count": counted(group.count, "paper"),
                    "number": group.count,
                    "cards": [_card(card, links) for card in group.cards],
                }
                for group in digest.groups
            ],
            "links": links,
            "promise": PROMISE,
        }
        html, text = _run(self._digest, values), _run(self._digest_text, values)
        return Rendered(digest.subject, digest.preheader, html, _squeezed(text))

    def note(self, note: Note) -> Rendered:
        """One short mail."""
        values = {**self._common(note.language), "note": note}
        html, text = _run(self._note, values), _run(self._note_text, values)
        return Rendered(note.subject, "", html, _squeezed(text))

    def _common(self, language: str) -> dict[str, Any]:
        first, _, last = self.brand.name.rpartition(" ")
        serif = SANS if language in _NO_SERIF else SERIF
        return {
            "brand": self.brand,
            "brand_first": first,
            "brand_last": last,
            "language": language,
            "serif": serif,
            "sans": SANS,
        }

    def _html(self, name: str) -> Template:
        from mjml import mjml2html  # noqa: PLC0415 -- only what renders needs it

        source, path = self._source(name)
        try:
            # A comment of Jinja's may hold what is no MJML.
            html = mjml2html(re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL), fonts={})
        except ValueError as error:
            raise TemplateError(f"{path}: MJML does not compile: {error}") from error
        return _compiled(html, path, html=True)

    def _text(self, name: str) -> Template:
        source, path = self._source(name)
        return _compiled(source, path, html=False)

    def _source(self, name: str) -> tuple[str, Path]:
        for folder in self._folders:
            path = folder / name
            if path.is_file():
                return path.read_text(encoding="utf-8"), path
        raise TemplateError(f"there is no template {name} in {self._folders[-1]}")


def marked(text: str, marks: tuple[tuple[int, int], ...]) -> Markup:
    """The text, escaped, with the reader's own words marked; marks are apart and in order."""
    pieces, last = [], 0
    for start, end in marks:
        if not last <= start < end <= len(text):
            continue
        pieces += [escape(text[last:start]), _MARK % escape(text[start:end])]
        last = end
    return Markup("").join([*pieces, escape(text[last:])])


_MARK: Final = Markup(
    '<span class="m" style="background-color:#FFEFA6;border-radius:2px">%s</span>'
)


def _card(card: Card, links: DigestLinks) -> dict[str, Any]:
    paper = card.paper
    title = paper.title
    places = [("PDF", paper.pdf_url)]
    if paper.code_url:
        stars = f" {compact_count(paper.signals.stars)}" if paper.signals.stars else ""
        host = "GitHub" if "github.com" in paper.code_url else "Code"
        places.append((f"{host}{stars}", paper.code_url))
    places.append(("Project", paper.project_url))
    comments = paper.signals.comments
    full = card.layout is Layout.FULL
    return {
        "card": card,
        "full": full,
        "compact": card.layout is Layout.COMPACT,
        "url": paper.url or paper.pdf_url,
        "title": title,
        "title_marked": marked(title, card.title_marks),
        "summary_marked": marked(card.summary, card.summary_marks),
        "organization": paper.organization,
        "image": card.image if _FIGURE.fullmatch(card.image) else "",
        "comments": counted(comments, "comment") if comments and paper.discussion_url else "",
        "places": [
            {"text": text, "url": url, "label": f"{text} of {title}"} for text, url in places if url
        ]
        if full
        else [],
        "feedback": links.feedback(card.number) if links.feedback and full else "",
        "why": Markup("").join(
            Markup('<strong class="ink" style="color:#1F1D1A;font-weight:600">%s</strong>') % text
            if own
            else escape(text)
            for text, own in card.why
        ),
        "why_text": "".join(text for text, _ in card.why),
    }


def _compiled(source: str, path: Path, *, html: bool) -> Template:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=not html,
        lstrip_blocks=not html,
        keep_trailing_newline=True,
    )
    environment.filters |= {"wrap": wrapped, "rule": lambda text: "=" * len(text)}
    try:
        return environment.from_string(source)
    except JinjaError as error:
        line = getattr(error, "lineno", 0)
        raise TemplateError(f"{path}, line {line}: {error}") from error


def _run(template: Template, values: dict[str, Any]) -> str:
    try:
        return template.render(values)
    except (JinjaError, TypeError, ValueError) as error:
        raise TemplateError(f"a template of the mail does not render: {error}") from error


def wrapped(text: str, indent: int = 0, first: str = "") -> str:
    """Text in 72 columns, indented; words longer than that, links above all, stay whole."""
    return textwrap.fill(
        text.replace("\u00a0", " "),
        WIDTH,
        initial_indent=first or " " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _squeezed(text: str) -> str:
    """No blanks at the ends of lines (but the signature's mark), no two empty lines in a row."""

    def lines() -> Iterator[str]:
        for line in text.split("\n"):
            yield line if line == "-- " else line.rstrip()

    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines())).strip("\n") + "\n"
