"""A page for each paper: where it was listed, what came of it, what is like it, how to cite it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import Response  # noqa: TC002 -- the same

from digest.cite import FORMATS, bibtex
from digest.errors import NotFound
from digest.papers import ListingKind
from digest.phrases import clip, compact_count, counted
from digest.tex import typeset
from digest.web.cards import entry, facts, path_of
from digest.web.kept import Made
from digest.web.pages import typed
from digest.web.plot import HEIGHT, WIDTH, plots
from digest.web.similar import similar

if TYPE_CHECKING:
    from datetime import date

    from digest.app import App
    from digest.papers import Paper
    from digest.web.kept import Kept
    from digest.web.pages import Pages

AUTHORS: Final = 40
_KINDS: Final = {
    ListingKind.NEW: "listed",
    ListingKind.CROSS: "cross-listed",
    ListingKind.REPLACE: "new version",
    ListingKind.FEATURED: "featured",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One appearance of the paper: where, when, and as what."""

    label: str
    day: date
    said: str


def paper_routes(app: App, pages: Pages, kept: Kept) -> APIRouter:
    """The routes /paper/NAME, and /cite.bib and /cite.ris with ?paper=NAME."""
    routes = APIRouter()

    def found(name: str) -> Paper:
        """The paper of a number or of any of its names."""
        number = int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else None  # noqa: PLR2004 -- digits of 64 bits
        if number is None:
            number = app.store.archive.number_of(typed(name))
        paper = app.store.papers.by_numbers([number]).get(number) if number else None
        if paper is None:
            raise NotFound("No paper of that name has been listed here.")
        return paper

    async def page(request: Request) -> Response:
        return await kept.answer(request, lambda: shown(request.path_params["name"]))

    def shown(name: str) -> Made:
        paper = found(name)
        if path_of(paper) != f"/paper/{name}":
            # One paper, one address: another name of it, or its number, leads there.
            return Made(b"", moved=f"{pages.base}{path_of(paper)}")
        text = typeset(paper.summary or paper.abstract).text
        html = pages.html(
            "paper.html",
            paper=paper,
            title=typeset(paper.title).text,
            summary=typeset(paper.summary).text,
            abstract=typeset(paper.abstract).text,
            authors=[
                (author.name, urlencode({"q": f'author:"{author.name}"'}))
                for author in paper.authors[:AUTHORS]
            ],
            more_authors=len(paper.authors) - AUTHORS,
            facts=facts(paper),
            links=_links(paper),
            topics=[
                *((name, urlencode({"q": f'category:"{name}"'})) for name in paper.categories),
                *((name, urlencode({"q": f'"{name}"'})) for name in paper.keywords),
            ],
            places=_places(paper),
            plots=plots(app.store.archive.history(paper.number)),
            width=WIDTH,
            height=HEIGHT,
            similar=[entry(other) for other in similar(app, paper)],
            bibtex=bibtex([paper]),
            key=urlencode({"paper": path_of(paper).removeprefix("/paper/")}),
            here=f"{app.settings.public_url}{path_of(paper)}",
            description=clip(text, 200) or facts(paper),
        )
        return Made(html.encode())

    async def cite(request: Request) -> Response:
        """The paper named by `paper` as a file for a reference manager."""
        return await kept.answer(request, lambda: cited(request))

    def cited(request: Request) -> Made:
        if (kind := request.path_params["kind"]) not in FORMATS:
            raise NotFound("Citations are cite.bib and cite.ris.")
        write, media_type = FORMATS[kind]
        paper = found(request.query_params.get("paper", ""))
        return Made(write([paper]).encode(), media_type)

    routes.add_route("/paper/{name:path}", page, methods=["GET", "HEAD"])
    routes.add_route("/cite.{kind}", cite, methods=["GET", "HEAD"])
    return routes


def _links(paper: Paper) -> list[tuple[str, str]]:
    """Where to go from here: (what it is called, URL)."""
    stars = f" {compact_count(paper.signals.stars)}" if paper.signals.stars else ""
    code = "GitHub" if "//github.com/" in paper.code_url else "Code"
    talk = counted(paper.signals.comments, "comment") if paper.signals.comments else "Discussion"
    first = paper.listings[0].label if paper.listings else "The paper"
    links = [
        (first, paper.url),
        ("PDF", paper.pdf_url),
        (f"{code}{stars}", paper.code_url),
        ("Project", paper.project_url),
        (talk, paper.discussion_url),
    ]
    told: dict[str, str] = {}
    for name, url in links:
        if url and url not in told.values():
            told[name] = url
    return list(told.items())


def _places(paper: Paper) -> list[Place]:
    places = []
    for listing in paper.listings:
        said = _KINDS[listing.kind]
        if listing.kind is ListingKind.REPLACE and listing.version:
            said = f"version {listing.version}"
        if listing.category:
            said = f"{said} in {listing.category}"
        places.append(Place(listing.label or listing.source, listing.day, said))
    return list(dict.fromkeys(places))
