"""A paper as bytes in a row (JSON of what is not empty), and rows as papers."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store.database import chunks
from digest.store.tables import ListingRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

_LISTING: Final = ListingRow.__table__  # type: ignore[attr-defined]

_TEXTS: Final = (
    "title",
    "abstract",
    "summary",
    "organization",
    "venue",
    "url",
    "pdf_url",
    "code_url",
    "project_url",
    "discussion_url",
    "image_url",
)
_LISTINGS: Final = (
    select(_LISTING)
    .where(_LISTING.c.paper.in_(bindparam("papers", expanding=True)))
    .order_by(_LISTING.c.day, _LISTING.c.first_seen_at, _LISTING.c.id)
)
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().decode


def pack(paper: Paper) -> bytes:
    """The paper without what the store itself knows: number, counts, listings, first seen."""
    fields: dict[str, Any] = {"id": str(paper.id)}
    for name in _TEXTS:
        if text := getattr(paper, name):
            fields[name] = text
    if paper.authors:
        fields["authors"] = [
            [author.name, author.orcid, author.semantic_scholar] for author in paper.authors
        ]
    if paper.categories:
        fields["categories"] = paper.categories
    if paper.keywords:
        fields["keywords"] = paper.keywords
    if paper.published_at:
        fields["published_at"] = paper.published_at.isoformat()
    if paper.version:
        fields["version"] = paper.version
    if paper.aliases:
        fields["aliases"] = list(map(str, paper.aliases))
    if paper.sample:
        fields["sample"] = True
    return _encode(fields).encode()


def unpack(body: bytes, **known: Any) -> Paper:  # noqa: ANN401 -- fields of a paper
    """A paper packed by `pack`, with what the store itself knows of it."""
    fields: dict[str, Any] = _decode(body.decode()) | known
    fields["id"] = PaperId.parse(fields["id"])
    if "published_at" in fields:
        fields["published_at"] = datetime.fromisoformat(fields["published_at"])
    fields["authors"] = tuple(Author(*author) for author in fields.get("authors", ()))
    fields["aliases"] = tuple(PaperId.parse(alias) for alias in fields.get("aliases", ()))
    for key in ("categories", "keywords"):
        fields[key] = tuple(fields.get(key, ()))
    return Paper(**fields)


def stored(connection: Connection, rows: Sequence[Row[Any]]) -> list[Paper]:
    """The papers of these rows of the table of papers, in their order, with their listings."""
    listings: dict[int, list[Listing]] = {row.id: [] for row in rows}
    for part in chunks([row.id for row in rows]):
        for row in connection.execute(_LISTINGS, {"papers": part}).all():
            listings[row.paper].append(
                Listing(
                    row.source,
                    row.label,
                    row.day,
                    ListingKind(row.kind),
                    row.category,
                    row.version,
                    row.first_seen_at,
                )
            )
    return [
        unpack(
            row.body,
            number=row.id,
            first_seen_at=row.first_seen_at,
            signals=Signals(row.upvotes, row.comments, row.stars, row.signals_at),
            listings=tuple(listings[row.id]),
        )
        for row in rows
    ]
