"""Pausing and resuming from a link in the mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse  # noqa: TC002 -- FastAPI reads the annotation

from digest.web import preferences
from digest.web.manage import pausing
from digest.web.pages import Form, Pages, form
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from digest.app import App
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]


def pause_routes(app: App, pages: Pages) -> APIRouter:
    """The route /p."""
    routes = APIRouter()

    @routes.api_route("/p/{token}", methods=["GET", "HEAD"])
    def ask_to_pause(token: str) -> HTMLResponse:
        return page(token, reader_of(app, Purpose.PAUSE, token))

    def page(token: str, reader: Subscriber, problem: str = "") -> HTMLResponse:
        now = app.clock()
        local = reader.schedule.local_day(now)
        return pages.page(
            "pause.html",
            private=True,
            token=token,
            reader=reader,
            has_left=reader.status is Status.UNSUBSCRIBED,
            state=preferences.state(reader),
            today=local,
            problem=problem,
        )

    @routes.post("/p/{token}")
    def pause(token: str, posted: Posted) -> HTMLResponse:
        reader = reader_of(app, Purpose.PAUSE, token)
        return page(token, *pausing(app, reader, posted))

    return routes
