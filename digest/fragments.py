"""Many readers' digests out of the same papers: each card is rendered and encoded once.

A mail is then a join of bytes. What a card says depends on the paper, on why it is there and on
how it is shown; cards are kept by that, the least used given up. What is each reader's own (lead,
foot, links, numbers) are slots of stencils. The result says byte for byte, once decoded, what
`Renderer.fitted` says: a property test holds it to that. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from markupsafe import escape

from digest.cards import View, card
from digest.columns import squeezed
from digest.compose import LOOSE, Digest, Group, is_from_arxiv, plan, words
from digest.errors import TemplateError
from digest.mail import quoted_printable
from digest.render import BUDGET, DigestLinks, card_values
from digest.selection import packed, reasons_of
from digest.templating.sandbox import Sandbox, run, slot
from digest.templating.stencil import NUMBER, Stencil, fillings, only_prints, stencil
from digest.tex import typeset
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.compose import Fit, Interest
    from digest.papers import Paper
    from digest.render import Renderer
    from digest.selection import Selection
    from subscribers.subscriber import Subscriber

CARDS_KEPT: Final = 16_384
"""Cards in memory, about 4 kB each."""
_GAP: Final = b"\r\n\r\n"
_NUMBERS: Final = tuple(b"%d=\r\n" % number for number in range(10_000))

# The slots of a card.
_CARD: Final = ("number", "save_url", "not_url", "either_url")
# The slots of a mail: what nearly every reader has another of. The rest names its frame.
_SAID: Final = ("subject", "preheader", "lead", "rest", "because")
_LINKS: Final = ("manage", "pause", "unsubscribe", "browser")
_BOTH_LINKS: Final = (1, 2)


class Body(NamedTuple):
    """A mail's two parts as they are sent, quoted-printable, and what its headers need.

    `size` counts the HTML part decoded.
    """

    subject: str
    html: bytes
    text: bytes
    size: int


class Fragment(NamedTuple):
    """One card, encoded: bytes, and numbers of slots between them; `size` counts its HTML."""

    html: tuple[bytes | int, ...]
    text: tuple[bytes | int, ...]
    size: int
    open: tuple[int, ...]
    """The slots of its HTML."""


class _Frame(NamedTuple):
    """What stands around the cards of one shape of mail."""

    top: Stencil
    bottom: Stencil
    lead: Stencil
    foot: Stencil


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
            papers = sum(len(interest.spots) for interest in interests)
            if body.size <= BUDGET or (papers <= 1 and not fit.full):
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
        shown = [pick.paper for interest in interests for pick, *_ in interest.spots]
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
        )
        frame = self._frame(
            *(said.language, said.kind, said.headline, said.day_short, said.day_long),
            *(said.note, said.thanks, said.incomplete, links.home, tuple(map(bool, values))),
        )
        in_html, in_text = fillings(values)
        feedback = _Feedback(links.feedback)
        view = View(reader.language, reader.summaries, reader.figures, fit.summary_width)
        html: list[bytes] = []
        texts: list[bytes] = []
        size = frame.top.fill(in_html, html)
        frame.lead.fill(in_text, texts)
        for group, interest in zip(said.groups, interests, strict=True):
            heading = self._heading(
                said.language, group.heading, group.name, group.count, group.number
            )
            html.append(heading.html)
            texts += (_GAP, heading.text) if texts else (heading.text,)
            size += heading.size + self._cards(interest, view, feedback, html, texts)
            html.append(heading.close)
        size += frame.bottom.fill(in_html, html)
        if frame.foot.pieces:
            texts.append(_GAP)
            frame.foot.fill(in_text, texts)
        texts.append(b"\r\n")
        return Body(said.subject, b"".join(html), b"".join(texts), size)

    def _cards(
        self,
        interest: Interest,
        view: View,
        feedback: _Feedback,
        html: list[bytes],
        texts: list[bytes],
    ) -> int:
        """Add the cards of one interest; gives back the size of their HTML."""
        size, is_first, has_feedback = 0, True, feedback.is_there
        card_of = self._card
        for pick, number, layout, place in interest.spots:
            fragment = card_of(
                pick.paper,
                pick.packed or packed(pick.reasons),
                pick.interests,
                layout,
                view,
                is_first,
                1 if number == 1 else len(str(number)) + 1,
                has_feedback,
            )
            is_first = False
            slots = feedback.slots(number, place) if has_feedback else (_NUMBERS[number],)
            if fragment.open:
                html += [slots[one] if isinstance(one, int) else one for one in fragment.html]
                if fragment.open == _BOTH_LINKS:
                    size += feedback.links_size + 2 * len(str(place))
                else:
                    size += sum(feedback.size(one, slots) for one in fragment.open)
            else:
                html += cast("tuple[bytes, ...]", fragment.html)
            if fragment.text:
                texts.append(_GAP)
                texts += [slots[one] if isinstance(one, int) else one for one in fragment.text]
            size += fragment.size
        return size

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
    ) -> Fragment:
        """A card with its slots open.

        `digits` is 1 for the first paper of a mail, else one more than its number has digits.
        """
        first = digits == 1
        width = 1 if first else digits - 1
        shown = card(
            self._papers[number], reasons_of(reasons), names[1:], layout, view, 1 if first else 2, 0
        )
        values = card_values(shown, "", self._renderer.brand, is_first=is_first)
        values["number"] = NUMBER * width
        if has_feedback and layout is Layout.FULL:
            values |= {name: slot(at) for at, name in enumerate(_CARD) if at}
        common = {**self._renderer.common(view.language), "one": values}
        html = stencil(self._compiled.cards[layout], common, len(_CARD), html=True)
        text = stencil(self._compiled.texts[layout], common, len(_CARD), html=False)
        slots = tuple(one for one in html.pieces if isinstance(one, int))
        return Fragment(tuple(html.pieces), tuple(text.pieces), html.size, slots)

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
            top=stencil(parts.top, common, count, html=True),
            bottom=stencil(parts.bottom, common, count, html=True),
            lead=stencil(parts.texts["lead"], common, count, html=False),
            foot=stencil(parts.texts["foot"], common, count, html=False),
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


class _Feedback:
    """What stands in the slots of cards: numbers, and links made of one beginning."""

    def __init__(self, url: str) -> None:
        self.is_there = bool(url)
        self._start = quoted_printable(url)
        self._length = len(str(escape(url)))
        self.links_size = 2 * self._length + len("?p=&amp;do=save?p=&amp;do=not")
        """Bytes of the two links of a card, but for the place in them."""

    def slots(self, number: int, place: int) -> tuple[bytes, ...]:
        """The slots of one card, quoted; in HTML an ampersand is &amp;, and in text none stands."""
        start, at = self._start, b"?p=3D%d" % place
        return (
            _NUMBERS[number],
            b"%b%b&amp;do=3Dsave=\r\n" % (start, at),
            b"%b%b&amp;do=3Dnot=\r\n" % (start, at),
            b"%b%b=\r\n" % (start, at),
        )

    def size(self, which: int, slots: tuple[bytes, ...]) -> int:
        """How many bytes a slot has in HTML, decoded."""
        if not which:
            return len(slots[0]) - 3
        rest = len(slots[which]) - len(self._start) - len("=\r\n")
        return self._length + rest - 2 * slots[which].count(b"=3D", len(self._start))


def _only_print(renderer: Renderer) -> bool:
    """Whether every part does no more with slots than print them."""
    sandbox = Sandbox(html=True)
    for name, source in renderer.compiled.sources.items():
        tree = sandbox.parse(source)
        if name in {"top", "bottom", "lead", "foot"}:
            prints = only_prints(tree, {*_SAID, *_LINKS})
        elif name == "interest":
            continue  # rendered anew for every name and count
        else:
            prints = only_prints(tree, _CARD, unfiltered=_CARD[1:])
        if not prints:
            return False
    return True
