"""The pool of connections a sender works with: it grows while messages are taken and halves on 421.

One thread a connection; each takes what was leased, builds it, gives it to the relay up to its
final dot, waits until the intent is durable, sends the dot and writes down what came of it. While
the intent is being committed the next message is built, so that its envelope can go behind the
dot. What was not begun when the pool ends is given back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from digest.channels import Outcome, Reply, Stage
from digest.errors import PaperDigestError, RelayError, RelayRefused, RelayUnreachable, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from digest.channels import Channel, Connection, Outgoing
    from digest.pace import Pace
    from digest.store.deliveries import Delivery
    from digest.store.journal import Journal
    from digest.workshop import Builder, Made, Workshop

PATIENCE: Final = 5
"""How often in a row the relay may send us away before we come back another day."""
LONGEST_WAIT: Final = 600.0
"""Seconds the pace may hold a message that is in our hands; what waits longer is given back."""
MOST_LATER: Final = 2000
"""Messages that wait here for the pace of a domain; more of them wait in the log."""
LOW: Final = 200
"""With fewer to send than this, more are leased: a tenth of a second's worth."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt and what came of it."""

    delivery: Delivery
    reply: Reply


@dataclass(slots=True)
class Job:
    """A leased delivery, the relay whose pace let it go and, once it was built, its message."""

    delivery: Delivery
    outgoing: Outgoing | None = None
    relay: str = ""


class IntentLost(PaperDigestError):
    """The delivery is no longer ours to send: it was paused, cancelled or taken over."""


class _SurplusError(Exception):
    """One connection fewer is wanted."""


class Pool:
    """Sends what it is given over as many connections as the relay bears.

    `settle` writes an attempt down and judges it; `release` gives deliveries back. `rest` is the
    first of the waits after the relay has sent us away, in seconds; each is twice the one before.
    """

    def __init__(
        self,
        channel: Channel,
        journal: Journal,
        builder: Builder,
        clock: Callable[[], datetime],
        pace: Pace,
        *,
        settle: Callable[[Sent], None],
        release: Callable[[Sequence[Delivery], datetime | None], None],
        workshop: Workshop | None = None,
        rest: float = 0.5,
    ) -> None:
        self.error: PaperDigestError | None = None
        self.held = ""
        """Why messages wait although nothing is wrong."""
        self._channel = channel
        self._journal = journal
        self._builder = builder
        self._workshop = workshop
        self._clock = clock
        self._pace = pace
        self._settle = settle
        self._release = release
        self._rest = rest
        self._queue: deque[Job] = deque()
        self._making: dict[int, Delivery] = {}
        self._later: list[tuple[float, int, Job]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._dry = False
        self._active = 0
        self._connected = 0
        self._target = 1
        self._slow_start = True
        self._since_growth = 0
        self._halved_at = 0.0
        self._sent_away = 0
        self._threads: list[threading.Thread] = []

    @property
    def hungry(self) -> bool:
        """Whether it could do with more to send: `give` it a batch, or say that it is `dry`."""
        return self._held < LOW and not (self._dry or self._stopping)

    @property
    def _held(self) -> int:
        """How many were given and not begun, but for those whose domain's pace they wait for."""
        return len(self._queue) + len(self._making)

    @property
    def _stopping(self) -> bool:
        """Whether nothing more is begun; what was begun is finished."""
        return bool(self.held) or self._ending.is_set()

    @property
    def idle(self) -> bool:
        """Whether nobody is at work any more."""
        return self._active == 0

    def start(self, connection: Connection) -> None:
        """Begin with the first connection."""
        self._connected += 1
        self._join(connection)

    def revive(self) -> bool:
        """Go on where the last one at work left something behind; False when nothing is left."""
        with self._changed:
            if self._active or self._stopping or not self._anything_left:
                return False
            self._join(None)
            return True

    @property
    def _anything_left(self) -> bool:
        """Whether anything of what was given was not begun yet."""
        return bool(self._queue or self._later or self._making)

    def give(self, batch: Sequence[Delivery]) -> None:
        """More to send, all of it leased."""
        own = batch
        if self._workshop is not None:
            with self._changed:
                self._making |= {one.number: one for one in batch}
            own = self._workshop.take(batch, self._made)
        if own:
            self._builder.prepare(own)
            with self._changed:
                for one in own:
                    self._making.pop(one.number, None)
                self._queue.extend(map(Job, own))
                self._changed.notify_all()

    def _made(self, made: Sequence[Made]) -> None:
        """Messages from the workshop; what was given back meanwhile is nobody's."""
        with self._changed:
            self._queue.extend(
                Job(delivery, outgoing)
                for delivery, outgoing in made
                if self._making.pop(delivery.number, None) is not None
            )
            self._changed.notify_all()

    def dry(self) -> None:
        """Nothing more is coming."""
        with self._changed:
            self._dry = True
            self._changed.notify_all()

    def end(self, error: PaperDigestError | None = None) -> None:
        """Finish what is at the relay, begin nothing more; the first error is kept."""
        with self._changed:
            self.error = self.error or error
            self._ending.set()
            self._changed.notify_all()

    def forget(self, issue: int) -> None:
        """Give back what is waiting of an issue."""
        with self._changed:
            mine = [job.delivery for job in self._queue if job.delivery.issue == issue]
            self._queue = deque(job for job in self._queue if job.delivery.issue != issue)
            mine += [one for one in self._making.values() if one.issue == issue]
            for delivery in mine:
                self._making.pop(delivery.number, None)
        self._release(mine, None)

    def wait(self, seconds: float) -> None:
        """Until something changes that its owner may have to do something about."""
        with self._changed:
            if self._active and not self.hungry:
                self._changed.wait(seconds)

    def close(self) -> None:
        """Wait for everybody and give back what is left."""
        self.end()
        for thread in self._threads:
            thread.join()
        left = [job.delivery for job in self._queue]
        left += [job.delivery for _, _, job in self._later]
        with self._changed:
            left += self._making.values()
            self._making.clear()
        self._queue.clear()
        self._later.clear()
        if not isinstance(self.error, StoreError):  # else the next start frees them
            self._release(left, None)

    def _join(self, connection: Connection | None) -> None:
        """One more at work; called with the condition held, or before anybody is."""
        self._active += 1
        self._journal.company = self._active
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._work, args=(connection,), name="sender", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, connection: Connection | None) -> None:
        """One thread: message after message over one connection after the other."""
        job: Job | None = None
        try:
            while not self._ending.is_set():
                if connection is None or not connection.usable:
                    self._close(connection)
                    connection = self._open(job) if job or self._anything() else None
                    if connection is None:
                        break
                job = job or self._next(connection.relay)
                if job is None:
                    break
                if connection.usable:  # the wait for the pace may have been long
                    job = self._send(connection, job)
        except _SurplusError:
            self._hang_up(connection)
            connection = None
        except PaperDigestError as error:
            self.end(error)
        except BaseException as error:
            self.end(StoreError(f"a sender broke: {type(error).__name__}: {error}"))
            raise
        finally:
            self._close(connection)
            self._leave(job)

    def _close(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
            with self._changed:
                self._connected -= 1

    @staticmethod
    def _hang_up(connection: Connection | None) -> None:
        """Close one that counts no more."""
        if connection is not None:
            connection.close()

    def _leave(self, job: Job | None) -> None:
        with self._changed:
            if job is not None:
                self._queue.appendleft(job)
            self._active -= 1
            self._journal.company = self._active
            self._changed.notify_all()

    def _anything(self) -> bool:
        """Whether there is something to connect for, waited for."""
        with self._changed:
            while not (self._stopping or self._active > self._target):
                if self._queue or self._later:
                    return True
                if self._dry and not self._making:
                    return False
                self._changed.wait(1.0)
            return False

    def _next(self, relay: str) -> Job | None:
        """The next message to send, waited for; None when this thread is to end."""
        with self._changed:
            while True:
                if self._stopping:
                    return None
                if self._connected > self._target:
                    self._connected -= 1  # at once, so that two do not leave for one
                    raise _SurplusError
                job, seconds = self._due(relay)
                if job is not None:
                    return job
                if seconds is None:
                    if self._dry and not self._anything_left:
                        return None
                    seconds = 1.0
                self._changed.wait(min(seconds, 1.0))

    def _due(self, relay: str) -> tuple[Job | None, float | None]:
        """A message that may go now; else how long until one may, None where there is none.

        Called with the condition held.
        """
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._queue.appendleft(heappop(self._later)[2])
        moment = self._clock().timestamp()
        while self._queue:
            seconds = self._pace.wait(moment, relay=relay)
            if seconds > 0:
                if seconds > LONGEST_WAIT:
                    self._give_back(seconds)
                return None, seconds
            job = self._queue.popleft()
            seconds = self._pace.wait(moment, to=job.delivery.address)
            if seconds <= 0:
                self._pace.take(moment, relay=relay, to=job.delivery.address)
                job.relay = relay
                if self._held == LOW - 1 and not self._dry:
                    self._changed.notify_all()  # the owner may lease more
                return job, None
            if seconds > LONGEST_WAIT or len(self._later) >= MOST_LATER:
                later = self._clock() + timedelta(seconds=min(seconds, LONGEST_WAIT))
                self._release([job.delivery], later)
            else:
                heappush(self._later, (now + seconds, next(self._numbers), job))
        return None, (self._later[0][0] - now if self._later else None)

    def _give_back(self, seconds: float) -> None:
        """The pace lets nothing go for long: what is here waits in the log."""
        self.held = f"the pace lets the next message go in {seconds / 60:.0f} minutes"
        self._changed.notify_all()

    def _built(self, job: Job) -> Outgoing | None:
        """The message of a job; None when it cannot be made, which is then written down."""
        if job.outgoing is None:
            try:
                job.outgoing = self._builder.build(job.delivery)
            except (PaperDigestError, ValueError) as error:
                if isinstance(error, StoreError):
                    raise
                said = f"the message could not be made: {error}"[:500]
                self._settle(
                    Sent(job.delivery, Reply(Outcome.REJECTED, text=said, stage=Stage.DATA))
                )
                return None
        return job.outgoing

    def _send(self, connection: Connection, job: Job) -> Job | None:
        """Send one message; the job after it, when it was begun already."""
        outgoing = self._built(job)
        if outgoing is None:
            return None
        if job.relay != connection.relay:  # it was to go to another, which sent it away
            self._pace.take(self._clock().timestamp(), relay=connection.relay)
            job.relay = connection.relay
        after: Job | None = None

        def intent() -> None:
            nonlocal after
            ticket = self._journal.intend(job.delivery, connection.relay)
            after = self._ahead(connection.relay)  # while the disk is at work
            if not ticket.wait():
                raise IntentLost(f"delivery {job.delivery.public_id} is no longer ours to send")

        def following() -> Outgoing | None:
            return after.outgoing if after else None

        try:
            reply = connection.send(outgoing, intent=intent, following=following)
        except IntentLost:
            self._release([job.delivery], None)
            return after
        except StoreError as error:
            self.end(error)
            with self._changed:
                self._queue.appendleft(job)
            return after
        if _is_about_the_line(reply, connection):
            self._came_back(job, reply, connection)
            return after
        self._settle(Sent(job.delivery, reply))
        self._learn(reply)
        return after

    def _ahead(self, relay: str) -> Job | None:
        """The next message, built, where one may go right now."""
        with self._changed:
            if self._stopping or self._connected > self._target:
                return None
            job, _ = self._due(relay)
        if job is not None and self._built(job) is None:
            return None
        return job

    def _learn(self, reply: Reply) -> None:
        """Grow by success: doubling until the relay first says no, then one a round."""
        if reply.outcome is not Outcome.ACCEPTED:
            return
        with self._changed:
            self._sent_away = 0
            self._since_growth += 1
            full = self._target >= self._channel.most_connections
            if full or (not self._slow_start and self._since_growth < 10 * self._target):
                return
            if not self._anything_left or self._ending.is_set():
                return
            self._since_growth = 0
            self._target += 1
            if self._active < self._target:
                self._join(None)

    def _came_back(self, job: Job, reply: Reply, connection: Connection) -> None:
        """The line was closed before the message was looked at: it goes over another one."""
        with self._changed:
            self._queue.appendleft(job)
            self._halve(reply)
            if getattr(connection, "taken", 0):
                return  # it had served; a relay may end a connection after so many messages
            self._sent_away += 1
            if self._sent_away < PATIENCE:
                return
        said = " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text)))
        self.end(RelayUnreachable(f"{reply.relay} sends us away again and again: {said}"))

    def _halve(self, reply: Reply) -> None:
        """Half as many connections; once for all that were open together. Condition held."""
        if reply.code is None or time.monotonic() - self._halved_at < 1:
            return
        self._halved_at = time.monotonic()
        self._slow_start = False
        self._since_growth = 0
        self._target = max(1, self._active // 2)

    def _open(self, job: Job | None) -> Connection | None:
        """Another connection; None when this thread is to end, the error kept where it is ours."""
        waited = self._rest
        if self._sent_away:
            self._ending.wait(min(30.0, self._rest * 2**self._sent_away))
        for tried in range(PATIENCE):
            if self._ending.is_set():
                return None
            try:
                opened = self._channel.open()
            except RelayError as error:
                with self._changed:
                    self._slow_start = False
                    others = self._connected
                    if others:  # it may simply be one too many
                        self._target = others
                    needed = job or self._anything_left
                if others or not needed:
                    return None
                if isinstance(error, RelayRefused) or tried == PATIENCE - 1:
                    self.end(error)
                    return None
            else:
                with self._changed:
                    self._connected += 1
                return opened
            self._ending.wait(waited)
            waited *= 2
        return None


def _is_about_the_line(reply: Reply, connection: Connection) -> bool:
    """Whether a reply says nothing about the message: the connection was closed before it."""
    if reply.outcome is not Outcome.DEFERRED or connection.usable:
        return False
    return reply.stage in {Stage.MAIL, Stage.RCPT}
