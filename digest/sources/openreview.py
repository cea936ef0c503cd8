"""OpenReview, by venue, where a token is given: `openreview:ICLR.cc/2027/Conference`.

Anonymous questions are answered with a challenge, which this never tries to get around. Texts
stand as `{"value": ...}`; times are milliseconds; double-blind submissions name no authors.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy
from digest.sources import Fetch, FetchState, Options, Pace
from digest.sources.collecting import Collection, json_object
from digest.sources.fields import count, instant, items, mapping, text, texts
from digest.sources.timetable import Steady, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest.sources import Window
    from digest.sources.http import Polite

NAME: Final = "openreview"
LABEL: Final = "OpenReview"
_SITE: Final = "https://openreview.net"
_PACE: Final = Pace("openreview.net", gap=1.0)
_PAGE: Final = 1000
_MAX_PAGES: Final = 30
_CHALLENGED: Final = frozenset({401, 403})


class OpenReview:
    """What was submitted to a venue in the window."""

    name = NAME
    label = LABEL
    timetable: Timetable = Steady(timedelta(hours=6), span=timedelta(days=7))

    def __init__(self, options: Options) -> None:
        if not options.argument.strip():
            raise ValueError("needs a venue, as in openreview:ICLR.cc/2027/Conference")
        if not options.key:
            raise ValueError("needs a token: OpenReview answers nobody without one")
        self._venue = options.argument.strip()
        self._base = options.url or "https://api2.openreview.net"
        self._headers = {"Authorization": f"Bearer {options.key}"}

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch under the newest day; see Source.fetch."""
        until = window.until
        got = Collection(NAME, LABEL, until)
        began = datetime(window.since.year, window.since.month, window.since.day, tzinfo=UTC)
        offset = 0
        for _ in range(_MAX_PAGES):
            answer = client.get(
                f"{self._base}/notes",
                pace=_PACE,
                headers=self._headers,
                params={
                    "content.venueid": self._venue,
                    "mintcdate": str(int(began.timestamp() * 1000)),
                    "limit": str(_PAGE),
                    "offset": str(offset),
                },
            )
            page = json_object(answer)
            notes = page.get("notes") if page else None
            if not isinstance(notes, list):
                fetch = got.failed(answer)
                if answer.status in _CHALLENGED:
                    fetch = Fetch(
                        NAME, LABEL, until, FetchState.MISCONFIGURED,
                        note="did not take the token: log in again for a new one",
                    )  # fmt: skip
                yield fetch
                return
            got.add(map(mapping, items(notes)), lambda one: _paper(one, until))
            offset += len(notes)
            if len(notes) < _PAGE:
                yield got.fetch()
                return
        yield got.cut("sent more pages than we read")


def _paper(note: Mapping[str, object], until: date) -> Paper:
    content = mapping(note.get("content"))

    def value(name: str) -> object:
        found = content.get(name)
        return mapping(found).get("value") if isinstance(found, dict) else found

    forum = text(note.get("forum")) or text(note.get("id"))
    if not forum.replace("_", "").replace("-", "").isalnum():
        raise MalformedPaper(f"its id {forum[:40]!r} is none")
    created = _moment(note.get("cdate")) or _moment(note.get("tcdate"))
    pdf = text(value("pdf"))
    return tidy(
        Paper(
            id=PaperId("openreview", forum),
            title=text(value("title")),
            authors=tuple(map(Author, texts(value("authors")))),
            abstract=text(value("abstract")),
            summary=text(value("TLDR")),
            keywords=texts(value("keywords")),
            published_at=_moment(note.get("pdate")) or created,
            venue=text(value("venue")),
            url=f"{_SITE}/forum?id={forum}",
            pdf_url=f"{_SITE}{pdf}" if pdf.startswith("/") else pdf,
            discussion_url=f"{_SITE}/forum?id={forum}",
            listings=(Listing(NAME, LABEL, min(created.date() if created else until, until)),),
        )
    )


def _moment(value: object) -> datetime | None:
    """The instant of a count of milliseconds."""
    milliseconds = count(value)
    if not milliseconds:
        return None
    try:
        return instant(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat())
    except (ValueError, OverflowError, OSError):
        return None
