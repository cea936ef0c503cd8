"""Crossref (api.crossref.org): a journal by ISSN, or words: `crossref:1234-5678`.

Works have no list day: one Fetch holds what was registered in the window, each under the day
it was.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy
from digest.sources import Fetch, Options, Pace
from digest.sources.collecting import Collection, json_object
from digest.sources.fields import calendar_day, count, instant, items, mapping, plain, text, texts
from digest.sources.timetable import Steady, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest.sources import Window
    from digest.sources.http import Polite

NAME: Final = "crossref"
LABEL: Final = "Crossref"
_PACE: Final = Pace("api.crossref.org", gap=1.0)
_ROWS: Final = 200
_MAX_PAGES: Final = 25
_ISSN: Final = re.compile(r"\d{4}-\d{3}[\dX]")
_FIELDS: Final = (
    "DOI,title,author,abstract,issued,published,created,type,container-title,URL,relation"
)


class Crossref:
    """What a journal registered, or what words find among what all did."""

    name = NAME
    label = LABEL
    timetable: Timetable = Steady(timedelta(hours=6), span=timedelta(days=1))

    def __init__(self, options: Options) -> None:
        wanted = options.argument.strip()
        if not wanted:
            raise ValueError("needs an ISSN or words, as in crossref:1234-5678")
        journal = _ISSN.fullmatch(wanted.upper())
        base = options.url or "https://api.crossref.org"
        self._url = f"{base}/journals/{journal[0]}/works" if journal else f"{base}/works"
        self._query = {} if journal else {"query.bibliographic": wanted}

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch under the newest day; see Source.fetch."""
        until = window.until
        since = min(window.since, until - timedelta(days=1))
        got = Collection(NAME, LABEL, until)
        params = {
            **self._query,
            "filter": f"from-created-date:{since},until-created-date:{until}",
            "select": _FIELDS,
            "rows": str(_ROWS),
            "cursor": "*",
            **({"mailto": client.contact} if client.contact else {}),
        }
        for _ in range(_MAX_PAGES):
            answer = client.get(self._url, pace=_PACE, params=params)
            message = mapping((json_object(answer) or {}).get("message"))
            rows = message.get("items")
            if not isinstance(rows, list):
                yield got.failed(answer)
                return
            got.add(map(mapping, items(rows)), lambda one: _paper(one, until))
            following = text(message.get("next-cursor"))
            if len(rows) < _ROWS or not following:
                yield got.fetch()
                return
            params = {**params, "cursor": following}
        yield got.cut("found more than we read: narrow the search")


def _paper(work: Mapping[str, object], until: date) -> Paper:
    try:
        own = PaperId.doi(text(work.get("DOI")))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    created = instant(mapping(work.get("created")).get("date-time"))
    relations = mapping(work.get("relation"))
    aliases = []
    for kind in ("is-preprint-of", "has-preprint", "is-version-of"):
        for related in map(mapping, items(relations.get(kind))):
            try:
                aliases.append(PaperId.doi(text(related.get("id"))))
            except ValueError:
                continue
    return tidy(
        Paper(
            id=own,
            title=plain(" ".join(texts(work.get("title"))[:1])),
            authors=tuple(map(_author, map(mapping, items(work.get("author"))))),
            abstract=re.sub(r"^Abstract\s+", "", plain(text(work.get("abstract")))),
            published_at=_date(work.get("published")) or _date(work.get("issued")),
            venue=plain(" ".join(texts(work.get("container-title"))[:1])),
            url=f"https://doi.org/{own.value}",
            aliases=tuple(alias for alias in dict.fromkeys(aliases) if alias != own),
            listings=(Listing(NAME, LABEL, min(created.date() if created else until, until)),),
        )
    )


def _author(author: Mapping[str, object]) -> Author:
    name = f"{text(author.get('given'))} {text(author.get('family'))}".strip()
    return Author(name or text(author.get("name")), text(author.get("ORCID")).rpartition("/")[2])


def _date(value: object) -> datetime | None:
    """The instant of `{"date-parts": [[2026, 10, 1]]}`; all but the year may be missing."""
    parts = items(next(iter(items(mapping(value).get("date-parts"))), None))
    numbers = [count(part) for part in parts][:3]
    if not numbers or not numbers[0]:
        return None
    year, month, on = [*numbers, None, None][:3]
    return calendar_day(year, month, on)
