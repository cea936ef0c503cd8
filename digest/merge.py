"""One view of a paper from what several sources say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from digest.papers import Paper

if TYPE_CHECKING:
    from collections.abc import Sequence

# Who is believed first, per kind of field: the place a paper is deposited knows its text, dates
# and sections; Daily Papers knows code, figures, organizations and what people say.
DEPOSITS: Final = ("arxiv", "biorxiv", "medrxiv", "openreview", "pubmed", "crossref", "openalex")
COMMUNITY: Final = ("hf",)

_FROM_DEPOSIT: Final = ("title", "authors", "abstract", "published_at", "venue", "url", "pdf_url")
_FROM_COMMUNITY: Final = (
    "summary",
    "organization",
    "code_url",
    "project_url",
    "discussion_url",
    "image_url",
)


def merge(records: Sequence[tuple[str, Paper]]) -> Paper:
    """The merged view; records are (source, paper) in the order they were first seen.

    Each field comes from the first source in its order of precedence that has it; sections and
    keywords are united; the highest version counts. The result does not depend on the order of
    records of different sources, but for the paper's own name, which is the first record's.
    """
    first = records[0][1]
    merged = first
    for fields, order in ((_FROM_DEPOSIT, DEPOSITS), (_FROM_COMMUNITY, COMMUNITY)):
        ranked = sorted(records, key=lambda record: _rank(record[0], order))
        for name in fields:
            value = next((getattr(p, name) for _, p in ranked if getattr(p, name)), None)
            if value:
                merged = replace(merged, **{name: value})
    by_deposit = [paper for _, paper in sorted(records, key=lambda r: _rank(r[0], DEPOSITS))]
    names = dict.fromkeys(n for _, paper in records for n in (paper.id, *paper.aliases))
    return replace(
        merged,
        categories=tuple(dict.fromkeys(c for paper in by_deposit for c in paper.categories)),
        keywords=tuple(dict.fromkeys(k for paper in by_deposit for k in paper.keywords)),
        version=max((p.version for _, p in records if p.version), default=None),
        aliases=tuple(name for name in names if name != first.id),
        sample=any(paper.sample for _, paper in records),
    )


def _rank(source: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(source) if source in order else len(order), source)
