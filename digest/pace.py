"""How fast messages may go: never more than so many in any second, minute, hour or day.

What was sent is counted in slots, sixty to a window, so that the promise holds for every stretch
of time and not on average, and that a day's count takes no room. A slot that lies half in the
window counts whole: a little slower than allowed, never faster. The counts can be written down
and given back, so that a restart forgets nothing. Instants are seconds since 1970.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SLOTS: Final = 60
UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE: Final = re.compile(r"([1-9]\d{0,8})\s*(?:/|per)\s*(second|minute|hour|day)")
_DOMAIN: Final = re.compile(r"\*|(?:[a-z0-9-]+\.)+[a-z0-9-]+")
ANY_DOMAIN: Final = "*"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any window of that many seconds."""

    most: int
    seconds: int

    def __str__(self) -> str:
        """As it is written in a setting."""
        unit = next(name for name, seconds in UNITS.items() if seconds == self.seconds)
        return f"{self.most}/{unit}"


def rates(text: str) -> tuple[Rate, ...]:
    """Read "14/second, 2000/day"; raises ValueError for anything else."""
    found = [_RATE.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise ValueError(f"{text!r} is no pace")
    return tuple(Rate(int(one[1]), UNITS[one[2]]) for one in found if one)


def domain_rates(text: str) -> dict[str, tuple[Rate, ...]]:
    """Read "gmail.com 20/minute, outlook.com 10/minute 500/hour, * 100/minute"."""
    found: dict[str, tuple[Rate, ...]] = {}
    for part in text.lower().split(","):
        domain, _, rest = part.strip().partition(" ")
        if not _DOMAIN.fullmatch(domain) or not rest:
            raise ValueError(f"{text!r} is no pace")
        found[domain] = found.get(domain, ()) + rates(",".join(rest.split()))
    return found


def counts_still(scope: str, slot: int, now: float) -> bool:
    """Whether a count that was written down can still keep anything waiting."""
    return abs(slot - _slot(now, int(scope.rpartition(" ")[2]))) <= SLOTS


def _slot(now: float, seconds: int) -> int:
    return int(now * SLOTS / seconds)


class _Window:
    """One rate of one scope: how many were taken in each slot that still counts."""

    def __init__(self, scope: str, rate: Rate, slots: Mapping[int, int]) -> None:
        self.name = f"{scope} {rate.seconds}"
        self.rate = rate
        self.slots = dict(slots)

    def wait(self, now: float) -> float:
        """Seconds until one more may go."""
        if len(self.slots) > SLOTS:
            # What lies in the future was counted by a clock that has been put back since.
            for slot in [one for one in self.slots if not counts_still(self.name, one, now)]:
                del self.slots[slot]
        oldest = _slot(now, self.rate.seconds) - SLOTS
        over = sum(n for slot, n in self.slots.items() if slot >= oldest) - self.rate.most
        if over < 0:
            return 0.0
        for slot in sorted(one for one in self.slots if one >= oldest):
            over -= self.slots[slot]
            if over < 0:
                return max(0.001, (slot + SLOTS + 1) * self.rate.seconds / SLOTS - now)
        return float(self.rate.seconds)

    def take(self, now: float) -> int:
        slot = _slot(now, self.rate.seconds)
        self.slots[slot] = self.slots.get(slot, 0) + 1
        return slot


class Pace:
    """The rates of an installation, per relay and per domain written to, and what they count.

    `taken` is what `changed` gave before a restart. What was counted within seconds is not written
    down: with `now`, they begin as if just used up.
    """

    def __init__(
        self,
        relay: Sequence[Rate] = (),
        domains: Mapping[str, Sequence[Rate]] | None = None,
        taken: Iterable[tuple[str, int, int]] = (),
        now: float | None = None,
    ) -> None:
        self._relay = tuple(relay)
        self._domains = dict(domains or {})
        self._windows: dict[str, list[_Window]] = {}
        self._changed: dict[tuple[str, int], int] = {}
        self._since = now
        self._kept: dict[str, dict[int, int]] = {}
        for scope, slot, count in taken:
            self._kept.setdefault(scope, {})[slot] = count

    def __bool__(self) -> bool:
        """Whether there is any rate to keep to."""
        return bool(self._relay or self._domains)

    def wait(self, now: float, *, relay: str = "", to: str = "") -> float:
        """Seconds until one may go to that relay, and to that address; 0 is now."""
        if not self:
            return 0.0
        return max((one.wait(now) for one in self._of(relay, to)), default=0.0)

    def take(self, now: float, *, relay: str = "", to: str = "") -> None:
        """Count one that goes."""
        if not self:
            return
        for window in self._of(relay, to):
            slot = window.take(now)
            if window.rate.seconds > 1:
                self._changed[window.name, slot] = window.slots[slot]

    def changed(self) -> list[tuple[str, int, int]]:
        """What was counted since this was last asked: rows of (scope and seconds, slot, taken)."""
        changed, self._changed = self._changed, {}
        return [(scope, slot, count) for (scope, slot), count in sorted(changed.items())]

    def _of(self, relay: str, to: str) -> list[_Window]:
        windows: list[_Window] = []
        if relay:
            windows += self._scope(f"relay {relay}", self._relay)
        if to and self._domains:
            domain = to.rpartition("@")[2].lower()
            found = self._domains.get(domain, self._domains.get(ANY_DOMAIN, ()))
            windows += self._scope(f"domain {domain}", found)
        return windows

    def _scope(self, scope: str, given: Sequence[Rate]) -> list[_Window]:
        known = self._windows.get(scope)
        if known is None:
            known = self._windows[scope] = [
                _Window(scope, rate, self._begun(f"{scope} {rate.seconds}", rate)) for rate in given
            ]
        return known

    def _begun(self, name: str, rate: Rate) -> dict[int, int]:
        if rate.seconds == 1 and self._since is not None:
            return {_slot(self._since, 1): rate.most}
        return self._kept.get(name, {})
