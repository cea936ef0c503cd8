"""Feeds: of everything, of any search, and of what one reader asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import Response  # noqa: TC002 -- the same

from digest.errors import LinkError, NotFound
from digest.preview import without_mistakes
from digest.selection import muted
from digest.web import preferences
from digest.web.feeds import FORMATS, Feed
from digest.web.kept import Made, etag, respond
from digest.web.pages import typed
from digest.web.search import find
from digest.web.tokens import reader_of
from subscribers.links import Purpose
from subscribers.query import check
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from digest.app import App
    from digest.papers import Paper
    from digest.web.kept import Kept
    from subscribers.subscriber import Subscriber

LENGTH: Final = 50
_LOOKED_THROUGH: Final = 500
_TOP: Final = 10
_TOP_DAYS: Final = 7
_NO_FEED: Final = "Feeds are feed.rss, feed.atom and feed.json."
_FRESH: Final = "max-age=600"


def feed_routes(app: App, kept: Kept) -> APIRouter:
    """The routes /feed.rss, /feed.atom and /feed.json, with ?q= for a search."""
    routes = APIRouter()

    async def feed(request: Request) -> Response:
        """The newest papers that match `q`, or of all; newest first."""
        return await kept.answer(request, lambda: made(request, request.path_params["kind"]))

    def made(request: Request, kind: str) -> Made:
        query = typed(request.query_params.get("q", "")[: preferences.MAX_QUERY]).strip()
        good = without_mistakes(query)[0]
        found = find(app, good, most=LENGTH, look_through=_LOOKED_THROUGH)
        key = f"?{urlencode({'q': query})}" if query else ""
        named = f": {' · '.join(query.splitlines())}" if query else ""
        home = app.settings.public_url
        return written(
            app,
            kind,
            title=f"{app.settings.brand}{named}",
            home=f"{home}/search{key}" if key else f"{home}/day",
            here=f"{home}/feed.{kind}{key}",
            papers=[paper for paper, _ in found.papers],
        )

    routes.add_route("/feed.{kind}", feed, methods=["GET", "HEAD"])
    return routes


def own_feed_routes(app: App) -> APIRouter:
    """The routes /r/TOKEN.rss, .atom and .json: one reader's own feed, mails paused or not."""
    routes = APIRouter()

    @routes.api_route("/r/{token}.{kind}", methods=["GET", "HEAD"])
    def own(request: Request, token: str, kind: str) -> Response:
        reader = reader_of(app, Purpose.FEED, token)
        if reader.status not in {Status.ACTIVE, Status.PAUSED}:
            raise LinkError("It belongs to a subscription that has ended.")
        made = written(
            app,
            kind,
            title=f"{app.settings.brand}: {_named(reader)}",
            home=f"{app.settings.public_url}/",
            here=f"{app.links.url(Purpose.FEED, reader.public_id)}.{kind}",
            papers=papers_for(app, reader),
            cache=f"private, {_FRESH}",
        )
        answer = respond(request, made, etag(made.body))
        answer.headers["x-robots-tag"] = "noindex, nofollow"
        return answer

    return routes


def papers_for(app: App, reader: Subscriber) -> list[Paper]:
    """The newest papers that a reader's interests mean, what is muted left out.

    An interest without keywords is the top ten of each of the last days.
    """
    found: dict[int, Paper] = {}
    for profile in reader.profiles:
        if check(profile.text)[0].is_empty:
            papers = _top_tens(app)
        else:
            good = without_mistakes(profile.text)[0]
            results = find(app, good, most=LENGTH, look_through=_LOOKED_THROUGH)
            papers = [paper for paper, _ in results.papers]
        found |= {paper.number: paper for paper in papers if not muted(reader, paper)}

    def place(paper: Paper) -> tuple[int, int]:
        return (paper.announced_on.toordinal() if paper.announced_on else 0, paper.number)

    return sorted(found.values(), key=place, reverse=True)[:LENGTH]


def _top_tens(app: App) -> list[Paper]:
    today = app.clock().date()
    numbers: list[int] = []
    for past in range(_TOP_DAYS):
        day = today - timedelta(days=past)
        numbers += app.store.archive.shelf(day, day, {}, most=_TOP)
    return list(app.store.papers.by_numbers(numbers).values())


def _named(reader: Subscriber) -> str:
    names = [profile.name or " · ".join(profile.text.split("\n")) for profile in reader.profiles]
    return ", ".join(filter(None, names)) or "the top ten of each day"


def written(
    app: App,
    kind: str,
    *,
    title: str,
    home: str,
    here: str,
    papers: list[Paper],
    cache: str = _FRESH,
) -> Made:
    """A feed in one of the three formats; NotFound for any other.

    Its date is that of the last change of any paper: what has not changed has the same bytes.
    """
    if kind not in FORMATS:
        raise NotFound(_NO_FEED)
    changed = app.store.archive.changed_at() or datetime(1970, 1, 1, tzinfo=UTC)
    feed = Feed(title=title, home=home, here=here, papers=papers, updated=changed)
    how = FORMATS[kind]
    return Made(how.write(feed), how.media_type, cache, format_datetime(changed, usegmt=True))
