"""The words of one reader's digest, for what `selection` decided. Pure: everything is an argument.

The same selection gives the same words whenever the digest is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from digest.cards import Card, View, card
from digest.language import FULL, MASTHEAD, NBSP, SHORT, WEEKDAY, language
from digest.phrases import (
    SUMMARY_WIDTH,
    cadence_words,
    clip,
    date_words,
    first_upper,
    period_words,
    since_words,
)
from digest.retold import heading, trouble
from digest.selection import Pick
from digest.tex import typeset
from subscribers.profile import Layout
from subscribers.subscriber import Cadence

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from datetime import date

    from digest.language import Language
    from digest.papers import Paper
    from digest.selection import Selection
    from subscribers.subscriber import Subscriber

ARXIV_THANKS: Final = "Thank you to arXiv for use of its open access interoperability."
FULL_CARDS: Final = 8
SUBJECT_WIDTH: Final = 78
PREHEADER_WIDTH: Final = 90
_LONGEST_NAME: Final = 60
"""Characters of an interest's name in a lead sentence."""
_TEN: Final = 10


class Fit(NamedTuple):
    """How much of itself a digest shows, so that it stays within a size.

    Summaries of at most `summary_width`, at most `full` cards in full, at most `most` papers
    (0 for all); the others are behind "see them all".
    """

    summary_width: int = SUMMARY_WIDTH
    full: int = FULL_CARDS
    most: int = 0

    def tighter(self, size: int, budget: int, count: int) -> Fit:
        """The next smaller one, for a digest of `count` papers that has `size` bytes.

        Summaries shorten first, then cards become compact, then papers move.
        """
        if self.summary_width > SHORTER[-1]:
            return self._replace(summary_width=next(w for w in SHORTER if w < self.summary_width))
        if self.full:
            return self._replace(full=self.full // 2)
        return self._replace(most=max(1, min(count - 1, count * budget // size)))


SHORTER: Final = (200, 120)
LOOSE: Final = Fit()
"""What a digest shows where nothing makes it smaller."""


Spot = tuple[Pick, int, Layout, int]
"""Where one paper stands in a mail: the pick, its number there (1 and up), its layout, its place.

The place counts the selection's picks, 1 and up: links name a paper by it.
"""


class Interest(NamedTuple):
    """One interest and where its papers stand."""

    name: str
    spots: list[Spot]


@dataclass(frozen=True, slots=True)
class Group:
    """One interest and its papers; `heading` begins with a capital, `count` says "4 papers"."""

    name: str
    heading: str
    count: str
    number: int
    cards: tuple[Card, ...] = ()


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


def compose(
    reader: Subscriber, selection: Selection, papers: Mapping[int, Paper], fit: Fit = LOOSE
) -> Digest:
    """The words for a selection, for that reader.

    A paper that is no longer there is passed over.
    """
    interests = plan(reader, selection, papers, fit)
    view = view_of(reader, fit)
    shown = [papers[pick.paper] for interest in interests for pick, *_ in interest.spots]
    first = typeset(shown[0].title).text if shown else ""
    said = words(
        reader,
        selection,
        interests,
        first,
        from_arxiv=any(map(is_from_arxiv, shown)),
    )
    filled = (
        replace(
            group,
            cards=tuple(
                card(
                    papers[pick.paper],
                    pick.reasons,
                    pick.interests[1:],
                    layout,
                    view,
                    number,
                    place,
                )
                for pick, number, layout, place in interest.spots
            ),
        )
        for group, interest in zip(said.groups, interests, strict=True)
    )
    return replace(said, groups=tuple(filled))


def view_of(reader: Subscriber, fit: Fit) -> View:
    """How that reader's digests show their papers."""
    return View(reader.language, reader.summaries, reader.figures, fit.summary_width)


def is_from_arxiv(paper: Paper) -> bool:
    """Whether arXiv listed it: then its thanks stand at the foot."""
    return any(listing.source == "arxiv" for listing in paper.listings)


def plan(
    reader: Subscriber, selection: Selection, known: Container[int], fit: Fit = LOOSE
) -> list[Interest]:
    """Which paper stands where: interests in the reader's order, the best paper first in each."""
    order: dict[str, list[Pick]] = {}
    for pick in sorted(selection.picks, key=_LINE):
        if pick.paper in known:
            order.setdefault(pick.interests[0], []).append(pick)
    for picks in order.values():
        picks.sort(key=_SCORE, reverse=True)
    if fit.most:
        _shorten(order, fit.most)
    places = {pick.paper: place for place, pick in enumerate(selection.picks, 1)}
    interests, number, full = [], 0, 0
    layouts = [profile.layout or reader.layout for profile in reader.profiles]
    for name, picks in order.items():
        spots = []
        for number, pick in enumerate(picks, number + 1):  # noqa: B020 -- counted on
            layout = layouts[pick.profile] if pick.profile < len(layouts) else reader.layout
            if layout is _FULL:
                full += 1
                if full > fit.full:
                    layout = _COMPACT
            spots.append((pick, number, layout, places[pick.paper]))
        interests.append(Interest(name, spots))
    return interests


_FULL: Final = Layout.FULL
_COMPACT: Final = Layout.COMPACT
# A pick's fields by their places, which is quicker than by their names.
_LINE: Final = itemgetter(Pick._fields.index("profile"), Pick._fields.index("line"))
_SCORE: Final = itemgetter(Pick._fields.index("score"))


def _shorten(order: dict[str, list[Pick]], most: int) -> None:
    """Take the last papers off the longest interests until `most` are left."""
    left = sum(map(len, order.values()))
    while left > most:
        max(reversed(order.values()), key=len).pop()
        left -= 1
    for name in [name for name, picks in order.items() if not picks]:
        del order[name]


def words(
    reader: Subscriber,
    selection: Selection,
    interests: Sequence[Interest],
    first: str,
    *,
    from_arxiv: bool,
) -> Digest:
    """Everything a digest says but its cards; `first` is the title of its first paper."""
    say = language(reader.language)
    when = _when(selection.since, selection.until, reader.schedule.zone, say)
    sizes = [(heading(interest.name, say), len(interest.spots)) for interest in interests]
    count = sum([size for _, size in sizes])
    left = max(selection.matched, len(selection.picks)) - count
    weekly = reader.schedule.cadence is Cadence.WEEKLY and selection.kind != "welcome"
    return Digest(
        kind=selection.kind,
        language=say.code,
        subject=_subject(reader, selection, sizes, first, when, weekly=weekly),
        preheader=_preheader(first, count, say),
        headline=_headline(selection, count, say, weekly=weekly),
        lead=_lead(reader, selection, sizes, when, say),
        day_short=when.masthead,
        day_long=when.long,
        groups=tuple([_group(name, size, say) for name, size in sizes]),
        incomplete=tuple([trouble(sentence, say) for sentence in selection.incomplete]),
        note=selection.note,
        rest=say.count("{number} more matched than fits.", "{number} more matched than fit.", left)
        if left > 0 and count
        else "",
        because=because(reader),
        thanks=say.say(ARXIV_THANKS) if from_arxiv else "",
    )


@lru_cache(maxsize=4096)
def _group(name: str, size: int, say: Language) -> Group:
    """An interest without its papers: the same for all readers of one language."""
    count = say.count("{number}~paper", "{number}~papers", size)
    return Group(name, first_upper(name), count, size)


class _When(NamedTuple):
    """A digest's day and window in words: the same for all readers of one clock and language."""

    day: date
    short: str
    masthead: str
    long: str
    span: str


@lru_cache(maxsize=1024)
def _when(since: datetime | None, until: datetime, zone: str, say: Language) -> _When:
    clock = ZoneInfo(zone)
    day = until.astimezone(clock).date()
    return _When(
        day,
        say.day(day, SHORT),
        say.day(day, MASTHEAD),
        say.day(day, FULL).replace(NBSP, " "),
        since_words(since, until, clock, say) if since else say.say("in the last seven days"),
    )


def _subject(
    reader: Subscriber,
    selection: Selection,
    sizes: Sequence[tuple[str, int]],
    first: str,
    when: _When,
    *,
    weekly: bool,
) -> str:
    say = language(reader.language)
    count = sum([size for _, size in sizes])
    ends = when.short
    if weekly and count and selection.since:
        since = selection.since.astimezone(ZoneInfo(reader.schedule.zone)).date()
        ends = period_words(max(since + _DAY, when.day - 6 * _DAY), when.day, say)
    head = "[Test] " if selection.kind == "test" else ""
    room = SUBJECT_WIDTH - len(head) - len(ends) - 3
    if not count:
        body = say.say(
            "Nothing new today ({number} looked at)", number=say.number(selection.looked_at)
        )
    elif selection.kind == "welcome":
        body = say.count(
            "Welcome: the best of your last seven days, {number} paper",
            "Welcome: the best of your last seven days, {number} papers",
            count,
        )
    elif selection.top_ten:
        others = say.say(" and {number} more", number=count - 1) if count > 1 else ""
        top = say.say("Top {number}: ", number=count)
        body = f"{top}{clip(first, room - len(top) - len(others))}{others}"
    elif weekly:
        on = say.count("{number} paper on {names}", "{number} papers on {names}", count, names="")
        start = say.say("Your week: {papers}", papers=on).rstrip()
        body = f"{start} {_names(sizes, room - len(start) - 1, say, counts=len(sizes) > 1)}"
    else:
        start = say.say("{number} new: ", number=count)
        rest = room - len(start)
        body = start + (clip(first, rest) if count == 1 else _names(sizes, rest, say))
    return f"{head}{clip(body, room)} · {ends}".replace(NBSP, " ")


def _names(
    sizes: Sequence[tuple[str, int]], room: int, say: Language, *, counts: bool = True
) -> str:
    """As many interests as fit, and how many more there are."""
    shown: list[str] = []
    taken = 0
    for position, (name, size) in enumerate(sizes):
        left = len(sizes) - position - 1
        entry = f"{name} ({size})" if counts else name
        ending = say.say(" and {number} more", number=left) if left else ""
        if shown and taken + len(entry) + len(ending) > room:
            return ", ".join(shown) + say.say(" and {number} more", number=left + 1)
        shown.append(entry)
        taken += len(entry) + 2
    return ", ".join(shown)


def _preheader(first: str, count: int, say: Language) -> str:
    others = say.say(", and {number} more", number=count - 1) if count > 1 else ""
    return clip(first, PREHEADER_WIDTH - len(others)) + others if first else ""


def _headline(selection: Selection, count: int, say: Language, *, weekly: bool) -> str:
    if selection.kind == "welcome":
        return say.say("Welcome. The best of your last seven days")
    if not count:
        return say.say("Nothing new today")
    if weekly:
        return say.say("The best of your week")
    if selection.top_ten:
        if count == _TEN:
            return say.say("The day’s top ten")
        return say.say("The day’s top {number}", number=count)
    return say.count("{number} new paper for you", "{number} new papers for you", count)


def _lead(
    reader: Subscriber,
    selection: Selection,
    sizes: Sequence[tuple[str, int]],
    when: _When,
    say: Language,
) -> str:
    if selection.kind == "welcome":
        return _welcome(reader, selection, sizes, say)
    listed = say.say(
        "{number} listed {span}", number=say.number(selection.looked_at), span=when.span
    )
    if selection.top_ten:
        return say.say("The most noticed, out of {listed}.", listed=listed)
    entries = ", ".join(_entries(sizes, say)) or say.say("Nothing")
    return say.say("{entries}, out of {listed}.", entries=entries, listed=listed)


def _entries(sizes: Sequence[tuple[str, int]], say: Language) -> Iterator[str]:
    for name, size in sizes:
        shown = name if len(name) <= _LONGEST_NAME else clip(name, _LONGEST_NAME)
        yield say.say("{number}~on {name}", number=size, name=shown)


def _welcome(
    reader: Subscriber,
    selection: Selection,
    sizes: Sequence[tuple[str, int]],
    say: Language,
) -> str:
    """8 papers on ... From Monday, every weekday at 07:00, only what is new."""
    count = sum(size for _, size in sizes)
    if selection.top_ten:
        papers = say.count("The {number} paper", "The {number} papers", count)
        papers = say.say("{papers} that were noticed most.", papers=papers)
    else:
        names = say.joined([clip(name, _LONGEST_NAME) for name, _ in sizes])
        papers = say.count(
            "{number} paper on {names}.", "{number} papers on {names}.", count, names=names
        )
    due = reader.schedule.next_after(selection.until)
    when = say.say(
        "From {day}, {cadence}, only what is new.",
        day=say.day(due.astimezone(ZoneInfo(reader.schedule.zone)).date(), WEEKDAY),
        cadence=cadence_words(reader.schedule, say),
    )
    return f"{papers} {when} " + say.say("Reply if something is odd: a person reads it.")


def because(reader: Subscriber) -> str:
    """Why the reader gets this: address, place and day of sign-up, cadence."""
    say = language(reader.language)
    when = first_upper(cadence_words(reader.schedule, say))
    if not reader.address:
        return f"{when}."
    signed = reader.confirmed_at or reader.created_at or _EPOCH
    day = date_words(signed.astimezone(ZoneInfo(reader.schedule.zone)).date(), say, full=True)
    if reader.came_from:
        why = say.say(
            "You get this because {address} signed up at {place} on {day}.",
            address=reader.address,
            place=reader.came_from,
            day=day,
        )
    else:
        why = say.say(
            "You get this because {address} signed up on {day}.", address=reader.address, day=day
        )
    return f"{why} {when}."


_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
