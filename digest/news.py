"""Which papers are new for a reader, and what of them the next digest would hold."""

from __future__ import annotations

from array import array
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from digest.errors import SelectionError
from digest.retold import KEEP_ASKING, UNASKED
from digest.windows import FIRST, GRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import numpy as np
    import numpy.typing as npt

    from digest.app import App
    from digest.match import Ranking
    from digest.match.index import Index
    from digest.match.learned import Learned
    from digest.papers import Paper
    from digest.selection import Known, Miss, Selection
    from digest.variants import Variants
    from digest.windows import Window
    from subscribers.subscriber import Subscriber

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "FIRST",
    "GRACE",
    "Considered",
    "News",
    "Reach",
    "consider",
    "consider_then",
    "matched",
    "reaches",
]


_MOST_MUTES: Final = 1_000
"""Mutes of which it is kept what they leave out."""


class Reach(NamedTuple):
    """Which papers a reader looks at: how old they may be, and whether new versions count.

    How rare a word is depends on the papers it is counted in; readers of one reach are decided
    together, so that a digest is the same whoever else is due.
    """

    back: timedelta
    with_replaced: bool

    @classmethod
    def of(cls, reader: Subscriber) -> Reach:
        """The reach of a reader."""
        wants_new_versions = any(profile.new_versions for profile in reader.profiles)
        return cls(reader.schedule.cadence.period + GRACE, wants_new_versions)


@dataclass(frozen=True, slots=True)
class Considered:
    """One reader's next digest, decided but not frozen; `reason` says why there is none.

    `find_misses` is called where somebody looks at them: few do, and it takes as long again.
    """

    reader: Subscriber
    selection: Selection
    window: Window
    find_misses: Callable[[], tuple[Miss, ...]]

    @property
    def papers(self) -> Mapping[int, Paper]:
        """The papers of the reader's window, by number; readers of one issue share them."""
        return self.window.papers

    @property
    def misses(self) -> tuple[Miss, ...]:
        """What matched and is not in the digest, with what stopped each, best first."""
        return self.find_misses()

    @property
    def reason(self) -> str:
        """Why there is no digest, or nothing."""
        if self.selection.picks:
            return ""
        if not self.selection.looked_at:
            return "nothing new was listed"
        return f"nothing matched, {self.selection.looked_at:,} looked at"


def consider(
    app: App, readers: Sequence[Subscriber], now: datetime, *, kind: str = "digest"
) -> list[Considered]:
    """Decide what these readers' next digests would hold; reads only.

    A reader that is not stored (number 0) has no ledger and looks at the last seven days. For
    many readers use News, block by block: what they matched is held as long as what is returned.
    """
    groups: dict[Reach, list[int]] = {}
    for place, reader in enumerate(readers):
        groups.setdefault(Reach.of(reader), []).append(place)
    decided: dict[int, Considered] = {}
    for reach, places in groups.items():
        together = News.of(app, reach, now, kind=kind).decide([readers[place] for place in places])
        decided.update(zip(places, together, strict=True))
    return [decided[place] for place in range(len(readers))]


def reaches(app: App, readers: Sequence[int]) -> dict[Reach, array[int]]:
    """The numbers of readers by what they look at, each in order."""
    found: dict[Reach, array[int]] = {}
    for number, cadence, new_versions in app.store.subscribers.wishes(readers):
        found.setdefault(Reach(cadence.period + GRACE, new_versions), array("q")).append(number)
    return found


def consider_then(app: App, reader: Subscriber, then: datetime, before: datetime) -> Considered:
    """What a digest at that instant of the past would have held; reads only.

    It is the one a run made for who was a reader then: papers as they were known, with the counts
    they had. For anybody else it is what a reader would have got who had one at `before`: papers
    count as seen on the day they were announced, whenever they came to us. Of feedback, and of
    texts that changed, we know today's.
    """
    was_reader = reader.confirmed_at is not None and reader.confirmed_at <= then
    reach = Reach.of(reader)
    papers = _papers(app, reach, then)
    if not was_reader:
        zone = ZoneInfo(reader.schedule.zone)
        papers = [_seen_when_announced(paper, zone) for paper in papers]
    there = {paper.number: _known_then(paper, then) for paper in _come_by(then, papers)}
    counts = app.store.papers.signals_at(there, then)
    papers = [replace(one, signals=counts.get(one.number, one.signals)) for one in there.values()]
    since = {} if was_reader else {reader.number: before}
    (considered,) = News(app, reach, papers, then, since=since).decide([reader])
    return considered


def _seen_when_announced(paper: Paper, zone: ZoneInfo) -> Paper:
    if paper.announced_on is None:
        return paper
    seen = datetime.combine(paper.announced_on, time(), zone).astimezone(UTC)
    return replace(
        paper,
        first_seen_at=seen,
        listings=tuple(replace(one, first_seen_at=None) for one in paper.listings),
    )


def _known_then(paper: Paper, then: datetime) -> Paper:
    """A paper without what was listed of it later."""
    listings = [one for one in paper.listings if not one.first_seen_at or one.first_seen_at <= then]
    return replace(paper, listings=tuple(listings) or paper.listings)


class News:
    """The papers of one reach, held ready to decide readers of it, a block at a time.

    With `since` it is news of the past: nothing counts that was sent from `now` on, and it has
    the last digest of who had none of ours.
    """

    def __init__(
        self,
        app: App,
        reach: Reach,
        papers: Sequence[Paper],
        now: datetime,
        *,
        kind: str = "digest",
        since: Mapping[int, datetime] | None = None,
    ) -> None:
        from digest.match import Engine  # noqa: PLC0415 -- needed where something is matched
        from digest.variants import Variants  # noqa: PLC0415
        from digest.windows import Windows  # noqa: PLC0415

        self._app = app
        self._now = now
        self._kind = kind
        self._since = since or {}
        self._before = None if since is None else now
        self._engine = Engine(papers, now=now)
        self._variants = Variants(papers, self._engine.index.scan)
        works = app.store.papers.same_works()
        self._windows = Windows(self._engine, app.store, works, now)
        self._ledger = _Ledger(app, papers, works, now - 2 * reach.back, self._before)
        # What a source said later of that day is all that is left; it may have mended since.
        self._incomplete = () if self._before else _incomplete(app, now)
        self._mutes: dict[str, Mask] = {}

    @classmethod
    def of(cls, app: App, reach: Reach, now: datetime, *, kind: str = "digest") -> News:
        """The news of now."""
        return cls(app, reach, _come_by(now, _papers(app, reach, now)), now, kind=kind)

    def decide(self, readers: Sequence[Subscriber]) -> list[Considered]:
        """What the next digests of some readers hold; what they matched is held with it."""
        from digest.match import explain  # noqa: PLC0415 -- needed where something is matched
        from digest.selection import Known, choose, told  # noqa: PLC0415

        numbers = [reader.number for reader in readers]
        last = {**self._since, **self._app.store.deliveries.last_sent(numbers, self._before)}
        liked = learned_of(self._app, readers, self._engine.papers, self._engine.index)
        found = self._engine.match(
            [profile for reader in readers for profile in reader.profiles],
            learned=[liked.get(reader.number) for reader in readers for _ in reader.profiles],
        )
        looked = []
        lost = self._ledger.lost(last)
        for reader in readers:
            rankings = list(islice(found, len(reader.profiles)))
            since = None if self._kind == "welcome" else last.get(reader.number)
            window = self._windows.of(reader, rankings, since)
            if again := self._engine.place_of.keys() & lost.get(reader.number, ()):
                window = window.also(again)
            looked.append((reader, rankings, window))
        may_repeat = [
            reader.number
            for reader, _, window in looked
            if window.may_repeat
            or self._kind == "welcome"
            or (window.replaced and Reach.of(reader).with_replaced)
        ]
        knows = self._ledger.of(numbers, may_repeat)
        chosen = []
        for reader, rankings, window in looked:
            already, library = knows(reader.number)
            known = Known(already, library, window.replaced)
            standing = self._standing(reader, rankings, window, known)
            choice = choose(reader, standing, self._variants)
            chosen.append((reader, rankings, window, known, choice))
        explain(match for *_, choice in chosen for match in choice.matches)
        considered = []
        for reader, rankings, window, known, choice in chosen:
            selection = told(
                reader,
                choice,
                known=known,
                kind=self._kind,
                since=window.since,
                until=self._now,
                looked_at=len(window),
                incomplete=self._incomplete,
                note=self._app.settings.note,
            )
            find = partial(_misses, reader, window, rankings, selection, known, self._variants)
            considered.append(Considered(reader, selection, window, find))
        return considered

    def _standing(
        self, reader: Subscriber, rankings: Sequence[Ranking], window: Window, known: Known
    ) -> list[Ranking]:
        """What of each ranking nothing stops: what `selection.select` finds out one by one."""
        kept = window.kept
        if reader.muted_words or reader.muted_authors:
            kept = kept & ~self._muted_by(reader)
        standing = []
        for profile, found in zip(reader.profiles, rankings, strict=True):
            stopped = known.stopped(profile)
            places = [at for n in stopped if (at := self._engine.place_of.get(n)) is not None]
            mine = kept
            if places:
                mine = kept.copy()
                mine[places] = False
            standing.append(found.only(mine, profile.lowest_score))
        return standing

    def _muted_by(self, reader: Subscriber) -> Mask:
        """Which papers a reader's mutes leave out."""
        import numpy as np  # noqa: PLC0415 -- needed where something is matched

        from subscribers.muting import muted_lines  # noqa: PLC0415

        muted = np.zeros(self._engine.size, dtype=np.bool_)
        for line in muted_lines(reader.muted_words, reader.muted_authors):
            mask = self._mutes.get(line.text)
            if mask is None:
                if len(self._mutes) >= _MOST_MUTES:
                    self._mutes.clear()
                mask = self._mutes[line.text] = self._engine.leaves_out(line)
            muted |= mask
        return muted


def _misses(  # noqa: PLR0917 -- of what was decided, everything
    reader: Subscriber,
    window: Window,
    rankings: Sequence[Ranking],
    selection: Selection,
    known: Known,
    variants: Variants,
) -> tuple[Miss, ...]:
    from digest.selection import near_misses  # noqa: PLC0415 -- needed where they are asked for

    return near_misses(reader, window.papers, rankings, selection, known=known, variants=variants)


def matched(app: App, reader: Subscriber, papers: Sequence[Paper], now: datetime) -> list[Ranking]:
    """What each of a reader's profiles matches of these papers, with what was learned of them."""
    from digest.match import Engine  # noqa: PLC0415

    engine = Engine(papers, now=now)
    learned = learned_of(app, [reader], papers, engine.index).get(reader.number)
    return list(engine.match(reader.profiles, learned=[learned for _ in reader.profiles]))


def learned_of(
    app: App, readers: Sequence[Subscriber], papers: Sequence[Paper], index: Index | None = None
) -> dict[int, Learned]:
    """What was learned of each reader who saved enough and lets us; `papers` are those of late.

    `index` is theirs, where there is one.
    """
    from digest.learn import LEAST_SAVED, Lessons  # noqa: PLC0415
    from subscribers.feedback import Verdict  # noqa: PLC0415

    willing = [one.number for one in readers if one.learning]
    verdicts: dict[int, dict[Verdict, list[int]]] = {}
    for reader, said in app.store.feedback.of_all(willing).items():
        by_verdict: dict[Verdict, list[int]] = {verdict: [] for verdict in Verdict}
        for each in said:
            by_verdict[each.verdict].append(each.paper)
        if len(by_verdict[Verdict.SAVE]) >= LEAST_SAVED:
            verdicts[reader] = by_verdict
    if not verdicts:
        return {}
    judged = {number for said in verdicts.values() for each in said.values() for number in each}
    older = app.store.papers.by_numbers(judged - {paper.number for paper in papers})
    lessons = Lessons(papers, older.values(), index.tfidf if index else None)
    learned = {
        reader: lessons.learn(said[Verdict.SAVE], said[Verdict.NOT_FOR_ME])
        for reader, said in verdicts.items()
    }
    return {reader: each for reader, each in learned.items() if each is not None}


def _papers(app: App, reach: Reach, now: datetime) -> list[Paper]:
    """The papers announced within reach, and those replaced within it where they are wanted."""
    oldest = (now - reach.back).date()
    until = now.date() + timedelta(days=1)  # a list may be dated tomorrow where the sun is ahead
    papers = app.store.papers.between(oldest, until)
    if reach.with_replaced:
        numbers = {paper.number for paper in papers}
        replaced = app.store.papers.replaced(oldest, until)
        papers += [paper for paper in replaced if paper.number not in numbers]
    return papers


def _come_by(now: datetime, papers: Iterable[Paper]) -> list[Paper]:
    """Those that were here then: what came in later is for the next digest."""
    return [paper for paper in papers if paper.first_seen_at and paper.first_seen_at <= now]


class _Ledger:
    """What readers know of the papers at hand: what they were sent, and their libraries."""

    def __init__(
        self,
        app: App,
        papers: Sequence[Paper],
        works: Mapping[int, frozenset[int]],
        since: datetime,
        before: datetime | None,
    ) -> None:
        self._app = app
        self._papers = papers
        self._works = works
        self._since = since
        self._before = before

    def of(
        self, readers: Sequence[int], may_repeat: Sequence[int]
    ) -> Callable[[int], tuple[AbstractSet[int], AbstractSet[int]]]:
        """What says, of each of some readers, what they were sent and what they have.

        What was sent is looked up for those to whom something may come again.
        """
        from digest.selection import papers_of  # noqa: PLC0415 -- needed to decide only

        sent = self._app.store.deliveries.ledger(may_repeat, self._since, self._before)
        libraries = self._app.store.libraries.of_all(readers)
        named = self._named if libraries else {}

        def of(reader: int) -> tuple[AbstractSet[int], AbstractSet[int]]:
            already: set[int] = set()
            for packed in sent.get(reader, ()):
                with suppress(SelectionError):  # a damaged row may cost its reader a repetition
                    already |= papers_of(packed)
            # What was sent as one paper counts as sent of all that it is or was one with.
            self._add_same(already)
            library = {named[name] for name in libraries.get(reader, ()) if name in named}
            return already, library

        return of

    def lost(self, last: Mapping[int, datetime]) -> dict[int, set[int]]:
        """What of a digest before their `last` was known to be lost only after that was decided.

        What was lost by then was news for it once more.
        """
        from digest.selection import papers_of  # noqa: PLC0415 -- needed to decide only

        papers: dict[int, set[int]] = {}
        rows = self._app.store.deliveries.lost(self._since, last.keys(), self._before)
        for reader, frozen_at, settled_at, packed in rows:
            if frozen_at <= last[reader] < settled_at:
                with suppress(SelectionError):
                    papers.setdefault(reader, set()).update(papers_of(packed))
        for found in papers.values():
            self._add_same(found)
        return papers

    def _add_same(self, papers: set[int]) -> None:
        """Add all that each of these papers is or was one with."""
        if self._works:
            papers |= {each for one in papers for each in self._works.get(one, ())}

    @cached_property
    def _named(self) -> dict[str, int]:
        from subscribers.library import names_of  # noqa: PLC0415 -- needed to decide only

        return {name: paper.number for paper in self._papers for name in names_of(paper)}


def _incomplete(app: App, now: datetime) -> tuple[str, ...]:
    """One sentence for each source of which papers may be missing."""
    today = now.date()
    told: dict[tuple[str, str], None] = {}
    for answer in app.store.sources.answers(today - GRACE, app.settings.sources):
        # An old day on which a source listed nothing may have been a holiday nobody knew of.
        old = answer.day < today - timedelta(days=1)
        if not answer.lacking or (old and answer.state == "suspicious"):
            continue
        note = (answer.said_note if answer.good else answer.note) or "did not answer fully"
        told[answer.label, "" if answer.said == "misconfigured" else note] = None
    return tuple(
        f"{label} {note}. {KEEP_ASKING}" if note else UNASKED.format(label=label)
        for label, note in told
    )
