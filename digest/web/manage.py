"""The settings page behind the link in every mail.

A GET or HEAD never changes anything. A POST acts, because the token is the permission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse  # noqa: TC002 -- FastAPI reads the annotation

from digest.errors import LinkError
from digest.web import preferences
from digest.web.pages import Form, Pages, form
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from digest.app import App
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]


def manage_routes(app: App, pages: Pages) -> APIRouter:
    """The route /m."""
    routes = APIRouter()

    @routes.api_route("/m/{token}", methods=["GET", "HEAD"])
    def settings(token: str) -> HTMLResponse:
        reader = reader_of(app, Purpose.MANAGE, token)
        return managing(reader, token)

    def managing(
        reader: Subscriber,
        token: str,
        *,
        shown: preferences.Edited | None = None,
        **more: Any,  # noqa: ANN401 -- what the template is told
    ) -> HTMLResponse:
        edited = shown or preferences.Edited(
            reader, tuple(preferences.mistakes(profile.text) for profile in reader.profiles), ()
        )
        values = {
            "token": token,
            "reader": edited.reader,
            "profiles": tuple(zip(edited.reader.profiles, edited.mistakes, strict=True)),
            "fresh": Profile(),
            "problems": edited.problems,
            "state": preferences.state(reader),
            "fingerprint": preferences.fingerprint(reader),
            "feed": app.links.token(Purpose.FEED, reader.public_id),
            "leave": app.links.token(Purpose.UNSUBSCRIBE, reader.public_id),
            "today": reader.schedule.local_day(app.clock()),
            "is_paused": reader.status is Status.PAUSED,
            "preferences": preferences,
            "zones": preferences.listed_zones(),
            "is_saved": False,
            "is_stale": False,
            "pause_problem": "",
            **more,
        }
        return pages.page("manage.html", private=True, **values)

    @routes.post("/m/{token}")
    def save(token: str, posted: Posted) -> HTMLResponse:
        reader = reader_of(app, Purpose.MANAGE, token)
        if reader.status is Status.UNSUBSCRIBED:
            raise LinkError(preferences.LEFT)
        now, change = app.clock(), app.store.subscribers.change
        if posted["do"] in {"pause", "resume"}:
            _, problem = preferences.paused(reader, posted, now)
            if not problem:
                reader = change(
                    reader.number, lambda current: preferences.paused(current, posted, now)[0]
                )
            return managing(reader, token, pause_problem=problem)
        edited = preferences.read(posted, reader, now)
        is_stale = False

        def saved(current: Subscriber) -> Subscriber:
            nonlocal edited, is_stale
            edited = preferences.read(posted, current, now)
            is_stale = posted["seen"] != preferences.fingerprint(current)
            return current if is_stale or not edited.is_good else edited.reader

        reader = change(reader.number, saved)
        if is_stale or not edited.is_good:
            return managing(reader, token, shown=edited, is_stale=is_stale)
        return managing(reader, token, is_saved=True)

    return routes
