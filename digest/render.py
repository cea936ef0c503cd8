"""A digest's words to its mail, whole: HTML and text from the compiled parts.

`digest.fragments` does the same for many readers at once; both print from the same values, which
are made here. A part of an operator's that does not render is given up, loudly, for ours.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from digest.brand import Brand
from digest.columns import squeezed
from digest.compose import LOOSE, compose
from digest.errors import TemplateError
from digest.hints import BUDGET
from digest.language import language
from digest.notes import Note
from digest.templating.parts import Compiled, compile_parts, sources, templates_dir
from digest.templating.sandbox import run
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from digest.cards import Card, Marks
    from digest.compose import Digest, Fit
    from digest.papers import Paper
    from digest.selection import Selection
    from subscribers.subscriber import Subscriber

__all__ = ["BUDGET", "Brand", "DigestLinks", "Note", "Rendered", "Renderer", "templates_dir"]

PROMISE: Final = "Links go straight to the papers. We do not track what you open."
# Names of fonts need no quotes, which would be five bytes each in an attribute.
SERIF: Final = "Charter,Iowan Old Style,Cambria,Noto Serif,Georgia,serif"
SANS: Final = "-apple-system,BlinkMacSystemFont,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif"
_NO_SERIF: Final = ("zh", "ja", "ko")

_log = logging.getLogger("digest.render")


@dataclass(frozen=True, slots=True)
class DigestLinks:
    """The links of one mail; empty where there is no public URL.

    `feedback` is where a reader's word on a paper goes; the paper's place and the word come
    behind it.
    """

    manage: str = ""
    pause: str = ""
    unsubscribe: str = ""
    browser: str = ""
    home: str = ""
    feedback: str = ""
    unsubscribe_mailto: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's texts: subject and preheader, HTML part, text part (72 columns)."""

    subject: str
    preheader: str
    html: str
    text: str


class Renderer:
    """Compiled parts; a file of `overlay`/email stands for ours of the same name.

    `troubles` says which of the operator's files could not be used and why; each is logged as
    an error once, and ours is used instead.
    """

    def __init__(self, brand: Brand, overlay: Path | None = None) -> None:
        self.brand = brand
        self.overlay = overlay
        self.troubles: dict[str, str] = {}
        self.parts = sources(overlay)
        self.compiled = self._compiled()

    def digest(self, digest: Digest, links: DigestLinks) -> Rendered:
        """One reader's digest, whole, whatever its size."""
        return self._surely(lambda: self._digest(digest, links))

    def fitted(
        self,
        reader: Subscriber,
        selection: Selection,
        papers: Mapping[int, Paper],
        links: DigestLinks,
    ) -> tuple[Digest, Rendered]:
        """One reader's digest within BUDGET, and its words; nothing is cut in the middle."""
        fit: Fit = LOOSE
        while True:
            digest = compose(reader, selection, papers, fit)
            rendered = self.digest(digest, links)
            count = sum(group.number for group in digest.groups)
            size = len(rendered.html.encode("utf-8", "replace"))
            if size <= BUDGET or (count <= 1 and not fit.full):
                return digest, rendered
            fit = fit.tighter(size, BUDGET, count)

    def note(self, note: Note, links: DigestLinks | None = None) -> Rendered:
        """One short mail; with the reader's links it can be unsubscribed from."""
        return self._surely(lambda: self._note(note, links or DigestLinks()))

    def common(self, code: str) -> dict[str, Any]:
        """What every part of a mail in that language can use."""
        words = language(code)
        rtl = words.is_right_to_left
        serif = SANS if words.code in _NO_SERIF else SERIF
        return {
            "brand": self.brand,
            "colour": self.brand.light,
            "dark": self.brand.dark,
            "fonts": {"serif": serif, "sans": SANS},
            "language": words.code,
            "direction": "rtl" if rtl else "ltr",
            "start": "right" if rtl else "left",
            "end": "left" if rtl else "right",
            "say": words.say,
            "promise": words.say(PROMISE),
        }

    def _digest(self, digest: Digest, links: DigestLinks) -> Rendered:
        parts, common = self.compiled, self.common(digest.language)
        frame = {**common, "digest": digest, "links": links, "day": digest.day_short}
        html, texts = [run(parts.top, frame)], [squeezed(run(parts.texts["lead"], frame))]
        for group in digest.groups:
            heading = {**common, "group": group}
            html.append(run(parts.interest, heading))
            texts.append(squeezed(run(parts.texts["interest"], heading)))
            for place, card in enumerate(group.cards):
                shown = card_values(card, links.feedback, self.brand, is_first=place == 0)
                values = {**common, "one": shown}
                html.append(run(parts.cards[card.layout], values))
                texts.append(squeezed(run(parts.texts[card.layout], values)))
            html.append(run(parts.close, common))
        html.append(run(parts.bottom, frame))
        texts.append(squeezed(run(parts.texts["foot"], frame)))
        return Rendered(digest.subject, digest.preheader, "".join(html), joined(texts))

    def _note(self, note: Note, links: DigestLinks) -> Rendered:
        values = {**self.common(note.language), "note": note, "links": links, "day": note.day}
        html = run(self.compiled.note, values)
        text = squeezed(run(self.compiled.texts["note"], values)) + "\n"
        return Rendered(note.subject, note.preheader, html, text)

    def _surely(self, render: Callable[[], Rendered]) -> Rendered:
        """Render; where a part of the operator's fails, give it up and render again."""
        while True:
            try:
                return render()
            except TemplateError as error:
                self.give_up(error)

    def _compiled(self) -> Compiled:
        while True:
            try:
                return compile_parts(self.parts)
            except TemplateError as error:
                self.parts = self._without(error)

    def give_up(self, error: TemplateError) -> None:
        """Go on without the operator's part that failed; raises the error where it is ours."""
        self.parts = self._without(error)
        self.compiled = self._compiled()

    def _without(self, error: TemplateError) -> dict[str, Any]:
        """The parts but the one the error names; but all of the operator's where it names none."""
        own = [name for name, source in self.parts.items() if source.own]
        if not own:
            raise error
        said = str(error)
        named = [name for name in own if name in said.partition(":")[0]] or own
        for name in named:
            self.troubles[name] = said
        _log.error("template not used, ours stands for it: %s", said)
        return sources(self.overlay, without=self.troubles)


def joined(texts: Sequence[str]) -> str:
    """The pieces of a text part in one, an empty line between two."""
    return "\n\n".join(filter(None, texts)) + "\n"


def card_values(
    card: Card,
    feedback: str,
    brand: Brand,
    *,
    is_first: bool,
    number: str = "",
    place: str = "",
) -> dict[str, Any]:
    """What the part for one paper can use; `number` and `place` stand for the card's, if given."""
    word = f"{feedback}?p={place or card.place}" if feedback and card.layout is Layout.FULL else ""
    return {
        "number": number or str(card.number),
        "is_first": is_first,
        "auto": _AUTO if card.is_mixed else "",
        "url": card.url,
        "title": card.title,
        "title_marked": marked(card.title, card.title_marks, brand),
        "summary": card.summary,
        "summary_marked": marked(card.summary, card.summary_marks, brand),
        "organization": card.organization,
        "authors": card.authors,
        "authors_short": card.authors_short,
        "where": card.where,
        "comments": card.comments,
        "image": card.image,
        "places": card.places,
        "save_label": card.save_label,
        "not_label": card.not_label,
        "save_url": word and f"{word}&do=save",
        "not_url": word and f"{word}&do=not",
        "either_url": word,
        "why": card.why_text,
        "why_marked": _why(card, brand),
    }


def marked(text: str, marks: Marks, brand: Brand) -> Markup:
    """The text, escaped, with the reader's own words marked; marks are apart and in order."""
    pieces: list[str] = []
    last = 0
    for start, end in marks:
        if not last <= start < end <= len(text):
            continue
        word = escape(text[start:end])
        pieces += [escape(text[last:start]), _MARK.format(brand.light.mark, word)]
        last = end
    return Markup("".join([*pieces, escape(text[last:])]))  # noqa: S704 -- each piece is escaped


def _why(card: Card, brand: Brand) -> Markup:
    ink = brand.light.ink
    pieces = (_OWN.format(ink, escape(text)) if own else escape(text) for text, own in card.why)
    return Markup("".join(pieces))  # noqa: S704 -- each piece is escaped


_AUTO: Final = Markup(' dir="auto"')
_MARK: Final = '<span class="m" style="background:{};border-radius:2px">{}</span>'
_OWN: Final = '<b style="color:{};font-weight:600">{}</b>'
