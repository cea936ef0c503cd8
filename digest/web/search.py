"""Search in the archive: the keyword language over every paper, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import Response  # noqa: TC002 -- the same

from digest.phrases import counted, date_words
from digest.preview import without_mistakes
from digest.store.archive import END
from digest.web import preferences
from digest.web.cards import entry
from digest.web.kept import Made
from digest.web.pages import typed
from subscribers.finding import Reading, Text, found_in, is_excluded
from subscribers.query import check, explain
from subscribers.tree import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.app import App
    from digest.papers import Paper
    from digest.web.kept import Kept
    from digest.web.pages import Pages
    from subscribers.finding import Found, Hit
    from subscribers.tree import Term

LONGEST: Final = 500
"""Characters of a search; a profile may be longer."""
PAGE: Final = 20
LOOKED_THROUGH: Final = 100
"""Candidates read for one page; where most of them are none, the next page goes on."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a text means, newest first; `after` is the place the next page goes on below, or 0."""

    papers: tuple[tuple[Paper, tuple[Found, ...]], ...]
    after: int


def find(
    app: App,
    text: str,
    *,
    before: int = END,
    most: int = PAGE,
    look_through: int = LOOKED_THROUGH,
) -> Results:
    """The newest papers below a place that a text means; its mistaken lines are passed over."""
    query = check(text)[0]
    found: list[tuple[int, Paper, tuple[Found, ...]]] = []
    looked = 0
    while looked < look_through and len(found) <= most:
        # One more than is shown, to know whether there is another page.
        batch = most + 1 - len(found) + looked // 4
        placed = app.store.archive.candidates(query, before=before, most=batch)
        papers = app.store.papers.by_numbers([number for _, number in placed])
        for place, number in placed:
            before = place
            if (paper := papers.get(number)) is None:
                continue
            reading = _Read(paper)
            hits = found_in(query, reading)
            if hits or (query.is_empty and not is_excluded(query, reading)):
                found.append((place, paper, hits))
        looked += len(placed)
        if len(placed) < batch:
            before = 0
            break
    if len(found) > most:
        before = found[most - 1][0]
    return Results(tuple((paper, hits) for _, paper, hits in found[:most]), before)


_folded = lru_cache(maxsize=2_000)(Text)
"""Most searches look at the same papers, the newest: their words are kept for a while."""


class _Read(Reading):
    """A paper whose texts were perhaps folded for another search, read no further than needed.

    Only a title without any mark has its abstract quoted below it, so what stands in the title
    is not looked for in the abstract.
    """

    @cached_property
    def title(self) -> Text:
        """The words of the title."""
        return _folded(self.paper.title)

    @cached_property
    def body(self) -> Text:
        """The words of the abstract, or of the summary where there is none."""
        return _folded(self.paper.abstract or self.paper.summary)

    def _in_text(self, term: Term) -> Iterator[Hit]:
        if term.field is Field.ANY:
            in_title = tuple(super()._in_text(replace(term, field=Field.TITLE)))
            if in_title:
                yield from in_title
                return
            term = replace(term, field=Field.ABSTRACT)
        yield from super()._in_text(term)


def search_routes(app: App, pages: Pages, kept: Kept) -> APIRouter:
    """The route /search."""
    routes = APIRouter()

    async def search(request: Request) -> Response:
        return await kept.answer(request, lambda: shown(request))

    def shown(request: Request) -> Made:
        asked = request.query_params
        query = typed(asked.get("q", "")[:LONGEST]).strip()
        if repair := asked.get("repair-0", ""):
            query = preferences.repaired(query, repair[:LONGEST])
        good = without_mistakes(query)[0].strip()
        results = find(app, good, before=_before(asked.get("before", ""))) if good else None
        entries = [entry(*one) for one in results.papers] if results else []
        key = urlencode({"q": good})
        title = " · ".join(good.splitlines())
        html = pages.html(
            "search.html",
            query=query,
            good=good,
            title=title or "Search",
            rows=min(max(len(query.splitlines()), 1), 6),
            longest=LONGEST,
            mistakes=preferences.mistakes(query),
            entries=entries,
            lead=_lead(results, is_first="before" not in asked) if results else "",
            said=explain(check(good)[0]).splitlines() if good else (),
            older=urlencode({"q": good, "before": results.after})
            if results and results.after
            else "",
            older_words="Older papers" if entries else "Look further back",
            feed_key=f"?{key}" if good else "",
            feed_name=f": {title}" if good else "",
            here=f"{app.settings.public_url}/search{f'?{key}' if good else ''}",
            description=f"New papers on {title}." if good else "Search new papers by keywords.",
        )
        return Made(html.encode())

    routes.add_route("/search", search, methods=["GET", "HEAD"])
    return routes


def _before(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else END  # noqa: PLR2004 -- digits of 64 bits


def _lead(results: Results, *, is_first: bool) -> str:
    papers = [paper for paper, _ in results.papers]
    if not papers:
        reach = "among the papers looked through so far" if results.after else "in the archive"
        return f"Nothing {reach}."
    if is_first and not results.after:
        return f"{counted(len(papers), 'paper')}, newest first."
    days = [paper.announced_on for paper in papers if paper.announced_on]
    span = f", back to {date_words(min(days))}" if days else ""
    newest = "The newest" if is_first else "The next"
    return f"{newest} {counted(len(papers), 'paper')}{span}."
