"""Presses: processes that make messages while the sender sends them.

Making a message takes longer than sending it, and one interpreter uses one core. A press is told
numbers of deliveries, reads what was frozen for them, and gives back whole messages; it writes
nothing into the database, holds no lease and knows no relay, so if it dies nothing is lost: the
sender makes what it had. One process loads templates and keys and forks the presses, before any
of them opens the database. They end with the pipes their orders come through, however the
sender ends.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import IO, TYPE_CHECKING, Any, Final, Self, cast

from digest.channels import Outgoing
from digest.errors import PaperDigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from digest.app import App
    from digest.letters import Letters
    from digest.settings import Settings
    from digest.store.deliveries import Delivery
    from digest.workshop import Made

WORTH_IT: Final = 2000
"""With fewer to send the sender makes them itself: a press needs a second to be ready."""
MOST: Final = 4
"""One sender keeps no more than that many busy."""
CHUNK: Final = 100
"""Deliveries of one order: what is asked of the database is asked once for all of them."""
AHEAD: Final = 2
"""Orders a press has at a time, so that it never waits for the next one."""
ROOM: Final = 1 << 23
"""Bytes for the messages of one chunk; what finds no room the sender makes."""
_YOUNG: Final = 50_000
"""Objects after which a press looks for garbage: what a message leaves behind has no circles."""
_PATIENCE: Final = 10.0
_SIZE: Final = struct.Struct("!I")


def presses_for(app: App, waiting: int) -> AbstractContextManager[Presses | None]:
    """As many presses as there are cores, where so many wait that they pay; else None."""
    database = app.store.database
    if waiting < WORTH_IT or (database.is_sqlite and database.path is None):
        return nullcontext()
    return Presses(app.settings, min(MOST, _cores()))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True, eq=False)
class _Press:
    """One press as the sender sees it, and the chunks it has, in order.

    Messages lie in memory both have, a room for each chunk it may have at a time; through the
    pipe comes only what lies there. A room is used again when its messages were taken out.
    """

    orders: IO[bytes]
    results: IO[bytes]
    memory: mmap.mmap
    room: int = 0
    chunks: deque[Sequence[Delivery]] = field(default_factory=deque)
    is_ready: bool = False


class Presses:
    """Presses of one installation, from the start to the end of a `with` block.

    They take a second to be ready, and until then `take` takes nothing.
    """

    def __init__(self, settings: Settings, number: int) -> None:
        self._settings = settings
        self._number = number
        self._lock = threading.Lock()
        self._waiting: deque[Sequence[Delivery]] = deque()
        self._ready: Callable[[Sequence[Made]], None] = lambda _: None
        self._presses: list[_Press] = []
        self._threads: list[threading.Thread] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._told = threading.Event()

    @property
    def pid(self) -> int:
        """The process that started them; they are of its process group. 0 while there is none."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> Self:
        """Start them; where that cannot be, there are none."""
        theirs: list[int] = []
        for _ in range(self._number):
            shared = _shared()
            (order_end, orders), (results, result_end) = os.pipe(), os.pipe()
            theirs += (order_end, result_end, shared)
            files = os.fdopen(orders, "wb", buffering=0), os.fdopen(results, "rb")
            self._presses.append(_Press(*files, mmap.mmap(shared, AHEAD * ROOM)))
        command = [sys.executable, "-m", "digest.press", *map(str, theirs)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                pass_fds=theirs,
                process_group=0,  # Ctrl-C is for the sender, which ends them
            )
            with suppress(BrokenPipeError), cast("IO[bytes]", self._process.stdin) as its_input:
                pickle.dump(self._settings, its_input)
        except OSError:
            self._process = None
        finally:
            for end in theirs:
                os.close(end)
        for press in self._presses:
            thread = threading.Thread(target=self._hear, args=(press,), name="press", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Send them home; what they were making is nobody's."""
        with self._lock:
            self._ready = lambda _: None
            self._waiting.clear()
            for press in self._presses:
                press.is_ready = False
                press.orders.close()
        if self._process is not None:
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for thread in self._threads:
            thread.join()
        for press in self._presses:
            press.memory.close()

    def wait(self, seconds: float) -> bool:
        """Wait until one of them is ready; False where none is by then, or ever will be."""
        self._told.wait(seconds)
        return any(press.is_ready for press in self._presses)

    def take(
        self, batch: Sequence[Delivery], ready: Callable[[Sequence[Made]], None]
    ) -> Sequence[Delivery]:
        """Begin to make these messages; the result are those the sender has to make itself.

        `ready` is called from other threads with what was made, a chunk at a time; a message is
        None there where the press could not make it.
        """
        with self._lock:
            if not any(press.is_ready for press in self._presses):
                return batch
            self._ready = ready
            self._waiting.extend(batch[at : at + CHUNK] for at in range(0, len(batch), CHUNK))
            for _ in range(AHEAD):
                for press in self._presses:
                    self._order(press)
        return ()

    def _order(self, press: _Press) -> None:
        """Give a press its next chunk, if it can take one; called with the lock held."""
        if not self._waiting or not press.is_ready or len(press.chunks) >= AHEAD:
            return
        chunk = self._waiting.popleft()
        numbers = struct.pack(f"!{len(chunk)}q", *(one.number for one in chunk))
        press.chunks.append(chunk)
        with suppress(BrokenPipeError):  # who reads its results finds out, and gives them back
            press.orders.write(_SIZE.pack(len(numbers)) + numbers)

    def _hear(self, press: _Press) -> None:
        """The thread of one press: hand over what it made, until it ends."""
        with suppress(OSError, ValueError), press.results as results:
            _heads(results)  # it says that it is ready with an empty result
            with self._lock:
                press.is_ready = not press.orders.closed
            self._told.set()
            while True:
                made = _taken(press, _heads(results))
                with self._lock:
                    chunk = press.chunks.popleft()
                    self._order(press)
                    ready = self._ready
                ready(list(zip(chunk, made, strict=True)))
        with self._lock:
            press.is_ready = False
            lost = [one for chunk in press.chunks for one in chunk]
            press.chunks.clear()
            if not any(other.is_ready for other in self._presses):
                lost += [one for chunk in self._waiting for one in chunk]
                self._waiting.clear()
            ready = self._ready
        self._told.set()
        if lost:
            ready([(one, None) for one in lost])


def _shared() -> int:
    """A file that is nowhere but in memory, where the system has such."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("messages")
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.truncate(file, AHEAD * ROOM)
    return file


def _heads(results: IO[bytes]) -> list[list[Any] | None]:
    """What lies in a room, one message behind the other; ValueError where nobody writes any more.

    Sender, recipient, ENVID, whether it is dotless, and its size; None for one not made.
    """
    heads: list[list[Any] | None] = json.loads(
        _exactly(results, *_SIZE.unpack(_exactly(results, _SIZE.size)))
    )
    return heads


def _taken(press: _Press, heads: Sequence[Sequence[Any] | None]) -> list[Outgoing | None]:
    """The messages of a press's next room."""
    start, press.room = press.room * ROOM, (press.room + 1) % AHEAD
    made: list[Outgoing | None] = []
    for head in heads:
        if head is None:
            made.append(None)
            continue
        sender, to, envid, dotless, size = head
        made.append(Outgoing(sender, to, press.memory[start : start + size], envid, dotless))
        start += size
    return made


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("the other end is gone")
    return data


def _say(results: IO[bytes], heads: Sequence[Sequence[Any] | None]) -> None:
    said = json.dumps(heads).encode()
    results.write(_SIZE.pack(len(said)) + said)


def main(pipes: Sequence[int]) -> None:
    """Load what all presses share, fork them, and wait for them.

    `pipes` are three numbers for each: where orders come from, where heads go, the memory.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd ends every process; the sender ends us
    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301 -- from who started us
    from digest.app import App, utc_now  # noqa: PLC0415 -- not for the sender's side
    from digest.letters import Letters  # noqa: PLC0415
    from digest.store import Store  # noqa: PLC0415
    from digest.store.database import Database  # noqa: PLC0415

    store = Store(Database(settings.database_url))
    try:
        letters = Letters(App(settings, store, utc_now))
    except PaperDigestError:
        return  # the sender meets the same error, and says so
    gc.freeze()
    gc.set_threshold(_YOUNG)
    for at in range(0, len(pipes), 3):
        if os.fork():
            continue
        with _ends_here():
            for pipe in pipes:
                if pipe not in pipes[at : at + 3]:
                    os.close(pipe)
            _press(store.outbox.read, letters, *pipes[at : at + 3])
    for pipe in pipes:
        os.close(pipe)
    with suppress(ChildProcessError):
        while True:
            os.wait()


@contextmanager
def _ends_here() -> Iterator[None]:
    """A forked process that runs nothing but the block, not even what is done at exits."""
    status = 1
    try:
        yield
        status = 0
    finally:
        os._exit(status)


def _press(
    read: Callable[[Sequence[int]], dict[int, Delivery]],
    letters: Letters,
    order_end: int,
    result_end: int,
    shared: int,
) -> None:
    """Chunk after chunk, until nobody orders or nobody listens."""
    orders, results = os.fdopen(order_end, "rb"), os.fdopen(result_end, "wb", buffering=0)
    rooms = cycle(range(0, AHEAD * ROOM, ROOM))
    with suppress(BrokenPipeError), mmap.mmap(shared, AHEAD * ROOM) as memory:
        _say(results, [])
        while size := orders.read(_SIZE.size):
            raw = _exactly(orders, *_SIZE.unpack(size))
            made = _made(read, letters, struct.unpack(f"!{len(raw) // 8}q", raw))
            _say(results, _laid(made, memory, next(rooms)))


def _laid(
    made: Iterable[Outgoing | None], memory: mmap.mmap, start: int
) -> list[Sequence[Any] | None]:
    """Lay messages into a room, and say what lies there."""
    heads: list[Sequence[Any] | None] = []
    at = start
    for one in made:
        size = len(one.message) if one else 0
        if one is None or at + size > start + ROOM:
            heads.append(None)
            continue
        memory[at : at + size] = one.message
        at += size
        heads.append((one.sender, one.to, one.envid, one.dotless, size))
    return heads


def _made(
    read: Callable[[Sequence[int]], dict[int, Delivery]], letters: Letters, numbers: Sequence[int]
) -> list[Outgoing | None]:
    """The messages of these deliveries, None for each that cannot be made here."""
    try:
        deliveries = read(numbers)
        letters.prepare(list(deliveries.values()))
    except PaperDigestError:
        return [None] * len(numbers)
    made: list[Outgoing | None] = []
    for number in numbers:
        try:
            made.append(letters.build(deliveries[number]))
        except (PaperDigestError, LookupError, ValueError):
            made.append(None)  # the sender tries it, and writes down why not
    return made


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
