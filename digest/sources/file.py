"""Listings out of a file or a directory of files, in our own JSON or in Hugging Face's.

A file holds one listing, an array of listings, or what /api/daily_papers answers. A listing:

    {"source": "arxiv", "label": "arXiv", "state": "ok" | "partial", "note": "", "day": 0,
     "papers": [{"id": "arxiv:2611.90001", "title": "...",
                 "authors": ["Name", {"name": "...", "orcid": "..."}], "abstract": "",
                 "summary": "", "organization": "", "categories": [], "keywords": [],
                 "published": "2026-11-19" | -3, "day": 0 | -1 | "2026-11-20", "kind": "new",
                 "version": 1, "venue": "", "url": "", "pdf": "", "code": "", "project": "",
                 "discussion": "", "image": "", "upvotes": 48, "comments": 7, "stars": 1300,
                 "aliases": ["doi:10.1000/x"], "sample": true}]}

Days may be relative to the newest list day asked for (0 today, -1 yesterday). `state` and `note`
speak of the listing's own `day`. docs/sources.md, "The file format", has every key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from digest.papers import (
    Author,
    Listing,
    ListingKind,
    MalformedPaper,
    Paper,
    PaperId,
    Signals,
    tidy,
)
from digest.sources import Fetch, FetchState, Options
from digest.sources.fields import (
    count,
    day,
    decode_json,
    instant,
    items,
    mapping,
    midnight,
    text,
    texts,
)
from digest.sources.huggingface import LABEL as HF_LABEL
from digest.sources.huggingface import NAME as HF_NAME
from digest.sources.huggingface import read_items
from digest.sources.timetable import Steady, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.sources import Window
    from digest.sources.http import Polite

MAX_BYTES: Final = 64_000_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_FARTHEST: Final = 36_500


class File:
    """The listings of one .json file, or of every .json file of a directory."""

    name = "file"
    label = "file"
    timetable: Timetable = Steady(timedelta())

    def __init__(self, options: Options) -> None:
        if not options.argument:
            raise ValueError("needs a path, as in file:/srv/listings")
        self._path = Path(options.argument).expanduser()

    def fetch(self, window: Window, client: Polite | None = None) -> Iterator[Fetch]:
        """One Fetch for each source and list day the files speak of; see Source.fetch.

        What lies outside the window is left out; when that is everything, one empty Fetch
        says which day was the newest.
        """
        del client
        days: dict[tuple[str, date], _Day] = {}
        for path in self._files():
            try:
                self._read(path, window, days)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                state = (
                    FetchState.MISCONFIGURED if isinstance(error, OSError) else FetchState.FAILED
                )
                yield self._fetch(window, state, f"cannot be read: {path}: {reason}")
        inside = [
            found for (_, of), found in sorted(days.items()) if window.since <= of <= window.until
        ]
        yield from map(_Day.fetch, inside)
        if days and not inside:
            newest = max(of for _, of in days)
            yield self._fetch(window, FetchState.EMPTY, f"has no list newer than {newest}")

    def _files(self) -> list[Path]:
        if self._path.is_dir():
            return sorted(self._path.glob("*.json"))
        return [self._path]

    def _fetch(self, window: Window, state: FetchState, note: str) -> Fetch:
        return Fetch(self.name, self.label, window.until, state, note=note)

    def _read(self, path: Path, window: Window, days: dict[tuple[str, date], _Day]) -> None:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
        value = decode_json(body)
        if isinstance(value, list) and any("paper" in mapping(item) for item in value):
            _add_hugging_face(cast("list[object]", value), window, days)
            return
        listings = items(value) if isinstance(value, list) else [value]
        for listing in map(mapping, listings):
            if "papers" not in listing:
                raise ValueError('it is no listing: it has no "papers"')
            _add_listing(listing, window, days)


@dataclass(slots=True)
class _Day:
    """What all files say of one source and list day."""

    source: str
    label: str
    day: date
    state: FetchState = FetchState.OK
    note: str = ""
    papers: list[Paper] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def fetch(self) -> Fetch:
        state = self.state
        if state is FetchState.OK and not self.papers:
            state = FetchState.FAILED if self.skipped else FetchState.EMPTY
        papers = {paper.id: paper for paper in self.papers}
        return Fetch(
            self.source,
            self.label,
            self.day,
            state,
            tuple(papers.values()),
            tuple(self.skipped),
            self.note,
        )


def _add_hugging_face(
    found: Sequence[object], window: Window, days: dict[tuple[str, date], _Day]
) -> None:
    papers, skipped = read_items(found, window.until, window.now)
    for paper in papers:
        of = paper.listings[0].day
        days.setdefault((HF_NAME, of), _Day(HF_NAME, HF_LABEL, of)).papers.append(paper)
    if skipped:
        last = _Day(HF_NAME, HF_LABEL, window.until)
        days.setdefault((HF_NAME, window.until), last).skipped.extend(skipped)


def _add_listing(
    listing: Mapping[str, object], window: Window, days: dict[tuple[str, date], _Day]
) -> None:
    name = text(listing.get("source")) or "file"
    if not _NAME.fullmatch(name):
        raise ValueError(f'its "source" {name[:40]!r} is no name: lower-case letters and digits')
    label = text(listing.get("label")) or name
    own = _day(listing.get("day"), window.until) or window.until

    def of_day(of: date) -> _Day:
        return days.setdefault((name, of), _Day(name, label, of))

    described = of_day(own)
    described.note = text(listing.get("note")) or described.note
    if listing.get("state") == FetchState.PARTIAL:
        described.state = FetchState.PARTIAL
    for number, item in enumerate(items(listing.get("papers")), start=1):
        try:
            paper = _read_paper(mapping(item), name, label, own, window)
        except MalformedPaper as error:
            described.skipped.append(f"{name}, paper {number}: {error}")
        else:
            of_day(paper.listings[0].day).papers.append(paper)


def _read_paper(
    item: Mapping[str, object], source: str, label: str, otherwise: date, window: Window
) -> Paper:
    """One paper of our own format; raises MalformedPaper when it has no usable id or title."""
    try:
        paper_id = _paper_id(text(item.get("id")))
    except ValueError as error:
        raise MalformedPaper(str(error)) from error
    on = item.get("day")
    listed = otherwise if on is None else _day(on, window.until)
    if listed is None:
        raise MalformedPaper(f"its day {text(on)[:40]!r} is none")
    version = count(item.get("version")) or None
    kind = text(item.get("kind"))
    arxiv = paper_id.value if paper_id.scheme == "arxiv" else ""
    doi = paper_id.value if paper_id.scheme == "doi" else ""
    paper = Paper(
        id=paper_id,
        title=text(item.get("title")),
        authors=tuple(map(_author, items(item.get("authors")))),
        abstract=text(item.get("abstract")),
        summary=text(item.get("summary")),
        organization=text(item.get("organization")),
        categories=texts(item.get("categories")),
        keywords=texts(item.get("keywords")),
        published_at=_published(item.get("published"), window.until),
        version=version,
        venue=text(item.get("venue")),
        url=text(item.get("url"))
        or (f"https://arxiv.org/abs/{arxiv}" if arxiv else "")
        or (f"https://doi.org/{doi}" if doi else ""),
        pdf_url=text(item.get("pdf")) or (f"https://arxiv.org/pdf/{arxiv}" if arxiv else ""),
        code_url=text(item.get("code")),
        project_url=text(item.get("project")),
        discussion_url=text(item.get("discussion")),
        image_url=text(item.get("image")),
        aliases=_aliases(item.get("aliases"), paper_id),
        sample=item.get("sample") is True,
        listings=(
            Listing(
                source,
                label,
                listed,
                ListingKind(kind) if kind in set(ListingKind) else ListingKind.NEW,
                version=version,
            ),
        ),
    )
    signals = Signals(
        count(item.get("upvotes")), count(item.get("comments")), count(item.get("stars"))
    )
    if signals != Signals():
        paper = replace(paper, signals=replace(signals, seen_at=window.now))
    return tidy(paper)


def _paper_id(written: str) -> PaperId:
    """An id as people write it; raises ValueError for none."""
    given = PaperId.parse(written)
    if given.scheme == "arxiv":
        return PaperId.arxiv(given.value)
    return PaperId.doi(given.value) if given.scheme == "doi" else given


def _aliases(value: object, own: PaperId) -> tuple[PaperId, ...]:
    found = []
    for written in texts(value):
        try:
            found.append(_paper_id(written))
        except ValueError:
            continue
    return tuple(alias for alias in dict.fromkeys(found) if alias != own)


def _author(value: object) -> Author:
    if isinstance(value, dict):
        named = mapping(value)
        return Author(text(named.get("name")), text(named.get("orcid")))
    return Author(text(value))


def _day(value: object, today: date) -> date | None:
    """A date, or whole days relative to today."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _FARTHEST:
        return today + timedelta(days=value)
    return day(value)


def _published(value: object, today: date) -> datetime | None:
    if isinstance(value, str) and "T" in value:
        return instant(value)
    return midnight(_day(value, today))
