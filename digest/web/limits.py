"""How often one network, one address and one domain may ask for mail.

Counts live in the memory of the web process: they guard against floods, which outlive no
restart. What must hold for ever (one confirmation a day, three in thirty days) is read from
the delivery log instead.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_KEYS: Final = 50_000
_DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` within `span`, for everybody whose key starts with `kind`."""

    kind: str
    count: int
    span: timedelta


SIGN_UP: Final = (
    Limit("network", 20, timedelta(hours=1)),
    Limit("network", 100, timedelta(days=1)),
    Limit("neighbourhood", 60, timedelta(hours=1)),
    Limit("address", 3, timedelta(days=1)),
    Limit("domain", 300, timedelta(hours=1)),
    Limit("all", 2_000, timedelta(hours=1)),
)
"""A lecture hall behind one address can sign up in an hour or two; a flood cannot."""
ANSWERS: Final = (Limit("network", 240, timedelta(minutes=1)),)
"""Live answers: four a second, more than anybody types."""


class Limits:
    """Sliding windows over the newest `MAX_KEYS` keys; the oldest are forgotten first.

    Safe to use from several threads.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self._longest = {
            limit.kind: max(other.span for other in self._limits if other.kind == limit.kind)
            for limit in self._limits
        }
        self._seen: OrderedDict[tuple[str, str], deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def refuses(self, keys: Iterable[tuple[str, str]], now: datetime) -> str:
        """Count one request under all its keys; if one is used up, its kind, counting nothing.

        What is refused is not counted, so a flood cannot shut out the next honest hour.
        """
        wanted = tuple(keys)
        with self._lock:
            for key in wanted:
                if not self._has_room(key, now):
                    return key[0]
            for key in wanted:
                self._seen.setdefault(key, deque()).append(now)
                self._seen.move_to_end(key)
            while len(self._seen) > MAX_KEYS:
                self._seen.popitem(last=False)
            return ""

    def _has_room(self, key: tuple[str, str], now: datetime) -> bool:
        kind = key[0]
        times = self._seen.get(key)
        if not times:
            return True
        while times and now - times[0] >= self._longest[kind]:
            times.popleft()
        return all(
            sum(now - moment < limit.span for moment in times) < limit.count
            for limit in self._limits
            if limit.kind == kind
        )


def network_of(client: str) -> str:
    """The network an address is counted under: itself for IPv4, its /64 for IPv6."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def counted_address(address: str) -> str:
    """One spelling of an inbox, for counting only: no case, no +tag, no dots at Gmail."""
    local, _, domain = address.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        return local.replace(".", "") + "@gmail.com"
    return f"{local}@{domain}"


def neighbourhood_of(client: str) -> str:
    """The wider network of an address: its /24 for IPv4, its /48 for IPv6."""
    network = network_of(client)
    if network == "unknown":
        return network
    width = 48 if ":" in network else 24
    base = network.partition("/")[0]
    return str(ipaddress.ip_network((base, width), strict=False))


def sign_up_keys(client: str, address: str) -> tuple[tuple[str, str], ...]:
    """The keys one sign-up is counted under."""
    return (
        ("network", network_of(client)),
        ("neighbourhood", neighbourhood_of(client)),
        ("address", counted_address(address)),
        ("domain", address.rpartition("@")[2].lower()),
        ("all", ""),
    )
