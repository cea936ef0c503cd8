"""When two records are one paper (all invented)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merge import Evidence, evidence, group, merge, title_key
from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals

if TYPE_CHECKING:
    from random import Random

DAY = date(2026, 11, 20)
TITLE = "Forgetting on a Budget: Unlearning Under Constraints"


def paper(
    name: str = "arxiv:2611.00001",
    source: str = "arxiv",
    *,
    title: str = TITLE,
    author: str = "Ines Harrow",
    aliases: tuple[str, ...] = (),
    year: int = 2026,
    kind: ListingKind = ListingKind.NEW,
    day: date = DAY,
    version: int | None = None,
) -> Paper:
    return Paper(
        id=PaperId.parse(name),
        title=title,
        authors=(Author(author),) if author else (),
        aliases=tuple(map(PaperId.parse, aliases)),
        published_at=datetime(year, 11, 19, tzinfo=UTC),
        version=version,
        listings=(Listing(source, source, day, kind, version=version),),
    )


def test_the_same_id_is_the_same_paper_whatever_else_it_says() -> None:
    other = paper(title="A Title That Was Changed Since", author="Somebody Else")
    assert evidence(paper(), other) is Evidence.ID
    assert PaperId.doi("10.48550/arXiv.2611.00001") == paper().id


def test_an_alias_counts_where_title_or_first_author_agree() -> None:
    preprint = paper(aliases=("doi:10.1/x",))
    journal = paper("doi:10.1/x", "crossref", title="Forgetting on Budgets", author="Harrow, I.")
    assert evidence(preprint, journal) is Evidence.ALIAS
    wrong = paper("doi:10.1/x", "crossref", title="Something Else Entirely", author="Bo Exemplar")
    assert evidence(preprint, wrong) is None, "authors enter wrong DOIs"


def test_two_arxiv_ids_are_two_papers_even_with_one_doi_and_one_title() -> None:
    one = paper("arxiv:2611.00001", aliases=("doi:10.1/x",))
    two = paper("arxiv:2611.00002", aliases=("doi:10.1/x",))
    assert evidence(one, two) is None


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"title": "forgetting on a budget -- unlearning under constraints."}, True),
        ({"title": "Forgetting on a Budget: \\emph{Unlearning} under $Constraints$"}, True),
        ({"author": "Inès Härrow"}, True),
        ({"author": "Harrow, I. J."}, True),
        ({"author": "Ines Harow"}, True),
        ({"author": "Ines Harrow Jr."}, True),
        ({"author": "Ines Barlow"}, False),
        ({"author": ""}, False),
        ({"year": 2025}, True),
        ({"year": 2020}, False),
        ({"title": "Forgetting on a Budget: Unlearning Without Constraints"}, False),
    ],
)
def test_a_title_counts_last_and_with_author_and_year_only(
    changes: dict[str, str | int], same: bool
) -> None:
    base = paper("doi:10.1/y", "crossref")
    fields = {"title": base.title, "author": "Ines Harrow", "year": 2026, **changes}
    other = paper(
        "doi:10.1/y",
        "crossref",
        title=str(fields["title"]),
        author=str(fields["author"]),
        year=int(fields["year"]),
    )
    found = evidence(paper(), other)
    assert found is (Evidence.TITLE if same else None)


@pytest.mark.parametrize(
    "title",
    ["Editorial", "Introduction", "Reply to the Comment on Invented Matters by Somebody",
     "Correction to: A Very Long Invented Title of a Paper", "Erratum for everything we wrote"],
)  # fmt: skip
def test_generic_titles_are_nobodys(title: str) -> None:
    assert title_key(title) == ""


def test_other_scripts_keep_their_letters() -> None:
    assert title_key("Глубокое обучение для нейронных сетей") != ""
    one, two = "हिन्दी में एक लंबा शीर्षक यहाँ", "हनद म एक लब शरषक यह"
    assert title_key(one) != title_key(two)


def test_each_field_comes_from_who_knows_it_best() -> None:
    featured = replace(
        paper(source="hf", kind=ListingKind.FEATURED, title="Forgetting On A Budget"),
        abstract="HF's copy.",
        summary="One sentence.",
        organization="Example Lab",
        signals=Signals(upvotes=48, comments=0, seen_at=datetime(2026, 11, 20, 12, tzinfo=UTC)),
    )
    original = replace(
        paper(version=2), categories=("cs.LG",), abstract="arXiv's.", url="https://arxiv.org/abs/x"
    )
    journal = replace(
        paper("doi:10.1/x", "crossref", aliases=("arxiv:2611.00001",)), venue="J. Ex."
    )
    found = merge([featured, journal, original])
    assert found.id == PaperId("arxiv", "2611.00001")
    assert found.aliases == (PaperId("doi", "10.1/x"),)
    assert (found.title, found.abstract) == (TITLE, "arXiv's.")
    assert (found.summary, found.organization, found.venue) == (
        "One sentence.",
        "Example Lab",
        "J. Ex.",
    )
    assert (found.signals.upvotes, found.signals.comments, found.signals.stars) == (48, 0, None)
    assert [listing.source for listing in found.listings] == ["arxiv", "crossref", "hf"]
    assert found.version == 2


def test_newer_signals_win_and_what_they_do_not_tell_stays() -> None:
    early = Signals(5, 2, 100, datetime(2026, 11, 20, 6, tzinfo=UTC))
    late = Signals(40, None, None, datetime(2026, 11, 20, 18, tzinfo=UTC))
    records = [replace(paper(), signals=early), replace(paper(source="hf"), signals=late)]
    assert merge(records).signals == Signals(40, 2, 100, late.seen_at)


def test_one_day_and_source_list_a_paper_once_as_what_says_most() -> None:
    cross, new = paper(kind=ListingKind.CROSS), paper(kind=ListingKind.NEW)
    later = paper(kind=ListingKind.REPLACE, day=date(2026, 11, 25), version=2)
    found = merge([cross, later, new])
    assert [(one.day, one.kind) for one in found.listings] == [
        (DAY, ListingKind.NEW),
        (date(2026, 11, 25), ListingKind.REPLACE),
    ]


def test_groups_join_over_chains_and_part_where_ids_exclude_each_other() -> None:
    records = [
        paper("arxiv:2611.00001", aliases=("doi:10.1/x",)),
        paper("arxiv:2611.00009", title="Quite Another Paper About Something", author="Bo Ex"),
        paper("doi:10.1/x", "crossref"),
        paper("pmid:7", "pubmed", aliases=("doi:10.1/x",)),
        paper("arxiv:2611.00002", aliases=("doi:10.1/x",)),
    ]
    assert group(records) == [[0, 2, 3], [1], [4]]


IDS = st.sampled_from(["arxiv:2611.00001", "arxiv:2611.00002", "doi:10.1/x", "pmid:7", "url:u"])
PAPERS = st.builds(
    paper,
    IDS,
    st.sampled_from(["arxiv", "hf", "crossref", "feed:x"]),
    title=st.sampled_from([TITLE, "Another Title With Enough Words In It", "Editorial"]),
    author=st.sampled_from(["Ines Harrow", "Bo Exemplar", ""]),
    aliases=st.lists(IDS, max_size=2).map(tuple),
    kind=st.sampled_from(ListingKind),
)


@given(st.lists(PAPERS, max_size=8))
def test_grouping_loses_nobody_and_names_each_once(records: list[Paper]) -> None:
    found = group(records)
    assert sorted(position for members in found for position in members) == [*range(len(records))]


@given(st.lists(PAPERS, min_size=1, max_size=5), st.randoms())
def test_the_merged_view_does_not_depend_on_the_order_or_on_being_merged_before(
    records: list[Paper], chance: Random
) -> None:
    shuffled = [*records]
    chance.shuffle(shuffled)
    found, other = merge(records), merge(shuffled)
    assert (found.id, found.aliases, found.listings, found.signals) == (
        other.id,
        other.aliases,
        other.listings,
        other.signals,
    )
    assert merge([found]) == found


@given(PAPERS, PAPERS)
def test_being_one_paper_is_mutual(one: Paper, other: Paper) -> None:
    assert evidence(one, other) is evidence(other, one)
