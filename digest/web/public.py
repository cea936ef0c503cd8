"""What anybody may ask for: the mail a text would bring, the health check."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, JSONResponse

from digest.errors import StoreError
from digest.web import preferences
from digest.web.guard import MAIL_POLICY
from digest.web.online import mail_of
from digest.web.pages import typed

if TYPE_CHECKING:
    from digest.app import App
    from digest.web.front import Front


_log = logging.getLogger(__name__)


def public_routes(app: App, front: Front) -> APIRouter:
    """The routes /mail and /health."""
    routes = APIRouter()

    @routes.api_route("/mail", methods=["GET", "HEAD"])
    def mail(request: Request) -> HTMLResponse:
        """The mail a text would bring somebody new; it is made anew for everybody who asks."""
        if refused := front.busy(request):
            return refused
        html = mail_of(app, typed(request.query_params.get("q", "")[: preferences.MAX_QUERY]))
        return HTMLResponse(
            html, headers={"cache-control": "no-cache", "content-security-policy": MAIL_POLICY}
        )

    @routes.api_route("/health", methods=["GET", "HEAD"])
    def health() -> JSONResponse:
        """200 while the database answers, 503 while it does not."""
        try:
            papers = app.store.papers.count()
        except StoreError as error:
            # What it says names a server and who logs in there: for the log, not for anybody.
            _log.error("web store unavailable: %s", error)
            failing = {"status": "failing", "reason": "the database does not answer"}
            return JSONResponse(failing, status_code=503)
        return JSONResponse({"status": "ok", "papers": papers})

    return routes
