"""The pages anybody may open: the front page and the health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse

from digest.errors import StoreError

if TYPE_CHECKING:
    from digest.run import App
    from digest.web.pages import Pages


def public_routes(app: App, pages: Pages) -> APIRouter:
    """The routes / and /health."""
    routes = APIRouter()

    @routes.api_route("/", methods=["GET", "HEAD"])
    def front() -> HTMLResponse:
        return pages.page("front.html", papers=app.store.papers.count())

    @routes.api_route("/health", methods=["GET", "HEAD"])
    def health() -> JSONResponse:
        """200 while the database answers, 503 while it does not."""
        try:
            papers = app.store.papers.count()
        except StoreError as error:
            return JSONResponse({"status": "failing", "reason": str(error)}, status_code=503)
        return JSONResponse({"status": "ok", "papers": papers})

    return routes
