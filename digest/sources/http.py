"""Asking servers politely: the only module that imports httpx.

One queue for each group of hosts keeps its gap and its number of connections, over threads
and, given a directory, over processes. What a server does becomes an Answer, never an
exception: throttling (Retry-After, RFC 9110 section 10.2.3; RateLimit,
draft-ietf-httpapi-ratelimit-headers), failure, a body too large or too slow. Sizes count
after decompression. Addresses that people or other servers name are resolved here, checked to
be public, and connected to as checked.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Protocol, Self
from urllib.parse import urljoin, urlsplit

import httpx

from digest.errors import why
from digest.sources import Answer, AnswerState, Pace, Validator
from digest.sources.guard import Forbidden, public_address
from digest.sources.pacing import Queue

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_REDIRECTS: Final = 5
MAX_BYTES: Final = 32_000_000
MAX_TRIES: Final = 4
_CONNECT_TRIES: Final = 2
_CONNECT_SECONDS: Final = 10.0
_DOWN_SECONDS: Final = 300.0
MAX_WAIT: Final = timedelta(days=1)
_UNREACHABLE: Final = "could not be reached"
_LONGEST_PATIENCE: Final = 1800.0
_FIRST_BACKOFF: Final = 2.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PERMANENT: Final = frozenset({301, 308})
_TRANSIENT: Final = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_BAD: Final = 400


class Clock(Protocol):
    """Time, so that a test can play a day in a moment."""

    def now(self) -> datetime:
        """The instant, aware and UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The instant, aware and UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long we wait and how much we take, in seconds and bytes.

    `silence` between two pieces of an answer, `whole` for one answer, `wait` for all pauses
    between the tries of one request: a server that wants more time is left alone until then.
    """

    silence: float = 30.0
    whole: float = 180.0
    wait: float = 45.0
    size: int = MAX_BYTES


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed; reading them takes longer than most requests."""
    return httpx.create_ssl_context()


class Polite:
    """A client for every source: thread-safe, one for a process. Close it, or use `with`."""

    def __init__(
        self,
        *,
        contact: str,
        home: str = "",
        clock: Clock | None = None,
        limits: Limits | None = None,
        queues: Path | None = None,
        chance: Callable[[], float] = random.random,
        guard: Callable[[str], str] = public_address,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Say who asks: `contact` is the operator's address, `home` their page, if any.

        `queues` is a directory where processes of one installation queue up together.
        `chance` gives numbers in [0, 1) for the jitter. `guard` turns a host that somebody else
        named into the address to connect to, or raises Forbidden. `trust` says whose
        certificates are believed, where not those the machine and certifi believe.
        """
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._directory = queues
        self._chance = chance
        self._guard = guard
        self._queues: dict[str, Queue] = {}
        self.requests = 0
        self.troubles: dict[str, str] = {}
        """What went wrong last with a host, in the system's own words."""
        self._down: dict[str, float] = {}
        self._failing: set[str] = set()
        self._contact = contact
        try:
            release = version("paper-digest")
        except PackageNotFoundError:
            release = "0"
        about = "; ".join(filter(None, [home and f"+{home}", contact and f"mailto:{contact}"]))
        agent = f"paper-digest/{release}" + (f" ({about})" if about else "")
        self._client = httpx.Client(
            headers={"User-Agent": agent, "Accept-Encoding": "gzip"},
            timeout=self._timeout(self._limits.silence),
            follow_redirects=False,
            verify=trust or _trusted(),
        )

    @staticmethod
    def _timeout(silence: float) -> httpx.Timeout:
        return httpx.Timeout(silence, connect=min(silence, _CONNECT_SECONDS))

    @property
    def contact(self) -> str:
        """The operator's address, for services that want it as a parameter."""
        return self._contact

    @property
    def clock(self) -> Clock:
        """The clock everything here goes by."""
        return self._clock

    def close(self) -> None:
        """Let go of every connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(
        self,
        url: str,
        *,
        pace: Pace,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        validators: Mapping[str, Validator] | None = None,
        guarded: bool = False,
        silence: float | None = None,
    ) -> Answer:
        """Ask for a page, waiting for our turn and trying again while that is worth it.

        A host that cannot be reached is not tried again for five minutes, and one that has
        failed through all tries gets a single one until it answers: a source that is down ends
        quickly, however many pages are asked of it. `silence` is how many seconds it may say
        nothing, where that is more than usual.

        `validators` makes the request conditional where one was kept for this very address.
        `guarded` says that the address comes from a person: it must be public. Addresses that
        a redirect names on another host must always be.
        """
        try:
            target = str(httpx.URL(url, params=dict(params)) if params else httpx.URL(url))
        except (httpx.InvalidURL, ValueError):
            return Answer(AnswerState.REFUSED, url, reason="has an address that is none")
        request = _Request(
            target, dict(headers or {}), (validators or {}).get(target), guarded, silence
        )
        if self._clock.monotonic() < self._down.get(request.host, 0.0):
            return Answer(AnswerState.FAILED, target, reason=_UNREACHABLE)
        answer, unheard = self._persist(request, pace)
        if unheard:
            self._failing.add(request.host)
        elif answer.state is not AnswerState.THROTTLED:
            self._failing.discard(request.host)
        if answer.reason == _UNREACHABLE:
            self._down[request.host] = self._clock.monotonic() + _DOWN_SECONDS
        return answer

    def _persist(self, request: _Request, pace: Pace) -> tuple[Answer, bool]:
        """The answer after as many tries as are worth it, and whether all of them failed."""
        queue = self._queue(pace)
        most = 1 if request.host in self._failing else MAX_TRIES
        waited = 0.0
        for attempt in range(1, most + 1):
            with queue.turn() as turn:
                pause = turn.closed_for()
                if waited + pause > self._limits.wait:
                    until = self._clock.now() + timedelta(seconds=pause)
                    return _throttled(request.url, until), False
                waited += pause
                turn.wait(pause)
                answer = self._ask(request, pace, turn.wait_gap)
                if answer.state is AnswerState.THROTTLED:
                    until = answer.retry_at or self._clock.now() + timedelta(
                        seconds=min(_LONGEST_PATIENCE, pace.patience * 2**turn.strikes)
                    )
                    turn.close(until)
                    answer = _throttled(request.url, until, answer.status)
                else:
                    turn.reopen(answer.retry_at)
            if answer.state is AnswerState.FAILED:
                worth_it = _CONNECT_TRIES if answer.reason == _UNREACHABLE else most
                pause = _FIRST_BACKOFF * 2 ** (attempt - 1) * (0.5 + self._chance())
                if attempt >= worth_it or waited + pause > self._limits.wait:
                    return answer, True
                waited += pause
                self._clock.sleep(pause)
            elif answer.state is not AnswerState.THROTTLED:
                return replace(answer, retry_at=None), False
        return answer, answer.state is AnswerState.FAILED

    def _queue(self, pace: Pace) -> Queue:
        found = self._queues.get(pace.group)
        if found is None:
            queue = Queue(pace, self._clock, self._directory)
            found = self._queues.setdefault(pace.group, queue)
        return found

    def _ask(self, request: _Request, pace: Pace, next_hop: Callable[[], None]) -> Answer:
        """One try: the request and the redirects it leads to."""
        url, headers = request.url, request.headers_with_validator()
        guarded, moved_to, permanent = request.guarded, "", True
        for hop in range(MAX_REDIRECTS + 1):
            if hop:
                next_hop()
            try:
                answer, location = self._exchange(
                    url, headers, pace, guarded=guarded, silence=request.silence
                )
            except Forbidden as error:
                return Answer(AnswerState.REFUSED, url, reason=str(error))
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
                self.troubles[urlsplit(url).netloc] = why(OSError(str(error)))
                return Answer(AnswerState.FAILED, url, reason=_failure(error))
            if location is None:
                return request.settle(replace(answer, moved_to=moved_to))
            try:
                onward = urljoin(url, location)
            except ValueError:
                return Answer(AnswerState.REFUSED, url, reason="has an address that is none")
            permanent = permanent and answer.status in _PERMANENT
            moved_to = onward if permanent else moved_to
            if _origin(onward) != _origin(url):
                headers.pop("Authorization", None)
                guarded = guarded or urlsplit(onward).hostname != urlsplit(url).hostname
            url = onward
        return Answer(AnswerState.REFUSED, url, reason="redirects in circles")

    def _exchange(
        self,
        url: str,
        headers: Mapping[str, str],
        pace: Pace,
        *,
        guarded: bool,
        silence: float | None,
    ) -> tuple[Answer, str | None]:
        """One request on the wire: its answer, and where it redirects to if it does."""
        ends = self._clock.monotonic() + self._limits.whole
        target, sent, extensions = httpx.URL(url), dict(headers), dict[str, str]()
        if target.scheme not in {"http", "https"} or not target.host:
            raise Forbidden("leads to an address that is not http(s)")
        if guarded:
            # Connect to the very address that was checked; TLS still asks for the name. The
            # pool knows the address only, so a connection must not serve the next name there.
            sent["Connection"] = "close"
            sent["Host"] = target.netloc.decode("ascii")
            extensions["sni_hostname"] = target.host
            target = target.copy_with(host=self._guard(target.host))
        timeout = self._timeout(silence or self._limits.silence)
        self.requests += 1
        request = self._client.build_request(
            "GET", target, headers=sent, extensions=extensions, timeout=timeout
        )
        response = self._client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                moved = Answer(AnswerState.OK, url, status=response.status_code)
                return moved, response.headers["location"]
            body = self._body(response, ends)
        finally:
            response.close()
        return self._classify(url, response, body, pace), None

    def _body(self, response: httpx.Response, ends: float) -> bytes:
        """The whole body decompressed; raises _Broken when it is too large, late or damaged."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
            raise _Broken("answered in an encoding we did not ask for")
        inflate = None if encoding in {"identity", ""} else _Inflate(self._limits.size)
        parts: list[bytes] = []
        size = 0
        for raw in response.iter_raw():
            part = inflate(raw) if inflate else raw
            size += len(part)
            if size > self._limits.size:
                raise _Broken(f"sent more than {self._limits.size // 1_000_000} MB")
            if self._clock.monotonic() > ends:
                raise _Broken(f"took longer than {self._limits.whole:.0f} s")
            parts.append(part)
        if inflate and size and not inflate.complete:
            raise _Broken("broke off in the middle")
        return b"".join(parts)

    def _classify(self, url: str, response: httpx.Response, body: bytes, pace: Pace) -> Answer:
        status, headers = response.status_code, {k.lower(): v for k, v in response.headers.items()}
        answer = Answer(AnswerState.OK, url, status, body, headers)
        retry_at = _retry_at(headers, self._clock.now())
        if status in pace.throttles:
            return replace(answer, state=AnswerState.THROTTLED, retry_at=retry_at)
        if status in _TRANSIENT:
            return replace(answer, state=AnswerState.FAILED, reason=f"answered {status}")
        if status >= _BAD:
            return replace(answer, state=AnswerState.REFUSED, reason=f"answered {status}")
        if status not in {_OK, _NOT_MODIFIED}:
            return replace(answer, state=AnswerState.FAILED, reason=f"answered {status}")
        spent = _spent_until(headers, self._clock.now())
        return replace(answer, retry_at=spent)


@dataclass(frozen=True, slots=True)
class _Request:
    url: str
    headers: dict[str, str]
    validator: Validator | None
    guarded: bool
    silence: float | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def headers_with_validator(self) -> dict[str, str]:
        conditions = dict(self.headers)
        if self.validator and self.validator.etag:
            conditions["If-None-Match"] = self.validator.etag
        if self.validator and self.validator.last_modified:
            conditions["If-Modified-Since"] = self.validator.last_modified
        return conditions

    def settle(self, answer: Answer) -> Answer:
        """What the last answer means for this request, and what to ask with next time."""
        if answer.status == _NOT_MODIFIED:
            if self.validator is None:
                return replace(
                    answer, state=AnswerState.FAILED, reason="answered 304 to an open question"
                )
            return replace(answer, state=AnswerState.UNCHANGED, validator=self.validator)
        etag = answer.headers.get("etag", "")
        modified = answer.headers.get("last-modified", "")
        if answer.state is not AnswerState.OK or not (etag or modified):
            return answer
        return replace(answer, validator=Validator(self.url, etag, modified))


class _Broken(ValueError):
    """An answer that began and cannot be used; says why in a verb phrase."""


class _Inflate:
    """Decompression that stops at a limit, however much a few bytes would swell to."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._decoder = zlib.decompressobj(wbits=47)

    @property
    def complete(self) -> bool:
        return self._decoder.eof

    def __call__(self, raw: bytes) -> bytes:
        parts = []
        while raw:
            if self._decoder.eof:  # RFC 1952 section 2.2: a file may have several members
                self._decoder = zlib.decompressobj(wbits=47)
            try:
                part = self._decoder.decompress(raw, self._left + 1)
            except zlib.error as error:
                raise _Broken("sent damaged data") from error
            parts.append(part)
            self._left -= len(part)
            if self._left < 0:
                break
            raw = self._decoder.unused_data or self._decoder.unconsumed_tail
        return b"".join(parts)


def _failure(error: Exception) -> str:
    if isinstance(error, _Broken):
        return str(error)
    if isinstance(error, httpx.ConnectTimeout):
        return _UNREACHABLE
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "could not prove who it is" if "CERTIFICATE" in str(error) else _UNREACHABLE
    if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
        return "broke off in the middle"
    return "did not answer"


def _throttled(url: str, until: datetime, status: int = 0) -> Answer:
    reason = f"asks us to wait until {until:%H:%M} UTC"
    return Answer(AnswerState.THROTTLED, url, status, reason=reason, retry_at=until)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _retry_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When a throttled client may come back, if the server says so."""
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return now + min(MAX_WAIT, timedelta(seconds=int(after[:9])))
    if after:
        try:
            instant = parsedate_to_datetime(after)
        except ValueError:
            instant = None
        if instant is not None:
            aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
            return min(max(aware, now), now + MAX_WAIT).astimezone(UTC)
    seconds = [reset for _, reset in _rate_limits(headers)]
    # Some servers put a Unix time there; only a count of seconds can be this short.
    resets = (headers.get(name, "") for name in ("ratelimit-reset", "x-ratelimit-reset"))
    seconds += [int(text) for text in resets if re.fullmatch(r"[0-9]{1,6}", text)]
    return now + min(MAX_WAIT, timedelta(seconds=max(seconds))) if seconds else None


def _spent_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When the quota that this answer used up is filled again, if it did."""
    resets = [reset for remaining, reset in _rate_limits(headers) if remaining == 0]
    return now + min(MAX_WAIT, timedelta(seconds=max(resets))) if resets else None


def _rate_limits(headers: Mapping[str, str]) -> list[tuple[int, int]]:
    """Remaining requests and seconds to the reset, for each policy of a RateLimit header."""
    limits = []
    for policy in headers.get("ratelimit", "").split(","):
        found = {key: int(value) for key, value in re.findall(r"\b([rt])=(\d{1,9})\b", policy)}
        if "t" in found:
            limits.append((found.get("r", 0), found["t"]))
    return limits
