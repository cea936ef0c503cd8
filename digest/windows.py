"""Windows: the papers that are news since an instant, and of which of them only a version is new.

News is what was first seen since the last digest and announced within one period and a week; what
newly meets one of a reader's floors within a week of its announcement; and papers of which a new
version was listed meanwhile. Most readers of an issue had their last digest in the same few, so a
window is made once for all of them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from digest.papers import ListingKind, Signals
from subscribers.finding import signal_of
from subscribers.query import matches
from subscribers.tree import Floor, leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date

    import numpy.typing as npt

    from digest.match import Engine, Ranking
    from digest.papers import Paper
    from digest.store import Store
    from subscribers.subscriber import Subscriber

    Mask = npt.NDArray[np.bool_]

K = TypeVar("K")
V = TypeVar("V")
GRACE: Final = timedelta(days=7)
"""How much later than one cadence period a paper may come and still be news."""
FIRST: Final = timedelta(days=7)
"""How far a reader's first digest reaches back."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = -(1 << 62)
_MOST_KEPT: Final = 64
"""Windows kept, the last ones asked for: readers who joined today had a welcome each."""


@dataclass(frozen=True)
class Window:
    """What is news since an instant (UTC), or for a first digest.

    `kept` says of each paper at hand whether it is; of `replaced`, by number, only a version is.
    `may_repeat`: an earlier digest can have held one of which more than a version is news.
    """

    engine: Engine
    since: datetime | None
    kept: Mask
    replaced: frozenset[int]
    may_repeat: bool

    def __len__(self) -> int:
        return int(np.count_nonzero(self.kept))

    @cached_property
    def papers(self) -> dict[int, Paper]:
        """Its papers by number."""
        there = map(self.engine.papers.__getitem__, np.flatnonzero(self.kept).tolist())
        return {paper.number: paper for paper in there}

    def also(self, numbers: Collection[int]) -> Window:
        """The window with these papers in it, which are news as they are."""
        kept = self.kept.copy()
        kept[[self.engine.place_of[number] for number in numbers]] = True
        replaced = self.replaced.difference(numbers)
        return Window(self.engine, self.since, kept, replaced, may_repeat=True)


class Windows:
    """The windows of readers who look at the same papers."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        works: Mapping[int, frozenset[int]],
        now: datetime,
    ) -> None:
        self._engine = engine
        self._store = store
        self._works = works
        self._now = now
        announced = (paper.announced_on for paper in engine.papers)
        self._announced = np.array([day.toordinal() if day else 0 for day in announced])
        self._seen = np.array([_micros(paper.first_seen_at) for paper in engine.papers])
        self._versions = [
            (place, paper)
            for place, paper in enumerate(engine.papers)
            if any(one.kind is ListingKind.REPLACE for one in paper.listings)
        ]
        self._made: OrderedDict[tuple[datetime | None, date], Window] = OrderedDict()
        self._past: OrderedDict[datetime, _Past] = OrderedDict()

    def of(self, reader: Subscriber, rankings: Sequence[Ranking], since: datetime | None) -> Window:
        """What is news for a reader, whose profiles match so, since the last digest, if any."""
        reach = FIRST if since is None else reader.schedule.cadence.period + GRACE
        oldest = (self._now - reach).date()
        window = _kept(self._made, (since, oldest), lambda: self._make(since, oldest))
        risen = set[int]()
        if since is not None:
            for found in rankings:
                if floors := _floors(found):
                    past = _kept(self._past, since, lambda: self._past_of(since))
                    risen |= past.risen(found, floors)
        return window.also(risen) if risen else window

    def _make(self, since: datetime | None, oldest: date) -> Window:
        kept = self._announced >= oldest.toordinal()
        if since is not None:
            kept &= self._seen > _micros(since)
        fresh = {self._engine.papers[place].number for place in np.flatnonzero(kept).tolist()}
        replaced = [place for place, paper in self._versions if _is_replaced(paper, since, oldest)]
        kept[replaced] = True
        numbers = frozenset(self._engine.papers[place].number for place in replaced)
        may_repeat = since is not None and self._may_repeat(fresh)
        return Window(self._engine, since, kept, numbers, may_repeat=may_repeat)

    def _may_repeat(self, fresh: set[int]) -> bool:
        """Whether one of these, first seen since a digest, can have been sent as another paper.

        Papers are numbered as they come: what was there then has a lower number than they have.
        """
        alone = [number for number in fresh if number not in self._works]
        lowest = min(alone, default=1 << 63)
        return any(min(self._works[one]) < lowest for one in fresh if one in self._works)

    def _past_of(self, since: datetime) -> _Past:
        lately = self._announced >= (self._now - GRACE).date().toordinal()
        old = np.flatnonzero(lately & (self._seen <= _micros(since))).tolist()
        numbers = [self._engine.papers[place].number for place in old]
        return _Past(self._engine, old, self._store.papers.signals_at(numbers, since))


class _Past:
    """Papers that were there at an earlier digest, with the counts they had then."""

    def __init__(self, engine: Engine, places: list[int], then: dict[int, Signals]) -> None:
        self._papers = {place: engine.papers[place] for place in places}
        self._then = {
            place: then.get(paper.number, Signals()) for place, paper in self._papers.items()
        }
        self._turned: dict[Floor, frozenset[int]] = {}

    def risen(self, found: Ranking, floors: Collection[Floor]) -> set[int]:
        """The numbers of papers that a profile matches now, and did not then."""
        # Whether a paper fits can have changed only with what a floor says of it.
        turned = frozenset[int]().union(*map(self._turning, floors))
        risen = set()
        for match in found.among(turned):
            before = replace(self._papers[match.place], signals=self._then[match.place])
            if not matches(found.query, before):
                risen.add(match.paper)
        return risen

    def _turning(self, floor: Floor) -> frozenset[int]:
        """The places of papers of which a floor holds now and did not, or the other way."""
        known = self._turned.get(floor)
        if known is None:
            known = self._turned[floor] = frozenset(
                place
                for place, paper in self._papers.items()
                if _passes(paper.signals, floor) != _passes(self._then[place], floor)
            )
        return known


def _kept(made: OrderedDict[K, V], key: K, make: Callable[[], V]) -> V:
    """What was made for a key, made now where it was not; the last few are kept."""
    if key not in made:
        made[key] = make()
        if len(made) > _MOST_KEPT:
            made.popitem(last=False)
    made.move_to_end(key)
    return made[key]


def _micros(moment: datetime | None) -> int:
    """An instant as a number to compare; one nobody knows is before all others."""
    return _NEVER if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _floors(found: Ranking) -> set[Floor]:
    """The floors of a profile."""
    trees = (line.tree for line in found.query.lines)
    return {leaf for tree in trees for leaf in leaves(tree) if isinstance(leaf, Floor)}


def _passes(signals: Signals, floor: Floor) -> bool:
    count = signal_of(signals, floor.signal)
    return count is not None and count > floor.above


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
