"""Ranking: the order, the score and the reasons of what a profile matches."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keyword_texts import shelves, texts, texts_with_exclusions
from one_by_one import Literal, as_literal, rank_one_by_one

from digest.match import Engine, Match, Reason, ReasonKind, match, trend
from digest.papers import Author, Listing, Paper, PaperId, Signals
from subscribers.profile import Order, Profile
from subscribers.query import check, matches

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def paper(number: int, title: str, abstract: str = "", **more: object) -> Paper:
    made = Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=abstract,
        number=number,
        first_seen_at=NOW - timedelta(hours=18),
        listings=(Listing("hf", "Daily Papers", date(2026, 11, 20)),),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def told(papers: list[Paper], profiles: list[Profile]) -> list[list[Literal]]:
    return [[*map(as_literal, matched)] for matched in match(papers, profiles, now=NOW)]


def ranked(text: str, *papers: Paper, order: Order = Order.RELEVANT) -> Sequence[Match]:
    return match(papers, [Profile(text, order=order)], now=NOW)[0]


def test_a_word_in_the_title_is_worth_more_than_one_in_the_abstract() -> None:
    found = ranked("routing", paper(1, "A", "routing"), paper(2, "Routing"), paper(3, "Other"))
    assert [each.paper for each in found] == [2, 1]
    assert found[0].score > found[1].score


def test_side_by_side_is_worth_more_than_apart() -> None:
    apart = paper(1, "X", "A mixture is not what experts of routing want")
    together = paper(2, "X", "We study a mixture of experts and routing here")
    assert [each.paper for each in ranked("mixture of experts", apart, together)] == [2, 1]


def test_a_rare_word_is_worth_more_than_a_common_one() -> None:
    papers = [paper(n, "X", "model") for n in range(1, 6)] + [paper(6, "X", "unlearning")]
    assert ranked("model\nunlearning", *papers)[0].paper == 6


def test_two_lines_are_worth_more_than_one() -> None:
    found = ranked("routing\nsparse", paper(1, "X", "routing"), paper(2, "X", "routing sparse"))
    assert [(each.paper, each.also_lines) for each in found] == [(2, (1,)), (1, ())]
    assert found[0].line == 2


def test_a_weight_turns_the_order() -> None:
    one, other = paper(1, "routing"), paper(2, "X", "sparse")
    assert [each.paper for each in ranked("routing\nsparse", one, other)] == [1, 2]
    assert [each.paper for each in ranked("routing\nsparse^9", one, other)] == [2, 1]


def test_an_empty_profile_has_every_paper_by_trend() -> None:
    quiet = paper(1, "Quiet")
    loud = paper(2, "Loud", signals=Signals(upvotes=48, comments=7))
    found = ranked("", quiet, loud)
    assert [(each.paper, each.line) for each in found] == [(2, 0), (1, 0)]
    assert found[0].reasons == (Reason(ReasonKind.TREND, "48 upvotes in 18 hours, 7 comments"),)
    assert found[1].reasons == (Reason(ReasonKind.TREND, "new in Daily Papers"),)


def test_exclusions_alone_thin_out_the_top_ten() -> None:
    found = ranked("-survey", paper(1, "A survey"), paper(2, "Another"))
    assert [each.paper for each in found] == [2]


def test_trending_order_is_by_trend() -> None:
    fitting = paper(1, "Routing routing", "routing routing")
    loud = paper(2, "X", "routing", signals=Signals(upvotes=400))
    assert ranked("routing", fitting, loud)[0].paper == 1
    assert ranked("routing", fitting, loud, order=Order.TRENDING)[0].paper == 2


def test_reasons_name_terms_authors_and_floors() -> None:
    made = paper(
        1,
        "Expert routing",
        "A mixture of experts.",
        authors=(Author("Ines Harrow"),),
        signals=Signals(upvotes=21),
        categories=("cs.LG",),
        organization="Lindqvist Institute",
    )
    (found,) = ranked(
        'mixture of experts\nrouting\nauthor:"Harrow, I."\nupvotes>20\norg:lindqvist category:cs',
        made,
    )
    assert [(reason.kind, reason.text, reason.field) for reason in found.reasons] == [
        (ReasonKind.TERM, "routing", "title"),
        (ReasonKind.TERM, "mixture of experts", "abstract"),
        (ReasonKind.TERM, "lindqvist", "org"),
        (ReasonKind.AUTHOR, "Ines Harrow", "author"),
        (ReasonKind.TERM, "cs.LG", "category"),
        (ReasonKind.FLOOR, "passed 20 upvotes today", ""),
    ]


def test_what_is_not_there_can_be_a_reason() -> None:
    (found,) = ranked("unlearning OR -survey", paper(1, "X"))
    assert found.reasons == (Reason(ReasonKind.TERM, "unlearning OR -survey", "line"),)


def test_a_line_with_a_mistake_is_passed_over() -> None:
    assert [each.line for each in ranked('"bad\nrouting', paper(1, "routing"))] == [2]


def test_reasons_survive_packing() -> None:
    (found,) = ranked("routing upvotes>3", paper(1, "Routing", signals=Signals(upvotes=5)))
    loaded = [json.loads(reason.packed) for reason in found.reasons]
    assert tuple(map(Reason.unpack, loaded)) == found.reasons
    with pytest.raises(ValueError, match="no packed reason"):
        Reason.unpack(["term"])


@given(shelves, texts)
def test_a_score_can_be_taken_apart(papers: list[Paper], text: str) -> None:
    for found in match(papers, [Profile(text)], now=NOW)[0]:
        assert found.parts.total == pytest.approx(found.score)
        assert sum(line.points for line in found.lines) == pytest.approx(found.parts.relevance)
        for line in found.lines:
            # A line of nothing that scores (a floor, a category) is worth a thousandth.
            made = sum(term.points for term in line.terms)
            assert line.points == pytest.approx(max(made, 0.001), abs=0.00051)


@pytest.mark.parametrize(
    ("signals", "hours", "value"),
    [
        (Signals(), 10, 0.0),
        (Signals(upvotes=48, comments=0), 48, 0.5),
        (Signals(upvotes=12), 0, 2.0),
        (Signals(comments=6), 0, 2.0),
        (Signals(upvotes=96), 96, 0.25),
    ],
)
def test_trend_is_votes_an_hour_halved_every_two_days(
    signals: Signals, hours: int, value: float
) -> None:
    made = paper(1, "X", signals=signals, first_seen_at=NOW - timedelta(hours=hours))
    assert trend(made, NOW) == pytest.approx(value)


@given(shelves, texts_with_exclusions, st.randoms(use_true_random=False))
def test_the_order_of_papers_and_profiles_never_matters(
    papers: list[Paper], text: str, chance: random.Random
) -> None:
    profiles = [Profile(text), Profile()]
    first = told(papers, profiles)
    shuffled = list(papers)
    chance.shuffle(shuffled)
    assert told(shuffled, profiles[::-1])[::-1] == first


@example(papers=[Paper(PaperId("a", "1"), "model model", number=1)], text='"model model"~1')
@given(shelves, texts)
def test_what_is_matched_is_what_the_language_says(papers: list[Paper], text: str) -> None:
    query = check(text)[0]
    found = {each.paper for each in match(papers, [Profile(text)], now=NOW)[0]}
    if query.is_empty:
        return
    assert found == {each.number for each in papers if matches(query, each)}


@given(shelves, texts)
def test_every_reason_stands_in_the_text(papers: list[Paper], text: str) -> None:
    by_number = {each.number: each for each in papers}
    for found in match(papers, [Profile(text)], now=NOW)[0]:
        assert found.reasons
        for hit in (hit for reason in found.reasons for hit in reason.hits):
            if hit.field in {"title", "abstract"}:
                stood = getattr(by_number[found.paper], hit.field)[hit.start : hit.end]
                assert stood
                assert stood.strip() == stood


profiles_of_all_kinds = st.lists(
    st.builds(Profile, texts_with_exclusions | st.sampled_from(["", "-model", "-model\n-sparse"]),
              order=st.sampled_from(Order)),
    min_size=1, max_size=4,
)  # fmt: skip


@given(shelves, profiles_of_all_kinds)
def test_many_are_matched_as_one_by_one(papers: list[Paper], profiles: list[Profile]) -> None:
    assert told(papers, profiles) == rank_one_by_one(papers, profiles, now=NOW)


@given(shelves, profiles_of_all_kinds, st.integers(1, 3))
def test_the_best_are_the_first_of_all(
    papers: list[Paper], profiles: list[Profile], top: int
) -> None:
    best = Engine(papers, now=NOW).match(profiles, top=top)
    everything = told(papers, profiles)
    assert [[*map(as_literal, matched)] for matched in best] == [all_[:top] for all_ in everything]


@given(shelves, profiles_of_all_kinds)
def test_profiles_do_not_touch_each_other(papers: list[Paper], profiles: list[Profile]) -> None:
    assert told(papers, profiles) == [told(papers, [profile])[0] for profile in profiles]
