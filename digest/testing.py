"""What authors of sources need to test theirs, and what our own tests use.

FixtureServer is a real HTTP server on 127.0.0.1 that answers as scripted, also badly. Clock is
a clock on which a day passes in a moment. check_source() is the contract of a Source, run.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import parse_qsl, urlsplit

from digest.papers import tidy
from digest.sources import FetchState
from digest.sources.http import Limits, Polite

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from digest.papers import PaperId
    from digest.sources import Fetch, Source, Window


class Clock:
    """Time that passes only when somebody sleeps or says so."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The instant, aware and UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass at once, and remember them in `slept`."""
        self.slept.append(seconds)
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Let time pass without anybody sleeping."""
        with self._lock:
            self._now += by
            self._passed += by.total_seconds()

    def set(self, instant: datetime) -> None:
        """Let time pass until that instant; it may not lie in the past."""
        self.advance(max(timedelta(), instant - self._now))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """With lower-case names."""

    @property
    def etag(self) -> str:
        """What If-None-Match said, or nothing."""
        return self.headers.get("if-none-match", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, good or bad.

    `compress` sends the body gzipped. `pause` is how many seconds lie between two pieces of
    `piece` bytes; before the first byte of all where `piece` is 0. `reset_after` cuts the
    connection (RST) behind that many bytes of the body; 0 answers nothing at all. `length` is
    the Content-Length to claim instead of the true one.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    compress: bool = False
    pause: float = 0.0
    piece: int = 0
    reset_after: int | None = None
    length: int | None = None


class FixtureServer:
    """A real HTTP server on 127.0.0.1 with scripted answers. Use `with`.

    Every request is kept in `requests`. What nobody scripted is 404.
    """

    def __init__(
        self,
        answer: Callable[[Request], Reply] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Answer by a function, or by what on() says; over TLS where a context is given."""
        self.requests: list[Request] = []
        self._answer = answer
        self._scripts: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _HttpServer(self)
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """Its address without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def on(self, path: str, *replies: Reply) -> None:
        """Answer this path with these in turn, and with the last of them for ever."""
        with self._lock:
            self._scripts[path] = list(replies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def reply_to(self, request: Request) -> Reply:
        """What to answer; called by the server's threads."""
        self.requests.append(request)
        if self._answer is not None:
            return self._answer(request)
        with self._lock:
            script = self._scripts.get(request.path, [])
            if not script:
                return Reply(b"Not found", 404)
            return script.pop(0) if len(script) > 1 else script[0]

    def rest(self, seconds: float) -> None:
        """Wait, unless the server is being closed."""
        self._stopping.wait(seconds)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fixture: FixtureServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fixture = fixture


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fixture(self) -> FixtureServer:
        return cast("_HttpServer", self.server).fixture

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        reply = self.fixture.reply_to(Request(parts.path, query, headers))
        self.close_connection = True
        try:
            if reply.reset_after != 0:
                self._send(reply)
            if reply.reset_after is not None:
                self._reset()
        except (BrokenPipeError, ConnectionResetError):
            return

    def _send(self, reply: Reply) -> None:
        body = gzip.compress(reply.body, mtime=0) if reply.compress else reply.body
        headers = dict(reply.headers)
        if reply.compress:
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body) if reply.length is None else reply.length)
        headers["Connection"] = "close"
        if not reply.piece:
            self.fixture.rest(reply.pause)
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        sent = body if reply.reset_after is None else body[: reply.reset_after]
        step = reply.piece or max(1, len(sent))
        for start in range(0, len(sent), step):
            self.wfile.write(sent[start : start + step])
            self.wfile.flush()
            if reply.piece:
                self.fixture.rest(reply.pause)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def log_message(self, *args: object) -> None:
        del args


def polite(clock: Clock, **options: Path | None) -> Polite:
    """A client for tests: short waits, no chance, and hosts others name only on loopback."""
    return Polite(
        contact="operator@example.org",
        clock=clock,
        limits=Limits(silence=2.0, whole=60.0, size=4_000_000),
        chance=lambda: 0.5,
        guard=loopback_only,
        queues=options.get("queues"),
    )


def loopback_only(host: str) -> str:
    """A guard for tests: every host is this machine, so nothing leaves it."""
    del host
    return "127.0.0.1"


_ENTITIES: Final = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))

HOSTILE: Final[Mapping[str, Reply]] = {
    "an HTML page with 200": Reply(b"<!doctype html><title>Are you human?</title><p>Wait."),
    "nothing with 200": Reply(b""),
    "an answer of null": Reply(b"null"),
    "an answer nested very deeply": Reply(b"[" * 200_000),
    "an XML bomb": Reply(
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">{_ENTITIES}]><rss>&a9;</rss>'.encode()
    ),
    "a gzip bomb": Reply(b"0" * 6_000_000, compress=True),
    "bytes that are no text": Reply(bytes(range(256)) * 40),
    "damaged gzip": Reply(b"\x1f\x8b\x08 no", headers={"Content-Encoding": "gzip"}),
    "an unknown encoding": Reply(b"{}", headers={"Content-Encoding": "x-rot13"}),
    "no answer": Reply(reset_after=0),
    "an answer that breaks off": Reply(b'{"a": [' * 1000, reset_after=3000),
    "too few bytes": Reply(b"[]", length=5000),
    "500 with a page": Reply(b"<h1>Internal Server Error</h1>", 500),
    "503 without a word": Reply(status=503),
    "429 without a word": Reply(b"Rate exceeded.", 429),
    "403": Reply(b"", 403),
    "404": Reply(b"Not found", 404),
    "a redirect in circles": Reply(status=302, headers={"Location": "?again=1"}),
    "a redirect to a file": Reply(status=302, headers={"Location": "file:///etc/passwd"}),
}
"""Answers every source has to live through."""


def check_source(
    make: Callable[[str], Source],
    good: Callable[[Request], Reply],
    window: Window,
) -> list[Fetch]:
    """Run the contract of a Source; what a good day brought, or AssertionError with a sentence.

    `make` gives the source for a base URL. `good` answers its requests as the real server does
    on a day with papers. The clock stands at the window's `now`.
    """
    fetches = _fetch(make, good, window)
    if not any(fetch.papers for fetch in fetches):
        raise AssertionError(f"a good day brings no papers: {[(f.state, f.note) for f in fetches]}")
    for fetch in fetches:
        _check_fetch(fetch)
    again = _fetch(make, good, window)
    if list(map(_names, again)) != list(map(_names, fetches)):
        raise AssertionError("the same answers bring other papers the second time")
    for trouble, reply in HOSTILE.items():
        for fetch in _fetch(make, partial(_always, reply), window, trouble):
            _check_fetch(fetch)
            if fetch.state.complete or fetch.papers:
                raise AssertionError(f"{trouble} passes for a {fetch.state} day")
            if not fetch.note:
                raise AssertionError(f"{trouble} is not explained in the note")
    return fetches


def _names(fetch: Fetch) -> list[tuple[PaperId, str]]:
    return [(paper.id, paper.title) for paper in fetch.papers]


def _always(reply: Reply, request: Request) -> Reply:
    del request
    return reply


def _fetch(
    make: Callable[[str], Source],
    answer: Callable[[Request], Reply],
    window: Window,
    trouble: str = "a good day",
) -> list[Fetch]:
    with FixtureServer(answer) as server, polite(Clock(window.now)) as client:
        source = make(server.url)
        if not source.name or not source.label:
            raise AssertionError("a source needs a name and a label")
        fetches = list(_bounded(source.fetch(window, client)))
    if not fetches:
        raise AssertionError(f"{trouble}: the source says nothing about any day")
    return fetches


def _bounded(fetches: Iterator[Fetch]) -> Iterator[Fetch]:
    for number, fetch in enumerate(fetches):
        if number > 1000:  # noqa: PLR2004 -- more list days than three years have
            raise AssertionError("the source never ends")
        yield fetch


def _check_fetch(fetch: Fetch) -> None:
    names = [paper.id for paper in fetch.papers]
    if len(set(names)) != len(names):
        raise AssertionError("a paper comes twice in one Fetch")
    if fetch.state is FetchState.EMPTY and fetch.papers:
        raise AssertionError("an empty Fetch has papers")
    for paper in fetch.papers:
        if tidy(paper) != paper:
            raise AssertionError(f"{paper.id} is not tidy")
        if not paper.listings:
            raise AssertionError(f"{paper.id} has no listing")
        if {(one.source, one.label) for one in paper.listings} != {(fetch.source, fetch.label)}:
            raise AssertionError(f"{paper.id} carries a listing of another source")
        instants = [paper.published_at, paper.signals.seen_at]
        if any(moment is not None and moment.utcoffset() != timedelta() for moment in instants):
            raise AssertionError(f"{paper.id} has an instant that is not UTC")
