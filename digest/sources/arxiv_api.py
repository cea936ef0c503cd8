"""arXiv's query API as papers (info.arxiv.org/help/api/user-manual.html).

It knows what was submitted when, not what was announced when: a list day is asked for as the
hours its papers were received in. Elements are read by name, never by order; an entry that
stands for an error is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, split_arxiv, tidy
from digest.sources import Answer, AnswerState
from digest.sources.fields import count, instant
from digest.sources.markup import Element, read_xml
from digest.tex import letters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.sources import Pace
    from digest.sources.http import Polite

PAGE: Final = 500
_MAX_PAGES: Final = 20
_SHORT_PAGE_TRIES: Final = 3
_ATOM: Final = "http://www.w3.org/2005/Atom "
_ARXIV: Final = "http://arxiv.org/schemas/atom "
_SEARCH: Final = "http://a9.com/-/spec/opensearch/1.1/ "
_WITHDRAWN: Final = re.compile(
    r"^\s*(?:This (?:paper|article|submission|manuscript|work) (?:has been|is|was) withdrawn"
    r"|Withdrawn\b|Paper withdrawn)",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"https?://(?:github|gitlab)\.com/[\w.-]+/[\w.-]*\w")


WHOLE: Final = frozenset(
    {"hep-th", "hep-ph", "hep-ex", "hep-lat", "gr-qc", "math-ph", "nucl-ex", "nucl-th", "quant-ph"}
)
"""Archives without subject classes: their name is their one category."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of results: `total` of them exist, `items` stand here."""

    papers: tuple[Paper, ...]
    skipped: tuple[str, ...]
    items: int
    total: int
    complete: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything a question brought; `reason` (a verb phrase) says why it is not all there is."""

    papers: tuple[Paper, ...] = ()
    skipped: tuple[str, ...] = ()
    reason: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A list day as other endpoints know it: categories, hours of receipt (UTC), its listing."""

    categories: tuple[str, ...]
    received: tuple[datetime, datetime]
    listing: Listing


def search(url: str, question: Question, client: Polite, pace: Pace) -> Found:
    """What was received in those hours in any of the categories, each paper once."""
    since, until = (moment.strftime("%Y%m%d%H%M") for moment in question.received)
    wanted = " OR ".join(
        f"cat:{one}" if "." in one or one in WHOLE else f"cat:{one}.*"
        for one in question.categories
    )
    query = f"({wanted}) AND submittedDate:[{since} TO {until}]"
    papers: dict[PaperId, Paper] = {}
    skipped: list[str] = []
    start = tries = 0
    for _ in range(_MAX_PAGES):
        params = {
            "search_query": query,
            "start": str(start),
            "max_results": str(PAGE),
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
        }
        answer = client.get(url, pace=pace, params=params)
        page, reason = _page(answer, question.listing)
        if page is None:
            return Found(tuple(papers.values()), tuple(skipped), reason, answer.retry_at)
        papers.update({paper.id: paper for paper in page.papers})
        skipped += page.skipped
        start += page.items
        if start >= page.total:
            return Found(tuple(papers.values()), tuple(skipped))
        # A page can come short or empty in the middle of a result: ask for it again.
        tries = tries + 1 if page.items == 0 else 0
        if tries >= _SHORT_PAGE_TRIES:
            break
    return Found(tuple(papers.values()), tuple(skipped), "sent only a part of the results")


def look_up(url: str, ids: Sequence[str], listing: Listing, client: Polite, pace: Pace) -> Found:
    """The papers of these arXiv ids; an id that is none or unknown brings nothing.

    The API answers 500 to a list with one bad id in it, so a list that fails is asked for in
    halves.
    """
    known = []
    for written in ids:
        try:
            known.append(split_arxiv(written)[0])
        except ValueError:
            continue
    if not known:
        return Found()
    params = {"id_list": ",".join(known), "max_results": str(len(known))}
    answer = client.get(url, pace=pace, params=params)
    page, reason = _page(answer, listing)
    if page is not None:
        return Found(page.papers, page.skipped)
    if answer.status not in {400, 500} or len(known) == 1:
        return Found(reason=reason, retry_at=answer.retry_at)
    half = len(known) // 2
    one = look_up(url, known[:half], listing, client, pace)
    two = look_up(url, known[half:], listing, client, pace)
    return Found(
        one.papers + two.papers, one.skipped + two.skipped, one.reason or two.reason, two.retry_at
    )


def read_page(body: bytes, listing: Listing) -> Page | None:
    """The page of results of these bytes, or None when they are none."""
    document = read_xml(body)
    if document.root.name != f"{_ATOM}feed":
        return None
    papers: dict[PaperId, Paper] = {}
    skipped = []
    entries = document.root.all(f"{_ATOM}entry")
    for number, entry in enumerate(entries, start=1):
        if "/api/errors#" in entry.value(f"{_ATOM}id"):
            return Page((), (), 0, 0, complete=False, error=entry.value(f"{_ATOM}summary"))
        try:
            paper = _paper(entry, listing)
        except MalformedPaper as error:
            skipped.append(f"result {number}: {error}")
        else:
            papers.setdefault(paper.id, paper)
    total = count(document.root.value(f"{_SEARCH}totalResults"))
    return Page(
        tuple(papers.values()),
        tuple(skipped),
        len(entries),
        len(entries) if total is None else total,
        complete=document.complete,
    )


def _page(answer: Answer, listing: Listing) -> tuple[Page | None, str]:
    """A page that can be used, or why there is none."""
    page = read_page(answer.body, listing) if answer.body else None
    if page is not None and page.error:
        return None, f"refused the question: {page.error[:200]}"
    if answer.state is not AnswerState.OK:
        return None, answer.reason
    if page is None:
        return None, "did not answer with results"
    return (page, "") if page.complete else (None, "broke off in the middle")


def _paper(entry: Element, listing: Listing) -> Paper:
    try:
        arxiv, version = split_arxiv(entry.value(f"{_ATOM}id"))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    comment = entry.value(f"{_ARXIV}comment")
    if _WITHDRAWN.search(comment):
        raise MalformedPaper(f"{arxiv} was withdrawn")
    primary = [one.attributes.get("term", "") for one in entry.all(f"{_ARXIV}primary_category")]
    others = [one.attributes.get("term", "") for one in entry.all(f"{_ATOM}category")]
    categories = tuple(dict.fromkeys(filter(None, primary + others)))
    code = _CODE.search(comment)
    return tidy(
        Paper(
            id=PaperId("arxiv", arxiv),
            title=letters(entry.value(f"{_ATOM}title")),
            authors=tuple(
                Author(letters(one.value(f"{_ATOM}name"))) for one in entry.all(f"{_ATOM}author")
            ),
            abstract=letters(entry.value(f"{_ATOM}summary")),
            categories=categories,
            published_at=instant(entry.value(f"{_ATOM}published")),
            version=version,
            venue=entry.value(f"{_ARXIV}journal_ref"),
            url=f"https://arxiv.org/abs/{arxiv}",
            pdf_url=f"https://arxiv.org/pdf/{arxiv}",
            code_url=code[0] if code else "",
            aliases=doi_alias(entry.value(f"{_ARXIV}doi")),
            listings=(relisted(listing, categories, version),),
        )
    )


def relisted(listing: Listing, categories: Sequence[str], version: int | None) -> Listing:
    """The listing with the category a paper stands in and its version."""
    return replace(listing, category=next(iter(categories), "")[:40], version=version)


def doi_alias(text: str) -> tuple[PaperId, ...]:
    """The journal's DOI as another name; none where there is none or it is arXiv's own."""
    try:
        alias = PaperId.doi(text)
    except ValueError:
        return ()
    return (alias,) if alias.scheme == "doi" else ()
