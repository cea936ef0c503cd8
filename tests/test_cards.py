"""One entry of the archive in words."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.cards import View, card
from digest.match import Reason, ReasonKind
from digest.papers import Listing, Paper, PaperId, Signals
from digest.volume import Recent
from digest.web.answer import Newest, sample
from digest.web.cards import SNIPPET, entry, path_of, snippet
from subscribers.profile import Layout
from subscribers.query import matches, parse


def test_a_name_that_can_stand_in_a_path_is_the_path() -> None:
    for name, path in (
        ("arxiv:2611.00001", "/paper/arxiv:2611.00001"),
        ("doi:10.1000/x(1)_y", "/paper/doi:10.1000/x(1)_y"),
        ("doi:10.1000/a//b", "/paper/7"),
        ("doi:10.1000/../b", "/paper/7"),
        ("doi:10.1000/<b>?", "/paper/7"),
        ("url:https://example.org/1", "/paper/7"),
    ):
        assert path_of(Paper(PaperId.parse(name), "T", number=7)) == path


@given(st.text("ab c.", min_size=1, max_size=900), st.data())
def test_a_snippet_is_a_stretch_of_the_text_with_its_first_mark(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, min(len(text), start + 40)))
    shown = snippet(text, [(start, end)])
    bare = "".join(piece for piece, _ in shown).removeprefix("…").removesuffix("…")
    assert bare in text
    assert [piece for piece, is_mark in shown if is_mark] == [text[start:end]]
    assert len(bare) <= SNIPPET + 200


def test_what_a_search_found_is_marked_in_title_and_text() -> None:
    paper = Paper(PaperId("pmid", "1"), "Sparse experts", abstract="We train experts. Experts win.")
    shown = entry(paper, matches(parse("experts"), paper))
    assert shown.title == (("Sparse ", False), ("experts", True))
    assert not shown.snippet, "where the title shows it, the text need not be quoted"
    shown = entry(paper, matches(parse("train\nwin"), paper))
    assert [piece for piece, is_mark in shown.snippet if is_mark] == ["train", "win"]


def test_formulas_are_set_and_marks_stay_on_their_words() -> None:
    paper = Paper(PaperId("pmid", "1"), r"A $\beta$-balanced loss for experts")
    shown = entry(paper, matches(parse("experts"), paper))
    assert shown.title == (("A β-balanced loss for ", False), ("experts", True))


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout.FULL, "48 upvotes in 18 hours"),
        (Layout.COMPACT, "48 upvotes in 18 hours, 7 comments, 1,300 stars"),
    ],
)
def test_counts_that_stand_on_a_link_of_the_card_are_not_said_again(
    layout: Layout, said: str
) -> None:
    paper = Paper(
        PaperId("pmid", "1"),
        "Routing",
        signals=Signals(48, 7, 1_300),
        code_url="https://github.com/x/y",
        discussion_url="https://talk.example/1",
    )
    reason = Reason(ReasonKind.TREND, "48 upvotes in 18 hours, 7 comments, 1,300 stars")
    made = card(paper, [reason], (), layout, View(), 1, 1)
    assert made.why_text == said
    assert ("comments" in said) != (made.comments is not None)


@pytest.mark.parametrize(
    ("day", "heading"),
    [
        (date(2026, 11, 20), "Friday’s mail would have held"),
        (date(2026, 11, 21), "Of Saturday’s papers, your mail would hold"),
    ],
)
def test_no_mail_is_promised_for_a_weekend(day: date, heading: str) -> None:
    listed = (Listing("hf", "Daily Papers", day),)
    papers = [Paper(PaperId("pmid", "1"), "Routing", number=1, listings=listed)]
    now = datetime(2026, 11, 22, 7, tzinfo=UTC)
    newest = Newest.of(Recent(papers, today=day, now=now))
    assert sample("routing", newest, now).heading == heading
