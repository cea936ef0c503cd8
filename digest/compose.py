"""The words of one reader's digest, for what `selection` decided. Pure: everything is an argument.

The same selection gives the same words whenever the digest is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from digest.match import ReasonKind
from digest.phrases import (
    NBSP,
    authors_line,
    cadence_words,
    clip,
    counted,
    date_words,
    day_words,
    joined,
    since_words,
    summary_of,
)
from subscribers.profile import Layout
from subscribers.subscriber import Cadence, Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.papers import Paper
    from digest.selection import Pick, Selection

FULL_CARDS: Final = 8
SUBJECT_WIDTH: Final = 78
PREHEADER_WIDTH: Final = 90
SNIPPET_WIDTH: Final = 90
PROMISE: Final = "Links go straight to the papers. We do not track what you open."
ARXIV_THANKS: Final = "Thank you to arXiv for use of its open access interoperability."


@dataclass(frozen=True, slots=True)
class Card:
    """One paper as a digest shows it. Marks are (start, end) in `title` and `summary`."""

    number: int
    paper: Paper
    layout: Layout
    summary: str
    title_marks: tuple[tuple[int, int], ...]
    summary_marks: tuple[tuple[int, int], ...]
    authors: str
    authors_short: str
    where: str
    image: str
    why: tuple[tuple[str, bool], ...]
    """Pieces of the why line and whether each is the reader's own words."""


@dataclass(frozen=True, slots=True)
class Group:
    """One interest and its papers."""

    name: str
    count: int
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything one digest says, in words."""

    kind: str
    language: str
    subject: str
    preheader: str
    headline: str
    lead: str
    day_short: str
    day_long: str
    groups: tuple[Group, ...]
    incomplete: tuple[str, ...]
    note: str
    rest: str
    because: str
    thanks: str


def compose(reader: Subscriber, selection: Selection, papers: Mapping[int, Paper]) -> Digest:
    """The words for a selection, for that reader.

    A paper that is no longer there is passed over.
    """
    zone = ZoneInfo(reader.schedule.zone)
    local = selection.until.astimezone(zone)
    groups = _groups(reader, selection, papers)
    count = sum(group.count for group in groups)
    sizes = [(group.name, group.count) for group in groups]
    weekly = reader.schedule.cadence is Cadence.WEEKLY
    first = groups[0].cards[0].paper.title if groups else ""
    left = selection.matched - len(selection.picks)
    return Digest(
        kind=selection.kind,
        language=reader.language,
        subject=_subject(selection, sizes, first, local, weekly=weekly),
        preheader=_preheader(first, count),
        headline=_headline(selection, count, weekly=weekly),
        lead=_lead(reader, selection, sizes),
        day_short=f"{day_words(local)} {local:%Y}".replace(" ", NBSP),
        day_long=f"{local:%A} {local.day} {local:%B %Y}",
        groups=groups,
        incomplete=selection.incomplete,
        note=selection.note,
        rest=f"{left} more matched than fit." if left > 0 else "",
        because=_because(reader),
        thanks=ARXIV_THANKS
        if any(
            listing.source == "arxiv"
            for group in groups
            for card in group.cards
            for listing in card.paper.listings
        )
        else "",
    )


def _groups(
    reader: Subscriber, selection: Selection, papers: Mapping[int, Paper]
) -> tuple[Group, ...]:
    order: dict[str, list[Pick]] = {}
    for pick in sorted(selection.picks, key=lambda one: (one.profile, one.line)):
        if pick.paper in papers:
            order.setdefault(pick.interests[0], []).append(pick)
    groups, number = [], 0
    for name, picks in order.items():
        cards = []
        for pick in sorted(picks, key=lambda one: -one.score):
            number += 1
            cards.append(_card(reader, pick, papers[pick.paper], number))
        groups.append(Group(name, len(cards), tuple(cards)))
    return tuple(groups)


def _card(reader: Subscriber, pick: Pick, paper: Paper, number: int) -> Card:
    own = reader.profiles[pick.profile].layout if pick.profile < len(reader.profiles) else None
    layout = own or reader.layout
    if layout is Layout.FULL and number > FULL_CARDS:
        layout = Layout.COMPACT
    summary = summary_of(paper) if reader.summaries and layout is Layout.FULL else ""
    hits = [hit for reason in pick.reasons for hit in reason.hits]
    title_marks = tuple((hit.start, hit.end) for hit in hits if hit.field == "title")
    # Only a summary that is the abstract's own beginning has the abstract's offsets.
    shown = len(summary.rstrip("…")) if paper.abstract.startswith(summary.rstrip("…")) else 0
    summary_marks = tuple(
        (hit.start, hit.end) for hit in hits if hit.field == "abstract" and hit.end <= shown
    )
    return Card(
        number=number,
        paper=paper,
        layout=layout,
        summary=summary,
        title_marks=_apart(title_marks),
        summary_marks=_apart(summary_marks),
        authors=authors_line(paper.authors),
        authors_short=paper.organization or authors_line(paper.authors, most=1),
        where=_where(paper),
        image=paper.image_url if number == 1 and reader.figures and layout is Layout.FULL else "",
        why=_why(pick, paper, seen=bool(title_marks or summary_marks)),
    )


def _apart(marks: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The marks in order, those that overlap made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _where(paper: Paper) -> str:
    """Source and section, date, version or venue, upvotes, glued so that none is torn."""
    listing = paper.listings[0] if paper.listings else None
    parts = []
    if listing:
        section = ", ".join(paper.categories[:2]) if listing.source != "hf" else ""
        parts.append(f"{listing.label} {section}".strip())
        date = date_words(listing.day)
        version = paper.version or 1
        parts.append(f"version {version} of {date}" if version > 1 else date)
    if paper.venue:
        parts.append(clip(paper.venue, 60))
    if paper.signals.upvotes:
        parts.append(counted(paper.signals.upvotes, "upvote"))
    return " · ".join(part.replace(" ", NBSP) if len(part) <= 40 else part for part in parts)  # noqa: PLR2004 -- a phone's line


def _why(pick: Pick, paper: Paper, *, seen: bool) -> tuple[tuple[str, bool], ...]:
    """The why line: terms with their field, then the other reasons."""
    pieces: list[tuple[str, bool]] = []
    terms = [reason for reason in pick.reasons if reason.kind is ReasonKind.TERM]
    for position, reason in enumerate(terms):
        pieces.append(("Matches " if position == 0 else ", ", False))
        pieces.append((reason.text, True))
        pieces.append((f" in the {_FIELDS.get(reason.field, reason.field)}", False))
        inside = [hit for hit in reason.hits if hit.field == "abstract"]
        if not seen and inside and position == 0:
            snippet = _snippet(paper.abstract, inside[0].start, inside[0].end)
            pieces.append((f": “…{snippet}…”", False))
    for reason in pick.reasons:
        if reason.kind is ReasonKind.TERM:
            continue
        pieces.append((" · " if pieces else "", False))
        if reason.kind is ReasonKind.AUTHOR:
            pieces += [("Follows ", False), (reason.text, True)]
        else:
            pieces.append((reason.text, False))
    if len(pick.interests) > 1:
        others = joined(pick.interests[1:])
        pieces.append((f" · also for {others}", False))
    return tuple(piece for piece in pieces if piece[0])


_FIELDS: Final = {"org": "organization", "any": "text"}


def _snippet(text: str, start: int, end: int) -> str:
    """At most 90 characters around a match, cut at words."""
    room = max(0, SNIPPET_WIDTH - (end - start)) // 2
    left = text.find(" ", max(0, start - room)) + 1 if start > room else 0
    right = text.rfind(" ", end, end + room) if end + room < len(text) else len(text)
    left = min(left, start)
    return text[left : max(right, end)].strip(" .,;")


def _subject(
    selection: Selection,
    sizes: Sequence[tuple[str, int]],
    first: str,
    local: datetime,
    *,
    weekly: bool,
) -> str:
    count = sum(size for _, size in sizes)
    day = day_words(local)
    head = "[Test] " if selection.kind == "test" else ""
    on = f"{counted(count, 'paper')} on"
    room = SUBJECT_WIDTH - len(head) - len(day) - 3
    if not count:
        body = f"Nothing new today ({selection.looked_at} looked at)"
    elif selection.kind == "welcome":
        body = f"Welcome: the best of your last seven days, {counted(count, 'paper')}"
    elif selection.top_ten:
        others = f" and {count - 1} more" if count > 1 else ""
        body = f"Top {count}: {clip(first, room - len(others) - 8)}{others}"
    elif weekly:
        body = f"Your week: {_names(on, sizes, room - 11)}"
    elif count == 1:
        body = f"1 new: {clip(first, room - 7)}"
    else:
        body = f"{count} new: {_names('', sizes, room - len(str(count)) - 6)}"
    return f"{head}{clip(body, room)} · {day}".replace(NBSP, " ")


def _names(before: str, sizes: Sequence[tuple[str, int]], room: int) -> str:
    """As many interests as fit, and how many more there are."""
    shown: list[str] = []
    for position, (name, size) in enumerate(sizes):
        left = len(sizes) - position - 1
        entry = f"{name} ({size})" if not before or len(sizes) > 1 else name
        ending = f" and {left} more" if left else ""
        if shown and len(", ".join([*shown, entry])) + len(ending) + len(before) > room:
            return f"{before} {', '.join(shown)} and {left + 1} more".strip()
        shown.append(entry)
    return f"{before} {', '.join(shown)}".strip()


def _preheader(first: str, count: int) -> str:
    others = f", and {count - 1} more" if count > 1 else ""
    return clip(first, PREHEADER_WIDTH - len(others)) + others if first else ""


def _headline(selection: Selection, count: int, *, weekly: bool) -> str:
    if selection.kind == "welcome":
        return "Welcome. The best of your last seven days"
    if not count:
        return "Nothing new today"
    if weekly:
        return "The best of your week"
    if selection.top_ten:
        return "The day’s top ten" if count == 10 else f"The day’s top {count}"  # noqa: PLR2004 -- ten
    return f"{counted(count, 'new paper')} for you"


def _lead(reader: Subscriber, selection: Selection, sizes: Sequence[tuple[str, int]]) -> str:
    listed = f"{selection.looked_at:,} listed {_span(reader, selection)}"
    if selection.top_ten:
        return f"The most noticed, out of {listed}."
    entries = [f"{size}{NBSP}on {name}" for name, size in sizes]
    return f"{', '.join(entries) or 'Nothing'}, out of {listed}."


def _span(reader: Subscriber, selection: Selection) -> str:
    if selection.since is None:
        return "in the last seven days"
    return since_words(selection.since, selection.until, ZoneInfo(reader.schedule.zone))


def _because(reader: Subscriber) -> str:
    when = cadence_words(reader.schedule)
    if not reader.address:
        return f"Sent {when}."
    place = f" at {reader.came_from}" if reader.came_from else ""
    signed = reader.confirmed_at or reader.created_at or datetime(1970, 1, 1, tzinfo=UTC)
    day = date_words(signed.astimezone(ZoneInfo(reader.schedule.zone)).date(), full=True)
    when = when[0].upper() + when[1:]
    return f"You get this because {reader.address} signed up{place} on {day}. {when}."
