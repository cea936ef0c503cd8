"""Real servers on loopback: a web application with a client for it, and servers of lines."""

from __future__ import annotations

import http.client
import json
import socketserver
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import uvicorn

from digest.web.listening import listen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


class Asking(ABC):
    """Whoever asks an application."""

    @abstractmethod
    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; the whole answer to it."""

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, *, client: str = "", **fields: str) -> Answer:
        """Send a form; with a `client`, as if a proxy on this machine had passed it on."""
        named = {name.replace("__", "-"): value for name, value in fields.items()}
        kind = "application/x-www-form-urlencoded"
        return self._send(path, urlencode(named).encode(), kind, client)

    def post_json(self, path: str, *, client: str = "", **fields: str) -> Answer:
        """The same with a JSON object, as programs do."""
        return self._send(path, json.dumps(fields).encode(), "application/json", client)

    def _send(self, path: str, body: bytes, kind: str, client: str) -> Answer:
        headers = {"content-type": kind} | ({"x-forwarded-for": client} if client else {})
        return self.ask("POST", path, body, headers)


@dataclass(frozen=True, slots=True)
class Site(Asking):
    """A served application; each request goes over a connection of its own."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        with self.line() as line:
            return line.ask(method, path, body, headers)

    @contextmanager
    def line(self) -> Iterator[Line]:
        """One connection for many requests."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            yield Line(connection)
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Line(Asking):
    """One connection to an application."""

    connection: http.client.HTTPConnection

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.connection.request(method, path, body, dict(headers or {}))
        response = self.connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())


class Listening(ABC):
    """A server of lines on a free port of 127.0.0.1 while the block runs, a thread a connection."""

    port: int = 0

    @property
    @abstractmethod
    def session(self) -> type[socketserver.StreamRequestHandler]:
        """What speaks to one client; its `server.owner` is this object."""

    def __enter__(self) -> Self:
        self._server = LineServer(("127.0.0.1", 0), self.session)
        self._server.owner = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class LineServer(socketserver.ThreadingTCPServer):
    """Accepts for the server of lines that owns it."""

    daemon_threads = True
    allow_reuse_address = True
    owner: Any


@contextmanager
def serving(
    web: FastAPI, proxies: tuple[str, ...] = ("127.0.0.1",), certificate: Path | None = None
) -> Iterator[Site]:
    """Serve the application on a free port of 127.0.0.1 until the block ends.

    With a certificate (its key in the same file) over TLS, which `Site.ask` does not speak.
    """
    with listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(
            web,
            log_level="error",
            ws="none",
            lifespan="off",
            forwarded_allow_ips=list(proxies),
            ssl_certfile=certificate,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        # The socket listens already: what is asked before uvicorn accepts simply waits.
        try:
            yield Site(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
