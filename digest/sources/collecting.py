"""Gathering the papers of one Fetch, page by page, where each page may fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from digest.papers import MalformedPaper, Paper, PaperId
from digest.sources import Answer, AnswerState, Fetch, FetchState
from digest.sources.fields import decode_json, mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date


T = TypeVar("T")


@dataclass(slots=True)
class Collection:
    """What one question has brought so far; each paper once, in its highest version."""

    source: str
    label: str
    day: date
    papers: dict[PaperId, Paper] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    seen: int = 0

    def add(self, found: Iterable[T], read: Callable[[T], Paper]) -> None:
        """Read each item; what is no paper is skipped and named."""
        for item in found:
            self.seen += 1
            try:
                paper = read(item)
            except MalformedPaper as error:
                self.skipped.append(f"item {self.seen}: {error}")
                continue
            had = self.papers.get(paper.id)
            if had is None or (paper.version or 0) > (had.version or 0):
                self.papers[paper.id] = paper

    def fetch(self, note: str = "", *, empty: FetchState = FetchState.EMPTY) -> Fetch:
        """Everything there was; `empty` is what it means that there was nothing."""
        state = FetchState.OK if self.papers else empty
        if self.skipped and not self.papers and len(self.skipped) == self.seen:
            state, note = FetchState.FAILED, "sent items that we cannot read"
        return self._fetch(state, note)

    def cut(self, note: str) -> Fetch:
        """What was read before we stopped though there was more; `note` says why."""
        return self._fetch(FetchState.PARTIAL, note)

    def failed(self, answer: Answer, note: str = "") -> Fetch:
        """What came before the answer that failed."""
        state = answer.fetch_state if answer.state is not AnswerState.OK else FetchState.FAILED
        if self.papers:
            state = FetchState.PARTIAL
        fetch = self._fetch(state, note or answer.reason or "did not answer as it should")
        return replace(fetch, retry_at=answer.retry_at)

    def _fetch(self, state: FetchState, note: str) -> Fetch:
        papers, skipped = tuple(self.papers.values()), tuple(self.skipped)
        return Fetch(self.source, self.label, self.day, state, papers, skipped, note)


def json_object(answer: Answer) -> Mapping[str, object] | None:
    """The object an answer holds, or None when it failed or holds none."""
    if answer.state is not AnswerState.OK:
        return None
    try:
        value = decode_json(answer.body)
    except ValueError:
        return None
    return mapping(value) if isinstance(value, dict) else None
