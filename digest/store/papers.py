"""Papers: every source's record kept, one merged view derived, nothing written twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, insert, select, update

from digest.merge import merge
from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store.catalogue import CATALOGUE, catalogue
from digest.store.database import CHUNK, chunks
from digest.store.tables import AliasRow, ListingRow, PaperRow, RecordRow, SignalRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from digest.store.database import Database

PAPER = PaperRow.__table__  # type: ignore[attr-defined]
ALIAS = AliasRow.__table__  # type: ignore[attr-defined]
RECORD = RecordRow.__table__  # type: ignore[attr-defined]
LISTING = ListingRow.__table__  # type: ignore[attr-defined]
SIGNAL = SignalRow.__table__  # type: ignore[attr-defined]

_DERIVED = ("signals", "listings", "number", "first_seen_at")


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many papers of a fetch were new, changed, or known already as they are."""

    new: int = 0
    changed: int = 0
    same: int = 0


class Papers:
    """The papers of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ingest(self, papers: Sequence[Paper], now: datetime) -> Ingested:
        """Store what one source said; a second identical call writes nothing.

        Each paper carries the listings that source saw. A paper known under any of its names is
        the same paper. Counts that moved are kept with `now`.
        """
        with self._database.read() as connection:
            known = _known(connection, papers)
        plans = [_Plan(paper, known) for paper in papers]
        if not any(plan.writes for plan in plans):
            return Ingested(same=len(plans))
        counts = {"new": 0, "changed": 0, "same": 0}
        with self._database.write() as connection:
            known = _known(connection, papers)  # again, under the lock
            for paper in papers:
                counts[_store(connection, _Plan(paper, known), known, now)] += 1
        return Ingested(**counts)

    def between(self, first_day: date, last_day: date) -> list[Paper]:
        """Every paper announced from one list day to another, both included, by number."""
        inside = (first_day <= PAPER.c.announced_on) & (PAPER.c.announced_on <= last_day)
        with self._database.read() as connection:
            rows = connection.execute(select(PAPER).where(inside).order_by(PAPER.c.id)).all()
            return _papers(connection, rows)

    def by_numbers(self, numbers: Iterable[int]) -> dict[int, Paper]:
        """The papers of these numbers; a number nobody has is left out."""
        found: list[Paper] = []
        with self._database.read() as connection:
            for part in chunks(sorted(set(numbers))):
                rows = connection.execute(select(PAPER).where(PAPER.c.id.in_(part))).all()
                found += _papers(connection, rows)
        return {paper.number: paper for paper in found}

    def signals_at(self, numbers: Iterable[int], moment: datetime) -> dict[int, Signals]:
        """The counts of these papers as they were known at that instant."""
        signals: dict[int, Signals] = {}
        with self._database.read() as connection:
            for part in chunks(sorted(set(numbers))):
                rows = connection.execute(
                    select(SIGNAL)
                    .where(SIGNAL.c.paper.in_(part), SIGNAL.c.seen_at <= moment)
                    .order_by(SIGNAL.c.seen_at, SIGNAL.c.id)
                )
                for row in rows:
                    signals[row.paper] = Signals(row.upvotes, row.comments, row.stars, row.seen_at)
        return signals

    def count(self) -> int:
        """How many papers there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(PAPER)).scalar_one())

    def listed(self, source: str, since: date) -> dict[date, frozenset[PaperId]]:
        """What a source listed on each day from `since` on, under the ids it gave."""
        days: dict[date, set[PaperId]] = {}
        with self._database.read() as connection:
            rows = connection.execute(
                select(LISTING.c.day, RECORD.c.name)
                .join(
                    RECORD,
                    (RECORD.c.paper == LISTING.c.paper) & (RECORD.c.source == LISTING.c.source),
                )
                .where(LISTING.c.source == source, LISTING.c.day >= since)
            )
            for row in rows:
                days.setdefault(row.day, set()).add(PaperId.parse(row.name))
        return {day: frozenset(names) for day, names in days.items()}

    def last_day(self, source: str) -> date | None:
        """The newest list day of a source that brought a paper."""
        newest = select(func.max(LISTING.c.day)).where(LISTING.c.source == source)
        with self._database.read() as connection:
            day: date | None = connection.execute(newest).scalar_one()
            return day


@dataclass(slots=True)
class _Known:
    """What the database holds of the papers of one fetch."""

    numbers: dict[str, int]
    records: dict[tuple[str, str], tuple[bytes, int]]
    listings: set[tuple[int, str, date, str]]
    signals: dict[int, Signals]


def _known(connection: Connection, papers: Sequence[Paper]) -> _Known:
    names = sorted({str(name) for paper in papers for name in (paper.id, *paper.aliases)})
    numbers: dict[str, int] = {}
    for part in chunks(names):
        rows = connection.execute(select(ALIAS.c.name, ALIAS.c.paper).where(ALIAS.c.name.in_(part)))
        numbers.update({row.name: row.paper for row in rows})
    known = _Known(numbers, {}, set(), {})
    for several in chunks(sorted(set(numbers.values()))):
        for row in connection.execute(
            select(RECORD.c.source, RECORD.c.name, RECORD.c.digest, RECORD.c.paper).where(
                RECORD.c.paper.in_(several)
            )
        ):
            known.records[row.source, row.name] = (row.digest, row.paper)
        for row in connection.execute(select(LISTING).where(LISTING.c.paper.in_(several))):
            known.listings.add((row.paper, row.source, row.day, row.kind))
        for row in connection.execute(select(PAPER).where(PAPER.c.id.in_(several))):
            known.signals[row.id] = Signals(row.upvotes, row.comments, row.stars, row.signals_at)
    return known


class _Plan:
    """What storing one paper would change."""

    def __init__(self, paper: Paper, known: _Known) -> None:
        self.paper = paper
        self.names = [str(name) for name in dict.fromkeys((paper.id, *paper.aliases))]
        numbers = [known.numbers[name] for name in self.names if name in known.numbers]
        self.number = min(numbers, default=0)
        self.source = paper.listings[0].source if paper.listings else ""
        self.body = pack(paper)
        self.digest = hashlib.blake2b(self.body, digest_size=16).digest()
        record = known.records.get((self.source, str(paper.id)))
        self.record_changed = record is None or record[0] != self.digest
        self.listings = [
            listing
            for listing in paper.listings
            if (self.number, listing.source, listing.day, listing.kind.value) not in known.listings
        ]
        self.signals = _moved(known.signals.get(self.number, Signals()), paper.signals)
        self.new_names = [name for name in self.names if name not in known.numbers]

    @property
    def writes(self) -> bool:
        return bool(
            not self.number
            or self.record_changed
            or self.listings
            or self.signals
            or self.new_names
        )


def _store(connection: Connection, plan: _Plan, known: _Known, now: datetime) -> str:
    if not plan.writes:
        return "same"
    fresh = not plan.number
    if fresh:
        result = connection.execute(
            insert(PAPER).values(name=plan.names[0], first_seen_at=now, body=plan.body)
        )
        plan.number = int(result.inserted_primary_key[0])  # type: ignore[index]
    if plan.new_names:
        rows = [{"name": name, "paper": plan.number} for name in plan.new_names]
        connection.execute(insert(ALIAS), rows)
        known.numbers.update(dict.fromkeys(plan.new_names, plan.number))
    if plan.record_changed:
        _store_record(connection, plan, known, now)
    for listing in plan.listings:
        connection.execute(insert(LISTING).values(paper=plan.number, **_listing(listing, now)))
        known.listings.add((plan.number, listing.source, listing.day, listing.kind.value))
    if plan.signals:
        values = {"upvotes": plan.signals.upvotes, "comments": plan.signals.comments}
        values["stars"] = plan.signals.stars
        connection.execute(insert(SIGNAL).values(paper=plan.number, seen_at=now, **values))
        connection.execute(
            update(PAPER).where(PAPER.c.id == plan.number).values(signals_at=now, **values)
        )
        known.signals[plan.number] = plan.signals
    _derive(connection, plan.number)
    if plan.record_changed or plan.listings or plan.new_names:
        stored = connection.execute(select(PAPER).where(PAPER.c.id == plan.number)).all()
        catalogue(connection, _papers(connection, stored)[0])
    return "new" if fresh else "changed"


def _store_record(connection: Connection, plan: _Plan, known: _Known, now: datetime) -> None:
    key = (plan.source, str(plan.paper.id))
    values = {"body": plan.body, "digest": plan.digest, "seen_at": now}
    if key in known.records:
        where = (RECORD.c.source == key[0]) & (RECORD.c.name == key[1])
        connection.execute(update(RECORD).where(where).values(**values))
    else:
        connection.execute(
            insert(RECORD).values(paper=plan.number, source=key[0], name=key[1], **values)
        )
    known.records[key] = (plan.digest, plan.number)


def _derive(connection: Connection, number: int) -> None:
    """Write the merged view and the first list day from what all sources said."""
    records = connection.execute(
        select(RECORD.c.source, RECORD.c.body).where(RECORD.c.paper == number).order_by(RECORD.c.id)
    ).all()
    # The rules of merging ask which source speaks, so each record is given its listing back.
    merged = merge(
        [
            replace(unpack(row.body), listings=(Listing(row.source, "", date.min),))
            for row in records
        ]
    )
    first = select(func.min(LISTING.c.day)).where(LISTING.c.paper == number)
    connection.execute(
        update(PAPER)
        .where(PAPER.c.id == number)
        .values(body=pack(merged), announced_on=connection.execute(first).scalar_one())
    )


def _moved(before: Signals, now: Signals) -> Signals | None:
    """The counts with what is newly known, or None when nothing moved; silence moves nothing."""
    after = Signals(
        before.upvotes if now.upvotes is None else now.upvotes,
        before.comments if now.comments is None else now.comments,
        before.stars if now.stars is None else now.stars,
        before.seen_at,
    )
    return None if after == before else after


def _listing(listing: Listing, now: datetime) -> dict[str, Any]:
    return {
        "source": listing.source,
        "label": listing.label,
        "day": listing.day,
        "kind": listing.kind.value,
        "category": listing.category,
        "version": listing.version,
        "first_seen_at": listing.first_seen_at or now,
    }


def _papers(connection: Connection, rows: Sequence[Row[Any]]) -> list[Paper]:
    listings: dict[int, list[Listing]] = {row.id: [] for row in rows}
    for part in chunks([row.id for row in rows]):
        found = connection.execute(
            select(LISTING)
            .where(LISTING.c.paper.in_(part))
            .order_by(LISTING.c.day, LISTING.c.first_seen_at, LISTING.c.id)
        )
        for row in found:
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
        replace(
            unpack(row.body),
            number=row.id,
            first_seen_at=row.first_seen_at,
            signals=Signals(row.upvotes, row.comments, row.stars, row.signals_at),
            listings=tuple(listings[row.id]),
        )
        for row in rows
    ]


def enter_missing(connection: Connection) -> None:
    """Enter every paper into the catalogue that is not there: all of them when it is new."""
    unknown = PAPER.c.id.not_in(select(CATALOGUE.c.paper))
    last = 0
    while rows := connection.execute(
        select(PAPER).where(unknown, PAPER.c.id > last).order_by(PAPER.c.id).limit(CHUNK)
    ).all():
        for paper in _papers(connection, rows):
            catalogue(connection, paper)
        last = rows[-1].id


def pack(paper: Paper) -> bytes:
    """The paper without what the store itself knows (number, counts, listings), as JSON."""
    fields = {key: value for key, value in asdict(paper).items() if value and key not in _DERIVED}
    if paper.published_at:
        fields["published_at"] = paper.published_at.isoformat()
    fields["id"] = str(paper.id)
    if paper.aliases:
        fields["aliases"] = [str(alias) for alias in paper.aliases]
    if paper.authors:
        fields["authors"] = [
            [author.name, author.orcid, author.semantic_scholar] for author in paper.authors
        ]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(body: bytes) -> Paper:
    """A paper packed by `pack`."""
    fields: dict[str, Any] = json.loads(body)
    fields["id"] = PaperId.parse(fields["id"])
    if "published_at" in fields:
        fields["published_at"] = datetime.fromisoformat(fields["published_at"])
    fields["authors"] = tuple(Author(*author) for author in fields.get("authors", ()))
    fields["aliases"] = tuple(PaperId.parse(alias) for alias in fields.get("aliases", ()))
    for key in ("categories", "keywords"):
        fields[key] = tuple(fields.get(key, ()))
    return Paper(**fields)
