"""The pages anybody may open: the front page with its live answer, feeds, the health check."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, JSONResponse, Response

from digest.errors import NotFound, StoreError
from digest.web import preferences
from digest.web.answer import DAYS, Month, answer, matching, sample
from digest.web.feeds import FORMATS, Feed
from digest.web.guard import MAIL_POLICY
from digest.web.online import mail_of
from digest.web.pages import Pages, typed
from subscribers.profile import DEFAULT_LIMIT

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App

FEED_LENGTH: Final = 100
STARTERS: Final = ("agents", "retrieval", "protein design")
FRESH: Final = timedelta(seconds=60)


class Months:
    """The papers of the last thirty days, read again when they are older than a minute."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._read: tuple[datetime, Month] | None = None

    def current(self) -> Month:
        """The month up to today (UTC)."""
        now = self._app.clock()
        with self._lock:
            if self._read is None or not timedelta() <= now - self._read[0] < FRESH:
                today = now.date()
                first = today - timedelta(days=DAYS - 1)
                papers = self._app.store.papers.between(first, today + timedelta(days=1))
                self._read = now, Month.of(papers, today)
            return self._read[1]


def public_routes(app: App, pages: Pages) -> APIRouter:
    """The routes /, /mail, /feed.KIND and /health."""
    routes = APIRouter()
    months = Months(app)

    @routes.api_route("/", methods=["GET", "HEAD"])
    def front(request: Request) -> HTMLResponse:
        """The front page; `q` is answered, `add` adds a starter, `repair-0` mends a line."""
        asked = request.query_params
        query = typed(asked.get("q", "")[: preferences.MAX_QUERY])
        if starter := asked.get("add", ""):
            query = "\n".join(filter(None, (query.strip(), starter)))
        if repair := asked.get("repair-0", ""):
            query = preferences.repaired(query, repair)
        now = app.clock()
        month = months.current()
        found = answer(query, month, limit=DEFAULT_LIMIT, now=now)
        return pages.page(
            "front.html",
            query=query,
            answer=found,
            sample=sample(found.good_text, month, now=now),
            starters=STARTERS,
            key=urlencode({"q": found.good_text}),
            contact=app.settings.contact,
            run_by=_run_by(app, month),
        )

    @routes.api_route("/mail", methods=["GET", "HEAD"])
    def mail(request: Request) -> HTMLResponse:
        """The mail a text would bring somebody new."""
        html = mail_of(app, typed(request.query_params.get("q", "")[: preferences.MAX_QUERY]))
        return HTMLResponse(
            html, headers={"cache-control": "no-cache", "content-security-policy": MAIL_POLICY}
        )

    @routes.api_route("/feed.{kind}", methods=["GET", "HEAD"])
    def feed(request: Request, kind: str) -> Response:
        """The papers of the last thirty days that match `q`, or all of them; newest first."""
        if kind not in FORMATS:
            raise NotFound("Feeds are feed.rss, feed.atom and feed.json.")
        made = FORMATS[kind]
        query = typed(request.query_params.get("q", "")[: preferences.MAX_QUERY]).strip()
        body = made.write(_feed(app, query, kind, months.current()))
        return Response(body, media_type=made.media_type, headers={"cache-control": "max-age=600"})

    @routes.api_route("/health", methods=["GET", "HEAD"])
    def health() -> JSONResponse:
        """200 while the database answers, 503 while it does not."""
        try:
            papers = app.store.papers.count()
        except StoreError as error:
            return JSONResponse({"status": "failing", "reason": str(error)}, status_code=503)
        return JSONResponse({"status": "ok", "papers": papers})

    return routes


def _feed(app: App, query: str, kind: str, month: Month) -> Feed:
    now, home = app.clock(), app.settings.public_url
    papers = matching(query, month, now=now)[:FEED_LENGTH]
    key = f"?{urlencode({'q': query})}" if query else ""
    named = f": {' · '.join(query.splitlines())}" if query else ""
    return Feed(
        title=f"{app.settings.brand}{named}",
        home=f"{home}/{key}",
        here=f"{home}/feed.{kind}{key}",
        papers=papers,
        updated=max((paper.first_seen_at or now for paper in papers), default=now),
    )


def _run_by(app: App, month: Month) -> str:
    labels = sorted({listing.label for paper in month.papers for listing in paper.listings})
    place = f"Run by {app.settings.sender_name}"
    if not labels:
        return f"{place}."
    named = " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
    return f"{place} from {named}."
