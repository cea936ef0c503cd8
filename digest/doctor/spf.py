"""SPF (RFC 7208): is there one record, can receivers evaluate it, and does an address pass."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from digest.doctor.names import Names

MOST_LOOKUPS: Final = 10
"""Mechanisms that ask the DNS: beyond this every receiver gives up (RFC 7208 4.6.4)."""
_RESULTS: Final = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_RECORD: Final = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"[a-z][a-z0-9._-]*=\S*", re.IGNORECASE)
_MECHANISM: Final = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::?((?<=:)[^\s]+|(?<!:)/[^\s]+))?",
    re.IGNORECASE,
)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class Spf:
    """What a domain's record comes to.

    `problem` is why receivers cannot use it, or ""; `result` is what an address gets ("pass",
    "fail", "softfail", "neutral"), or "" where none was asked about; `ends` is what everybody
    else gets.
    """

    record: str = ""
    problem: str = ""
    lookups: int = 0
    result: str = ""
    ends: str = "neutral"


def look_up(names: Names, domain: str, address: str = "") -> Spf:
    """Read a domain's record and everything it includes. Raises Unanswered."""
    ip = ipaddress.ip_address(address) if address else None
    evaluation = _Evaluation(names, ip)
    spf = evaluation.spf
    result = evaluation.of(domain, ())
    if not spf.problem and spf.lookups > MOST_LOOKUPS:
        spf.problem = f"it needs {spf.lookups} look-ups, and receivers stop at {MOST_LOOKUPS}"
    if ip is not None:
        spf.result = result or "neutral"
    return spf


class _Evaluation:
    """check_host() of RFC 7208, going on behind a match so that every look-up is counted."""

    def __init__(self, names: Names, ip: _Address | None) -> None:
        self.spf = Spf()
        self._names = names
        self._ip = ip

    def of(self, domain: str, above: tuple[str, ...]) -> str:
        """What the address gets from a domain's record; "" where nothing in it matches."""
        records = [text for text in self._names.txt(domain) if _RECORD.match(text)]
        if domain.lower() in above:
            return self._wrong(f"it includes {domain} again and again")
        if len(records) > 1:
            whose = f"{domain}, which it includes, has" if above else "it has"
            return self._wrong(f"{whose} several records, and receivers accept only one")
        if not records:
            return self._wrong(f"{domain}, which it includes, has no record") if above else ""
        if not above:
            self.spf.record = records[0]
        above = (*above, domain.lower())
        terms = [term for term in records[0].split()[1:] if term]
        results = [self._term(term, domain, above) for term in terms]
        redirects = [term[9:] for term in terms if term.lower().startswith("redirect=")]
        if redirects and not any(term.lower().lstrip("+-~?") == "all" for term in terms):
            self.spf.lookups += 1
            results.append(self.of(redirects[0], above))
        return next(filter(None, results), "")

    def _term(self, term: str, domain: str, above: tuple[str, ...]) -> str:
        """What one term gives the address, or ""."""
        if _MODIFIER.fullmatch(term):
            return ""
        parsed = _MECHANISM.fullmatch(term)
        if not parsed:
            return self._wrong(f"{term!r} is no mechanism")
        result, kind, value = _RESULTS[parsed[1] or "+"], parsed[2].lower(), parsed[3] or ""
        if kind == "all":
            self.spf.ends = result if len(above) == 1 else self.spf.ends
            return result if self._ip is not None else ""
        hit = (
            self._within(value, term)
            if kind in {"ip4", "ip6"}
            else self._asked(kind, value, domain, term, above)
        )
        return result if hit else ""

    def _asked(self, kind: str, value: str, domain: str, term: str, above: tuple[str, ...]) -> bool:
        """Whether a mechanism that asks the DNS matches."""
        self.spf.lookups += 1
        head, _, six = value.partition("//")  # as in a:HOST/24//64
        target, _, four = head.partition("/")
        target = target or domain
        if "%" in target or self.spf.lookups > 2 * MOST_LOOKUPS or kind in {"exists", "ptr"}:
            return False  # a macro, or what only a receiver can know
        if kind == "include":
            return self.of(target, above) == "pass"
        hosts = self._names.mx(target)[:10] if kind == "mx" else [target]
        addresses = [one for host in hosts if host for one in self._names.addresses(host)]
        return any(
            self._within(f"{one}/{length}" if length else one, term)
            for one in addresses
            for length in (six if ":" in one else four,)
        )

    def _within(self, network: str, term: str) -> bool:
        try:
            block = ipaddress.ip_network(network, strict=False)
        except ValueError:
            self._wrong(f"{term!r} has no address")
            return False
        return self._ip is not None and self._ip.version == block.version and self._ip in block

    def _wrong(self, why: str) -> str:
        self.spf.problem = self.spf.problem or why
        return ""
