"""The socket that pages are served on."""

from __future__ import annotations

import socket

from digest.errors import Conflict, why


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises Conflict when it is taken."""
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        listening = socket.create_server((name, port), family=family, backlog=2048)
    except OSError as error:
        raise Conflict(
            f"cannot listen on {host} port {port} ({why(error)}): set another DIGEST_PORT"
        ) from error
    # asyncio sets this only where a socket's protocol is told. Without it every answer over a
    # kept connection waits 40 ms for the acknowledgement of its own head (RFC 896, RFC 1122).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(listening: socket.socket) -> str:
    """Where a browser finds what listens there."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- only compared
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
