"""What a sender has leased and not begun: made here or in a workshop, and let go by the pace."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from digest.channels import Outgoing
    from digest.pace import Pace
    from digest.store.deliveries import Delivery
    from digest.workshop import Builder, Made, Workshop

LONGEST_WAIT: Final = 600.0
"""Seconds the pace may hold a message that is in our hands; what waits longer is given back."""
MOST_LATER: Final = 2000
"""Messages that wait here for the pace of a domain; more of them wait in the log."""
LOW: Final = 400
"""With fewer to send than this, more are leased: what two presses have at a time."""


@dataclass(slots=True)
class Job:
    """A leased delivery, the relay whose pace let it go and, once it was built, its message."""

    delivery: Delivery
    outgoing: Outgoing | None = None
    relay: str = ""


class Backlog:
    """Deliveries that were leased, in the order they go.

    `release` gives deliveries back, to be sent later if so. `wake` is called, from any thread,
    when the workshop has made something: `collect` it.
    """

    def __init__(
        self,
        builder: Builder,
        workshop: Workshop | None,
        clock: Callable[[], datetime],
        pace: Pace,
        *,
        release: Callable[[Sequence[Delivery], datetime | None], None],
        wake: Callable[[], None],
    ) -> None:
        self.held = ""
        """Why messages wait although nothing is wrong."""
        self._builder = builder
        self._workshop = workshop
        self._clock = clock
        self._pace = pace
        self._release = release
        self._wake = wake
        self._queue: deque[Job] = deque()
        self._making: dict[int, Delivery] = {}
        self._made: deque[Sequence[Made]] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._numbers = count()

    def __bool__(self) -> bool:
        """Whether anything of what was given was not begun yet."""
        return bool(self._queue or self._later or self._making)

    @property
    def is_low(self) -> bool:
        """Whether there could be more, but for those whose domain's pace they wait for."""
        return len(self._queue) + len(self._making) < LOW

    def give(self, batch: Sequence[Delivery], *, first: bool = False) -> None:
        """More to send, all of it leased; with `first` before all that waits."""
        own = batch
        if self._workshop is not None and not first:
            self._making |= {one.number: one for one in batch}
            own = self._workshop.take(batch, self._ready)
            for one in own:
                self._making.pop(one.number, None)
        if not own:
            return
        self._builder.prepare(own)
        if first:
            self._queue.extendleft(map(Job, reversed(own)))
        else:
            self._queue.extend(map(Job, own))

    def _ready(self, made: Sequence[Made]) -> None:
        """Called by the workshop, from any thread."""
        self._made.append(made)
        self._wake()

    def collect(self) -> None:
        """Take what the workshop made; what was given back meanwhile is nobody's."""
        while self._made:
            self._queue.extend(
                Job(delivery, outgoing)
                for delivery, outgoing in self._made.popleft()
                if self._making.pop(delivery.number, None) is not None
            )

    def put_back(self, job: Job) -> None:
        """It was not begun after all: it is the next."""
        self._queue.appendleft(job)

    def forget(self, issue: int) -> None:
        """Give back what is waiting of an issue."""
        mine = [job.delivery for job in self._queue if job.delivery.issue == issue]
        self._queue = deque(job for job in self._queue if job.delivery.issue != issue)
        mine += [one for one in self._making.values() if one.issue == issue]
        for delivery in mine:
            self._making.pop(delivery.number, None)
        self._release(mine, None)

    def rest(self) -> list[Delivery]:
        """Everything that was not begun; it is nobody's from now on."""
        left = [job.delivery for job in self._queue]
        left += [job.delivery for _, _, job in self._later]
        left += self._making.values()
        for all_of_them in (self._queue, self._later, self._making):
            all_of_them.clear()
        return left

    def wait(self, relay: str) -> float:
        """Seconds until one may go to that relay, at most a second: 0 is now."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._queue.appendleft(heappop(self._later)[2])
        if not self._queue:
            return min(self._later[0][0] - now, 1.0) if self._later else 1.0
        if self._queue[0].relay == relay:  # it was let go before
            return 0.0
        seconds = self._pace.wait(self._moment(), relay=relay)
        if seconds > LONGEST_WAIT:
            then = self._clock() + timedelta(seconds=seconds)
            self.held = f"the pace lets the next message go at {then:%Y-%m-%d %H:%M} UTC"
        return min(seconds, 1.0)

    def next(self, relay: str) -> tuple[Job | None, float]:
        """A message that may go to that relay now; else seconds until one may, at most a second."""
        while not (seconds := self.wait(relay)):
            job = self._queue.popleft()
            if job.relay == relay:
                return job, 0.0
            moment, to = self._moment(), job.delivery.address
            seconds = self._pace.wait(moment, to=to)
            if not seconds:
                self._pace.take(moment, relay=relay, to=to)
                job.relay = relay
                return job, 0.0
            if seconds > LONGEST_WAIT or len(self._later) >= MOST_LATER:
                later = self._clock() + timedelta(seconds=min(seconds, LONGEST_WAIT))
                self._release([job.delivery], later)
            else:
                heappush(self._later, (time.monotonic() + seconds, next(self._numbers), job))
        return None, seconds

    def _moment(self) -> float:
        """The instant the pace counts by."""
        return self._clock().timestamp() if self._pace else 0.0

    def message(self, job: Job) -> Outgoing:
        """The message of a job, made here where nobody has made it."""
        if job.outgoing is None:
            job.outgoing = self._builder.build(job.delivery)
        return job.outgoing
