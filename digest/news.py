"""Which papers are new for a reader, and what of them the next digest would hold."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from digest.errors import SelectionError
from digest.papers import ListingKind
from digest.retold import KEEP_ASKING, UNASKED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date

    from digest.app import App
    from digest.match import Match
    from digest.match.learned import Learned
    from digest.papers import Paper
    from digest.selection import Known, Miss, Selection
    from subscribers.subscriber import Subscriber

GRACE: Final = timedelta(days=7)
"""How much later than one cadence period a paper may come and still be news."""
FIRST: Final = timedelta(days=7)
"""How far a reader's first digest reaches back."""


@dataclass(frozen=True, slots=True)
class Considered:
    """One reader's next digest, decided but not frozen; `reason` says why there is none.

    `papers` are those of the reader's window, by number; readers of one issue share them.
    `find_misses` is called where somebody looks at them: few do, and it takes as long again. It
    is None where they were not kept.
    """

    reader: Subscriber
    selection: Selection
    papers: Mapping[int, Paper]
    find_misses: Callable[[], tuple[Miss, ...]] | None

    @property
    def misses(self) -> tuple[Miss, ...]:
        """What matched and is not in the digest, with what stopped each, best first.

        ValueError where they were not kept.
        """
        if self.find_misses is None:
            reason = "misses of readers with a digest were not kept"
            raise ValueError(reason)
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
    app: App,
    readers: Sequence[Subscriber],
    now: datetime,
    *,
    kind: str = "digest",
    keep_misses: bool = True,
) -> list[Considered]:
    """Decide what these readers' next digests would hold; reads only.

    Without `keep_misses` only readers who get nothing have their misses, and what was matched of
    a few readers is forgotten before the next are matched: memory does not grow with it.
    A reader that is not stored (number 0) has no ledger and looks at the last seven days. How
    rare a word is depends on the papers it is counted in; readers are decided together who look
    at the same ones, so that a digest is the same whoever else is due.
    """
    groups: dict[tuple[timedelta, bool], list[int]] = {}
    for place, reader in enumerate(readers):
        wants_new_versions = any(profile.new_versions for profile in reader.profiles)
        key = reader.schedule.cadence.period + GRACE, wants_new_versions
        groups.setdefault(key, []).append(place)
    decided: dict[int, Considered] = {}
    for (reach, with_replaced), places in groups.items():
        papers = _papers(app, (now - reach).date(), now.date(), with_replaced=with_replaced)
        group = [readers[place] for place in places]
        together = _considered(
            app, group, papers, now, reach=reach, kind=kind, keep_misses=keep_misses
        )
        decided.update(zip(places, together, strict=True))
    return [decided[place] for place in range(len(readers))]


def consider_then(app: App, reader: Subscriber, then: datetime, before: datetime) -> Considered:
    """What a digest at that instant of the past would have held; reads only.

    It is the one a run made for who was a reader then: papers as they were known, with the counts
    they had. For anybody else it is what a reader would have got who had one at `before`: papers
    count as seen on the day they were announced, whenever they came to us. Of feedback, and of
    texts that changed, we know today's.
    """
    was_reader = reader.confirmed_at is not None and reader.confirmed_at <= then
    reach = reader.schedule.cadence.period + GRACE
    wants_new_versions = any(profile.new_versions for profile in reader.profiles)
    papers = _papers(app, (then - reach).date(), then.date(), with_replaced=wants_new_versions)
    if not was_reader:
        zone = ZoneInfo(reader.schedule.zone)
        papers = [_seen_when_announced(paper, zone) for paper in papers]
    there = {
        paper.number: _known_then(paper, then)
        for paper in papers
        if paper.first_seen_at is not None and paper.first_seen_at <= then
    }
    counts = app.store.papers.signals_at(there, then)
    papers = [replace(one, signals=counts.get(one.number, one.signals)) for one in there.values()]
    since = {} if was_reader else {reader.number: before}
    (considered,) = _considered(
        app, [reader], papers, then, reach=reach, kind="digest", since=since
    )
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


def _considered(
    app: App,
    readers: Sequence[Subscriber],
    papers: Sequence[Paper],
    now: datetime,
    *,
    reach: timedelta,
    kind: str,
    since: Mapping[int, datetime] | None = None,
    keep_misses: bool = True,
) -> list[Considered]:
    """What the next digests of readers hold who all look at these papers.

    With `since` it is one of the past: nothing counts that was sent from `now` on, and it has the
    last digest of who had none of ours.
    """
    from digest.match import Engine  # noqa: PLC0415 -- needed where something is matched
    from digest.selection import near_misses, select  # noqa: PLC0415
    from digest.variants import Variants  # noqa: PLC0415

    numbers = [reader.number for reader in readers]
    before = None if since is None else now
    last = {**(since or {}), **app.store.deliveries.last_sent(numbers, before)}
    liked = learned_of(app, readers, papers)
    found = Engine(papers, now=now).match(
        [profile for reader in readers for profile in reader.profiles],
        learned=[liked.get(reader.number) for reader in readers for _ in reader.profiles],
    )
    ledger = _Ledger(app, readers, papers, now - 2 * reach, before)
    # What a source said later of that day is all that is left; it may have mended since.
    incomplete = () if before else _incomplete(app, now)
    variants = Variants({paper.number: paper for paper in papers})
    windows = _Windows(papers, now)
    considered = []
    for reader in readers:
        matches = list(islice(found, len(reader.profiles)))
        newest = None if kind == "welcome" else last.get(reader.number)
        window, replaced = windows.of(app, reader, matches, newest)
        known = ledger.of(reader.number, replaced)
        selection = select(
            reader,
            window,
            matches,
            known=known,
            variants=variants,
            kind=kind,
            since=newest,
            until=now,
            looked_at=len(window),
            incomplete=incomplete,
            note=app.settings.note,
        )
        find = partial(
            near_misses, reader, window, matches, selection, known=known, variants=variants
        )
        misses: Callable[[], tuple[Miss, ...]] | None = find
        if not keep_misses:
            # What one reader matches holds on to all that was matched together with it.
            misses = None if selection.picks else partial(tuple, find())
        considered.append(Considered(reader, selection, window, misses))
    return considered


def matched(
    app: App, reader: Subscriber, papers: Sequence[Paper], now: datetime
) -> list[Sequence[Match]]:
    """What each of a reader's profiles matches of these papers, with what was learned of them."""
    from digest.match import Engine  # noqa: PLC0415

    learned = learned_of(app, [reader], papers).get(reader.number)
    found = Engine(papers, now=now).match(
        reader.profiles, learned=[learned for _ in reader.profiles]
    )
    return list(found)


def learned_of(
    app: App, readers: Sequence[Subscriber], papers: Sequence[Paper]
) -> dict[int, Learned]:
    """What was learned of each reader who saved enough and lets us; `papers` are those of late."""
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
    lessons = Lessons([*papers, *(older[number] for number in sorted(older))])
    learned = {
        reader: lessons.learn(said[Verdict.SAVE], said[Verdict.NOT_FOR_ME])
        for reader, said in verdicts.items()
    }
    return {reader: each for reader, each in learned.items() if each is not None}


def _papers(app: App, oldest: date, today: date, *, with_replaced: bool) -> list[Paper]:
    """The papers announced since then, and those replaced since then where they are wanted."""
    until = today + timedelta(days=1)  # a list may be dated tomorrow where the sun is ahead
    papers = app.store.papers.between(oldest, until)
    if with_replaced:
        numbers = {paper.number for paper in papers}
        replaced = app.store.papers.replaced(oldest, until)
        papers += [paper for paper in replaced if paper.number not in numbers]
    return papers


class _Ledger:
    """What the readers of a batch know of its papers: what they were sent, and their libraries."""

    def __init__(
        self,
        app: App,
        readers: Sequence[Subscriber],
        papers: Sequence[Paper],
        since: datetime,
        before: datetime | None,
    ) -> None:
        from subscribers.library import names_of  # noqa: PLC0415 -- needed to decide only

        numbers = [reader.number for reader in readers]
        self._sent = app.store.deliveries.ledger(numbers, since, before)
        self._works = app.store.papers.same_works()
        self._libraries = app.store.libraries.of_all(numbers)
        self._named: dict[str, int] = {}
        if self._libraries:
            self._named = {name: paper.number for paper in papers for name in names_of(paper)}

    def of(self, reader: int, replaced: AbstractSet[int]) -> Known:
        """What a reader knows, where only new versions of some papers are new."""
        from digest.selection import Known, Selection  # noqa: PLC0415

        sent = self._sent.get(reader, ())
        already: set[int] = set()
        for packed in sent:
            with suppress(SelectionError):  # a damaged row may cost its reader a repetition
                already |= Selection.unpack(packed).papers
        if self._works:
            # What was sent as one paper counts as sent of all that it is or was one with.
            already |= {other for number in already for other in self._works.get(number, ())}
        named = self._named
        library = {named[name] for name in self._libraries.get(reader, ()) if name in named}
        return Known(already, library, replaced)


def _is_replaced(paper: Paper, since: datetime | None, oldest: date) -> bool:
    """Whether all that is new is a version, listed from `oldest` on and not seen by `since`."""
    versions = [one for one in paper.listings if one.kind is ListingKind.REPLACE]
    if not any(one.day >= oldest and _came(one.first_seen_at, since) for one in versions):
        return False
    if len(versions) == len(paper.listings):
        return True  # nobody listed it as new while we looked
    was_announced = paper.announced_on is not None and paper.announced_on < oldest
    return was_announced or not _came(paper.first_seen_at, since)


def _came(seen: datetime | None, since: datetime | None) -> bool:
    """Whether something was first seen after that instant."""
    return since is None or (seen is not None and seen > since)


@dataclass(frozen=True, slots=True)
class _Window:
    """What is news since one instant, by number: all that is recent, what of it is fresh."""

    recent: Mapping[int, Paper]
    fresh: Mapping[int, Paper]
    replaced: Mapping[int, Paper]


class _Windows:
    """The papers that are news for a reader: design, "Which papers are new".

    First seen since the last digest and announced within one period and a week; what newly
    meets one of the reader's floors within a week of its announcement; and papers of which a
    new version was listed meanwhile. Most readers of an issue had their last digest in the same
    one, so a window is made once for all of them.
    """

    def __init__(self, papers: Sequence[Paper], now: datetime) -> None:
        self._papers = papers
        self._now = now
        self._made: dict[tuple[datetime | None, date], _Window] = {}

    def of(
        self,
        app: App,
        reader: Subscriber,
        matches: Sequence[Sequence[Match]],
        since: datetime | None,
    ) -> tuple[Mapping[int, Paper], frozenset[int]]:
        """The papers by number; and the numbers of those of which only a new version is new."""
        reach = FIRST if since is None else reader.schedule.cadence.period + GRACE
        key = since, (self._now - reach).date()
        window = self._made[key] = self._made.get(key) or self._make(*key)
        if since is None:
            return window.fresh, frozenset(window.replaced)
        oldest = (self._now - GRACE).date()
        risen = _risen(app, reader, window.recent, matches, since, oldest)
        replaced = frozenset(window.replaced.keys() - risen.keys())
        return ({**window.fresh, **risen} if risen else window.fresh), replaced

    def _make(self, since: datetime | None, oldest: date) -> _Window:
        recent = {p.number: p for p in self._papers if p.announced_on and p.announced_on >= oldest}
        replaced = {p.number: p for p in self._papers if _is_replaced(p, since, oldest)}
        fresh = {number: p for number, p in recent.items() if _came(p.first_seen_at, since)}
        return _Window(recent, fresh | replaced, replaced)


def _risen(  # noqa: PLR0917 -- one question, many facts
    app: App,
    reader: Subscriber,
    recent: Mapping[int, Paper],
    matches: Sequence[Sequence[Match]],
    since: datetime,
    oldest: date,
) -> dict[int, Paper]:
    """Papers seen before that match now, and did not with the counts of the last digest."""
    from subscribers.query import check  # noqa: PLC0415
    from subscribers.query import matches as literal  # noqa: PLC0415

    risen: dict[int, Paper] = {}
    for profile, found in zip(reader.profiles, matches, strict=True):
        query = check(profile.text)[0]
        if not query.floors:
            continue
        old = {
            match.paper: recent[match.paper]
            for match in found
            if match.paper in recent
            and (recent[match.paper].announced_on or oldest) >= oldest
            and (recent[match.paper].first_seen_at or since) <= since
        }
        then = app.store.papers.signals_at(old, since)
        for number, paper in old.items():
            before = replace(paper, signals=then.get(number, type(paper.signals)()))
            if not literal(query, before):
                risen[number] = paper
    return risen


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
