"""What goes into one reader's digest, and in which words. Pure: everything is an argument.

`select` decides (and is frozen in the delivery's row); `compose` finds the words for what was
decided, today or when the digest is looked at again.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from digest.match import Reason, ReasonKind
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
from subscribers.profile import Layout, Profile
from subscribers.query import Query, check
from subscribers.subscriber import Cadence, Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from digest.match import Match
    from digest.papers import Paper

FULL_CARDS: Final = 8
SUBJECT_WIDTH: Final = 78
PREHEADER_WIDTH: Final = 90
SNIPPET_WIDTH: Final = 90
PROMISE: Final = "Links go straight to the papers. We do not track what you open."
ARXIV_THANKS: Final = "Thank you to arXiv for use of its open access interoperability."


@dataclass(frozen=True, slots=True)
class Pick:
    """One paper of a digest: the interest it stands under, why, and all interests it fits."""

    paper: int
    profile: int
    line: int
    score: float
    reasons: tuple[Reason, ...]
    interests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was decided for one digest; everything else of the mail can be rebuilt from it.

    `matched` counts every match of the window, `looked_at` every paper; `since` (UTC) is None
    for a first digest. `incomplete` are sentences about sources that did not answer fully.
    """

    kind: str
    picks: tuple[Pick, ...]
    matched: int
    looked_at: int
    since: datetime | None
    until: datetime
    incomplete: tuple[str, ...] = ()
    note: str = ""
    top_ten: bool = False

    @property
    def papers(self) -> frozenset[int]:
        """The numbers of its papers."""
        return frozenset(pick.paper for pick in self.picks)

    def pack(self) -> bytes:
        """A few hundred bytes for the delivery's row."""
        fields = {
            "v": 1,
            "kind": self.kind,
            "matched": self.matched,
            "looked_at": self.looked_at,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat(),
            "incomplete": self.incomplete,
            "note": self.note,
            "top_ten": self.top_ten,
            "picks": [
                [
                    one.paper,
                    one.profile,
                    one.line,
                    round(one.score, 4),
                    [reason.pack() for reason in one.reasons],
                    one.interests,
                ]
                for one in self.picks
            ],
        }
        return zlib.compress(json.dumps(fields, separators=(",", ":")).encode())

    @classmethod
    def unpack(cls, data: bytes) -> Selection:
        """A selection packed by `pack`."""
        fields: dict[str, Any] = json.loads(zlib.decompress(data))
        since = fields["since"]
        return cls(
            kind=fields["kind"],
            matched=fields["matched"],
            looked_at=fields["looked_at"],
            since=datetime.fromisoformat(since) if since else None,
            until=datetime.fromisoformat(fields["until"]),
            incomplete=tuple(fields["incomplete"]),
            note=fields["note"],
            top_ten=fields["top_ten"],
            picks=tuple(
                Pick(paper, profile, line, score, tuple(map(Reason.unpack, reasons)), tuple(names))
                for paper, profile, line, score, reasons, names in fields["picks"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Miss:
    """A paper that matched and is not in the digest, and what stopped it."""

    paper: int
    why: str


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


def interest(profile: Profile, line: int) -> str:
    """The heading a match stands under: the profile's name, else its line, else the top ten."""
    if profile.name:
        return profile.name
    query = readable(profile)
    names = {one.number: one.name for one in query.lines}
    return names.get(line) or ("Top ten" if query.is_empty else profile.text.strip())


def readable(profile: Profile) -> Query:
    """The query of a profile; lines that were stored with a mistake are left out."""
    return check(profile.text)[0]


def select(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    matches: Sequence[Sequence[Match]],
    *,
    already: AbstractSet[int] = frozenset(),
    kind: str = "digest",
    since: datetime | None = None,
    until: datetime,
    looked_at: int,
    incomplete: Sequence[str] = (),
    note: str = "",
) -> Selection:
    """Decide what one digest holds.

    `papers` are the candidates of the reader's window by number, `matches` the matches per
    profile, best first; those of other papers, of muted words or authors, and of what was sent
    already are passed over. A paper stands once, under the first interest it fits.
    """
    picks: dict[int, Pick] = {}
    fits: set[int] = set()
    for position, profile in enumerate(reader.profiles):
        top_ten = readable(profile).is_empty
        taken = 0
        for match in matches[position]:
            paper = papers.get(match.paper)
            if paper is None or match.paper in already or muted(reader, paper):
                continue
            if match.score < profile.lowest_score:
                continue
            fits.add(match.paper)
            name = interest(profile, match.line)
            known = picks.get(match.paper)
            if known is not None:
                picks[match.paper] = _also(known, match, name)
            elif not profile.limit or taken < profile.limit:
                taken += 1
                also = (interest(profile, line) for line in match.also_lines)
                names = tuple(dict.fromkeys((name, *also)))
                picks[match.paper] = Pick(
                    match.paper, position, match.line, match.score, match.reasons, names
                )
        if top_ten and len(reader.profiles) == 1:
            fits = set(picks)
    return Selection(
        kind=kind,
        picks=tuple(picks.values()),
        matched=len(fits),
        looked_at=looked_at,
        since=since,
        until=until,
        incomplete=tuple(incomplete),
        note=note,
        top_ten=all(readable(profile).is_empty for profile in reader.profiles),
    )


def near_misses(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    matches: Sequence[Sequence[Match]],
    selection: Selection,
    *,
    already: AbstractSet[int] = frozenset(),
) -> tuple[Miss, ...]:
    """What matched and is not in the selection, and what stopped each, best first."""
    misses: dict[int, Miss] = {}
    for profile, found in zip(reader.profiles, matches, strict=True):
        for match in found:
            paper = papers.get(match.paper)
            if paper is None or match.paper in selection.papers or match.paper in misses:
                continue
            if match.paper in already:
                why = "it was in an earlier digest"
            elif mute := muted(reader, paper):
                why = mute
            elif match.score < profile.lowest_score:
                why = f"its score {match.score:.1f} is below {profile.lowest_score:.1f}"
            else:
                why = f"it came after the best {profile.limit}"
            misses[match.paper] = Miss(match.paper, why)
    return tuple(misses.values())


def muted(reader: Subscriber, paper: Paper) -> str:
    """Which mute of the reader keeps the paper out, or nothing."""
    text = f" {paper.title} {paper.abstract} ".casefold()
    for word in reader.muted_words:
        if f" {word.casefold()} " in text:
            return f"you muted {word}"
    names = {author.name.casefold() for author in paper.authors}
    return next((f"you muted {one}" for one in reader.muted_authors if one.casefold() in names), "")


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


def _also(pick: Pick, match: Match, name: str) -> Pick:
    """The pick, now also there for another interest; its why line names both."""
    new = tuple(reason for reason in match.reasons if reason not in pick.reasons)
    names = tuple(dict.fromkeys((*pick.interests, name)))
    return Pick(pick.paper, pick.profile, pick.line, pick.score, (*pick.reasons, *new), names)


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
