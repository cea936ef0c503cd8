"""A digest on the web: the mail as it was sent, for anybody it is shown to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from digest.compose import compose
from digest.errors import LinkError, NotFound
from digest.news import consider
from digest.preview import stranger, without_mistakes
from digest.render import DigestLinks
from digest.selection import Selection
from digest.web.guard import MAIL_POLICY
from digest.web.pages import PRIVATE
from subscribers.links import Purpose

if TYPE_CHECKING:
    from digest.app import App


def online_routes(app: App) -> APIRouter:
    """The route /v."""
    routes = APIRouter()

    @routes.api_route("/v/{token}", methods=["GET", "HEAD"])
    def view(token: str) -> HTMLResponse:
        """The digest as it was sent, without the links that act and without the address."""
        public_id = app.links.open(Purpose.VIEW, token, now=app.clock())
        html = online(app, public_id)
        return HTMLResponse(html, headers={**PRIVATE, "content-security-policy": MAIL_POLICY})

    return routes


def online(app: App, delivery_id: str) -> str:
    """A delivery's digest as HTML, rebuilt from its frozen selection for anybody's eyes."""
    try:
        delivery = app.store.deliveries.by_public_id(delivery_id)
        selection = Selection.unpack(delivery.selection)
        reader = app.store.subscribers.by_number(delivery.subscriber)
    except NotFound as error:
        raise LinkError("This digest is not kept any more.") from error
    papers = app.store.papers.by_numbers(selection.papers)
    anonymous = replace(reader, address="", came_from="", name="")
    links = DigestLinks(home=_home(app))
    return app.renderer.digest(compose(anonymous, selection, papers), links).html


def mail_of(app: App, text: str) -> str:
    """The mail a keyword text would bring somebody new, as HTML."""
    now = app.clock()
    reader = stranger(app, without_mistakes(text)[0], now)
    (considered,) = consider(app, [reader], now)
    digest = compose(replace(reader, address=""), considered.selection, considered.papers)
    return app.renderer.digest(digest, DigestLinks(home=_home(app))).html


def _home(app: App) -> str:
    """Where whoever reads a mail on the web gets their own; never empty, as in a mail."""
    return app.settings.public_url or "/"
