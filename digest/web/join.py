"""The other doors to the desk: a sign-up by a program, and the link to one's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, JSONResponse

from digest.web.front import client_of, foreign
from digest.web.pages import Form, Pages, form, typed
from digest.web.signup import Desk, Refusal, read, unread
from subscribers.subscriber import MAX_ADDRESS

if TYPE_CHECKING:
    from digest.app import App

Posted = Annotated[Form, Depends(form)]


def api_routes(app: App, desk: Desk) -> APIRouter:
    """The routes /api/stamp and /api/subscribers."""
    routes = APIRouter(prefix="/api")

    @routes.get("/stamp")
    def stamp() -> JSONResponse:
        """What goes into the field `stamp` of a sign-up, two seconds later at the earliest."""
        headers = {"cache-control": "no-store"}
        return JSONResponse({"stamp": desk.stamps.give(app.clock())}, headers=headers)

    @routes.post("/subscribers")
    async def sign_up(request: Request) -> JSONResponse:
        """The form's sign-up for programs: JSON with its fields; 202, whatever comes of it."""
        body = await _json(request)
        asked = read(body, zone=app.settings.zone)
        refusal = unread(body) or desk.sign_up(asked, body, client_of(request))
        if refusal:
            return JSONResponse({"detail": refusal.sentence}, status_code=refusal.status)
        return JSONResponse({"detail": "Look into the inbox for a mail with a button."}, 202)

    return routes


def link_routes(app: App, pages: Pages, desk: Desk) -> APIRouter:
    """The route /settings."""
    routes = APIRouter()

    def asking(address: str = "", refusal: Refusal | None = None) -> HTMLResponse:
        return pages.page(
            "settings.html",
            status=refusal.status if refusal else 200,
            private=True,
            address=address,
            refusal=refusal.sentence if refusal else "",
            stamp=desk.stamps.give(app.clock()),
            longest=MAX_ADDRESS,
            has_links=bool(app.settings.public_url),
            contact=app.settings.contact,
        )

    @routes.api_route("/settings", methods=["GET", "HEAD"])
    def ask_for_link() -> HTMLResponse:
        return asking()

    @routes.post("/settings")
    def send_link(request: Request, posted: Posted) -> HTMLResponse:
        address = posted["email"].strip()[:320]
        refusal = foreign(request) or desk.send_link(address, posted, client_of(request))
        if refusal:
            return asking(address, refusal)
        return pages.page("inbox.html", private=True, address=address, link=True)

    return routes


async def _json(request: Request) -> Form:
    """The text fields of a JSON object; empty for anything else."""
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        return Form({})
    if not isinstance(body, dict):
        return Form({})
    return Form({key: [typed(str(value))] for key, value in body.items()})
