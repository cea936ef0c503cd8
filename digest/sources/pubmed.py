"""PubMed through the E-utilities (www.ncbi.nlm.nih.gov/books/NBK25499): `pubmed:QUERY`.

A day is what PubMed took in on it (Entrez date). The DOIs of cited papers stand in the same
record: only those of the article itself are its names.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy
from digest.sources import Answer, AnswerState, Fetch, Options, Pace
from digest.sources.collecting import Collection, json_object
from digest.sources.fields import calendar_day, count, mapping, texts
from digest.sources.markup import Element, read_xml
from digest.sources.timetable import Daily, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.sources import Window
    from digest.sources.http import Polite

NAME: Final = "pubmed"
LABEL: Final = "PubMed"
_TOOL: Final = "paper-digest"
_SEARCHED: Final = 2000
_FETCHED: Final = 200
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)


class PubMed:
    """What a query finds among the articles of a day."""

    name = NAME
    label = LABEL
    timetable: Timetable = Daily(closed=timedelta(days=2))

    def __init__(self, options: Options) -> None:
        if not options.argument.strip():
            raise ValueError("needs a query, as in pubmed:machine%20unlearning")
        self._query = options.argument.strip()
        self._base = options.url or "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
        self._key = {"api_key": options.key} if options.key else {}
        gap = 0.11 if options.key else 0.35
        self._pace = Pace("eutils.ncbi.nlm.nih.gov", gap=gap, patience=2.0)

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch for each day; the last two, and those we do not have. See Source."""
        for position, of in enumerate(reversed(window.days)):
            if (position > 1 and of in window.have) or not window.wants(of):
                continue
            yield self._day(of, client)

    def _day(self, of: date, client: Polite) -> Fetch:
        got = Collection(NAME, LABEL, of)
        about = {"db": "pubmed", "tool": _TOOL, "email": client.contact, **self._key}
        on = f"{of:%Y/%m/%d}"
        searched = client.get(
            f"{self._base}/esearch.fcgi",
            pace=self._pace,
            params={
                **about,
                "term": self._query,
                "datetype": "edat",
                "mindate": on,
                "maxdate": on,
                "retmax": str(_SEARCHED),
                "retmode": "json",
            },
        )
        result = mapping((json_object(searched) or {}).get("esearchresult"))
        if not isinstance(result.get("idlist"), list):
            # What it says may hold our key or address: it is not repeated.
            refused = "ERROR" in result
            return got.failed(searched, "refused the query" if refused else "")
        ids = texts(result.get("idlist"))
        for start in range(0, len(ids), _FETCHED):
            asked = ids[start : start + _FETCHED]
            answer = client.get(
                f"{self._base}/efetch.fcgi",
                pace=self._pace,
                params={**about, "id": ",".join(asked), "retmode": "xml"},
            )
            articles = _articles(answer)
            if articles is None:
                return got.failed(answer)
            got.add(articles, lambda one: _paper(one, of))
        if (count(result.get("count")) or 0) > len(ids):
            return got.cut(f"found more than {_SEARCHED:,}: narrow the query")
        ignored = _ignored(result)
        return got.fetch(f"ignored {ignored} of the query" if ignored else "")


def _articles(answer: Answer) -> list[Element] | None:
    """The articles of a set, or None where there is no whole one."""
    if answer.state is not AnswerState.OK:
        return None
    document = read_xml(answer.body)
    if not document.complete or document.root.name != "PubmedArticleSet":
        return None
    return document.root.all("PubmedArticle")


def _ignored(result: Mapping[str, object]) -> str:
    """The words of the query that PubMed did not look for."""
    found: list[str] = []
    for key, names in (
        ("errorlist", ("phrasesnotfound", "fieldsnotfound")),
        ("warninglist", ("phrasesignored", "quotedphrasesnotfound")),
    ):
        told = mapping(result.get(key))
        found += [one for name in names for one in texts(told.get(name))]
    return ", ".join(found)[:200]


def _paper(record: Element, of: date) -> Paper:
    citation = next(iter(record.all("MedlineCitation")), Element(""))
    article = next(iter(citation.all("Article")), Element(""))
    number = citation.value("PMID")
    if not re.fullmatch(r"[0-9]{1,10}", number):
        raise MalformedPaper(f"its PMID {number[:20]!r} is none")
    kinds = [one.text for one in article.all("PublicationTypeList", "PublicationType")]
    corrections = citation.all("CommentsCorrectionsList", "CommentsCorrections")
    if "Retracted Publication" in kinds or any(
        one.attributes.get("RefType") == "RetractionIn" for one in corrections
    ):
        raise MalformedPaper(f"{number} was retracted")
    return tidy(
        Paper(
            id=PaperId("pmid", number),
            title=article.value("ArticleTitle") or article.value("VernacularTitle"),
            authors=tuple(
                Author(name, _orcid(one))
                for one in article.all("AuthorList", "Author")
                if (name := _name(one))
            ),
            abstract=" ".join(
                f"{label.capitalize()}: {part.text}"
                if (label := part.attributes.get("Label", ""))
                else part.text
                for part in article.all("Abstract", "AbstractText")
            ),
            keywords=tuple(one.text for one in citation.all("KeywordList", "Keyword")),
            published_at=_published(article),
            venue=article.value("Journal", "ISOAbbreviation") or article.value("Journal", "Title"),
            url=f"https://pubmed.ncbi.nlm.nih.gov/{number}/",
            aliases=_aliases(record, article),
            listings=(Listing(NAME, LABEL, of),),
        )
    )


def _name(author: Element) -> str:
    together = author.value("CollectiveName")
    return together or f"{author.value('ForeName')} {author.value('LastName')}".strip()


def _orcid(author: Element) -> str:
    found = (
        one.text for one in author.all("Identifier") if one.attributes.get("Source") == "ORCID"
    )
    return next(found, "").rpartition("/")[2]


def _aliases(record: Element, article: Element) -> tuple[PaperId, ...]:
    written = [
        one.text
        for one in record.all("PubmedData", "ArticleIdList", "ArticleId")
        if one.attributes.get("IdType") == "doi"
    ]
    written += [
        one.text for one in article.all("ELocationID") if one.attributes.get("EIdType") == "doi"
    ]
    found = []
    for one in written:
        try:
            found.append(PaperId.doi(one))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))


def _published(article: Element) -> datetime | None:
    for path in (("ArticleDate",), ("Journal", "JournalIssue", "PubDate")):
        for dated in article.all(*path):
            found = _date([dated.value(part) for part in ("Year", "Month", "Day")])
            if found:
                return found
    return None


def _date(parts: Sequence[str]) -> datetime | None:
    """The instant a year, a month (number or name) and a day stand for; two may be missing."""
    year, month, on = parts
    named = _MONTHS.index(month[:3].lower()) + 1 if month[:3].lower() in _MONTHS else count(month)
    return calendar_day(count(year), named, count(on))
