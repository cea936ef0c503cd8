"""The words of one paper in a digest: what stands on its card, and why it is there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from digest.language import LISTED, NBSP, language
from digest.match import Reason, ReasonKind
from digest.phrases import (
    SUMMARY_WIDTH,
    authors_line,
    clip,
    compact_count,
    first_author,
    reason_words,
    shortened,
)
from digest.retold import heading
from digest.tex import typeset
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from digest.language import Language
    from digest.papers import Paper
    from digest.tex import Typeset
    from subscribers.finding import Hit

SNIPPET_WIDTH: Final = 90
_LONGEST_GLUED: Final = 40
"""A piece of the where line up to this long is never torn: it fits a phone's line."""
_FIGURE: Final = re.compile(r"https://.+\.(?:png|jpe?g|webp)(?:\?.*)?", re.IGNORECASE)

_FROM_THE_RIGHT: Final = re.compile(
    "[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)

Marks = tuple[tuple[int, int], ...]


class Place(NamedTuple):
    """A link of a card: the words on it, where it leads, and what a screen reader says."""

    text: str
    url: str
    label: str


class View(NamedTuple):
    """How a digest shows its papers: a language's code, and what the reader wants to see."""

    language: str = "en"
    summaries: bool = True
    figures: bool = True
    summary_width: int = SUMMARY_WIDTH


@dataclass(frozen=True, slots=True)
class Card:
    """One paper as a digest shows it. Marks are (start, end) in `title` and `summary`.

    `number` counts the mail's papers, `place` the selection's picks: links name it by that.
    """

    number: int
    place: int
    paper: Paper
    layout: Layout
    url: str
    title: str
    title_marks: Marks
    summary: str
    summary_marks: Marks
    organization: str
    authors: str
    authors_short: str
    where: str
    comments: Place | None
    image: str
    places: tuple[Place, ...]
    save_label: str
    not_label: str
    why: tuple[tuple[str, bool], ...]
    """Pieces of the why line and whether each is the reader's own words."""
    is_mixed: bool
    """Whether a text of it may run the other way than those around it."""

    @property
    def why_text(self) -> str:
        """The why line as one text."""
        return "".join(text for text, _ in self.why)


def card(  # noqa: PLR0917 -- one paper, and what shapes its card
    paper: Paper,
    reasons: Sequence[Reason],
    also: Sequence[str],
    layout: Layout,
    view: View,
    number: int,
    place: int,
) -> Card:
    """The card of a paper; `also` are the other interests it fits.

    A picture is shown with the first paper of a mail only.
    """
    words = language(view.language)
    full = layout is Layout.FULL
    title = typeset(paper.title)
    summary = ""
    summary_marks: Marks = ()
    hits = [hit for reason in reasons for hit in reason.hits]
    if full and view.summaries:
        summary, summary_marks = _summary(paper, hits, view.summary_width)
    title_marks = apart(title.span(hit.start, hit.end) for hit in hits if hit.field == "title")
    seen = bool(title_marks or summary_marks)
    comments = _comments(paper, title.text, words) if full else None
    places = _places(paper, title.text, words) if full else ()
    return Card(
        number=number,
        place=place,
        paper=paper,
        layout=layout,
        url=paper.url or paper.pdf_url,
        title=title.text,
        title_marks=title_marks,
        summary=summary,
        summary_marks=summary_marks,
        organization=paper.organization,
        authors=authors_line(paper.authors, words),
        authors_short=paper.organization or first_author(paper.authors),
        where=where(paper, words, counted=not any(map(_tells_upvotes, reasons))),
        comments=comments,
        image=_image(paper) if number == 1 and view.figures and full else "",
        places=places,
        save_label=words.say("Save {title}", title=title.text),
        not_label=words.say("Not for me: {title}", title=title.text),
        why=_why(
            paper,
            [_unsaid(one, paper, comments, places) for one in reasons],
            also,
            words,
            seen=seen,
        ),
        is_mixed=words.is_right_to_left or _runs_to_the_left(paper, title.text, summary),
    )


def _runs_to_the_left(paper: Paper, *texts: str) -> bool:
    """Whether anything on the card is written from right to left: Hebrew, Arabic and their kin."""
    names = (paper.organization, *(author.name for author in paper.authors))
    return bool(_FROM_THE_RIGHT.search("\n".join((*texts, *names))))


def _summary(paper: Paper, hits: Sequence[Hit], width: int) -> tuple[str, Marks]:
    """The source's own summary or else the abstract, cut at a sentence, with its marks."""
    source = paper.summary or paper.abstract
    field = "summary" if paper.summary else "abstract"
    shown = typeset(source)
    text = shortened(shown.text, width)
    kept = len(text.removesuffix("…"))
    if field == "abstract" or not paper.abstract:
        spans: Iterable[tuple[int, int]] = (
            shown.span(hit.start, hit.end) for hit in hits if hit.field == field
        )
    else:
        spans = _again(
            text, (paper.abstract[h.start : h.end] for h in hits if h.field == "abstract")
        )
    return text, apart(span for span in spans if span[1] <= kept)


def _again(text: str, forms: Iterable[str]) -> Iterable[tuple[int, int]]:
    """Where the words that matched in the abstract stand in another text, as whole words."""
    wanted = {form.casefold() for form in forms if form}
    if not wanted:
        return ()
    either = "|".join(map(re.escape, sorted(wanted, key=len, reverse=True)))
    return (m.span() for m in re.finditer(rf"(?<!\w)(?:{either})(?!\w)", text, re.IGNORECASE))


def apart(marks: Iterable[tuple[int, int]]) -> Marks:
    """The marks in order, those that overlap made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _tells_upvotes(reason: Reason) -> bool:
    """Whether the why line says already how often a paper was upvoted: it is said once."""
    return reason.kind is ReasonKind.TREND and " upvote" in reason.text


def _unsaid(
    reason: Reason, paper: Paper, comments: Place | None, places: Sequence[Place]
) -> Reason:
    """The reason without the counts that stand on a link of the card; whole if it were empty."""
    if reason.kind is not ReasonKind.TREND:
        return reason
    said = [" comment"] if comments else []
    if paper.signals.stars and any(place.url == paper.code_url for place in places):
        said.append(" star")
    parts = reason.text.split(", ")
    left = [part for part in parts if not part.removesuffix("s").endswith(tuple(said))]
    return Reason(ReasonKind.TREND, ", ".join(left)) if said and left else reason


def where(paper: Paper, words: Language, *, counted: bool = True) -> str:
    """Source and section, date, version or venue, upvotes, glued so that none is torn.

    Upvotes only where they are to be `counted` here.
    """
    listing = paper.listings[0] if paper.listings else None
    parts = []
    if listing:
        section = ", ".join(paper.categories[:2]) if listing.source != "hf" else ""
        parts.append(f"{listing.label} {section}".strip())
        day = words.day(listing.day, LISTED)
        version = paper.version or 1
        parts.append(
            words.say("version {number} of {day}", number=version, day=day) if version > 1 else day
        )
    if paper.venue:
        parts.append(clip(paper.venue, 60))
    if counted and paper.signals.upvotes:
        parts.append(words.count("{number}~upvote", "{number}~upvotes", paper.signals.upvotes))
    return " · ".join(
        part.replace(" ", NBSP) if len(part) <= _LONGEST_GLUED else part for part in parts
    )


def _comments(paper: Paper, title: str, words: Language) -> Place | None:
    count = paper.signals.comments
    if not count or not paper.discussion_url:
        return None
    text = words.count("{number}~comment", "{number}~comments", count)
    label = words.say("{comments} on {title}", comments=text, title=title)
    return Place(text, paper.discussion_url, label)


def _image(paper: Paper) -> str:
    return paper.image_url if _FIGURE.fullmatch(paper.image_url) else ""


def _places(paper: Paper, title: str, words: Language) -> tuple[Place, ...]:
    """PDF, code with its stars, project page: those there are."""
    stars = f" {compact_count(paper.signals.stars)}" if paper.signals.stars else ""
    host = "GitHub" if "//github.com/" in paper.code_url else words.say("Code")
    named = (
        ("PDF", paper.pdf_url),
        (f"{host}{stars}", paper.code_url),
        (words.say("Project"), paper.project_url),
    )
    return tuple(
        Place(text, url, words.say("{link} of {title}", link=text, title=title))
        for text, url in named
        if url
    )


def _why(
    paper: Paper, reasons: Sequence[Reason], also: Sequence[str], words: Language, *, seen: bool
) -> tuple[tuple[str, bool], ...]:
    """The why line: terms with their field, then the other reasons."""
    pieces: list[tuple[str, bool]] = []
    for reason in reasons:
        if reason.kind is not ReasonKind.TERM:
            continue
        first = not pieces
        pieces += [
            (words.say("Matches ") if first else ", ", False),
            (reason.text, True),
            (f" {_field(reason.field, words)}", False),
        ]
        inside = [hit for hit in reason.hits if hit.field == "abstract"]
        if first and inside and not seen:
            snippet = _snippet(typeset(paper.abstract), inside[0])
            pieces.append((f": “…{snippet}…”", False))
    for reason in reasons:
        if reason.kind is ReasonKind.TERM:
            continue
        pieces.append((" · " if pieces else "", False))
        if reason.kind is ReasonKind.AUTHOR:
            pieces += [(words.say("Follows "), False), (reason.text, True)]
        else:
            pieces.append((reason_words(reason.text, words), False))
    if also:
        pieces.append(
            (
                " · "
                + words.say(
                    "also for {names}", names=words.joined([heading(name, words) for name in also])
                ),
                False,
            )
        )
    return tuple(piece for piece in pieces if piece[0])


def _field(field: str, words: Language) -> str:
    """Where a term stands, in words."""
    return {
        "title": words.say("in the title"),
        "abstract": words.say("in the abstract"),
        "summary": words.say("in the summary"),
        "org": words.say("in the organization"),
        "category": words.say("in the category"),
        "source": words.say("in the source"),
        "line": words.say("in the line"),
    }.get(field, words.say("in the text"))


def _snippet(shown: Typeset, hit: Hit) -> str:
    """At most 90 characters around a match, cut at words."""
    text = shown.text
    start, end = shown.span(hit.start, hit.end)
    room = max(0, SNIPPET_WIDTH - (end - start)) // 2
    left = text.find(" ", max(0, start - room)) + 1 if start > room else 0
    right = text.rfind(" ", end, end + room) if end + room < len(text) else len(text)
    left = min(left, start)
    return text[left : max(right, end)].strip(" .,;")
