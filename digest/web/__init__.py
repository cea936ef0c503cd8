"""The reader's pages: plain HTML that works without script, behind signed links, no accounts.

Importing this package imports FastAPI; nothing that only sends mail has to.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from digest.errors import LinkError, NotFound, PaperDigestError, StoreUnavailable
from digest.render import templates_dir
from digest.web.account import account_routes, move_routes, takeout_routes
from digest.web.archive import archive_routes
from digest.web.confirm import confirm_routes
from digest.web.feedback import feedback_routes
from digest.web.front import Front, front_routes
from digest.web.guard import Guard
from digest.web.hooks import hook_routes
from digest.web.invitation import invitation_routes
from digest.web.join import api_routes, link_routes
from digest.web.kept import Kept
from digest.web.leave import leave_routes
from digest.web.limits import ANSWERS, Limits
from digest.web.manage import manage_routes
from digest.web.months import Months
from digest.web.online import online_routes
from digest.web.pages import Pages
from digest.web.paper import paper_routes
from digest.web.pause import pause_routes
from digest.web.public import public_routes
from digest.web.search import search_routes
from digest.web.signup import Desk
from digest.web.syndication import feed_routes, own_feed_routes

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.responses import Response

    from digest.app import App

_log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"


def create_app(app: App) -> FastAPI:
    """The web application of an installation, at the path of its public URL."""
    public = urlsplit(app.settings.public_url)
    base = public.path.rstrip("/")
    pages = Pages(
        templates_dir(),
        base=base,
        brand=app.settings.brand,
        overlay=app.settings.templates,
        archive=app.settings.archive_is_public,
    )
    web = bare_app(pages)
    months, desk = Months(app), Desk(app)
    web.state.desk, web.state.months = desk, months
    # What is asked most stands first: routes are looked through in order.
    if app.settings.archive_is_public:
        kept = Kept(app.store.archive.revision, app.store.archive.changes)
        web.include_router(feed_routes(app, kept))
        web.include_router(archive_routes(app, pages, kept))
        web.include_router(search_routes(app, pages, kept))
        web.include_router(paper_routes(app, pages, kept))
    front = Front(app, pages, months, desk, Limits(ANSWERS))
    web.include_router(front_routes(front))
    web.include_router(link_routes(app, pages, desk))
    web.include_router(api_routes(app, desk))
    web.include_router(confirm_routes(app, pages))
    web.include_router(public_routes(app, front))
    web.include_router(leave_routes(app, pages))
    web.include_router(manage_routes(app, pages, months))
    web.include_router(account_routes(app, pages, desk, months))
    web.include_router(takeout_routes(app))
    web.include_router(move_routes(app, pages))
    web.include_router(pause_routes(app, pages))
    web.include_router(feedback_routes(app, pages))
    web.include_router(online_routes(app))
    web.include_router(hook_routes(app))
    web.include_router(own_feed_routes(app))
    web.include_router(invitation_routes(app, pages))
    web.add_middleware(Guard, base=base, https=public.scheme == "https")
    return web


def bare_app(pages: Pages) -> FastAPI:
    """An application with the static files and an answer to every error, and no route yet."""
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    web.mount("/static", StaticFiles(directory=STATIC), name="static")

    def say(title: str, text: str, status: int, headers: dict[str, str] | None = None) -> Response:
        response = pages.page("said.html", status=status, private=True, title=title, text=text)
        response.headers.update(headers or {})
        return response

    def link(_request: Request, error: Exception) -> Response:
        return say("This link does not work", str(error), 404)

    def missing(_request: Request, error: Exception) -> Response:
        return say("Nothing here", str(error), 404)

    def unavailable(_request: Request, error: Exception) -> Response:
        _log.error("web store unavailable: %s", error)
        text = "The database is not answering. Nothing is lost; please try again in a minute."
        return say("Just a moment", text, 503, {"retry-after": "60"})

    def ours(_request: Request, error: Exception) -> Response:
        _log.error("web request failed: %s", error)
        return say("That did not work", "It is not your doing, and it is noted down here.", 500)

    def foreign(_request: Request, error: Exception) -> Response:
        _log.error("web request broke", exc_info=error)
        return say("That did not work", "It is not your doing, and it is noted down here.", 500)

    def http(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        if status == 404:  # noqa: PLR2004 -- Not Found
            return say("Nothing here", "There is no page at this address.", 404)
        return say("That did not work", "This page does not take that.", status, headers)

    for kind, answer in (
        (LinkError, link),
        (NotFound, missing),
        (StoreUnavailable, unavailable),
        (PaperDigestError, ours),
        (HTTPException, http),
        (Exception, foreign),
    ):
        web.add_exception_handler(kind, answer)
    return web


__all__ = ["bare_app", "create_app"]
