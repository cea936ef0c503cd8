"""The live answer: what a keyword text would have brought over the last days. Pure.

The page and the command line show the same answer. `Recent` is made once and asked many times;
an answer asks the engine three times at most, whatever the text has in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from digest.match.engine import Engine
from digest.match.score import POINT
from digest.match.stored import distinct, program, store
from digest.repairs import Vocabulary, narrower, nearer
from subscribers.profile import DEFAULT_LIMIT, Profile
from subscribers.query import check, write
from subscribers.synonyms import thesaurus
from subscribers.tree import And, Not, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    import numpy.typing as npt

    from digest.errors import QueryError
    from digest.match import Match, Reason
    from digest.papers import Paper
    from subscribers.query import Query
    from subscribers.synonyms import Synonym, Thesaurus
    from subscribers.tree import Line

    Ints = npt.NDArray[np.signedinteger]

DAYS: Final = 30
BEST: Final = 10
TOO_MANY: Final = 30
"""Papers a weekday that nobody reads any more."""
_NEARLY_ALL: Final = 0.5
_FEW_PAPERS: Final = 50
_SATURDAY: Final = 5
_SMALL_NOT: Final = re.compile(r"\bnot ([\w-]+)")
_OFFERS: Final = 2
_MOST_MENDED: Final = 50
"""Lines that are offered other ways; nobody reads more of them."""
_MOST_LOOKED: Final = 60
"""Terms after which no further line is looked through for slips; short lines come first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Another way to write a line, and how many papers it would find."""

    text: str
    papers: int


@dataclass(frozen=True, slots=True)
class Switch:
    """A synonym that could be switched on: the line with it, and the papers it would add."""

    name: str
    text: str
    adds: int


@dataclass(frozen=True, slots=True)
class LineVolume:
    """What one line brings: papers it finds, and those that no other line finds.

    `instead` are repairs of a line that brings nothing, best first; `narrower` are offers for
    one that brings nearly everything; `synonyms` are those that would add something.
    """

    number: int
    row: int
    text: str
    papers: int
    alone: int
    instead: tuple[Offer, ...] = ()
    narrower: tuple[Offer, ...] = ()
    synonyms: tuple[Switch, ...] = ()
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An exclusion, the line it stands in (0: it holds for the profile), and what it keeps out."""

    text: str
    line: int
    papers: int


@dataclass(frozen=True, slots=True)
class Volume:
    """What a profile would have brought. `counts` has every date of the span, weekends too.

    `looked_at` counts all papers of the span; `limit` is the profile's own. A profile that
    asks for nothing is a top ten: it finds every paper, and has no lines.
    """

    text: str
    counts: tuple[tuple[date, int], ...]
    looked_at: int
    limit: int
    best: tuple[Match, ...] = ()
    lines: tuple[LineVolume, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    mistakes: tuple[QueryError, ...] = ()
    is_top_ten: bool = False

    @property
    def total(self) -> int:
        """Papers over the whole span."""
        return sum(count for _, count in self.counts)

    @property
    def days(self) -> int:
        """Dates in the span."""
        return len(self.counts)

    @property
    def a_weekday(self) -> float:
        """Papers a weekday; what is listed on a weekend is read on the next one."""
        return self.total / _weekdays(self.counts)

    @property
    def busiest(self) -> tuple[date, int] | None:
        """The day with most papers, the later of two; None where there are none."""
        best = max(self.counts, key=lambda one: (one[1], one[0]), default=None)
        return best if best and best[1] else None


@dataclass(frozen=True, slots=True)
class _Found:
    """What one stored profile finds: places among the papers and points, best first."""

    places: Ints
    points: Ints

    def above(self, lowest_score: float) -> _Found:
        """Those with at least that score."""
        kept = self.points >= lowest_score * POINT
        return _Found(self.places[kept], self.points[kept])


class Recent:
    """The papers announced in the last days, indexed: made once, asked any number of times.

    What `like` has indexed is taken over from it, so that a few new papers cost little.
    """

    def __init__(
        self,
        papers: Sequence[Paper],
        *,
        today: date,
        now: datetime,
        days: int = DAYS,
        like: Recent | None = None,
    ) -> None:
        earliest = today - timedelta(days=days - 1)
        dated = [(paper, day) for paper in papers if (day := day_of(paper)) is not None]
        dated = [(paper, day) for paper, day in dated if earliest <= day <= today]
        self.papers: tuple[Paper, ...] = tuple(paper for paper, _ in dated)
        self.now = now
        first = min((day for _, day in dated), default=today)
        self.span = tuple(first + timedelta(days=n) for n in range((today - first).days + 1))
        self._days = np.array([(day - first).days for _, day in dated], dtype=np.int64)
        listed = np.bincount(self._days, minlength=len(self.span)).tolist()
        self.weekdays = _weekdays(zip(self.span, listed, strict=True))
        self.engine: Engine = Engine(self.papers, now=now, like=like.engine if like else None)
        self.vocabulary = Vocabulary(self.papers, self.engine.index)

    def asked(self, stored: Sequence[str]) -> list[_Found]:
        """What each stored profile finds."""
        answer = self.engine.answer(stored, top=max(1, len(self.papers)))
        cuts = answer.first.tolist()
        return [_Found(answer.places[a:b], answer.points[a:b]) for a, b in pairwise(cuts)]

    def counted(self, found: _Found) -> tuple[tuple[date, int], ...]:
        """How many of these papers each date of the span has."""
        counts = np.bincount(self._days[found.places], minlength=len(self.span))
        return tuple(zip(self.span, counts.tolist(), strict=True))


def _weekdays(counts: Iterable[tuple[date, int]]) -> int:
    """On how many weekdays this is read, at least one; a weekend's papers on the next Monday."""
    read_on = {
        day + timedelta(days=7 - day.weekday() if day.weekday() >= _SATURDAY else 0)
        for day, count in counts
        if count or day.weekday() < _SATURDAY
    }
    return max(1, len(read_on))


def day_of(paper: Paper) -> date | None:
    """The list day a paper counts for; the day it came where no source listed it."""
    if paper.announced_on is not None:
        return paper.announced_on
    return paper.first_seen_at.date() if paper.first_seen_at else None


def volume(
    text_or_profile: str | Profile,
    recent: Recent,
    names: Thesaurus | None = None,
    *,
    muted: Sequence[Line] = (),
) -> Volume:
    """What a profile, or a text of keywords, would have brought; its wrong lines are left out.

    `names` are the synonyms to offer; without them it is the list that comes with the program.
    `muted` are the lines of `subscribers.muting`, which hold for all profiles of a reader.
    """
    profile = Profile(text_or_profile) if isinstance(text_or_profile, str) else text_or_profile
    read, mistakes = check(profile.text)
    query = distinct(read)
    kept_out = [program(line) for line in (*query.excludes, *muted)]
    cuts = _cuts(query, muted)
    alone = [_with_each(program(line), kept_out) for line in query.asks]
    asked = [_with_each(store(profile), kept_out), *alone, *(stored for _, _, stored in cuts)]
    whole, *rest = recent.asked(asked)
    by_line, without = rest[: len(alone)], rest[len(alone) :]
    places = [np.zeros(0, dtype=np.int64), *(found.places for found in by_line)]
    lines_of = np.bincount(np.concatenate(places), minlength=len(recent.papers))
    lines = tuple(
        LineVolume(
            line.number,
            line.row,
            line.text,
            len(found.places),
            int((lines_of[found.places] == 1).sum()),
            is_wide=_is_wide(len(found.places), recent),
        )
        for line, found in zip(query.asks, by_line, strict=True)
    )
    before = {line.number: line.papers for line in lines} | {0: len(whole.places)}
    kept = whole.above(profile.lowest_score)
    return Volume(
        text=profile.text,
        counts=recent.counted(kept),
        looked_at=len(recent.papers),
        limit=profile.limit,
        best=_best(profile, recent, muted),
        lines=_with_offers(lines, query, kept_out, whole, recent, names or _thesaurus()),
        left_out=tuple(
            LeftOut(text, number, len(found.places) - before[number])
            for (text, number, _), found in zip(cuts, without, strict=True)
        ),
        mistakes=mistakes,
        is_top_ten=query.is_empty,
    )


def _is_wide(papers: int, recent: Recent) -> bool:
    """Whether a line brings more than anybody reads, or most of all there is."""
    most = len(recent.papers) > _FEW_PAPERS and papers > _NEARLY_ALL * len(recent.papers)
    return most or papers > TOO_MANY * recent.weekdays


def _with_each(stored: str, kept_out: Sequence[str]) -> str:
    """A stored profile with these exclusions, each once."""
    return "\n".join(dict.fromkeys([*stored.split("\n"), *kept_out]))


def _cuts(query: Query, muted: Sequence[Line]) -> list[tuple[str, int, str]]:
    """Each exclusion: its text, the line it stands in, and what would be asked without it."""
    whole = [(write(line.tree), program(line)) for line in query.excludes]
    whole += [(f"muted: {line.text}", program(line)) for line in muted]
    kept_out = [each for _, each in whole]
    asked = "\n".join([program(line) for line in query.asks] or ["*", "~"])
    cuts = [
        (text, 0, _with_each(asked, kept_out[:n] + kept_out[n + 1 :]))
        for n, (text, _) in enumerate(whole)
    ]
    for line in query.asks:
        parts = line.tree.parts if isinstance(line.tree, And) else ()
        for part in parts:
            if isinstance(part, Not):
                left = tuple(each for each in parts if each is not part)
                tree = left[0] if len(left) == 1 else And(left)
                stored = _with_each(program(replace(line, tree=tree)), kept_out)
                cuts.append((write(part), line.number, stored))
    return cuts


def _with_offers(  # noqa: PLR0917 -- one question, many facts
    lines: tuple[LineVolume, ...],
    query: Query,
    kept_out: Sequence[str],
    whole: _Found,
    recent: Recent,
    names: Thesaurus,
) -> tuple[LineVolume, ...]:
    """The lines with other ways to write those that bring nothing or too much, and synonyms."""
    trees = {line.number: line for line in query.asks}
    slips: dict[int, list[str]] = {}
    others: dict[int, list[str]] = {}
    named: dict[int, tuple[Synonym, ...]] = {}
    sizes = {line.number: sum(1 for _ in wanted(line.tree)) for line in trees.values()}
    looked = 0
    for line in sorted(lines[:_MOST_MENDED], key=lambda line: sizes[line.number]):
        named[line.number] = names.of(trees[line.number])
        if line.is_wide:
            others[line.number] = narrower(trees[line.number])
        elif not line.papers and looked < _MOST_LOOKED:
            looked += sizes[line.number]
            slips[line.number], others[line.number] = nearer(trees[line.number], recent.vocabulary)
    texts = [text for each in (slips, others) for some in each.values() for text in some]
    texts += [one.text for some in named.values() for one in some]
    asked = {text: _with_each(store(Profile(text)), kept_out) for text in texts}
    found = dict(zip(asked, recent.asked(list(asked.values())) if asked else [], strict=True))

    def offers(some: Sequence[str]) -> list[Offer]:
        made = [Offer(text, len(found[text].places)) for text in some]
        return [offer for offer in made if offer.papers]

    def adds(text: str) -> int:
        return int(np.isin(found[text].places, whole.places, invert=True).sum())

    return tuple(
        replace(
            _with(line, offers(slips.get(line.number, [])), offers(others.get(line.number, []))),
            synonyms=tuple(
                Switch(one.name, one.text, more)
                for one in named.get(line.number, ())
                if (more := adds(one.text))
            ),
        )
        for line in lines
    )


def _with(line: LineVolume, slips: list[Offer], others: list[Offer]) -> LineVolume:
    """The line with what helps: mended slips before parts left out, most papers first."""
    if line.papers:
        tighter = [offer for offer in others if offer.papers < line.papers]
        return replace(line, narrower=tuple(tighter[:_OFFERS]))
    useful = sorted(slips or others, key=lambda offer: -offer.papers)
    return replace(line, instead=tuple(useful[:_OFFERS]))


_thesaurus = cache(thesaurus)


def _best(profile: Profile, recent: Recent, muted: Sequence[Line]) -> tuple[Match, ...]:
    """The first papers, with their reasons."""
    text = "\n".join([profile.text, *(write(line.tree) for line in muted)])
    (ranking,) = recent.engine.match([replace(profile, text=text)], top=BEST)
    return tuple(match for match in ranking if match.score >= profile.lowest_score)


def because(reasons: Sequence[Reason]) -> str:
    """Reasons in a few words: routing (title), Ines Harrow (author), passed 20 upvotes."""
    return ", ".join(
        f"{reason.text} ({reason.field})" if reason.field else reason.text for reason in reasons
    )


def headline(volume: Volume) -> str:
    """The answer in one line: about 4 papers a day, 3 a week, 2 a month."""
    if volume.is_top_ten:
        return f"The {volume.limit or DEFAULT_LIMIT} papers people talk about, every weekday"
    if not volume.total:
        return f"Nothing in the last {_days(volume.days)}"
    for size, name in ((1, "day"), (5, "week")):
        if volume.a_weekday * size >= 0.95:  # noqa: PLR2004 -- rounds to one
            return f"About {_papers(round(volume.a_weekday * size))} a {name}"
    return f"About {_papers(volume.total)} a month"


def detail(volume: Volume) -> str:
    """The sentence under the headline: over how many days and papers, and what a mail holds."""
    if volume.is_top_ten:
        return "Ranked by upvotes, comments and stars. Add a topic at any time."
    counted = _without_mistakes(volume)
    if not volume.total:
        return counted + "You would hear from us only when something turns up."
    limit = volume.limit
    best = f"Your mail holds the best {limit} of each day" if limit else "Your mail holds them all"
    if volume.a_weekday > TOO_MANY:
        return f"{counted}More than anybody reads. {best}, the rest is one tap away."
    span = _days(volume.days)
    return f"{counted}{volume.total:,} in the last {span}, out of {volume.looked_at:,}. {best}."


def _without_mistakes(volume: Volume) -> str:
    """Which lines are not counted, where some cannot be read."""
    wrong = sorted({mistake.line for mistake in volume.mistakes})
    if not wrong:
        return ""
    partly = {line.row for line in volume.lines}.intersection(wrong)
    rows = ", ".join(map(str, wrong))
    return f"Counted without {'what is wrong in ' if partly else ''}line {rows}. "


def remark(line: LineVolume, volume: Volume) -> str:
    """What is worth saying of a line, in a sentence or two, or nothing."""
    said = _worth_saying(line, volume)
    more = [f"{one.name} would bring {one.adds:,} more" for one in line.synonyms]
    unsaid = _SMALL_NOT.search(re.sub('"[^"]*"', '""', line.text))
    hint = f"“not” says nothing here; to leave out, write -{unsaid[1]}." if unsaid else ""
    return " ".join(filter(None, [said, f"{', '.join(more)}." if more else "", hint]))


def _worth_saying(line: LineVolume, volume: Volume) -> str:
    if not line.papers:
        meant = " or ".join(f"{one.text} ({_papers(one.papers)})" for one in line.instead)
        return f"Brings nothing. Did you mean {meant}?" if meant else "Brings nothing."
    if line.is_wide:
        share = round(100 * line.papers / volume.looked_at)
        tighter = " or ".join(f"{one.text} ({_papers(one.papers)})" for one in line.narrower)
        offer = f"Narrower: {tighter}." if tighter else "Add a word to narrow it."
        return f"Finds {share} of 100 papers. {offer}"
    if len(volume.lines) > 1 and not line.alone:
        return "Brings nothing that the other lines do not."
    return ""


def _days(number: int) -> str:
    return "day" if number == 1 else f"{number} days"


def _papers(number: int) -> str:
    return "1 paper" if number == 1 else f"{number:,} papers"
