"""One entry of the archive in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from digest.papers import Paper, PaperId
from digest.web.cards import SNIPPET, entry, path_of, snippet
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
