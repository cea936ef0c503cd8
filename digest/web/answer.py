"""The live answer: what a keyword text would have brought in the last thirty days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digest.compose import compose
from digest.match import match
from digest.preview import without_mistakes
from digest.selection import select
from digest.web.preferences import Mistake, mistakes
from subscribers.profile import Layout, Profile
from subscribers.query import check
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.compose import Card
    from digest.match import Match
    from digest.papers import Paper

DAYS: Final = 30
SAMPLE: Final = 5
COLUMN: Final = 16.0
"""Width of a day in the chart, whose box is 480 by 56."""
TOO_MANY: Final = 30
_WEEKEND: Final = 5
_MANY_OF_HUNDRED: Final = 80


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's column in the small chart: x, y and height in its box."""

    day: date
    count: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the text, how many papers it found, and a remark where one helps."""

    text: str
    count: int
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything the page says about a keyword text.

    `volume` is the headline, `detail` the sentence under it; `bars`, `bar_width` wide, is empty
    where there is nothing to draw. `good_text` is the text without its mistakes.
    """

    volume: str
    detail: str
    bars: tuple[Bar, ...] = ()
    first: date | None = None
    busiest: tuple[int, date] | None = None
    last: date | None = None
    rows: tuple[Row, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    good_text: str = ""
    bar_width: float = 0.0


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


@dataclass(frozen=True, slots=True)
class Month:
    """The papers an answer is counted over: those announced within `DAYS` days of `today`."""

    papers: tuple[Paper, ...]
    first: date
    today: date

    @classmethod
    def of(cls, papers: Sequence[Paper], today: date) -> Month:
        """The month up to today; shorter where the oldest paper is younger."""
        earliest = today - timedelta(days=DAYS - 1)
        kept = tuple(paper for paper in papers if earliest <= day_of(paper) <= today)
        return cls(kept, min(map(day_of, kept), default=today), today)

    @property
    def days(self) -> tuple[date, ...]:
        """Every date of it, weekends too."""
        return tuple(
            self.first + timedelta(days=past) for past in range((self.today - self.first).days + 1)
        )


def day_of(paper: Paper) -> date:
    """The list day a paper counts for."""
    if paper.announced_on is not None:
        return paper.announced_on
    return paper.first_seen_at.date() if paper.first_seen_at else date.min


def answer(text: str, month: Month, *, limit: int, now: datetime) -> Answer:
    """What the text brings; its wrong lines are left out and named."""
    good, wrong = without_mistakes(text)[0], mistakes(text)
    if check(good)[0].is_empty:
        if wrong:
            return Answer("Not yet a question", "Mend the line below.", mistakes=wrong)
        return Answer(
            "The 10 papers people talk about, every weekday",
            "Ranked by upvotes, comments and stars. Add a topic at any time.",
        )
    (found,) = match(month.papers, [Profile(text=good, limit=0)], now=now)
    by_number = {paper.number: paper for paper in month.papers}
    total, days = len(found), len(month.days)
    per_day = total / max(1, sum(day.weekday() < _WEEKEND for day in month.days))
    counts = dict.fromkeys(month.days, 0)
    for one in found:
        counts[day_of(by_number[one.paper])] += 1
    return Answer(
        volume=_volume(total, per_day, days),
        detail=_detail(total, per_day, month, limit=limit, wrong=wrong),
        bars=_bars(counts) if total else (),
        first=month.today - timedelta(days=DAYS - 1),
        busiest=max((count, day) for day, count in counts.items()) if total else None,
        last=month.today,
        rows=_rows(good, found),
        mistakes=wrong,
        good_text=good,
        bar_width=round(COLUMN * 0.8, 1),
    )


def sample(good_text: str, month: Month, *, now: datetime) -> Sample:
    """The first papers of the newest day's mail for that text, in the mail's own words."""
    newest = max(map(day_of, month.papers), default=None)
    if newest is None:
        return Sample("The next mail", (), "No papers are here yet. Come back in a little while.")
    day = [paper for paper in month.papers if day_of(paper) == newest]
    reader = Subscriber("", profiles=(Profile(good_text),), layout=Layout.COMPACT)
    by_number = {paper.number: paper for paper in day}
    found = match(day, reader.profiles, now=now)
    selection = select(reader, by_number, found, until=now, looked_at=len(day))
    digest = compose(reader, selection, by_number)
    cards = [card for group in digest.groups for card in group.cards]
    return Sample(
        f"{newest:%A}’s mail would have held",
        tuple(card_of(card) for card in cards[:SAMPLE]),
        f"Nothing: none of the {len(day)} papers of that day matched, so no mail would have come.",
    )


def card_of(card: Card) -> SampleCard:
    """A digest's card as a page shows it."""
    return SampleCard(
        url=card.paper.url or card.paper.pdf_url,
        title=pieces(card.paper.title, card.title_marks),
        about=" · ".join(filter(None, (card.authors_short, card.where))),
        why=card.why,
    )


def matching(text: str, month: Month, *, now: datetime) -> list[Paper]:
    """The month's papers that the text finds (all of them for no text), newest first."""
    good, _ = without_mistakes(text)
    papers = {paper.number: paper for paper in month.papers}
    if not check(good)[0].is_empty:
        (found,) = match(month.papers, [Profile(good, limit=0)], now=now)
        papers = {one.paper: papers[one.paper] for one in found}
    return sorted(papers.values(), key=lambda paper: (day_of(paper), paper.number), reverse=True)


def pieces(text: str, marks: Sequence[tuple[int, int]]) -> tuple[tuple[str, bool], ...]:
    """The text cut at its marks, which are apart and in order: (piece, whether it is marked)."""
    cut: list[tuple[str, bool]] = []
    last = 0
    for start, end in marks:
        cut += [(text[last:start], False), (text[start:end], True)]
        last = end
    cut.append((text[last:], False))
    return tuple(piece for piece in cut if piece[0])


def _volume(total: int, per_day: float, days: int) -> str:
    if not total:
        return f"Nothing in the last {_days(days)}"
    if per_day >= 0.95:  # noqa: PLR2004 -- rounds to one
        return f"About {_papers(round(per_day))} a day"
    if per_day * 5 >= 0.95:  # noqa: PLR2004 -- five weekdays
        return f"About {_papers(round(per_day * 5))} a week"
    return f"About {_papers(total)} a month"


def _detail(
    total: int, per_day: float, month: Month, *, limit: int, wrong: tuple[Mistake, ...]
) -> str:
    counted = f"Counted without line {wrong[0].line}. " if wrong else ""
    if not total:
        return counted + "You would hear from us only when something turns up."
    best = f"Your mail holds the best {limit} of each day" if limit else "Your mail holds them all"
    if per_day > TOO_MANY:
        return f"{counted}More than anybody reads. {best}, the rest is one tap away."
    span, papers = _days(len(month.days)), len(month.papers)
    return f"{counted}{total:,} in the last {span}, out of {papers:,}. {best}."


def _days(number: int) -> str:
    return "day" if number == 1 else f"{number} days"


def _papers(number: int) -> str:
    return "1 paper" if number == 1 else f"{number:,} papers"


def _bars(counts: Mapping[date, int]) -> tuple[Bar, ...]:
    highest = max(counts.values())
    last = max(counts)
    bars = []
    for day, count in counts.items():
        height = round(50 * count / highest, 1)
        place = DAYS - 1 - (last - day).days
        bars.append(
            Bar(day, count, round((place + 0.1) * COLUMN, 1), round(54 - height, 1), height)
        )
    return tuple(bar for bar in bars if bar.count)


def _rows(good: str, found: Sequence[Match]) -> tuple[Row, ...]:
    query, _ = check(good)
    brought: dict[int, int] = {}
    for one in found:
        for number in {one.line, *one.also_lines}:
            brought[number] = brought.get(number, 0) + 1
    rows = []
    for line in query.lines:
        count = brought.get(line.number, 0)
        share = round(100 * count / len(found)) if found else 0
        remark = ""
        if not count:
            remark = "Brings nothing."
        elif len(query.lines) > 1 and share >= _MANY_OF_HUNDRED and len(found) > TOO_MANY * 5:
            remark = f"{share} of 100 come from this line. Add a word to narrow it."
        rows.append(Row(line.text, count, remark))
    return tuple(rows)
