"""What anybody may ask for: the mail a text would bring, feeds, the health check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, JSONResponse, Response

from digest.errors import NotFound, StoreError
from digest.web import preferences
from digest.web.answer import matching
from digest.web.feeds import FORMATS, Feed
from digest.web.guard import MAIL_POLICY
from digest.web.online import mail_of
from digest.web.pages import typed

if TYPE_CHECKING:
    from digest.app import App
    from digest.volume import Recent
    from digest.web.months import Months

FEED_LENGTH: Final = 100


def public_routes(app: App, months: Months) -> APIRouter:
    """The routes /mail, /feed.KIND and /health."""
    routes = APIRouter()

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


def _feed(app: App, query: str, kind: str, recent: Recent) -> Feed:
    now, home = app.clock(), app.settings.public_url
    papers = matching(query, recent)[:FEED_LENGTH]
    key = f"?{urlencode({'q': query})}" if query else ""
    named = f": {' · '.join(query.splitlines())}" if query else ""
    return Feed(
        title=f"{app.settings.brand}{named}",
        home=f"{home}/{key}",
        here=f"{home}/feed.{kind}{key}",
        papers=papers,
        updated=max((paper.first_seen_at or now for paper in papers), default=now),
    )
