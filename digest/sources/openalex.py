"""OpenAlex (help.openalex.org): `openalex:machine unlearning`, or a filter of its own.

What holds a colon is taken as a filter (`openalex:primary_location.source.id:S4306400194`).
Works come about two days after their date and have no list day: one Fetch holds a week, each
under its date of publication.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy
from digest.sources import Fetch, Options, Pace
from digest.sources.collecting import Collection, json_object
from digest.sources.fields import count, day, items, mapping, midnight, text
from digest.sources.timetable import Steady, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest.sources import Window
    from digest.sources.http import Polite

NAME: Final = "openalex"
LABEL: Final = "OpenAlex"
_PACE: Final = Pace("api.openalex.org", gap=0.2, patience=600.0)
_LAG: Final = timedelta(days=7)
_MAX_PAGES: Final = 20
_MAX_WORDS: Final = 5_000
_FIELDS: Final = (
    "id,doi,title,publication_date,type,authorships,primary_location,abstract_inverted_index,ids,"
    "is_retracted"
)


class OpenAlex:
    """What a search or a filter finds among the works of the last days."""

    name = NAME
    label = LABEL
    timetable: Timetable = Steady(timedelta(hours=12), span=_LAG)

    def __init__(self, options: Options) -> None:
        wanted = options.argument.strip()
        if not wanted:
            raise ValueError("needs words or a filter, as in openalex:machine%20unlearning")
        words = wanted.replace(",", " ").replace("|", " ")
        self._filter = wanted if ":" in wanted else f"title_and_abstract.search:{words}"
        self._base = options.url or "https://api.openalex.org"
        self._headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch under the newest day; see Source.fetch."""
        until = window.until
        since = min(window.since, until - _LAG)
        got = Collection(NAME, LABEL, until)
        params = {
            "filter": f"{self._filter},from_publication_date:{since},to_publication_date:{until}",
            "per-page": "200",
            "cursor": "*",
            "select": _FIELDS,
        }
        for _ in range(_MAX_PAGES):
            answer = client.get(
                f"{self._base}/works", pace=_PACE, params=params, headers=self._headers
            )
            page = json_object(answer)
            if page is None or not isinstance(page.get("results"), list):
                yield got.failed(answer)
                return
            got.add(map(mapping, items(page.get("results"))), lambda one: _paper(one, until))
            following = text(mapping(page.get("meta")).get("next_cursor"))
            if not following or not items(page.get("results")):
                yield got.fetch()
                return
            params = {**params, "cursor": following}
        yield got.cut("found more than we read: narrow the search")


def _paper(work: Mapping[str, object], until: date) -> Paper:
    names = _names(work)
    if not names:
        raise MalformedPaper("it has no id")
    if work.get("is_retracted") is True:
        raise MalformedPaper(f"{names[0]} was retracted")
    location = mapping(work.get("primary_location"))
    landing = text(location.get("landing_page_url")) or text(work.get("doi"))
    published = day(work.get("publication_date"))
    return tidy(
        Paper(
            id=names[0],
            title=text(work.get("title")),
            authors=tuple(map(_author, map(mapping, items(work.get("authorships"))))),
            abstract=_abstract(mapping(work.get("abstract_inverted_index"))),
            published_at=midnight(published),
            venue=text(mapping(location.get("source")).get("display_name")),
            url=landing or text(work.get("id")),
            pdf_url=text(location.get("pdf_url")),
            aliases=tuple(names[1:]),
            # A date of publication may lie ahead: it is listed today then.
            listings=(Listing(NAME, LABEL, min(published or until, until)),),
        )
    )


def _names(work: Mapping[str, object]) -> list[PaperId]:
    known = mapping(work.get("ids"))
    found: list[PaperId] = []
    for written in (work.get("doi"), known.get("doi")):
        try:
            found.append(PaperId.doi(text(written)))
        except ValueError:
            continue
    pmid = text(known.get("pmid")).rstrip("/").rpartition("/")[2]
    if count(pmid):
        found.append(PaperId("pmid", pmid))
    own = text(work.get("id")).rpartition("/")[2]
    if own:
        found.append(PaperId("openalex", own))
    return list(dict.fromkeys(found))


def _author(authorship: Mapping[str, object]) -> Author:
    known = mapping(authorship.get("author"))
    name = text(known.get("display_name")) or text(authorship.get("raw_author_name"))
    return Author(name, text(known.get("orcid")).rpartition("/")[2])


def _abstract(index: Mapping[str, object]) -> str:
    """The text an inverted index (word to positions) was made of."""
    placed = [
        (at, word)
        for word, places in index.items()
        for at in map(count, items(places))
        if at is not None
    ]
    return " ".join(word for _, word in sorted(placed)[:_MAX_WORDS])
