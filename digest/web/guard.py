"""What every request passes: the base path, a limit on bodies, and headers no page forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 128 * 1024

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Our own files and nothing inline (Content Security Policy Level 3)."""

MAIL_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""A mail shown on the web: it brings its styles along, runs nothing and submits nothing."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)


class Guard:
    """ASGI middleware around the whole application.

    `base` is the path of the public URL: a proxy may strip it or leave it on, both work.
    A body over `MAX_BODY` bytes answers 413, whether or not its length was announced.
    """

    def __init__(self, app: ASGIApp, *, base: str = "", https: bool = False) -> None:
        self._app = app
        self._base = base
        self._headers: tuple[tuple[bytes, bytes], ...] = _HEADERS
        if https:
            self._headers += ((b"strict-transport-security", b"max-age=31536000"),)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, guarded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._strip(scope)
        began = False

        async def guarded_send(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in self._headers if pair[0] not in present),
                ]
            await send(message)

        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced and (not announced.isdigit() or int(announced) > MAX_BODY):
            await _refuse(guarded_send)
            return
        taken = 0

        async def guarded_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise TooLarge
            return message

        try:
            await self._app(scope, guarded_receive, guarded_send)
        except TooLarge:
            if not began:
                await _refuse(guarded_send)

    def _strip(self, scope: MutableMapping[str, Any]) -> None:
        path: str = scope["path"]
        if self._base and (path == self._base or path.startswith(self._base + "/")):
            scope["path"] = path[len(self._base) :] or "/"


class TooLarge(Exception):
    """A body went over the limit while it was read."""


async def _refuse(send: Send) -> None:
    body = b"That is more than this page takes.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
