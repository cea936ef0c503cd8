"""The archive's lists: a day, a week, a month, what is talked about, and what a search finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import Response  # noqa: TC002 -- the same

from digest.errors import NotFound
from digest.match import trend
from digest.phrases import FULL_DAYS, FULL_MONTHS, counted, date_words, day_words
from digest.store.archive import FACETS, around
from digest.store.shelves import names, put_together
from digest.web.cards import entry
from digest.web.kept import Made
from digest.web.pages import typed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from digest.app import App
    from digest.store.archive import Around
    from digest.store.shelves import Shelf
    from digest.web.kept import Kept
    from digest.web.pages import Pages

PAGE: Final = 50
TRENDING: Final = timedelta(days=7)
MOVING: Final = timedelta(minutes=10)
"""How long a list that changes with the hour is shown as it is."""
_CHOICES: Final = 60
_LONGEST_NAME: Final = 200
_PAGE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Span:
    """A day, a week (Monday first, ISO 8601) or a month, and how pages call it."""

    kind: str
    first: date
    last: date

    @classmethod
    def day(cls, day: date) -> Span:
        """One list day."""
        return cls("day", day, day)

    @classmethod
    def week(cls, day: date) -> Span:
        """The week of that day."""
        first = day - timedelta(days=day.weekday())
        return cls("week", first, first + timedelta(days=6))

    @classmethod
    def month(cls, day: date) -> Span:
        """The month of that day."""
        following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        return cls("month", day.replace(day=1), following - timedelta(days=1))

    @property
    def path(self) -> str:
        """Where its page is: /day/2026-11-20, /week/2026-W47, /month/2026-11."""
        return f"/{self.kind}/{self._name}"

    @property
    def _name(self) -> str:
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02}"
        return str(self.first) if self.kind == "day" else f"{self.first:%Y-%m}"

    @property
    def title(self) -> str:
        """Friday 20 November 2026; 16 Nov to 22 Nov 2026; November 2026."""
        if self.kind == "day":
            return f"{FULL_DAYS[self.first.weekday()]} {date_words(self.first, full=True)}"
        if self.kind == "week":
            return f"{day_words(self.first)} to {day_words(self.last)} {self.last.year}"
        return f"{FULL_MONTHS[self.first.month - 1]} {self.first.year}"

    @property
    def short(self) -> str:
        """How a link to it is called."""
        if self.kind == "day":
            return day_words(self.first)
        if self.kind == "week":
            return f"Week of {day_words(self.first)}"
        return self.title


_SPANS: Final[dict[str, Callable[[date], Span]]] = {
    "day": Span.day,
    "week": Span.week,
    "month": Span.month,
}
_EXAMPLES: Final = {"day": "/day/2026-11-20", "week": "/week/2026-W47", "month": "/month/2026-11"}


def read_span(kind: str, text: str) -> Span:
    """The span of an address; NotFound, with an example, for what is none."""
    try:
        if kind == "week":
            year, _, week = text.partition("-W")
            span = Span.week(date.fromisocalendar(int(year), int(week), 1))
        else:
            span = _SPANS[kind](date.fromisoformat(f"{text}-01" if kind == "month" else text))
    except (ValueError, OverflowError):
        span = None
    if span is None or span.path != f"/{kind}/{text}":
        raise NotFound(f"That is no {kind}: write it as in {_EXAMPLES[kind]}.")
    return span


@dataclass(frozen=True, slots=True)
class Filter:
    """One facet a list can be narrowed by: what is chosen, and what there is.

    A choice's count of papers is None where it is not known.
    """

    kind: str
    chosen: str
    choices: tuple[tuple[str, int | None], ...]


def archive_routes(app: App, pages: Pages, kept: Kept) -> APIRouter:
    """The routes /day, /week and /month, bare and with a name behind, and /trending."""
    routes = APIRouter()
    lists = Lists(app, pages, kept)

    def of(kind: str) -> Callable[[Request], Awaitable[Response]]:
        async def span(request: Request) -> Response:
            return await kept.answer(request, lambda: lists.span(kind, request))

        return span

    async def trending(request: Request) -> Response:
        now = app.clock()
        hour = str(int(now.timestamp() // MOVING.total_seconds()))
        return await kept.answer(request, lambda: lists.trending(request, now), stamp=hour)

    for kind in _SPANS:
        routes.add_route(f"/{kind}", of(kind), methods=["GET", "HEAD"])
        routes.add_route(f"/{kind}/{{name}}", of(kind), methods=["GET", "HEAD"])
    routes.add_route("/trending", trending, methods=["GET", "HEAD"])
    return routes


class Lists:
    """The archive's lists as pages."""

    def __init__(self, app: App, pages: Pages, kept: Kept) -> None:
        self._app = app
        self._archive = app.store.archive
        self._pages = pages
        self._kept = kept

    def span(self, kind: str, request: Request) -> Made:
        """What was listed in the span an address names, or in the newest one."""
        name = request.path_params.get("name")
        if name:
            span = read_span(kind, name)
        else:
            newest = self._around(date.max, date.max).newest
            span = _SPANS[kind](newest or self._app.clock().date())
        chosen, page = _chosen(request), _page(request)
        shelf = self._kept.value(
            (span, *chosen.values()),
            lambda: put_together(self._shelves(span.first, span.last), chosen),
        )
        near = self._around(span.first, span.last)
        shown = shelf[(page - 1) * PAGE : page * PAGE]
        if page > 1 and not shown:
            raise NotFound("This list has no page of that number.")
        is_outside = near.newest is not None and not (near.before and near.after)
        if is_outside and not shelf and not any(chosen.values()):
            is_ahead = near.newest is not None and span.first > near.newest
            told = "is not listed yet" if is_ahead else "holds nothing: the archive begins later"
            raise NotFound(f"{span.title} {told}. /day has the newest.")
        day = max(span.first, min(span.last, near.newest or span.first))
        return self._listed(
            title=span.title,
            lead=_lead(len(shelf), chosen),
            numbers=shown,
            path=span.path,
            chosen=chosen,
            days=(span.first, span.last),
            page=page,
            last_page=max(1, -(-len(shelf) // PAGE)),
            earlier=_SPANS[kind](near.before) if near.before else None,
            later=_SPANS[kind](near.after) if near.after else None,
            spans=[make(day) for make in _SPANS.values()],
            kind=kind,
            description=f"{counted(len(shelf), 'new paper')} of {span.title}, most upvoted first.",
        )

    def trending(self, request: Request, now: datetime) -> Made:
        """What people talk about now: votes an hour, halved every two days."""
        chosen = _chosen(request)
        noticed = self._archive.noticed(now - TRENDING, chosen)
        noticed.sort(key=lambda paper: (-trend(paper, now), -paper.number))
        day = self._around(date.max, date.max).newest or now.date()
        return self._listed(
            title="Trending",
            lead="What people talk about now: votes and comments an hour, halved every two days.",
            numbers=[paper.number for paper in noticed[:PAGE]],
            path="/trending",
            chosen=chosen,
            days=((now - TRENDING).date(), now.date()),
            page=1,
            last_page=1,
            earlier=None,
            later=None,
            spans=[make(day) for make in _SPANS.values()],
            kind="trending",
            description="The new papers people talk about most, this week.",
        )

    def _shelves(self, first: date, last: date) -> list[Shelf]:
        return self._kept.value(
            ("shelves", first, last), lambda: self._archive.shelves(first, last)
        )

    def _around(self, first: date, last: date) -> Around:
        return around(self._kept.value("days", self._archive.days), first, last)

    def _listed(
        self,
        *,
        numbers: Sequence[int],
        chosen: Mapping[str, str],
        days: tuple[date, date],
        path: str,
        **values: object,
    ) -> Made:
        papers = self._app.store.briefs.by_numbers(numbers)
        key = urlencode({kind: name for kind, name in chosen.items() if name})
        html = self._pages.html(
            "list.html",
            entries=[entry(papers[number]) for number in numbers if number in papers],
            filters=_filters(
                chosen,
                self._kept.value(days, lambda: names(self._shelves(*days))),
                is_day=days[0] == days[1],
            ),
            path=path,
            key=key,
            here=f"{self._app.settings.public_url}{path}",
            **values,
        )
        return Made(html.encode())


def _chosen(request: Request) -> dict[str, str]:
    """The facets an address asks for."""
    asked = request.query_params
    return {kind: typed(asked.get(kind, ""))[:_LONGEST_NAME] for kind in FACETS}


def _page(request: Request) -> int:
    """The page an address asks for, counted from 1."""
    text = request.query_params.get("page", "") or "1"
    if not _PAGE_NUMBER.fullmatch(text):
        raise NotFound("Pages are numbered from 1.")
    return int(text)


def _filters(
    chosen: Mapping[str, str], there: Mapping[str, list[tuple[str, int]]], *, is_day: bool
) -> list[Filter]:
    filters = []
    for kind, counts in there.items():
        names = [name for name, _ in counts[:_CHOICES]]
        if chosen[kind] and chosen[kind] not in names:
            names.append(chosen[kind])
        papers = dict(counts) if is_day else {}
        filters.append(Filter(kind, chosen[kind], tuple((n, papers.get(n)) for n in names)))
    return filters


def _lead(total: int, chosen: Mapping[str, str]) -> str:
    under = ", ".join(name for name in chosen.values() if name)
    named = f" of {under}" if under else ""
    if not total:
        return f"No paper{named} was listed."
    order = ", most upvoted first" if total > 1 else ""
    return f"{counted(total, 'paper')}{named}{order}."
