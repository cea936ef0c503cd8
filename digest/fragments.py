"""Many readers' digests out of the same papers: each card is rendered and encoded once.

A mail is then a join of bytes. What a card says depends on the paper, on why it is there and on
how it is shown; cards are kept by that, the least used given up. What is each reader's own (lead,
foot, links, numbers) are slots of stencils. The result says byte for byte, once decoded, what
`Renderer.fitted` says: a property test holds it to that. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from digest.cards import View, card
from digest.columns import squeezed
from digest.compose import LOOSE, Digest, Group, is_from_arxiv, plan, words
from digest.errors import TemplateError
from digest.mail import quoted_printable
from digest.render import BUDGET, DigestLinks, card_values
from digest.selection import reasons_of
from digest.templating.sandbox import Sandbox, run, slot
from digest.templating.stencil import NUMBER, Stencil, Stencils, fillings, only_prints, opened
from digest.tex import typeset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.compose import Fit, Interest
    from digest.papers import Paper
    from digest.render import Renderer
    from digest.selection import Selection
    from subscribers.profile import Layout
    from subscribers.subscriber import Subscriber

CARDS_KEPT: Final = 16_384
"""Cards in memory, about 4 kB each."""
_GAP: Final = b"\r\n\r\n"
_NUMBERS: Final = tuple(b"%d=\r\n" % number for number in range(10_000))
_WIDTHS: Final = tuple(len(str(number)) for number in range(10_000))

# The slots of a card: its number in the mail, its place among the picks, and where feedback goes,
# as that stands in HTML and in text.
_PLACE: Final = 1
_IN_HTML: Final = 2
_IN_TEXT: Final = 3
_LINKS_OF_CARD: Final = ("save_url", "not_url", "either_url")
# The slots of a mail: what nearly every reader has another of. The rest names its frame.
_SAID: Final = ("subject", "preheader", "lead", "rest", "because")
_LINKS: Final = ("manage", "pause", "unsubscribe", "browser", "unsubscribe_mailto", "feedback")
_WORD: Final = len(_SAID) + len(_LINKS) - 1


class Body(NamedTuple):
    """A mail's two parts as they are sent, quoted-printable, and what its headers need.

    `size` counts the HTML part decoded.
    """

    subject: str
    html: bytes
    text: bytes
    size: int


class _Card(NamedTuple):
    """One card, encoded, its slots open, and what to reckon the size of its HTML with.

    That is its size and how often number, place and feedback stand in it.
    """

    html: Stencil
    text: Stencil
    size: int
    numbers: int
    places: int
    links: int


class _Frame(NamedTuple):
    """What stands around the cards of one shape of mail: top and bottom, lead and foot."""

    html: Stencils
    text: Stencils


class _Heading(NamedTuple):
    """What stands around the cards of one interest; `size` counts all its HTML."""

    html: bytes
    text: bytes
    close: bytes
    size: int


class Fragments:
    """The day's papers, ready to be joined; `papers` are those of all selections to be built."""

    def __init__(self, renderer: Renderer, papers: Mapping[int, Paper]) -> None:
        self._renderer = renderer
        self._papers = papers
        self._compiled = renderer.compiled
        self._joins = _only_print(renderer)
        self._card = lru_cache(maxsize=CARDS_KEPT)(self._rendered_card)
        self._frame = lru_cache(maxsize=512)(self._rendered_frame)
        self._heading = lru_cache(maxsize=4096)(self._rendered_heading)
        self._title = lru_cache(maxsize=4096)(lambda number: typeset(papers[number].title).text)
        self._is_from_arxiv = lru_cache(maxsize=4096)(lambda number: is_from_arxiv(papers[number]))

    @property
    def cards_made(self) -> int:
        """How many cards were rendered so far; all others were joined from them."""
        return self._card.cache_info().misses

    def build(self, reader: Subscriber, selection: Selection, links: DigestLinks) -> Body:
        """One reader's mail, within BUDGET."""
        if not self._joins or self._compiled is not self._renderer.compiled:
            return self._whole(reader, selection, links)
        try:
            return self._fitted(reader, selection, links)
        except TemplateError:  # the whole rendering knows what to do without an operator's part
            return self._whole(reader, selection, links)

    def _fitted(self, reader: Subscriber, selection: Selection, links: DigestLinks) -> Body:
        fit = LOOSE
        while True:
            interests = plan(reader, selection, self._papers, fit)
            body = self._joined(reader, selection, links, interests, fit)
            if body.size <= BUDGET:
                return body
            papers = sum(len(interest.spots) for interest in interests)
            if papers <= 1 and not fit.full:
                return body
            fit = fit.tighter(body.size, BUDGET, papers)

    def _whole(self, reader: Subscriber, selection: Selection, links: DigestLinks) -> Body:
        """For an operator's templates that do more with a slot than print it."""
        mail = self._renderer.fitted(reader, selection, self._papers, links)[1]
        html, text = quoted_printable(mail.html), quoted_printable(mail.text)
        return Body(mail.subject, html, text, len(mail.html.encode("utf-8", "replace")))

    def _joined(
        self,
        reader: Subscriber,
        selection: Selection,
        links: DigestLinks,
        interests: list[Interest],
        fit: Fit,
    ) -> Body:
        shown = [spot[0].paper for interest in interests for spot in interest.spots]
        said = words(
            reader,
            selection,
            interests,
            self._title(shown[0]) if shown else "",
            from_arxiv=any(map(self._is_from_arxiv, shown)),
        )
        values = (
            *(said.subject, said.preheader, said.lead, said.rest, said.because),
            *(links.manage, links.pause, links.unsubscribe, links.browser),
            *(links.unsubscribe_mailto, links.feedback),
        )
        frame = self._frame(
            *(said.language, said.kind, said.headline, said.day_short, said.day_long),
            *(said.note, said.thanks, said.incomplete, links.home, tuple(map(bool, values))),
        )
        in_html, in_text = fillings(values)
        (top, bottom), size = frame.html.fill(in_html)
        (lead, foot), _ = frame.text.fill(in_text)
        feedback = in_html.quoted[_WORD], in_text.quoted[_WORD], in_html.sizes[_WORD]
        view = View(reader.language, reader.summaries, reader.figures, fit.summary_width)
        html, texts = [top], [lead]
        for group, interest in zip(said.groups, interests, strict=True):
            heading = self._heading(
                said.language, group.heading, group.name, group.count, group.number
            )
            html.append(heading.html)
            texts.append(heading.text)
            size += heading.size + self._cards(interest, view, feedback, html, texts)
            html.append(heading.close)
        html.append(bottom)
        texts.append(foot)
        text = b"%b\r\n" % _GAP.join(filter(None, texts))
        return Body(said.subject, b"".join(html), text, size)

    def _cards(
        self,
        interest: Interest,
        view: View,
        feedback: tuple[bytes, bytes, int],
        html: list[bytes],
        texts: list[bytes],
    ) -> int:
        """Add the cards of one interest; gives back the size of their HTML.

        `feedback` is where it goes, as it stands in HTML and in text, and its size in HTML.
        """
        in_html, in_text, length = feedback
        total, is_first, card_of, has_feedback = 0, True, self._card, length > 0
        add_html, add_text = html.append, texts.append
        for pick, number, layout, place in interest.spots:
            width = _WIDTHS[number]
            (form, picked), (text_form, text_picked), size, numbers, places, links = card_of(
                pick.paper,
                pick.packed,
                pick.interests,
                layout,
                view,
                is_first,
                width if number > 1 else 0,
                has_feedback,
            )
            is_first = False
            slots = _NUMBERS[number], _NUMBERS[place], in_html, in_text
            add_html(form % picked(slots) if picked else form)
            add_text(text_form % text_picked(slots) if text_picked else text_form)
            total += size + links * length + numbers * width + places * _WIDTHS[place]
        return total

    def _rendered_card(  # noqa: PLR0917 -- everything a card depends on
        self,
        number: int,
        reasons: str,
        names: tuple[str, ...],
        layout: Layout,
        view: View,
        is_first: bool,  # noqa: FBT001
        digits: int,
        has_feedback: bool,  # noqa: FBT001
    ) -> _Card:
        """A card with its slots open; its number has so many `digits`, 0 for a mail's first."""
        shown = card(
            self._papers[number],
            reasons_of(reasons),
            names[1:],
            layout,
            view,
            2 if digits else 1,
            0,
        )
        values = card_values(
            shown,
            slot(_IN_HTML) if has_feedback else "",
            self._renderer.brand,
            is_first=is_first,
            number=NUMBER * (digits or 1),
            place=slot(_PLACE),
        )
        common = {**self._renderer.common(view.language), "one": values}
        html = opened(run(self._compiled.cards[layout], common))
        text = squeezed(run(self._compiled.texts[layout], common))
        return _Card(
            html.stencil,
            opened(text.replace(slot(_IN_HTML), slot(_IN_TEXT))).stencil,
            html.size,
            *(html.slots.count(one) for one in (0, _PLACE, _IN_HTML)),
        )

    def _rendered_frame(  # noqa: PLR0917 -- everything a frame depends on
        self,
        code: str,
        kind: str,
        headline: str,
        day_short: str,
        day_long: str,
        note: str,
        thanks: str,
        incomplete: tuple[str, ...],
        home: str,
        there: tuple[bool, ...],
    ) -> _Frame:
        """Top and bottom of a mail; a slot that is empty is none, because templates ask for it."""
        values = [slot(at) if is_there else "" for at, is_there in enumerate(there)]
        subject, preheader, lead, rest, because, *links = values
        digest = Digest(
            kind=kind,
            language=code,
            subject=subject,
            preheader=preheader,
            headline=headline,
            lead=lead,
            day_short=day_short,
            day_long=day_long,
            groups=(),
            incomplete=incomplete,
            note=note,
            rest=rest,
            because=because,
            thanks=thanks,
        )
        common = {
            **self._renderer.common(code),
            "digest": digest,
            "links": DigestLinks(**dict(zip(_LINKS, links, strict=True)), home=home),
            "day": day_short,
        }
        parts, count = self._compiled, len(values)
        return _Frame(
            Stencils((parts.top, parts.bottom), common, count, html=True),
            Stencils((parts.texts["lead"], parts.texts["foot"]), common, count, html=False),
        )

    def _rendered_heading(
        self, code: str, heading: str, name: str, count: str, number: int
    ) -> _Heading:
        common = self._renderer.common(code)
        values = {**common, "group": Group(name, heading, count, number)}
        html, close = run(self._compiled.interest, values), run(self._compiled.close, common)
        text = squeezed(run(self._compiled.texts["interest"], values))
        size = len(f"{html}{close}".encode("utf-8", "replace"))
        return _Heading(
            quoted_printable(html), quoted_printable(text), quoted_printable(close), size
        )


def _only_print(renderer: Renderer) -> bool:
    """Whether every part does no more with slots than print them; ours do not, as a test holds."""
    if not any(source.own for source in renderer.parts.values()):
        return True
    return only_print(renderer.compiled.sources)


def only_print(sources: Mapping[str, str]) -> bool:
    """The same, by reading them."""
    sandbox = Sandbox(html=True)
    for name, source in sources.items():
        tree = sandbox.parse(source)
        if name in {"top", "bottom", "lead", "foot"}:
            prints = only_prints(tree, {*_SAID, *_LINKS})
        elif name == "interest":
            continue  # rendered anew for every name and count
        else:
            prints = only_prints(tree, {"number", *_LINKS_OF_CARD}, unfiltered=_LINKS_OF_CARD)
        if not prints:
            return False
    return True
