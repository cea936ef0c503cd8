"""Public answers, kept as they were made while no paper changes, and not sent twice (RFC 9110)."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

BUDGET: Final = 48 * 1024 * 1024
"""Bytes of answers that are kept; those asked for longest ago go first."""
_BESIDE: Final = 1024
MOST_VALUES: Final = 128
HTML: Final = "text/html; charset=utf-8"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Made:
    """An answer's body and what it is; `headers` beside those every public answer has."""

    body: bytes
    media_type: str = HTML
    cache: str = "no-cache"
    last_modified: str = ""
    moved: str = ""
    """Where the page is instead, for good."""


class Kept:
    """Answers by address, all forgotten when `revision` says something else than before.

    `revision` is asked again only when `changes` gives another number, or none.
    """

    def __init__(
        self,
        revision: Callable[[], str],
        changes: Callable[[], int | None] = lambda: None,
        budget: int = BUDGET,
    ) -> None:
        self._revision = revision
        self._changes = changes
        self._budget = budget
        self._lock = threading.Lock()
        self._of = ""
        self._seen: int | None = None
        self._size = 0
        self._answers: OrderedDict[str, tuple[Made, str]] = OrderedDict()
        self._values: OrderedDict[object, object] = OrderedDict()

    async def answer(
        self, request: Request, make: Callable[[], Made], *, stamp: str = ""
    ) -> Response:
        """The answer to a request, made at most once a revision and `stamp`, beside the loop.

        `stamp` is for what changes without any paper changing: the hour, say.
        """
        asked = request.scope
        key = f"{stamp} {asked['path']}?{asked['query_string'].decode('latin-1')}"
        changes = self._changes()
        held = self._held(key) if changes is not None and changes == self._seen else None
        if held is None:
            held = await run_in_threadpool(self._made, key, make, changes)
        return respond(request, *held)

    def _made(self, key: str, make: Callable[[], Made], changes: int | None) -> tuple[Made, str]:
        revision = self._revision()  # after `changes` was read: what came between is seen next time
        with self._lock:
            if revision != self._of:
                self._answers.clear()
                self._values.clear()
                self._of, self._size = revision, 0
            self._seen = changes
        held = self._held(key)
        if held is None:
            made = make()
            held = made, etag(made.body)
            self._keep(revision, key, held)
        return held

    def _held(self, key: str) -> tuple[Made, str] | None:
        with self._lock:
            held = self._answers.get(key)
            if held is not None:
                self._answers.move_to_end(key)
            return held

    def value(self, key: object, make: Callable[[], Value]) -> Value:
        """What several answers of one revision are made of; the newest `MOST_VALUES` are kept."""
        with self._lock:
            revision = self._of
            if key in self._values:
                self._values.move_to_end(key)
                return cast("Value", self._values[key])
        made = make()
        with self._lock:
            if revision == self._of:
                self._values[key] = made
                if len(self._values) > MOST_VALUES:
                    self._values.popitem(last=False)
        return made

    def _keep(self, revision: str, key: str, held: tuple[Made, str]) -> None:
        with self._lock:
            if revision != self._of or key in self._answers:
                return
            self._answers[key] = held
            self._size += _size(key, held[0])
            while self._size > self._budget:
                other, (oldest, _) = self._answers.popitem(last=False)
                self._size -= _size(other, oldest)


def _size(key: str, made: Made) -> int:
    """What an answer takes: an address anybody can make longer, and what Python needs for two."""
    return len(key) + len(made.body) + _BESIDE


def etag(body: bytes) -> str:
    """A strong validator: the same for the same bytes, and for no others."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def respond(request: Request, made: Made, tag: str) -> Response:
    """The answer, or 304 without a body where the client has it already (RFC 9110 13.1.2)."""
    if made.moved:
        return RedirectResponse(made.moved, status_code=301)
    headers = {"etag": tag, "cache-control": made.cache}
    if made.last_modified:
        headers["last-modified"] = made.last_modified
    if _is_known(request, made, tag):
        return Response(status_code=304, headers=headers)
    return Response(made.body, media_type=made.media_type, headers=headers)


def _is_known(request: Request, made: Made, tag: str) -> bool:
    """Whether the client has it; its date counts only where it names no tag (RFC 9110 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return _has(tags, tag)
    since = request.headers.get("if-modified-since")
    if since is None or not made.last_modified:
        return False
    try:
        return parsedate_to_datetime(made.last_modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False  # no date, or one without a zone


def _has(asked: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; weakly, so that a proxy's W/ is no other answer."""
    named = (each.strip().removeprefix("W/") for each in asked.split(","))
    return asked.strip() == "*" or tag in named
