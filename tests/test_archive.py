"""The archive in the store: what stands on which day, and candidates for every keyword text."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyword_texts import shelves, texts_with_exclusions

from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store import open_store
from digest.store.archive import END, Archive, Around, around
from digest.store.catalogue import CATALOGUE
from digest.store.papers import PAPER, enter_missing
from digest.store.shelves import names
from subscribers.query import check, matches, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.store import Store

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)
THURSDAY = date(2026, 11, 19)


def paper(number: int, day: date = FRIDAY, **more: object) -> Paper:
    plain = Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        f"Paper {number}",
        categories=("cs.LG",),
        listings=(Listing("arxiv", "arXiv", day),),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def numbers(store: Store, *papers: Paper) -> list[int]:
    """Store the papers; their numbers."""
    for one in papers:
        store.papers.ingest([one], NOW)
    found = [store.archive.number_of(str(one.id)) for one in papers]
    assert None not in found
    return [number for number in found if number is not None]


def found(store: Store, text: str, before: int = END, most: int = 1000) -> list[int]:
    """What a text means, by way of the candidates."""
    query = parse(text)
    placed = store.archive.candidates(query, before=before, most=most)
    held = store.papers.by_numbers([number for _, number in placed])
    return [number for _, number in placed if matches(query, held[number])]


class TestDays:
    def test_a_list_holds_what_was_listed_most_upvoted_first(self, store: Store) -> None:
        few, many, none, other = numbers(
            store,
            paper(1, signals=Signals(upvotes=2)),
            paper(2, signals=Signals(upvotes=48)),
            paper(3),
            paper(4, THURSDAY),
        )
        assert list(store.archive.shelf(FRIDAY, FRIDAY, {})) == [many, few, none]
        assert list(store.archive.shelf(FRIDAY, FRIDAY, {}, most=2)) == [many, few]
        assert len(store.archive.shelf(THURSDAY, FRIDAY, {})) == 4
        assert list(store.archive.shelf(THURSDAY, THURSDAY, {})) == [other]

    def test_a_paper_stands_on_each_day_it_was_listed_but_not_for_a_new_version(
        self, store: Store
    ) -> None:
        first = paper(1, THURSDAY, organization="Lindqvist Institute")
        featured = replace(first, listings=(Listing("hf", "Daily Papers", FRIDAY),))
        again = (Listing("arxiv", "arXiv", FRIDAY + timedelta(days=3), ListingKind.REPLACE),)
        (number, *_) = numbers(store, first, featured, replace(first, listings=again))
        shelf = store.archive.shelf
        friday = {"source": "Daily Papers", "organization": "Lindqvist Institute"}
        assert list(shelf(FRIDAY, FRIDAY, friday)) == [number]
        assert len(shelf(FRIDAY, FRIDAY, {"source": "arXiv"})) == 0
        assert len(shelf(THURSDAY, THURSDAY, {"source": "arXiv"})) == 1
        assert len(shelf(THURSDAY, FRIDAY, {})) == 1
        assert store.archive.days()[-1] == FRIDAY
        assert names(store.archive.shelves(THURSDAY, FRIDAY)) == {
            "category": [("cs.LG", 2)],
            "organization": [("Lindqvist Institute", 2)],
            "source": [("Daily Papers", 1), ("arXiv", 1)],
        }

    def test_what_a_source_takes_back_stands_there_no_longer(self, store: Store) -> None:
        numbers(store, paper(1, categories=("cs.LG", "cs.CL")), paper(1, categories=("cs.LG",)))
        assert names(store.archive.shelves(FRIDAY, FRIDAY))["category"] == [("cs.LG", 1)]

    def test_the_days_around(self, store: Store) -> None:
        assert around(store.archive.days(), FRIDAY, FRIDAY) == Around(None, None, None)
        monday = FRIDAY + timedelta(days=3)
        numbers(store, paper(1, THURSDAY), paper(2, FRIDAY), paper(3, monday))
        found = around(store.archive.days(), FRIDAY, FRIDAY + timedelta(days=1))
        assert found == Around(THURSDAY, monday, monday)

    def test_the_revision_moves_with_papers_and_counts_and_with_nothing_else(
        self, store: Store
    ) -> None:
        seen = [store.archive.revision()]
        one = paper(1)
        for step, said in enumerate((one, one, replace(one, signals=Signals(upvotes=3)))):
            store.papers.ingest([said], NOW + timedelta(hours=step))
            seen.append(store.archive.revision())
        assert [before == after for before, after in itertools.pairwise(seen)] == [
            False, True, False,
        ]  # fmt: skip

    def test_counts_over_time_come_in_order(self, store: Store) -> None:
        for hours, upvotes in ((0, 1), (1, 1), (2, 5)):
            said = paper(1, signals=Signals(upvotes=upvotes))
            store.papers.ingest([said], NOW + timedelta(hours=hours))
        (number,) = numbers(store, paper(1))
        history = store.archive.history(number)
        assert [(one.seen_at, one.upvotes) for one in history] == [
            (NOW, 1),
            (NOW + timedelta(hours=2), 5),
        ]

    def test_what_is_noticed_is_new_and_counted_for(self, store: Store) -> None:
        liked, _ = numbers(store, paper(1, signals=Signals(upvotes=3)), paper(2))
        noticed = store.archive.noticed(NOW - timedelta(days=1), {"source": "arXiv"})
        assert [(one.number, one.signals.upvotes) for one in noticed] == [(liked, 3)]
        assert not store.archive.noticed(NOW - timedelta(days=1), {"source": "bioRxiv"})
        assert not store.archive.noticed(NOW, {})


class TestCandidates:
    def test_newest_first_even_where_old_papers_came_later(self, store: Store) -> None:
        new, old, newer = numbers(store, paper(1), paper(2, THURSDAY), paper(3))
        assert found(store, "paper") == [newer, new, old]

    def test_they_go_on_where_a_page_ended(self, store: Store) -> None:
        numbers(store, *(paper(number) for number in range(1, 6)))
        query = parse("paper")
        first = store.archive.candidates(query, before=END, most=3)
        rest = store.archive.candidates(query, before=first[-1][0], most=3)
        assert [len(first), len(rest)] == [3, 2]
        assert first + rest == store.archive.candidates(query, before=END, most=9)

    @pytest.mark.parametrize(
        "text",
        [
            "author:0000-0002-1825-0097",
            "author:s2:1741101",
            'author:"Łukasz Größe"',
            'org:"Größe & Söhne"',
            'category:"molecular biology"',
            'source:"My feed, too"',
            "id:10.1000/xyz",
            "C++",
            "A*",
            "扩散",
            '"3.5"',
            "optimis*",
            "RAG",
            "data-center",
        ],
    )
    def test_odd_words_are_found(self, store: Store, text: str) -> None:
        author = Author("Łukasz Größe", "0000-0002-1825-0097", "1741101")
        (number,) = numbers(
            store,
            paper(
                1,
                title="A* in C++ 3.5: 扩散模型, RAGs and optimization in datacenters",
                authors=(author,),
                organization="Größe & Söhne",
                categories=("Molecular Biology",),
                aliases=(PaperId.doi("10.1000/XYZ"),),
                listings=(Listing("feed", "My feed, too", FRIDAY),),
            ),
        )
        assert found(store, text) == [number]

    def test_a_word_of_any_length_and_every_mark_can_be_stored_and_asked_for(
        self, store: Store
    ) -> None:
        marks = "'\"()*:^-&|!\\ % ; -- \U0001f600 ﷺ"
        (number,) = numbers(store, paper(1, title="x" * 400, abstract="y" * 3000 + f" {marks}"))
        assert found(store, "x" * 400) == [number]

    def test_what_was_changed_is_found_by_its_new_words_alone(self, store: Store) -> None:
        numbers(store, paper(1, title="Unlearning"), paper(1, title="Forgetting"))
        assert found(store, "forgetting")
        assert not store.archive.candidates(parse("unlearning"), before=END, most=9)

    def test_what_is_missing_is_entered(self, store: Store) -> None:
        several = numbers(store, *(paper(number) for number in range(1, 4)))
        with store.database.write() as connection:
            connection.execute(CATALOGUE.delete())
        assert found(store, "paper") == []
        with store.database.write() as connection:
            enter_missing(connection)
        assert found(store, "paper") == several[::-1]

    def test_a_word_of_a_title_is_asked_of_titles(self, store: Store) -> None:
        one, _ = numbers(
            store,
            paper(1, title="Video-to-text"),
            paper(2, abstract="A video, as RAG knows it."),
        )
        for asked in ("title:video", "title:vide*", 'title:"video-to"', "title:videos"):
            placed = store.archive.candidates(parse(asked), before=END, most=9)
            assert [number for _, number in placed] == [one], asked

    @pytest.mark.parametrize("few", [0, 1_000])
    def test_a_floor_is_looked_up_with_the_words(self, store: Store, few: int) -> None:
        archive = Archive(store.database, few)  # begin with the words, or with the floor
        _, liked, *_ = numbers(
            store,
            paper(1),
            paper(2, signals=Signals(upvotes=21), title="Paper on unlearning"),
            paper(3, signals=Signals(upvotes=20, comments=30)),
            paper(4, signals=Signals(comments=3), title="Unlearning"),
        )
        for text in ("upvotes>20", "paper upvotes>20", "paper upvotes>20 unlear*"):
            placed = archive.candidates(parse(text), before=END, most=9)
            assert [number for _, number in placed] == [liked]
        assert not archive.candidates(parse("unlearn upvotes>0"), before=END, most=9)

    def test_the_newest_that_have_a_word(self, store: Store) -> None:
        one, _, three = numbers(store, paper(1), paper(2, title="Unlearning"), paper(3))
        assert store.archive.having(["paper", "nowhere"], most=9) == {
            "paper": [three, one],
            "nowhere": [],
        }
        assert store.archive.having(["paper"], most=1) == {"paper": [three]}
        assert store.archive.having([], most=1) == {}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('archive') / 'digest.db'}") as store:
        yield store


@given(shelves, texts_with_exclusions)
@settings(max_examples=60)
def test_every_paper_that_a_text_means_is_a_candidate(
    shared: Store, papers: Sequence[Paper], text: str
) -> None:
    with shared.database.write() as connection:
        connection.execute(PAPER.delete())
    for one in papers:
        shared.papers.ingest([one], NOW)
    query = check(text)[0]
    stored = shared.papers.between(date.min, date.max)
    meant = [one for one in stored if matches(query, one)]
    for archive in (shared.archive, Archive(shared.database, few=0)):
        placed = archive.candidates(query, before=END, most=1000)
        assert {one.number for one in meant} <= {number for _, number in placed}
        places = [place for place, _ in placed]
        assert places == sorted(set(places), reverse=True)


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=60)
def test_no_text_breaks_the_index(shared: Store, title: str, text: str) -> None:
    shared.papers.ingest([paper(9, title=title or "-", organization=title)], NOW)
    shared.archive.candidates(check(text)[0], before=END, most=10)
