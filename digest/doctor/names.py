"""Asking the DNS, with a limit on everything: the only import of dnspython."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS: Final = 5.0
"""For one question, all tries together."""
_MOST: Final = 50
"""Answers to one question that are looked at."""


class Unanswered(Exception):
    """No server gave an answer, so nothing is known about the name."""


class Names:
    """A resolver: the system's, or one server named as ADDRESS or ADDRESS:PORT."""

    def __init__(self, server: str = "", *, seconds: float = SECONDS) -> None:
        """Raises ValueError when `server` is no address, Unanswered when there is no resolver."""
        try:
            self._resolver = dns.resolver.Resolver(configure=not server)
        except dns.exception.DNSException as error:
            raise Unanswered("this machine has no DNS server in /etc/resolv.conf") from error
        if server:
            host, port = _address_and_port(server)
            self._resolver.nameservers = [host]
            self._resolver.port = port
        self._resolver.lifetime = seconds
        self._resolver.timeout = seconds / 2
        self._known: dict[tuple[str, str], list[Any]] = {}

    def txt(self, name: str) -> list[str]:
        """The texts at a name, each with its pieces joined."""
        return [
            b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT")
        ]

    def mx(self, name: str) -> list[str]:
        """The hosts that take a domain's mail, the preferred first; "" is none (RFC 7505)."""
        records = sorted(self._ask(name, "MX"), key=lambda record: int(record.preference))
        return [record.exchange.to_text(omit_final_dot=True).strip(".") for record in records]

    def addresses(self, name: str) -> list[str]:
        """The addresses of a host; the host itself where it is one."""
        try:
            return [str(ipaddress.ip_address(name.strip("[]")))]
        except ValueError:
            return [record.address for kind in ("A", "AAAA") for record in self._ask(name, kind)]

    def servers(self, name: str) -> list[str]:
        """The servers of a zone (NS)."""
        return [record.target.to_text(omit_final_dot=True) for record in self._ask(name, "NS")]

    def names_of(self, address: str) -> list[str]:
        """The names an address has (PTR)."""
        reverse = dns.reversename.from_address(address).to_text()
        return [
            record.target.to_text(omit_final_dot=True).lower()
            for record in self._ask(reverse, "PTR")
        ]

    def _ask(self, name: str, kind: str) -> list[Any]:
        """The records of that kind; none where the name has none. Raises Unanswered."""
        key = (name.lower(), kind)
        if key not in self._known:
            self._known[key] = self._answer(name, kind)
        return self._known[key]

    def _answer(self, name: str, kind: str) -> list[Any]:
        try:
            answer: Iterable[Any] = self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, UnicodeError, OSError) as error:
            raise Unanswered(f"no DNS answer about {name} ({type(error).__name__})") from error
        return list(answer)[:_MOST]


def _address_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # a bare IPv6 address
        host, port = server, "53"
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)
