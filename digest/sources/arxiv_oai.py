"""arXiv's OAI-PMH interface as papers (info.arxiv.org/help/oa/index.md), prefix `arXiv`.

Its dates are those of the last change of a record, so old papers come with every harvest: what
was created outside the hours asked for is left out. Records may repeat over pages, and only a
missing or empty resumption token ends a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, split_arxiv, tidy
from digest.sources import AnswerState
from digest.sources.arxiv_api import Found, Question, doi_alias, relisted
from digest.sources.fields import day, midnight
from digest.sources.markup import Element, read_xml
from digest.tex import letters

if TYPE_CHECKING:
    from datetime import date

    from digest.sources import Pace
    from digest.sources.http import Polite

_MAX_PAGES: Final = 60
_SILENCE: Final = 120.0
"""Seconds: arXiv thinks for up to 90 before the first record comes."""
_OAI: Final = "http://www.openarchives.org/OAI/2.0/ "
_RECORD: Final = "http://arxiv.org/OAI/arXiv/ "
_GROUPS: Final = frozenset({"cs", "econ", "eess", "math", "q-bio", "q-fin", "stat"})


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records; `token` asks for the next one, `error` is OAI's code."""

    papers: tuple[Paper, ...]
    skipped: tuple[str, ...]
    token: str
    error: str
    complete: bool


def set_of(category: str) -> str:
    """OAI's name of a category: cs.CL is cs:cs:CL, hep-th is physics:hep-th."""
    archive, _, subject = category.partition(".")
    group = archive if archive in _GROUPS else "physics"
    if not subject:
        return archive if archive == group else f"{group}:{archive}"
    return f"{group}:{archive}:{subject}"


def harvest(url: str, question: Question, client: Polite, pace: Pace) -> Found:
    """What was created in those hours in any of the categories, each paper once.

    OAI knows dates only, so papers of the hours before and after on the same dates come too.
    """
    since, until = (moment.date() for moment in question.received)
    papers: dict[PaperId, Paper] = {}
    skipped: list[str] = []
    for category in question.categories:
        first = {
            "verb": "ListRecords",
            "metadataPrefix": "arXiv",
            "set": set_of(category),
            "from": since.isoformat(),
        }
        params, restarted = first, False
        for _ in range(_MAX_PAGES):
            answer = client.get(url, pace=pace, params=params, silence=_SILENCE)
            page = read_page(answer.body, question.listing, since, until) if answer.body else None
            if answer.state is not AnswerState.OK or page is None:
                reason = answer.reason or "did not answer with records"
                return Found(tuple(papers.values()), tuple(skipped), reason, answer.retry_at)
            papers.update({paper.id: paper for paper in page.papers})
            skipped += page.skipped
            if page.error == "badResumptionToken" and not restarted:
                params, restarted = first, True
                continue
            if page.error not in {"", "noRecordsMatch"}:
                reason = f"refused the question: {page.error}"
                return Found(tuple(papers.values()), tuple(skipped), reason)
            if not page.complete:
                reason = "broke off in the middle"
                return Found(tuple(papers.values()), tuple(skipped), reason)
            if not page.token:
                break
            params = {"verb": "ListRecords", "resumptionToken": page.token}
        else:
            reason = "sent more pages than we read"
            return Found(tuple(papers.values()), tuple(skipped), reason)
    return Found(tuple(papers.values()), tuple(skipped))


def read_page(body: bytes, listing: Listing, since: date, until: date) -> Page | None:
    """The page of records of these bytes, or None when they are none.

    Only papers created from `since` to `until`, both included.
    """
    document = read_xml(body)
    if document.root.name != f"{_OAI}OAI-PMH":
        return None
    errors = [one.attributes.get("code", "unknown") for one in document.root.all(f"{_OAI}error")]
    records = document.descend(f"{_OAI}ListRecords")
    papers = []
    skipped = []
    for number, record in enumerate(records.all(f"{_OAI}record"), start=1):
        header = next(iter(record.all(f"{_OAI}header")), Element(""))
        if header.attributes.get("status") == "deleted":
            continue
        metadata = record.all(f"{_OAI}metadata", f"{_RECORD}arXiv")
        try:
            paper = _paper(next(iter(metadata), Element("")), listing)
        except MalformedPaper as error:
            skipped.append(f"record {number}: {error}")
            continue
        if paper.published_at and since <= paper.published_at.date() <= until:
            papers.append(paper)
    return Page(
        tuple(papers),
        tuple(skipped),
        records.value(f"{_OAI}resumptionToken"),
        next(iter(errors), ""),
        document.complete,
    )


def _paper(record: Element, listing: Listing) -> Paper:
    def value(name: str) -> str:
        return record.value(_RECORD + name)

    try:
        arxiv, _ = split_arxiv(value("id"))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    categories = tuple(value("categories").split())
    version = None if value("updated") else 1
    return tidy(
        Paper(
            id=PaperId("arxiv", arxiv),
            title=letters(value("title")),
            authors=tuple(
                Author(letters(" ".join(filter(None, map(one.value, _NAME)))))
                for one in record.all(f"{_RECORD}authors", f"{_RECORD}author")
            ),
            abstract=letters(value("abstract")),
            categories=categories,
            published_at=midnight(day(value("created"))),
            version=version,
            venue=value("journal-ref"),
            url=f"https://arxiv.org/abs/{arxiv}",
            pdf_url=f"https://arxiv.org/pdf/{arxiv}",
            aliases=doi_alias(value("doi")),
            listings=(relisted(listing, categories, version),),
        )
    )


_NAME: Final = (f"{_RECORD}forenames", f"{_RECORD}keyname", f"{_RECORD}suffix")
