"""Leaving with one click, and undoing it.

A GET or HEAD never changes anything: mail scanners follow every link. A POST acts, whoever
sends it, because the token is the permission; there are no cookies and no sessions (RFC 8058).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse  # noqa: TC002 -- FastAPI reads the annotation

from digest.web.pages import Form, Pages, form
from digest.web.preferences import LONGEST_PAUSE
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from digest.app import App

Posted = Annotated[Form, Depends(form)]
WHY: Final = {
    "many": "Too many papers",
    "few": "Too few papers",
    "wrong": "Not the right papers",
    "elsewhere": "I read them elsewhere",
    "never": "I never asked for this",
    "other": "Something else",
}
"""The one question, which nobody has to answer."""


def leave_routes(app: App, pages: Pages) -> APIRouter:
    """The route /u."""
    routes = APIRouter()

    def leaving(reader: Subscriber, token: str, **more: Any) -> HTMLResponse:  # noqa: ANN401
        has_left = reader.status is Status.UNSUBSCRIBED
        values = {
            "token": token,
            "has_left": has_left,
            "list_name": app.settings.sender_name,
            "was": "",
            "reasons": WHY,
            "is_told": False,
            **more,
        }
        return pages.page("unsubscribe.html", private=True, **values)

    @routes.api_route("/u/{token}", methods=["GET", "HEAD"])
    def ask_to_leave(token: str) -> HTMLResponse:
        return leaving(reader_of(app, Purpose.UNSUBSCRIBE, token), token)

    @routes.post("/u/{token}")
    def leave(token: str, posted: Posted) -> HTMLResponse:
        """Leave, or undo it when our own page asks so; RFC 8058 sends any other body."""
        reader = reader_of(app, Purpose.UNSUBSCRIBE, token)
        change = app.store.subscribers.change
        if posted["do"] == "undo":
            now = app.clock()
            reader = change(reader.number, lambda current: _back(current, posted["was"], now))
            return leaving(reader, token, has_returned=True)
        if posted["do"] == "tell":
            reader = change(reader.number, lambda current: _told(current, posted["why"]))
            return leaving(reader, token, was=posted["was"], is_told=True)
        was = _status_word(reader) or posted["was"]
        reader = change(reader.number, lambda current: current.unsubscribe())
        return leaving(reader, token, was=was)

    return routes


def _told(reader: Subscriber, why: str) -> Subscriber:
    """The reader with the reason for leaving; nothing changes for who is still here."""
    if reader.status is not Status.UNSUBSCRIBED or why not in WHY:
        return reader
    return replace(reader, left_because=WHY[why])


def _status_word(reader: Subscriber) -> str:
    """What to return to when leaving is undone; "" while there is nothing to remember."""
    if reader.status is not Status.PAUSED:
        return ""
    return reader.paused_until.isoformat() if reader.paused_until else "paused"


def _back(reader: Subscriber, was: str, now: datetime) -> Subscriber:
    """Undo leaving; a pause that was running goes on. Who never confirmed does not come in here."""
    if reader.status is not Status.UNSUBSCRIBED or reader.confirmed_at is None:
        return reader
    reader = replace(reader, left_because="")
    if was == "paused":
        return reader.pause(None, now)
    try:
        until = datetime.fromisoformat(was)
    except ValueError:
        return reader.resume(now)
    is_ahead = until.tzinfo is not None and now < until <= now + LONGEST_PAUSE
    return reader.pause(until, now) if is_ahead else reader.resume(now)
