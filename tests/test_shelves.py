"""Shelves: the packed days say what a literal count of the papers' own listings says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store import open_store
from digest.store.archive import FACETS
from digest.store.papers import enter_missing
from digest.store.shelves import SHELF, names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.store import Store

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
FIRST = date(2026, 11, 16)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
CATEGORIES = ("cs.LG", "cs.CL", "stat.ML")
INSTITUTES = ("", "Lindqvist Institute", "Institut für Öde")

said = st.builds(
    lambda number, source, day, kind, categories, institute, upvotes, comments: Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        f"A title of its own, number {number}",
        (Author(f"Ines Harrow {number}"),),
        organization=institute,
        categories=tuple(categories),
        signals=Signals(upvotes, comments),
        listings=(Listing(source, source.upper(), day, kind, categories[0]),),
    ),
    st.integers(1, 6),
    st.sampled_from(("arxiv", "hf")),
    st.sampled_from(DAYS),
    st.sampled_from((ListingKind.NEW, ListingKind.FEATURED, ListingKind.REPLACE)),
    st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2, unique=True),
    st.sampled_from(INSTITUTES),
    st.none() | st.integers(0, 3),
    st.none() | st.integers(0, 2),
)


def stands_under(paper: Paper) -> set[tuple[date, str, str]]:
    """Where a paper stands, read off its listings."""
    found = set()
    for one in paper.listings:
        if one.kind is not ListingKind.REPLACE:
            found |= {(one.day, "category", name) for name in (*paper.categories, one.category)}
            found |= {(one.day, "organization", paper.organization), (one.day, "source", one.label)}
    return {each for each in found if each[2]}


def literal_shelf(
    papers: Sequence[Paper], first: date, last: date, filters: Mapping[str, str]
) -> list[int]:
    """The numbers of what was listed under all of these facets, most upvoted first."""
    listed = []
    for paper in papers:
        there = {(kind, name) for day, kind, name in stands_under(paper) if first <= day <= last}
        if there and set(filters.items()) <= there:
            counts = (paper.signals.upvotes, paper.signals.comments)
            listed.append((*(-1 if count is None else count for count in counts), paper.number))
    return [number for _, _, number in sorted(listed, reverse=True)]


def literal_facets(
    papers: Sequence[Paper], first: date, last: date
) -> dict[str, list[tuple[str, int]]]:
    """Per facet, the names and how often a paper stands under them on these days."""
    stands = [
        (kind, name) for p in papers for day, kind, name in stands_under(p) if first <= day <= last
    ]
    counts = Counter(stands)
    return {
        kind: sorted(
            ((name, count) for (k, name), count in counts.items() if k == kind),
            key=lambda one: (-one[1], one[0]),
        )
        for kind in FACETS
    }


@settings(max_examples=40)
@given(st.lists(st.lists(said, max_size=6), max_size=5))
def test_days_say_what_a_literal_count_says_whatever_was_stored_in_any_order(
    batches: list[list[Paper]],
) -> None:
    with open_store("sqlite://") as store:
        for hour, batch in enumerate(batches):
            store.papers.ingest(batch, NOW + timedelta(hours=hour))
            papers = [
                paper
                for number, paper in store.papers.by_numbers(range(1, 50)).items()
                if paper.listings and paper.number == number
            ]
            for first, last in ((DAYS[0], DAYS[-1]), (DAYS[1], DAYS[2]), (DAYS[3], DAYS[3])):
                assert names(store.archive.shelves(first, last)) == literal_facets(
                    papers, first, last
                )
                for filters in (
                    {},
                    {"category": "cs.LG"},
                    {"category": "cs.CL", "organization": INSTITUTES[1], "source": "HF"},
                    {"organization": INSTITUTES[2]},
                ):
                    shelf = store.archive.shelf(first, last, filters)
                    assert list(shelf) == literal_shelf(papers, first, last, filters)
                    most = store.archive.shelf(first, last, filters, most=2)
                    assert list(most) == list(shelf)[:2]


def test_a_database_without_its_shelves_gets_them_back(store: Store) -> None:
    listed = Listing("arxiv", "arXiv", FIRST)
    paper = Paper(PaperId("arxiv", "2611.00001"), "One", listings=(listed,), categories=("cs.LG",))
    other = replace(paper, id=PaperId("arxiv", "2611.00002"), title="Two")
    store.papers.ingest([paper, other], NOW)
    before = names(store.archive.shelves(FIRST, FIRST)), list(store.archive.shelf(FIRST, FIRST, {}))
    with store.database.write() as connection:
        connection.execute(delete(SHELF))
    assert not store.archive.shelf(FIRST, FIRST, {})
    with store.database.write() as connection:
        enter_missing(connection)
    assert before == (names(store.archive.shelves(FIRST, FIRST)), [2, 1])
    assert before[1] == [2, 1]


def test_a_paper_that_turns_out_to_be_another_stands_there_once(store: Store) -> None:
    title, author = "Routing Without Regret in Sparse Mixtures", (Author("Ines Harrow"),)
    listed = Listing("arxiv", "arXiv", FIRST)
    first = Paper(PaperId("arxiv", "2611.00001"), title, author, listings=(listed,))
    pubmed = Listing("pubmed", "PubMed", DAYS[1])
    second = Paper(PaperId("pmid", "7"), "Something else", author, listings=(pubmed,))
    store.papers.ingest([first, second], NOW)
    assert len(store.archive.shelf(DAYS[0], DAYS[1], {})) == 2
    told = replace(second, title=title, aliases=(first.id,), signals=Signals(upvotes=3))
    store.papers.ingest([told], NOW + timedelta(hours=1))
    assert list(store.archive.shelf(DAYS[0], DAYS[1], {})) == [1]
    assert list(store.archive.shelf(DAYS[1], DAYS[1], {"source": "PubMed"})) == [1]
