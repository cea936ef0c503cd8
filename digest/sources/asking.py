"""Asking several sources at once, each in a thread of its own, so that no one holds up another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from digest.sources import Fetch, Source, Window
    from digest.sources.http import Polite

_WAITING: Final = 4
"""Answers that may wait to be taken: more would only fill the memory."""
_PATIENCE: Final = 0.2


@dataclass(slots=True)
class Asked:
    """A source being asked under the name the settings give it; `said` are the days it spoke of."""

    entry: str
    source: Source
    window: Window
    said: set[date] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Ended:
    """A source has said everything, or broke off with an error."""

    error: BaseException | None = None


class Asking:
    """The sources at work: iterate over what they answer, as it comes. Use `with`.

    It ends when all have answered, or when `ending` says so.
    """

    def __init__(
        self,
        asked: Sequence[Asked],
        client: Polite,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._asked = asked
        self._client = client
        self._ending = ending
        self._queue: Queue[tuple[Asked, Fetch | Ended]] = Queue(_WAITING)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Start asking; daemons, because Ctrl-C must not wait for a server that says nothing."""
        for one in self._asked:
            threading.Thread(target=self._ask, args=(one,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def __iter__(self) -> Iterator[tuple[Asked, Fetch | Ended]]:
        """Every answer with who gave it; each source ends with an Ended."""
        left = len(self._asked)
        while left:
            try:
                one, event = self._queue.get(timeout=_PATIENCE)
            except Empty:
                if self._ending():
                    return
                continue
            if isinstance(event, Ended):
                left -= 1
            else:
                one.said.add(event.day)
            yield one, event

    def _ask(self, one: Asked) -> None:
        error: BaseException | None = None
        try:
            for fetch in one.source.fetch(one.window, self._client):
                if not self._put(one, fetch):
                    return
        except BaseException as raised:  # noqa: BLE001 -- somebody else's source may do anything
            error = raised
        self._put(one, Ended(error))

    def _put(self, one: Asked, event: Fetch | Ended) -> bool:
        """Hand it over; False when nobody wants it any more."""
        while not self._stop.is_set():
            try:
                self._queue.put((one, event), timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False
