"""Hugging Face Daily Papers: the list a community makes each day, with its votes.

GET /api/daily_papers?date=D answers with at most 100 items a page and a Link to the next. The
list of day D opens at 21:30 New York time on the evening before and fills and re-ranks all
through D, so a day is asked for again until it is over, and for a week after for its votes.
Fields are read from `paper`, and from the item around it only where they are missing there:
the item's own `publishedAt` is shifted by New York's offset and is never read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from digest.papers import (
    Author,
    Listing,
    ListingKind,
    MalformedPaper,
    Paper,
    PaperId,
    Signals,
    split_arxiv,
    tidy,
)
from digest.sources import Answer, AnswerState, Fetch, FetchState, Options, Pace, Window
from digest.sources.fields import count, day, decode_json, instant, items, mapping, text, texts
from digest.sources.timetable import Daily, Steady, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.sources import Validator
    from digest.sources.http import Polite

NAME: Final = "hf"
LABEL: Final = "Daily Papers"
FIRST_DAY: Final = date(2023, 5, 4)
PAGE: Final = 100
_MAX_PAGES: Final = 30
_SITE: Final = "https://huggingface.co"
_PACE: Final = Pace("huggingface.co", gap=1.0, patience=60.0, throttles=frozenset({429}))
_NEW_YORK: Final = ZoneInfo("America/New_York")
_OPENS: Final = timedelta(hours=2, minutes=30)  # 21:30 is that long before the next midnight
_FILLED_BY: Final = 12  # the hour in New York from which an empty working day is odd
_SATURDAY: Final = 5
_IMAGES: Final = re.compile(r"\.(?:png|jpe?g|webp)$", re.IGNORECASE)
_REFUSED: Final = "refused the date asked for"
_NEXT: Final = re.compile(r'<([^<>]+)>[^<>,]*;\s*rel="?next"?', re.IGNORECASE)

_LISTS: Final[Mapping[str, Timetable]] = {
    "": Daily(
        _NEW_YORK,
        opened=-_OPENS,
        every=timedelta(hours=3),
        moving=timedelta(days=7),
    ),
    "week": Steady(timedelta(hours=24)),
    "month": Steady(timedelta(hours=24)),
    "trending": Steady(timedelta(hours=6)),
}
"""The lists there are, and when each is asked for."""


def newest_day(now: datetime) -> date:
    """The date of the newest list that is open at that instant."""
    return (now.astimezone(_NEW_YORK).replace(tzinfo=None) + _OPENS).date()


class HuggingFace:
    """Daily Papers by day; `hf:week`, `hf:month`, `hf:trending` are those lists as they stand."""

    name = NAME
    label = LABEL

    def __init__(self, options: Options | None = None) -> None:
        options = options or Options()
        if options.argument not in _LISTS:
            raise ValueError("has the lists week, month and trending, as in hf:trending")
        self._wanted = options.argument
        self.timetable: Timetable = _LISTS[options.argument]
        self._base = options.url or _SITE
        self._headers = {"Accept": "application/json"}
        if options.key:
            self._headers["Authorization"] = f"Bearer {options.key}"

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch for each list day that is open, oldest first; see Source.fetch.

        Of the week's, the month's or the trending list one Fetch under the newest day.
        """
        newest = newest_day(window.now)
        if self._wanted == "trending":
            yield self.trending(client)
        elif self._wanted:
            whole = self.week if self._wanted == "week" else self.month
            yield whole(newest, client)
        else:
            yield from self._days(window, client)

    def _days(self, window: Window, client: Polite) -> Iterator[Fetch]:
        for asked in window.clip(FIRST_DAY, newest_day(window.now)).days:
            if window.wants(asked):
                query = {"date": asked.isoformat()}
                yield self._list(query, asked, window.now, client, window.validators)

    def week(self, of: date, client: Polite) -> Fetch:
        """The list of the ISO week that holds a day, each paper under the day it was listed.

        A week that Hugging Face does not know (it may not have a 53rd) is asked for by its days.
        """
        year, week, _ = of.isocalendar()
        now = client.clock.now()
        whole = self._list({"week": f"{year}-W{week:02}"}, of, now, client, {})
        if whole.note != _REFUSED:
            return whole
        monday = of - timedelta(days=of.weekday())
        days = list(self._days(Window(monday, monday + timedelta(days=6), now), client))
        papers = {paper.id: paper for day in days for paper in day.papers}
        complete = all(day.state.complete for day in days)
        return replace(
            whole,
            state=FetchState.OK if complete else FetchState.PARTIAL,
            papers=tuple(papers.values()),
            skipped=tuple(line for day in days for line in day.skipped),
            note="" if complete else next(day.note for day in days if not day.state.complete),
        )

    def month(self, of: date, client: Polite) -> Fetch:
        """The list of the month that holds a day, each paper under the day it was listed."""
        return self._list({"month": f"{of:%Y-%m}"}, of, client.clock.now(), client, {})

    def trending(self, client: Polite) -> Fetch:
        """What is trending now by Hugging Face's own reckoning, old papers among it."""
        now = client.clock.now()
        return self._list({"sort": "trending"}, newest_day(now), now, client, {}, pages=1)

    def _list(
        self,
        query: Mapping[str, str],
        asked: date,
        now: datetime,
        client: Polite,
        validators: Mapping[str, Validator],
        *,
        pages: int = _MAX_PAGES,
    ) -> Fetch:
        params = {**query, "limit": str(PAGE)}
        url = f"{self._base}/api/daily_papers"
        found: list[object] = []
        empty = Fetch(NAME, LABEL, asked, FetchState.EMPTY)
        seen = {tuple(sorted(params.items()))}
        validator = None
        for page in range(pages):
            answer = client.get(
                url,
                pace=_PACE,
                params=params,
                headers=self._headers,
                # Only a list of one page can be told apart by its first page.
                validators=validators if page == 0 else None,
            )
            if answer.state is AnswerState.UNCHANGED:
                kept = (answer.validator,) if answer.validator else ()
                return replace(empty, note="has nothing new", validators=kept)
            problem = _problem(answer, asked, now, dated="date" in query)
            if problem is not None and not found:
                return replace(problem, day=asked)
            listed = _listed(answer)
            if problem is not None or listed is None:
                state = FetchState.PARTIAL if found else FetchState.FAILED
                note = problem.note if problem else "did not answer with a list"
                return _fetch(found, asked, now, state, note)
            found += listed
            following = _next_page(answer)
            if page == 0 and following is None:
                validator = answer.validator
            if following is None or not listed:
                break
            params = following
            key = tuple(sorted(params.items()))
            if key in seen:
                break
            seen.add(key)
        else:
            if pages > 1:
                return _fetch(found, asked, now, FetchState.PARTIAL, "sent more pages than we read")
        if not found:
            return _nothing(empty, now)
        whole = _fetch(found, asked, now, FetchState.OK, "")
        return replace(whole, validators=(validator,) if validator else ())


def read_item(item: object, otherwise: date, now: datetime) -> Paper:
    """One paper of a Daily Papers list; `otherwise` is its day where it does not say one.

    Raises MalformedPaper when it has no usable id or title, or was withdrawn.
    """
    outer = mapping(item)
    inner = mapping(outer.get("paper"))

    def either(key: str) -> object:
        value = inner.get(key)
        return outer.get(key) if value is None or value == "" else value

    try:
        arxiv, version = split_arxiv(text(either("id")))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    if inner.get("withdrawnAt"):
        raise MalformedPaper("it was withdrawn")
    organization = mapping(either("organization"))
    listed = day(inner.get("submittedOnDailyAt"))
    if listed is None or not FIRST_DAY <= listed <= newest_day(now):
        listed = otherwise
    return tidy(
        Paper(
            id=PaperId("arxiv", arxiv),
            title=text(either("title")),
            authors=tuple(
                Author(text(author.get("name")))
                for author in map(mapping, items(either("authors")))
                if author.get("hidden") is not True
            ),
            abstract=text(either("summary")),
            summary=text(either("ai_summary")),
            organization=text(organization.get("fullname")) or text(organization.get("name")),
            keywords=texts(either("ai_keywords")),
            published_at=instant(inner.get("publishedAt")),
            version=version,
            url=f"https://arxiv.org/abs/{arxiv}",
            pdf_url=f"https://arxiv.org/pdf/{arxiv}",
            code_url=text(either("githubRepo")),
            project_url=text(either("projectPage")),
            discussion_url=f"{_SITE}/papers/{arxiv}",
            image_url=_image(either("mediaUrls")),
            signals=Signals(
                upvotes=count(either("upvotes")),
                comments=count(either("numComments")),
                stars=count(either("githubStars")),
                seen_at=now,
            ),
            listings=(Listing(NAME, LABEL, listed, ListingKind.FEATURED),),
        )
    )


def read_items(
    found: Sequence[object], otherwise: date, now: datetime
) -> tuple[tuple[Paper, ...], tuple[str, ...]]:
    """The papers of a list in its order, each once, and a line for each item that is none."""
    papers: dict[PaperId, Paper] = {}
    skipped = []
    for number, item in enumerate(found, start=1):
        try:
            paper = read_item(item, otherwise, now)
        except MalformedPaper as error:
            skipped.append(f"item {number}: {error}")
        else:
            papers.setdefault(paper.id, paper)
    return tuple(papers.values()), tuple(skipped)


def _fetch(
    found: Sequence[object], asked: date, now: datetime, state: FetchState, note: str
) -> Fetch:
    papers, skipped = read_items(found, asked, now)
    if found and not papers and state is FetchState.OK:
        state, note = FetchState.FAILED, "sent items that we cannot read"
    return Fetch(NAME, LABEL, asked, state, papers, skipped, note)


def _nothing(empty: Fetch, now: datetime) -> Fetch:
    if empty.day.weekday() >= _SATURDAY:
        return replace(empty, note="lists little or nothing on a weekend")
    local = now.astimezone(_NEW_YORK)
    if empty.day > local.date() or (empty.day == local.date() and local.hour < _FILLED_BY):
        return replace(empty, note="has not filled its list yet")
    return replace(empty, state=FetchState.SUSPICIOUS, note="had an empty list on a working day")


def _problem(answer: Answer, asked: date, now: datetime, *, dated: bool) -> Fetch | None:
    """What is wrong with an answer, or None. A list that is not open yet is refused with 400."""
    if answer.state is AnswerState.OK:
        return None
    fetch = Fetch(
        NAME, LABEL, asked, answer.fetch_state, note=answer.reason, retry_at=answer.retry_at
    )
    if answer.status != 400:  # noqa: PLR2004 -- Bad Request
        return fetch
    if dated and asked >= newest_day(now):
        return replace(fetch, state=FetchState.EMPTY, note="has not opened its list yet")
    return replace(fetch, state=FetchState.FAILED, note=_REFUSED)


def _listed(answer: Answer) -> Sequence[object] | None:
    """The items of a page, or None when it is no list."""
    try:
        value = decode_json(answer.body)
    except ValueError:
        return None
    return items(value) if isinstance(value, list) else None


def _next_page(answer: Answer) -> dict[str, str] | None:
    """The parameters of the next page; its host is not taken from the answer."""
    found = _NEXT.search(answer.headers.get("link", ""))
    return dict(parse_qsl(urlsplit(found[1]).query)) or None if found else None


def _image(media: object) -> str:
    urls = texts(media)
    return next((url for url in urls if _IMAGES.search(_path(url))), "")


def _path(url: str) -> str:
    """The path of a URL, or nothing where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
