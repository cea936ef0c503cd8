"""Which addresses may be connected to on behalf of somebody else.

An address that a person or a redirect names could point at this machine or its network
(server-side request forgery). The name is resolved once and every address it has must be
public; the caller connects to the address returned here, so that a second look-up cannot
answer differently.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Forbidden(ValueError):
    """An address that must not be connected to; says why in a verb phrase."""


def system_resolve(host: str) -> list[str]:
    """The addresses of a host, as text; raises OSError when it has none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def public_address(host: str, resolve: Callable[[str], Sequence[str]] = system_resolve) -> str:
    """One address of the host to connect to; raises Forbidden unless all of them are public."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        try:
            addresses = list(resolve(host))
        except (OSError, UnicodeError) as error:
            raise Forbidden(f"has a host nobody knows: {host[:100]}") from error
    else:
        addresses = [str(literal)]
    if not addresses or not all(is_public(address) for address in addresses):
        raise Forbidden(f"leads to {host[:100]}, which is no public address")
    return addresses[0]


def is_public(text: str) -> bool:
    """Whether the address is one of the open internet, also behind IPv6 transition forms."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast
