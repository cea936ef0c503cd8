"""An invitation: the link asks, one button begins the digests, the other is for never again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse  # noqa: TC002 -- the same

from digest.phrases import cadence_words
from digest.run import welcome
from digest.web import preferences
from digest.web.confirm import first_cards
from digest.web.pages import Form, form
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from digest.app import App
    from digest.web.pages import Pages
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]
NEVER = "said no to an invitation"


def invitation_routes(app: App, pages: Pages) -> APIRouter:
    """The route /i; a GET or HEAD changes nothing, whichever button of the mail led here."""
    routes = APIRouter()

    def answer(reader: Subscriber, token: str, *, asks_never: bool = False) -> HTMLResponse:
        address = reader.address
        is_never = address in app.store.suppressions.among([address])
        is_asked = not is_never and reader.status is Status.PENDING
        return pages.page(
            "invitation.html",
            private=True,
            token=token,
            is_never=is_never,
            is_asked=is_asked,
            asks_never=asks_never,
            when=cadence_words(reader.schedule),
            state=preferences.state(reader),
            place=app.settings.sender_name,
            topics=[line for profile in reader.profiles for line in profile.text.splitlines()],
            cards=first_cards(app, reader) if is_asked and not asks_never else (),
            manage=app.links.token(Purpose.MANAGE, reader.public_id),
        )

    @routes.api_route("/i/{token}", methods=["GET", "HEAD"])
    def ask(request: Request, token: str) -> HTMLResponse:
        reader = reader_of(app, Purpose.INVITATION, token)
        return answer(reader, token, asks_never=bool(request.query_params.get("never")))

    @routes.post("/i/{token}")
    def act(token: str, posted: Posted) -> HTMLResponse:
        """Begin, never write again, or take that back, whatever was said before."""
        reader = reader_of(app, Purpose.INVITATION, token)
        suppressions, now = app.store.suppressions, app.clock()
        if posted["do"] == "never" and reader.status is Status.PENDING:
            suppressions.add(reader.address, NEVER, now)
        elif posted["do"] == "undo":
            said = suppressions.among([reader.address]).get(reader.address)
            if said is not None and said.reason == NEVER:
                suppressions.remove(reader.address)
        elif posted["do"] == "yes" and not suppressions.among([reader.address]):
            is_fresh = False

            def begun(current: Subscriber) -> Subscriber:
                nonlocal is_fresh
                is_fresh = current.status is Status.PENDING
                return current.confirm(now) if is_fresh else current

            reader = app.store.subscribers.change(reader.number, begun)
            if is_fresh:
                welcome(app, reader)
        return answer(reader, token)

    return routes
