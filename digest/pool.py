"""The connections of a sender, all served by one thread; they grow by success and halve on 421.

Each turn moves what bytes can be moved, commits the intents of every message that is at a relay
up to its final dot, with the outcomes that wait, in one transaction, and gives those dots, each
with the next message's envelope behind it. Only connecting, with TLS, the login and its token
command, waits in threads of its own. What was not begun when the pool ends is given back.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from digest.channels import Outcome, Pause, Reply, Stage
from digest.errors import PaperDigestError, RelayError, RelayRefused, RelayUnreachable, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.backlog import Backlog, Job
    from digest.channels import Channel, Connection, Progress
    from digest.doorbell import Doorbell
    from digest.store.deliveries import Delivery
    from digest.store.journal import Journal

PATIENCE: Final = 5
"""How often in a row the relay may send us away before we come back another day."""
_LONGEST_REST: Final = 30.0
_LOOKS_EVERY: Final = 0.05
"""Seconds between two looks for who is late: they are minutes late or not at all."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt and what came of it."""

    delivery: Delivery
    reply: Reply


@dataclass(slots=True, eq=False)
class _Line:
    """A connection, the message it is at, and the one that was announced behind it."""

    connection: Connection
    descriptor: int
    job: Job | None = None
    following: Job | None = None
    waits_for: int = 0
    is_leaving: bool = False


class Pool:
    """Sends what is in a backlog over as many connections as the relay bears.

    `settle` writes an attempt down and judges it; `give_back` frees what was stopped before its
    dot; `bell` wakes a turn that waits. `rest` is the first of the waits after the relay has sent
    us away, in seconds; each is twice the one before.
    """

    def __init__(
        self,
        channel: Channel,
        backlog: Backlog,
        journal: Journal,
        bell: Doorbell,
        *,
        settle: Callable[[Sent], None],
        give_back: Callable[[Delivery], None],
        rest: float = 0.5,
    ) -> None:
        self.error: PaperDigestError | None = None
        self._channel = channel
        self._backlog = backlog
        self._journal = journal
        self._settle = settle
        self._give_back = give_back
        self._rest = rest
        self._poll = select.poll()
        self._bell = bell
        self._poll.register(self._bell, select.POLLIN)
        self._lines: dict[int, _Line] = {}
        self._idle: dict[_Line, None] = {}
        self._at_dot: dict[_Line, Job] = {}
        self._connecting: set[threading.Thread] = set()
        self._connected: deque[tuple[threading.Thread, Connection | Exception]] = deque()
        self._leaving = 0
        self._relay = ""
        self._is_ending = False
        self._target = 1
        self._slow_start = True
        self._since_growth = 0
        self._halved_at = 0.0
        self._sent_away = 0
        self._unreachable = 0
        self._resting_until = 0.0
        self._next_look = 0.0

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is begun; what was begun is finished."""
        return self._is_ending or bool(self._backlog.held)

    @property
    def is_busy(self) -> bool:
        """Whether there is anything left to do: have it take a `turn`."""
        if self._lines or self._connecting:
            return True
        return bool(self._backlog) and not self.is_stopping

    def end(self, error: PaperDigestError | None = None) -> None:
        """Finish what is at the relay, begin nothing more; the first error is kept."""
        self.error = self.error or error
        self._is_ending = True

    def add(self, connection: Connection) -> None:
        """One more connection at work."""
        self._relay = connection.relay
        line = _Line(connection, connection.fileno())
        self._lines[line.descriptor] = line
        self._came_to(line, Pause.LINE)

    def turn(self, seconds: float, *, more_to_come: bool = False) -> None:
        """Once round; wait so long at most for anything to happen."""
        self._backlog.collect()
        self._greet()
        seconds = min(seconds, self._employ(more_to_come=more_to_come))
        self._connect()
        self._listen(0 if self._at_dot else seconds)
        if self._at_dot:
            self._listen(0)  # who came to the dot meanwhile shares the commit
            self._commit()
        try:
            self._journal.keep_up()
        except StoreError as error:
            self.end(error)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOKS_EVERY
            for line in [one for one in self._lines.values() if one.connection.deadline <= now]:
                self._came_to(line, line.connection.late())

    def close(self) -> None:
        """Finish what is at the relay, say good-bye, and begin nothing more."""
        self.end()
        # Where a turn was broken off, a dot that was not given yet never is.
        for line in [one for one in self._lines.values() if one.connection.deadline == inf]:
            if line not in self._idle:
                line.connection.drop()
                self._remove(line)
        self._at_dot.clear()
        while self.is_busy:
            self.turn(0.05)
        self._bell.close()

    @property
    def _open(self) -> int:
        """How many connections are at work."""
        return len(self._lines) - self._leaving

    def _listen(self, seconds: float) -> None:
        """Move what can be moved, after so many seconds at most."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            line = self._lines.get(descriptor)
            if line is not None:
                self._came_to(line, line.connection.move())
            elif descriptor == self._bell.fileno():
                self._bell.hear()

    def _came_to(self, line: _Line, progress: Progress) -> None:
        """Go on from where a dialogue came to, until it stands still."""
        while isinstance(progress, Reply):
            job, line.job, line.following = line.job, line.following, None
            self._at_dot.pop(line, None)
            self._judge(line, job, progress)
            if line.job is None:
                break
            if line.connection.closed:
                self._backlog.put_back(line.job)
                break
            progress = line.connection.begin(self._backlog.message(line.job))
        if line.connection.closed:
            self._remove(line)
            return
        if line.job is None:
            self._idle[line] = None
        elif progress is Pause.INTENT:
            self._at_dot[line] = line.job
        waits_for = select.POLLIN | (select.POLLOUT if line.connection.is_writing else 0)
        if line.waits_for != waits_for and line.descriptor >= 0:
            line.waits_for = waits_for
            self._poll.register(line.descriptor, waits_for)

    def _remove(self, line: _Line) -> None:
        del self._lines[line.descriptor]
        self._leaving -= line.is_leaving
        self._idle.pop(line, None)
        if line.waits_for:
            self._poll.unregister(line.descriptor)

    def _employ(self, *, more_to_come: bool) -> float:
        """Give idle connections something to do; in how many seconds there may be more for them."""
        soonest = 1.0
        for line in [one for one in self._idle if not one.is_leaving]:
            if self.is_stopping or self._open > self._target:
                self._leave(line)
                continue
            job, seconds = self._next(line.connection.relay)
            if job is not None and not line.connection.usable:  # the wait may have been long
                self._backlog.put_back(job)
                self._leave(line)
            elif job is not None:
                del self._idle[line]
                line.job = job
                self._came_to(line, line.connection.begin(self._backlog.message(job)))
            elif more_to_come or self._backlog:
                soonest = min(soonest, seconds)
            else:
                self._leave(line)
        return soonest

    def _leave(self, line: _Line) -> None:
        line.is_leaving = True
        self._leaving += 1
        line.connection.quit()
        self._came_to(line, Pause.LINE)

    def _next(self, relay: str) -> tuple[Job | None, float]:
        """The next message that may go, made; what cannot be made is written down."""
        while True:
            job, seconds = self._backlog.next(relay)
            if job is None:
                return None, seconds
            try:
                self._backlog.message(job)
            except StoreError as error:
                self._backlog.put_back(job)
                self.end(error)
                return None, seconds
            except (PaperDigestError, ValueError) as error:
                said = f"the message could not be made: {error}"[:500]
                reply = Reply(Outcome.REJECTED, text=said, stage=Stage.DATA)
                self._settle(Sent(job.delivery, reply))
            else:
                return job, seconds

    def _commit(self) -> None:
        """Make the intents durable of all that is at its dot, and give those dots."""
        at_dot, self._at_dot = self._at_dot, {}
        intents = [(job.delivery, line.connection.relay) for line, job in at_dot.items()]
        try:
            kept = self._journal.intend(intents)
        except StoreError as error:
            self.end(error)
            for line, job in at_dot.items():
                self._backlog.put_back(job)
                line.connection.drop()
                self._remove(line)
            return
        for (line, job), ours in zip(at_dot.items(), kept, strict=True):
            if ours:
                line.following = after = self._ahead(line.connection)
                following = self._backlog.message(after) if after else None
                self._came_to(line, line.connection.finish(following))
            else:  # it was paused, cancelled or taken over
                self._give_back(job.delivery)
                if job.delivery.issue is not None:  # else each of it would cost a connection
                    self._backlog.forget(job.delivery.issue)
                line.connection.drop()
                self._remove(line)

    def _ahead(self, connection: Connection) -> Job | None:
        """The message to announce behind the dot, where one may go right now."""
        if self.is_stopping or self._open > self._target or not connection.announces:
            return None
        return self._next(connection.relay)[0]

    def _judge(self, line: _Line, job: Job | None, reply: Reply) -> None:
        """Write down what came of a message; what was said about the line is nobody's attempt."""
        if line.is_leaving:
            return
        about_the_line = reply.outcome is Outcome.DEFERRED and line.connection.closed
        if job is None or (about_the_line and reply.stage in {Stage.MAIL, Stage.RCPT}):
            if job is not None:
                self._backlog.put_back(job)
            self._came_back(reply, line.connection)
            return
        try:
            self._settle(Sent(job.delivery, reply))
        except PaperDigestError as error:
            self.end(error)
        if reply.outcome is Outcome.ACCEPTED:
            self._grow()

    def _grow(self) -> None:
        """By success: doubling until the relay first says no, then one a round."""
        self._sent_away = 0
        self._since_growth += 1
        full = self._target >= self._channel.most_connections
        if full or not (self._slow_start or self._since_growth >= 10 * self._target):
            return
        if self._backlog and not self.is_stopping:
            self._since_growth = 0
            self._target += 1

    def _came_back(self, reply: Reply, connection: Connection) -> None:
        """The line was closed before a message was looked at: that goes over another one."""
        self._halve(reply)
        if connection.taken:
            return  # it had served; a relay may end a connection after so many messages
        self._sent_away += 1
        wait = min(_LONGEST_REST, self._rest * 2**self._sent_away)
        self._resting_until = time.monotonic() + wait
        if self._sent_away >= PATIENCE:
            said = " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text)))
            does = "sends us away" if reply.code else "lets us in and takes no message"
            self.end(RelayUnreachable(f"{reply.relay} {does} again and again: {said}"))

    def _halve(self, reply: Reply) -> None:
        """Half as many connections; once for all that were open together."""
        if reply.code is None or time.monotonic() - self._halved_at < 1:
            return
        self._halved_at = time.monotonic()
        self._slow_start = False
        self._since_growth = 0
        self._target = max(1, self._open // 2)

    def _connect(self) -> None:
        """Begin to open as many connections as are wanted; one alone where there is none."""
        if self.is_stopping or time.monotonic() < self._resting_until:
            return
        if self._open >= self._target or self._backlog.wait(self._relay):
            return
        wanted = self._target if self._open else 1
        for _ in range(wanted - self._open - len(self._connecting)):
            thread = threading.Thread(target=self._reach, name="connecting", daemon=True)
            self._connecting.add(thread)
            thread.start()

    def _reach(self) -> None:
        """The thread of one new connection."""
        reached: Connection | Exception
        try:
            reached = self._channel.open()
        except Exception as error:  # noqa: BLE001 -- it is raised where it is heard of
            reached = error
        self._connected.append((threading.current_thread(), reached))
        self._bell.ring()

    def _greet(self) -> None:
        """Take in the connections that came about, and learn from those that did not."""
        while self._connected:
            thread, reached = self._connected.popleft()
            thread.join()
            self._connecting.remove(thread)
            if isinstance(reached, RelayError):
                self._not_reached(reached)
            elif isinstance(reached, Exception):
                raise reached
            else:
                self._unreachable = 0
                self.add(reached)

    def _not_reached(self, error: RelayError) -> None:
        self._slow_start = False
        if self._open:  # it may simply be one too many
            self._target = self._open
        elif self._connecting:
            return  # another may be let in
        elif isinstance(error, RelayRefused) or self._unreachable + 1 == PATIENCE:
            self.end(error)
        else:
            self._resting_until = time.monotonic() + self._rest * 2**self._unreachable
            self._unreachable += 1
