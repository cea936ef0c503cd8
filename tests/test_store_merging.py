"""Which stored records are one paper: joined by evidence, parted again, and nothing lost by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from digest.errors import NotFound
from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store import Store, open_store
from digest.store.briefs import BRIEF
from digest.store.catalogue import title_words
from digest.store.papers import ALIAS, LISTING, PAPER, RECORD, SIGNAL
from digest.store.tables import CatalogueRow, FacetRow
from digest.web.cards import entry

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 11, 20)
DOI = PaperId("doi", "10.1000/routing")
TITLE = "Routing Without Regret in Sparse Mixtures of Experts"
CATALOGUE = CatalogueRow.__table__  # type: ignore[attr-defined]
FACET = FacetRow.__table__  # type: ignore[attr-defined]


def record(name: str, source: str, title: str = TITLE, **more: object) -> Paper:
    """What one source says of a paper by Ines Harrow."""
    paper = Paper(
        PaperId.parse(name),
        title,
        authors=(Author("Ines Harrow"), Author("Oda Brandl")),
        abstract=f"As {source} has it.",
        published_at=datetime(2026, 11, 19, tzinfo=UTC),
        listings=(Listing(source, source.title(), DAY),),
    )
    return replace(paper, **more)  # type: ignore[arg-type]


ARXIV = record("arxiv:2611.00001", "arxiv")
CROSSREF = record("doi:10.1000/routing", "crossref")
SAYS_BOTH = record("arxiv:2611.00001", "openalex", aliases=(DOI,))


def numbers(store: Store) -> dict[str, int]:
    """Which paper each record is."""
    with store.database.read() as connection:
        rows = connection.execute(select(RECORD.c.source, RECORD.c.name, RECORD.c.paper))
        return {f"{row.source} {row.name}": row.paper for row in rows}


def check(store: Store) -> None:
    """What must be so whatever was joined and parted: everything hangs on its record's paper."""
    with store.database.read() as connection:
        for table in (ALIAS, LISTING, SIGNAL):
            astray = (
                select(func.count())
                .select_from(table)
                .join(RECORD, (RECORD.c.id == table.c.record) & (RECORD.c.paper != table.c.paper))
            )
            assert connection.execute(astray).scalar_one() == 0, table.name
        live = set(connection.execute(select(RECORD.c.paper)).scalars())
        gone = select(PAPER.c.id).where(PAPER.c.merged_into.is_not(None))
        merged = set(connection.execute(gone).scalars())
        assert live & merged == set(), "a paper that is another has no records"
        assert live | merged == set(connection.execute(select(PAPER.c.id)).scalars())
        assert live == set(connection.execute(select(CATALOGUE.c.paper)).scalars())
        assert set(connection.execute(select(FACET.c.paper)).scalars()) <= live
        assert live == set(connection.execute(select(BRIEF.c.paper)).scalars())
        for row in connection.execute(select(PAPER).where(PAPER.c.id.in_(live))):
            listed = select(func.min(LISTING.c.day)).where(LISTING.c.paper == row.id)
            assert row.announced_on == connection.execute(listed).scalar_one()
    whole, briefs = store.papers.by_numbers(live), store.briefs.by_numbers(live)
    for number, paper in whole.items():
        assert entry(briefs[number]) == entry(paper), "a list says the same of both"
        assert title_words(briefs[number]) == title_words(paper)


def test_an_alias_joins_a_preprint_and_its_article(store: Store, now: datetime) -> None:
    assert store.papers.ingest([ARXIV], now).new == 1
    article = replace(CROSSREF, aliases=(ARXIV.id,), venue="J. Ex.")
    assert store.papers.ingest([article], now).changed == 1
    (paper,) = store.papers.between(DAY, DAY)
    assert (paper.id, paper.aliases, paper.venue) == (ARXIV.id, (DOI,), "J. Ex.")
    assert paper.abstract == "As arxiv has it."
    assert [listing.source for listing in paper.listings] == ["arxiv", "crossref"]
    check(store)


def test_a_doi_that_several_claim_joins_nobody_it_is_not_of(store: Store, now: datetime) -> None:
    store.papers.ingest([replace(ARXIV, aliases=(DOI,))], now)
    other = record(
        "arxiv:2611.00002", "arxiv", "Another Paper Altogether by Somebody",
        authors=(Author("Bo Exemplar"),), aliases=(DOI,),
    )  # fmt: skip
    assert store.papers.ingest([other], now).new == 1
    article = record("doi:10.1000/routing", "crossref", authors=(Author("Harrow, Ines"),))
    assert store.papers.ingest([article], now).changed == 1
    assert numbers(store)["crossref doi:10.1000/routing"] == 1
    check(store)


def test_title_first_author_and_year_join_as_the_last_resort(store: Store, now: datetime) -> None:
    store.papers.ingest([ARXIV], now)
    same = record("doi:10.5555/1", "crossref", TITLE.upper() + ".")
    later = record("doi:10.5555/2", "crossref", published_at=datetime(2029, 1, 1, tzinfo=UTC))
    other = record("doi:10.5555/3", "crossref", authors=(Author("Bo Exemplar"),))
    generic = [record(f"doi:10.5555/e{n}", "crossref", "Editorial") for n in range(2)]
    report = store.papers.ingest([same, later, other, *generic], now)
    assert (report.new, report.changed) == (4, 1)
    check(store)


def test_two_papers_that_turn_out_to_be_one_are_joined_under_the_older(
    store: Store, now: datetime
) -> None:
    featured = Listing("hf", "Daily Papers", DAY + timedelta(days=2), ListingKind.FEATURED)
    store.papers.ingest([record("arxiv:2611.00001", "arxiv", "Routing, an Early Title of It")], now)
    store.papers.ingest([replace(CROSSREF, signals=Signals(upvotes=7), listings=(featured,))], now)
    assert store.papers.count() == 2
    store.papers.ingest([SAYS_BOTH], now + timedelta(hours=1))
    assert set(numbers(store).values()) == {1}
    assert store.papers.count() == 1
    (paper,) = store.papers.between(DAY, DAY)
    assert (paper.number, paper.signals.upvotes, len(paper.listings)) == (1, 7, 3)
    # What was sent under the number that is no more can still be shown, and counts as sent.
    gone = store.papers.by_numbers([2])[2]
    assert (gone.number, gone.title) == (2, paper.title)
    assert store.papers.same_works() == {1: {1, 2}, 2: {1, 2}}
    check(store)


def test_a_source_that_takes_its_word_back_parts_them_again(store: Store, now: datetime) -> None:
    early = record("arxiv:2611.00001", "arxiv", "Routing, an Early Title of It")
    store.papers.ingest([early], now)
    store.papers.ingest([replace(CROSSREF, signals=Signals(upvotes=7))], now)
    store.papers.ingest([SAYS_BOTH], now)
    before = {number: paper.number for number, paper in store.papers.by_numbers([1, 2]).items()}
    assert before == {1: 1, 2: 2}
    corrected = replace(SAYS_BOTH, aliases=(), title="Routing, an Early Title of It")
    store.papers.ingest([corrected], now + timedelta(hours=1))
    assert numbers(store) == {
        "arxiv arxiv:2611.00001": 1,
        "crossref doi:10.1000/routing": 2,
        "openalex arxiv:2611.00001": 1,
    }
    one, two = (store.papers.by_numbers([n])[n] for n in (1, 2))
    assert (one.title, two.title) == (early.title, TITLE)
    assert (one.signals.upvotes, two.signals.upvotes) == (None, 7)
    # Whoever was sent one of them was sent both: the union stays.
    assert store.papers.same_works() == {1: {1, 2}, 2: {1, 2}}
    check(store)


def test_what_a_person_parts_stays_apart(store: Store, now: datetime) -> None:
    article = replace(CROSSREF, aliases=(ARXIV.id,))
    store.papers.ingest([ARXIV], now)
    store.papers.ingest([article], now)
    assert store.papers.part(1, ["doi:10.1000/routing"], now) == 2
    check(store)
    assert store.papers.by_numbers([1])[1].aliases == ()
    assert store.papers.by_numbers([2])[2].listings[0].source == "crossref"
    again = replace(article, abstract="Said once more.")
    store.papers.ingest([again], now + timedelta(hours=1))
    assert set(numbers(store).values()) == {1, 2}
    assert store.papers.same_works()[2] == {1, 2}
    with pytest.raises(NotFound, match="paper 1 holds no such record beside another"):
        store.papers.part(1, ["doi:10.1000/routing"], now)
    check(store)


def test_a_paper_is_parted_from_the_record_it_is_named_after_without_losing_its_name(
    store: Store, now: datetime
) -> None:
    store.papers.ingest([ARXIV], now)
    store.papers.ingest([replace(CROSSREF, aliases=(ARXIV.id,))], now)
    assert store.papers.part(1, ["arxiv:2611.00001"], now) == 2
    assert numbers(store)["arxiv arxiv:2611.00001"] == 1
    check(store)


def test_cross_lists_and_versions_are_listings_and_not_papers(store: Store, now: datetime) -> None:
    def listed(day: int, kind: ListingKind, version: int) -> Paper:
        on = Listing("arxiv", "arXiv", DAY + timedelta(days=day), kind, "cs.CL", version)
        return replace(ARXIV, version=version, listings=(on,))

    kinds = (ListingKind.NEW, ListingKind.CROSS, ListingKind.REPLACE)
    for n, kind in enumerate(kinds):
        store.papers.ingest([listed(n, kind, n + 1)], now + timedelta(days=n))
    (paper,) = store.papers.between(DAY, DAY)
    assert [one.kind for one in paper.listings] == list(kinds)
    assert [one.version for one in paper.listings] == [1, 2, 3]
    assert (paper.version, store.papers.count()) == (3, 1)


def test_said_twice_in_one_answer_it_is_stored_once_with_both_listings(
    store: Store, now: datetime
) -> None:
    elsewhere = replace(ARXIV, listings=(Listing("arxiv", "arXiv", DAY - timedelta(days=1)),))
    assert store.papers.ingest([ARXIV, elsewhere], now).new == 1
    (paper,) = store.papers.between(DAY - timedelta(days=1), DAY)
    assert len(paper.listings) == 2
    check(store)


def test_votes_alone_change_no_record_and_no_catalogue(store: Store, now: datetime) -> None:
    paper = replace(ARXIV, signals=Signals(upvotes=1, comments=0))
    store.papers.ingest([paper], now)
    moved = replace(ARXIV, signals=Signals(upvotes=5))
    report = store.papers.ingest([moved], now + timedelta(hours=8))
    assert (report.new, report.changed) == (0, 1)
    assert store.papers.ingest([moved], now + timedelta(hours=16)).same == 1
    assert [(one.upvotes, one.comments) for one in store.archive.history(1)] == [(1, 0), (5, 0)]


NAMES = ["arxiv:2611.00001", "arxiv:2611.00002", "doi:10.1000/a", "doi:10.1000/b", "pmid:1"]
TITLES = ["A Title That Is Long Enough to Be Compared", "Another Title Also Long Enough for It"]
RECORDS = st.builds(
    lambda name, source, title, aliases, author, votes: record(
        name, source, title,
        aliases=tuple(PaperId.parse(one) for one in dict.fromkeys(aliases) if one != name),
        authors=(Author(author),),
        signals=Signals(upvotes=votes),
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["arxiv", "crossref", "openalex"]),
    st.sampled_from(TITLES),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.sampled_from(["Ines Harrow", "Bo Exemplar"]),
    st.none() | st.integers(0, 9),
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.lists(RECORDS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_whatever_sources_say_in_whatever_order_nothing_is_lost_and_nothing_written_twice(
    tmp_path: Path, answers: list[list[Paper]]
) -> None:
    path = tmp_path / "any.db"
    for old in tmp_path.glob("any.db*"):
        old.unlink()
    moment = datetime(2026, 11, 20, 7, tzinfo=UTC)
    said: dict[tuple[str, str], Paper] = {}
    with open_store(f"sqlite:///{path}") as store:
        for n, papers in enumerate(answers):
            store.papers.ingest(papers, moment + timedelta(hours=n))
            said |= {(one.listings[0].source, str(one.id)): one for one in papers}
            check(store)
        found = numbers(store)
        assert set(found) == {f"{source} {name}" for source, name in said}
        same_id: dict[str, set[int]] = {}
        for key, number in found.items():
            same_id.setdefault(key.partition(" ")[2], set()).add(number)
        assert all(len(papers) == 1 for papers in same_id.values()), "one id, one paper"
        once = [one for (_, _), one in said.items()]
        last = moment + timedelta(days=1)
        store.papers.ingest(once, last)
        again = store.papers.ingest(once, last + timedelta(hours=1))
        assert (again.new, again.changed) == (0, 0)
