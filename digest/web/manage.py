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
        if posted["do"] in {"pause", "resume"}:
            changed, problem = preferences.paused(reader, posted, app.clock())
            if not problem:
                app.store.subscribers.update(changed)
            return managing(changed, token, pause_problem=problem)
        edited = preferences.read(posted, reader, app.clock())
        if posted["seen"] != preferences.fingerprint(reader):
            return managing(reader, token, shown=edited, is_stale=True)
        if not edited.is_good:
            return managing(reader, token, shown=edited)
        app.store.subscribers.update(edited.reader)
        return managing(edited.reader, token, is_saved=True)

    return routes
