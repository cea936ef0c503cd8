"""Confirming: the link shows one button above the first digest; only the button confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse  # noqa: TC002 -- FastAPI reads the annotation

from digest.compose import compose
from digest.errors import LinkError
from digest.news import consider
from digest.phrases import cadence_words
from digest.run import welcome
from digest.web import preferences
from digest.web.answer import card_of
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from digest.app import App
    from digest.web.answer import SampleCard
    from digest.web.pages import Pages
    from subscribers.subscriber import Subscriber


def confirm_routes(app: App, pages: Pages) -> APIRouter:
    """The route /c."""
    routes = APIRouter()

    def reader_for(token: str) -> Subscriber:
        reader = reader_of(app, Purpose.CONFIRM, token)
        if reader.status is Status.UNSUBSCRIBED:
            raise LinkError(preferences.LEFT)
        return reader

    def answer(reader: Subscriber, token: str, *, is_fresh: bool = False) -> HTMLResponse:
        return pages.page(
            "confirm.html",
            private=True,
            token=token,
            is_confirmed=reader.status is not Status.PENDING,
            is_fresh=is_fresh,
            when=cadence_words(reader.schedule),
            state=preferences.state(reader),
            place=app.settings.sender_name,
            cards=first_cards(app, reader) if reader.status is Status.PENDING or is_fresh else (),
            manage=app.links.token(Purpose.MANAGE, reader.public_id),
        )

    @routes.api_route("/c/{token}", methods=["GET", "HEAD"])
    def ask(token: str) -> HTMLResponse:
        return answer(reader_for(token), token)

    @routes.post("/c/{token}")
    def confirm(token: str) -> HTMLResponse:
        """Begin; the welcome digest is frozen at once and sent within a minute."""
        reader = reader_for(token)
        is_fresh = False

        def begun(current: Subscriber) -> Subscriber:
            nonlocal is_fresh
            is_fresh = current.status is Status.PENDING
            return current.confirm(app.clock()) if is_fresh else current

        reader = app.store.subscribers.change(reader.number, begun)
        page = answer(reader, token, is_fresh=is_fresh)
        if is_fresh:
            welcome(app, reader)
        return page

    return routes


def first_cards(app: App, reader: Subscriber) -> tuple[SampleCard, ...]:
    """The papers of the first digest, in the mail's own words and order."""
    (considered,) = consider(app, [reader], app.clock(), kind="welcome")
    digest = compose(reader, considered.selection, considered.papers)
    return tuple(card_of(card) for group in digest.groups for card in group.cards)
