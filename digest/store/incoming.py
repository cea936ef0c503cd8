"""What a source says, as it comes in, beside what is stored: records, and papers made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, select

from digest.merge import title_key
from digest.papers import Listing, Paper, Signals
from digest.store.database import chunks
from digest.store.packing import pack
from digest.store.tables import (
    AliasRow,
    ListingRow,
    MergeRow,
    PaperRow,
    RecordRow,
    SignalRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row, Table

PAPER: Final[Table] = PaperRow.__table__  # type: ignore[attr-defined]
ALIAS: Final[Table] = AliasRow.__table__  # type: ignore[attr-defined]
RECORD: Final[Table] = RecordRow.__table__  # type: ignore[attr-defined]
LISTING: Final[Table] = ListingRow.__table__  # type: ignore[attr-defined]
SIGNAL: Final[Table] = SignalRow.__table__  # type: ignore[attr-defined]
MERGE: Final[Table] = MergeRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many papers of a fetch were new, changed, or known already as they are."""

    new: int = 0
    changed: int = 0
    same: int = 0


def title_hash(title: str) -> int | None:
    """The title as titles are compared, in 64 bits; None where it says too little."""
    key = title_key(title)
    if not key:
        return None
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class Incoming:
    """One record as it comes in, ready to be compared with what is stored."""

    __slots__ = ("body", "digest", "name", "paper", "source", "title")

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.source = paper.listings[0].source if paper.listings else ""
        self.name = str(paper.id)
        self.body = pack(paper)
        said = [(one.source, str(one.day), one.kind.value) for one in paper.listings]
        counts = (paper.signals.upvotes, paper.signals.comments, paper.signals.stars)
        hashed = hashlib.blake2b(self.body, digest_size=16)
        hashed.update(repr((said, counts)).encode())
        self.digest = hashed.digest()
        self.title: int | None = None


def unseen(connection: Connection, incoming: Sequence[Incoming]) -> list[Incoming]:
    """Those that say something which is not stored yet."""
    names = [one.name for one in incoming]
    known: dict[tuple[str, str], bytes] = {}
    for part in chunks(sorted(set(names))):
        rows = connection.execute(
            select(RECORD.c.source, RECORD.c.name, RECORD.c.digest).where(RECORD.c.name.in_(part))
        )
        known.update({(row.source, row.name): row.digest for row in rows})
    return [one for one in incoming if known.get((one.source, one.name)) != one.digest]


@dataclass(eq=False, slots=True)
class Record:
    """One record; `said` is what it says now, if anything.

    `number` is 0 until it has a row; `stored` says that it had one before.
    """

    source: str
    name: str
    paper: Paper
    number: int = 0
    title: int | None = None
    said: Incoming | None = None
    rewritten: bool = False
    stored: bool = False

    @property
    def spoken(self) -> Paper:
        """The paper as the rules of merging want it: with the source that speaks."""
        return replace(self.paper, listings=(Listing(self.source, "", date.min),))


@dataclass(eq=False, slots=True)
class Group:
    """The records of one paper; `row` is the paper as stored, None while it is not.

    `moved`: its records are not those it had. `rewritten`: one of them says another thing.
    """

    number: int = 0
    row: Row[Any] | None = None
    records: list[Record] = field(default_factory=list)
    absorbed: list[Group] = field(default_factory=list)
    moved: bool = False
    rewritten: bool = False
    listed: bool = False
    signals: Signals | None = None

    @property
    def views(self) -> list[Paper]:
        """Its records as the rules of merging want them."""
        return [record.spoken for record in self.records]

    @property
    def name(self) -> str:
        """The name the paper has in its table."""
        return self.row.name if self.row is not None else self.records[0].name

    @property
    def age(self) -> int:
        """The older a paper, the smaller; one that is not stored is the youngest."""
        return self.number or 1 << 62
