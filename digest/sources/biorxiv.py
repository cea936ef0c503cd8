"""bioRxiv and medRxiv, by day: `biorxiv`, `medrxiv:epidemiology+neurology`.

One row for each version of a preprint. The cursor counts records and any step is answered with
200, so a step that is not the number of records received would lose some unseen.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, ListingKind, MalformedPaper, Paper, PaperId, tidy
from digest.sources import Fetch, FetchState, Options, Pace
from digest.sources.collecting import Collection, json_object
from digest.sources.fields import count, day, items, mapping, midnight, plain, text
from digest.sources.timetable import Daily, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest.sources import Window
    from digest.sources.http import Polite

_PACE: Final = Pace("api.biorxiv.org", gap=1.0)
_MAX_PAGES: Final = 300
_SATURDAY: Final = 5


class BioRxiv:
    """The preprints of a day, of some subjects or of all."""

    name = "biorxiv"
    label = "bioRxiv"
    site = "https://www.biorxiv.org"
    timetable: Timetable = Daily(closed=timedelta(days=2))

    def __init__(self, options: Options) -> None:
        self._base = options.url or "https://api.biorxiv.org"
        subjects = (_subject(one) for one in re.split(r"[+,]", options.argument))
        self._subjects = frozenset(filter(None, subjects))

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch for each list day; the last two, and those we do not have. See Source."""
        for position, of in enumerate(reversed(window.days)):
            if (position > 1 and of in window.have) or not window.wants(of):
                continue
            yield self._day(of, client, newest=position == 0)

    def _day(self, of: date, client: Polite, *, newest: bool) -> Fetch:
        got = Collection(self.name, self.label, of)
        cursor = 0
        for _ in range(_MAX_PAGES):
            url = f"{self._base}/details/{self.name}/{of}/{of}/{cursor}/json"
            answer = client.get(url, pace=_PACE)
            page = json_object(answer)
            message = mapping(next(iter(items(page.get("messages") if page else None)), None))
            status = text(message.get("status")).lower()
            if page is None or status not in {"ok", "no posts found"}:
                return got.failed(answer, f"said {status[:80]!r}" if status else "")
            rows = [mapping(one) for one in items(page.get("collection"))]
            got.add((one for one in rows if self._wanted(one)), lambda one: self._paper(one, of))
            cursor += len(rows)
            total = count(message.get("total")) or 0
            if cursor >= total:
                break
            if not rows:
                return got.failed(answer, "sent only a part of the day")
        else:
            return got.cut("sent more pages than we read")
        if newest or of.weekday() >= _SATURDAY or self._subjects:
            return got.fetch()
        return got.fetch(
            "" if got.papers else "listed nothing on a working day", empty=FetchState.SUSPICIOUS
        )

    def _wanted(self, row: Mapping[str, object]) -> bool:
        return not self._subjects or _subject(text(row.get("category"))) in self._subjects

    def _paper(self, row: Mapping[str, object], of: date) -> Paper:
        try:
            own = PaperId.doi(re.sub(r"v\d+$", "", text(row.get("doi"))))
        except ValueError as error:
            raise MalformedPaper(str(error)) from error
        version = count(row.get("version")) or None
        aliases = []
        try:
            aliases.append(PaperId.doi(text(row.get("published"))))
        except ValueError:
            aliases.clear()  # "NA" until a journal publishes it
        category = text(row.get("category"))
        page = f"{self.site}/content/{own.value}" + (f"v{version}" if version else "")
        kind = ListingKind.REPLACE if version and version > 1 else ListingKind.NEW
        return tidy(
            Paper(
                id=own,
                title=plain(text(row.get("title"))),
                authors=tuple(map(_author, text(row.get("authors")).split(";"))),
                abstract=plain(text(row.get("abstract"))),
                categories=(category,) if category else (),
                published_at=midnight(day(row.get("date"))),
                version=version,
                url=page,
                pdf_url=f"{page}.full.pdf",
                aliases=tuple(alias for alias in aliases if alias != own),
                listings=(Listing(self.name, self.label, of, kind, category[:40], version),),
            )
        )


class MedRxiv(BioRxiv):
    """The same of medRxiv."""

    name = "medrxiv"
    label = "medRxiv"
    site = "https://www.medrxiv.org"


def _subject(written: str) -> str:
    return " ".join(written.replace("_", " ").casefold().split())


def _author(written: str) -> Author:
    family, _, given = written.partition(",")
    return Author(f"{given.strip()} {family.strip()}".strip())
