"""A digest on the web: the mail as it was sent, for anybody it is shown to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from digest.compose import compose
from digest.errors import LinkError, NotFound
from digest.match import match
from digest.news import consider
from digest.preview import stranger, window_of, without_mistakes
from digest.render import DigestLinks
from digest.selection import Selection, select
from digest.web.guard import MAIL_POLICY
from digest.web.pages import PRIVATE
from subscribers.links import Purpose

if TYPE_CHECKING:
    from digest.app import App
    from digest.papers import Paper
    from subscribers.subscriber import Subscriber


def online_routes(app: App) -> APIRouter:
    """The route /v."""
    routes = APIRouter()

    @routes.api_route("/v/{token}", methods=["GET", "HEAD"])
    def view(token: str, all: str = "") -> HTMLResponse:  # noqa: A002 -- the name in the link
        """The digest as it was sent, without the links that act and without the address.

        With ?all=1, as "See them all" leads to, also what matched and did not fit.
        """
        public_id = app.links.open(Purpose.VIEW, token, now=app.clock())
        html = online(app, public_id, everything=bool(all))
        return HTMLResponse(html, headers={**PRIVATE, "content-security-policy": MAIL_POLICY})

    return routes


def online(app: App, delivery_id: str, *, everything: bool = False) -> str:
    """A delivery's digest as HTML, rebuilt from its frozen selection for anybody's eyes.

    `everything` adds what matched and did not fit: found again with the reader's keywords of
    now, because only what was sent is kept.
    """
    try:
        delivery = app.store.deliveries.by_public_id(delivery_id)
        selection = Selection.unpack(delivery.selection)
        reader = app.store.subscribers.by_number(delivery.subscriber)
    except NotFound as error:
        raise LinkError("This digest is not kept any more.") from error
    papers = app.store.papers.by_numbers(selection.papers)
    if everything:
        selection, papers = _all(app, reader, selection, papers)
    anonymous = replace(reader, address="", came_from="", name="")
    links = DigestLinks(home=_home(app))
    return app.renderer.digest(compose(anonymous, selection, papers), links).html


def _all(
    app: App, reader: Subscriber, selection: Selection, papers: dict[int, Paper]
) -> tuple[Selection, dict[int, Paper]]:
    """The selection with every other match of its window behind those that were sent."""
    window = {**window_of(app, selection), **papers}
    profiles = tuple(replace(profile, limit=0) for profile in reader.profiles)
    unlimited = replace(reader, profiles=profiles)
    found = match(list(window.values()), profiles, now=selection.until)
    whole = select(unlimited, window, found, until=selection.until, looked_at=selection.looked_at)
    more = tuple(pick for pick in whole.picks if pick.paper not in selection.papers)
    picks = (*selection.picks, *more)
    return replace(selection, picks=picks, matched=len(picks)), window


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
