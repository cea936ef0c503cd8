"""A paper in brief: what a list says of it, in a small row of its own.

A paper's own row holds its abstract and everything else, kilobytes that fifty entries of a list
have no use for. Derived from the paper, and written anew with the catalogue when it changes;
counts are not in it, they move by the hour.
"""

from __future__ import annotations

import json
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text

from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.store.database import chunks
from digest.store.tables import BriefRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import TextClause

    from digest.store.database import Database

BRIEF: Final = BriefRow.__table__  # type: ignore[attr-defined]
_SECTIONS: Final = 2
"""As many categories as a list names."""
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().decode


def pack_brief(paper: Paper) -> str:
    """What `unpack_brief` makes a paper of again."""
    first = min(paper.listings, key=attrgetter("day"), default=None)
    return _encode((
        str(paper.id),
        paper.title,
        paper.organization,
        [author.name for author in paper.authors],
        paper.categories[:_SECTIONS],
        paper.keywords,
        paper.venue,
        paper.version,
        paper.discussion_url,
        (first.source, first.label, first.day.isoformat()) if first else None,
    ))  # fmt: skip


def unpack_brief(body: str, number: int, signals: Signals) -> Paper:
    """The paper as far as a list shows it: without texts, links, and all listings but the first."""
    name, title, organization, authors, categories, keywords, venue, version, talk, first = _decode(
        body
    )
    return Paper(
        PaperId.parse(name),
        title,
        organization=organization,
        authors=tuple(map(Author, authors)),
        categories=tuple(categories),
        keywords=tuple(keywords),
        venue=venue,
        version=version,
        discussion_url=talk,
        listings=(Listing(first[0], first[1], date.fromisoformat(first[2])),) if first else (),
        signals=signals,
        number=number,
    )


class Briefs:
    """The papers of an installation, in brief."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # SQLite would look into the papers themselves for the counts, which stand behind the body.
        votes = "paper INDEXED BY ix_paper_votes" if database.is_sqlite else "paper"
        self._numbered: TextClause = text(
            "SELECT brief.paper, brief.body, paper.upvotes, paper.comments, paper.stars"  # noqa: S608 -- no value
            f" FROM brief JOIN {votes} ON paper.id = brief.paper WHERE brief.paper IN :numbers"
        ).bindparams(bindparam("numbers", expanding=True))

    def by_numbers(self, numbers: Iterable[int]) -> dict[int, Paper]:
        """The papers of these numbers; one that is none, or is another one by now, is left out."""
        found = {}
        with self._database.read() as connection:
            for part in chunks(list(numbers)):
                for number, body, *counts in connection.execute(
                    self._numbered, {"numbers": part}
                ).all():
                    found[number] = unpack_brief(body, number, Signals(*counts))
        return found
