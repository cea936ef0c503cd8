"""The live answer as a page shows it: headline, bars, what each line brings, a sample. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.compose import compose
from digest.match import Engine
from digest.phrases import FULL_DAYS
from digest.preview import without_mistakes
from digest.selection import select
from digest.variants import Variants
from digest.volume import DAYS, Recent, day_of, detail, headline, remark, volume
from digest.web.cards import pieces
from digest.web.preferences import Mistake, mistakes
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest.cards import Card
    from digest.papers import Paper
    from digest.volume import LineVolume, Volume
    from subscribers.synonyms import Thesaurus
    from subscribers.tree import Line

SAMPLE: Final = 5
_SATURDAY: Final = 5
_LATE: Final = (
    "One moment",
    "The papers of the last thirty days are being read. It takes some seconds, once.",
)
COLUMN: Final = 16.0
"""Width of a day in the chart, whose box is 480 by 56."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's column in the small chart: x, y and height in its box."""

    day: date
    count: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Way:
    """Another way to write a line, as a button.

    `before` and `after` are the words around the button, `line` is the whole row as it would be.
    """

    before: str
    text: str
    after: str
    row: int
    line: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the text, how many papers it found, a remark and other ways where they help.

    An exclusion has no count.
    """

    text: str
    count: int | None
    remark: str = ""
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything the page says about a keyword text.

    `bars`, `bar_width` wide, is empty where there is nothing to draw. `good_text` is the text
    without its mistakes. `is_late`: the papers are not at hand yet, so ask again.
    """

    volume: str
    detail: str
    bars: tuple[Bar, ...] = ()
    first: date | None = None
    busiest: tuple[date, int] | None = None
    last: date | None = None
    rows: tuple[Row, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    good_text: str = ""
    bar_width: float = round(COLUMN * 0.8, 1)
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class SampleCard:
    """A paper as the page shows it; pieces of text are (text, whether it is marked)."""

    url: str
    title: tuple[tuple[str, bool], ...]
    about: str
    why: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What the newest list day's mail would have held, its first few papers."""

    heading: str
    cards: tuple[SampleCard, ...]
    nothing: str


def answer(
    profile: Profile,
    recent: Recent | None,
    names: Thesaurus | None = None,
    muted: Sequence[Line] = (),
) -> Answer:
    """What a profile brings; its wrong lines are left out and named.

    `names` are the synonyms to offer, `muted` what the reader never wants to see; `recent` is
    None while these papers are still being read.
    """
    good, wrong = without_mistakes(profile.text)[0], mistakes(profile.text)
    if recent is None:
        return Answer(*_LATE, mistakes=wrong, good_text=good, is_late=True)
    found = volume(profile, recent, names, muted=muted)
    if found.is_top_ten:
        if wrong:
            return Answer("Not yet a question", "Mend the line below.", mistakes=wrong)
        return Answer(headline(found), detail(found))
    last = recent.span[-1]
    return Answer(
        volume=headline(found),
        detail=detail(found),
        bars=_bars(found),
        first=last - timedelta(days=DAYS - 1),
        busiest=found.busiest,
        last=last,
        rows=(*(_row(line, found) for line in found.lines), *_left_out(found)),
        mistakes=wrong,
        good_text=good,
    )


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest list day's papers, indexed once; `day` is None where there are no papers."""

    day: date | None
    papers: Mapping[int, Paper]
    engine: Engine
    variants: Variants

    @classmethod
    def of(cls, recent: Recent) -> Newest:
        """The newest day of the recent papers."""
        day = max(filter(None, map(day_of, recent.papers)), default=None)
        listed = [paper for paper in recent.papers if day_of(paper) == day]
        papers = {paper.number: paper for paper in listed}
        engine = Engine(listed, now=recent.now)
        return cls(day, papers, engine, Variants(listed, engine.index.scan))


def sample(good_text: str, newest: Newest, now: datetime) -> Sample:
    """The first papers of the newest day's mail for that text, in the mail's own words."""
    if newest.day is None:
        return Sample("The next mail", (), "No papers are here yet. Come back in a little while.")
    size = len(newest.papers)
    reader = Subscriber("", profiles=(Profile(good_text),), layout=Layout.COMPACT)
    found = list(newest.engine.match(reader.profiles))
    selection = select(
        reader, newest.papers, found, variants=newest.variants, until=now, looked_at=size
    )
    digest = compose(reader, selection, newest.papers)
    cards = [card for group in digest.groups for card in group.cards]
    weekday = FULL_DAYS[newest.day.weekday()]
    return Sample(
        # Most readers get no mail at the weekend; what is listed then comes with Monday's.
        f"{weekday}’s mail would have held"
        if newest.day.weekday() < _SATURDAY
        else f"Of {weekday}’s papers, your mail would hold",
        tuple(card_of(card) for card in cards[:SAMPLE]),
        f"Nothing: none of the {size:,} papers of that day matched, so no mail would have come.",
    )


LATE_SAMPLE: Final = Sample("The next mail", (), "It is here as soon as the papers are read.")


def card_of(card: Card) -> SampleCard:
    """A digest's card as a page shows it."""
    return SampleCard(
        url=card.url,
        title=pieces(card.title, card.title_marks),
        about=" · ".join(filter(None, (card.authors_short, card.where))),
        why=card.why,
    )


def _bars(found: Volume) -> tuple[Bar, ...]:
    if found.busiest is None:
        return ()
    highest, last = found.busiest[1], found.counts[-1][0]
    bars = []
    for day, count in found.counts:
        height = round(50 * count / highest, 1)
        place = DAYS - 1 - (last - day).days
        x = round((place + 0.1) * COLUMN, 1)
        bars.append(Bar(day, count, x, round(54 - height, 1), height))
    return tuple(bar for bar in bars if bar.count)


def _row(line: LineVolume, found: Volume) -> Row:
    cuts = [
        f"{one.papers:,} left out by {one.text}."
        for one in found.left_out
        if one.papers and one.line == line.number
    ]
    said = remark(replace(line, instead=(), narrower=(), synonyms=()), found)
    if line.narrower:
        said = said.removesuffix(" Add a word to narrow it.")
    return Row(line.text, line.papers, " ".join(filter(None, (*cuts, said))), _ways(line, found))


def _ways(line: LineVolume, found: Volume) -> tuple[Way, ...]:
    typed = found.text.split("\n")[line.row - 1]

    def way(before: str, text: str, after: str, becomes: str) -> Way:
        # A line may share its row with others, with commas between.
        whole = typed.replace(line.text, becomes, 1) if line.text in typed else becomes
        return Way(before, text, after, line.row, whole)

    ways = [
        way("or" if n else "Did you mean", one.text, f"({one.papers:,})?", one.text)
        for n, one in enumerate(line.instead)
    ]
    ways += [
        way("or" if n else "Narrower:", one.text, f"({one.papers:,})", one.text)
        for n, one in enumerate(line.narrower)
    ]
    ways += [
        way(f"{one.name} would bring {one.adds:,} more:", "add it", "", one.text)
        for one in line.synonyms
    ]
    return tuple(ways)


def _left_out(found: Volume) -> tuple[Row, ...]:
    """What the exclusions of the whole profile keep out; those of a line stand in its text."""
    return tuple(
        Row(one.text, None, f"{one.papers:,} left out of everything.")
        for one in found.left_out
        if one.papers and not one.line
    )
