"""A reader's whole wish as one text: written, changed in an editor, read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyword_texts import excluded, lines

from subscribers.profile import Layout, Order, Profile
from subscribers.query import check
from subscribers.sheet import NEVER, SYNONYMS, Sheet, read, write
from subscribers.subscriber import Subscriber

ADA = Subscriber(
    "ada@example.org",
    profiles=(
        Profile('mixture of experts -image\n"sparse routing"', name="Experts", limit=5),
        Profile("unlearning", order=Order.TRENDING, layout=Layout.TITLES, lowest_score=1.5),
        Profile("agents", name="Loud", limit=0, new_versions=True, diverse=False,
                skip_library=False),
    ),
    muted_words=("survey", "image generation"),
    muted_authors=("B. Bad",),
    synonyms=("GNN = graph neural network",),
)  # fmt: skip


def test_a_wish_is_written_as_people_read_it() -> None:
    said = "".join(line for line in write(ADA).splitlines(True) if not line.startswith("#"))
    assert said == (
        '\n[Experts]\nmost papers: 5\nmixture of experts -image\n"sparse routing"\n\n'
        "[another interest]\nlowest score: 1.5\norder: trending\nlayout: titles\nunlearning\n\n"
        "[Loud]\nmost papers: all\ndiverse: no\nnew versions: yes\nlibrary: kept\nagents\n\n"
        "[never show me]\nsurvey\nimage generation\nauthor: B. Bad\n\n"
        "[my synonyms]\nGNN = graph neural network\n"
    )


def test_what_was_written_is_read_back() -> None:
    sheet, mistakes = read(write(ADA))
    assert not mistakes
    assert sheet.onto(Subscriber("ada@example.org")) == ADA


names = st.text(alphabet="abcÉ []#-:éß", max_size=8).map(lambda name: " ".join(name.split()))
profiles = st.builds(
    Profile,
    st.lists(lines | excluded, max_size=2).map("\n".join),
    name=names,
    limit=st.integers(0, 1000),
    order=st.sampled_from(Order),
    lowest_score=st.sampled_from([0.0, 0.5, 12.25]),
    layout=st.none() | st.sampled_from(Layout),
    diverse=st.booleans(),
    new_versions=st.booleans(),
    skip_library=st.booleans(),
)
wishes = st.lists(
    profiles, min_size=1, max_size=3, unique_by=lambda one: one.name.casefold() or id(one)
)


@given(wishes)
def test_every_wish_survives(wish: list[Profile]) -> None:
    reader = Subscriber("ada@example.org", profiles=tuple(wish))
    sheet, mistakes = read(write(reader))
    assert not [each for each in mistakes if "can find nothing" not in each.reason]
    assert sheet.onto(Subscriber("ada@example.org")) == reader


@given(st.text(max_size=200) | st.text(alphabet="[]#:=\n abmost p:no'\"(", max_size=80))
def test_any_text_is_read_or_refused_with_a_line_of_its_own(text: str) -> None:
    sheet, mistakes = read(text)
    for mistake in mistakes:
        assert 1 <= mistake.line <= len(text.splitlines())
    if not mistakes:
        again, more = read(write(sheet.onto(Subscriber("a@example.org"))))
        assert not more
        assert (
            [check(each.text)[0].lines for each in again.profiles if each.text]
            == [check(each.text)[0].lines for each in sheet.profiles if each.text]
            or "[" in text
            or "#" in text
        )


def test_keywords_before_any_head_are_an_interest() -> None:
    sheet, mistakes = read("mixture of experts\nunlearning\n")
    assert not mistakes
    assert sheet.profiles == (Profile("mixture of experts\nunlearning"),)
    assert Sheet().onto(ADA).profiles == (Profile(),)


def test_signs_that_mean_something_here_lose_it_in_keywords() -> None:
    reader = replace(ADA, profiles=(Profile("#routing\n[RAG]\n[# [x]"),))
    sheet, mistakes = read(write(reader))
    assert not mistakes
    assert sheet.profiles == (Profile("routing\nRAG\n[x"),)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason", "repair"),
    [
        ('[A]\nok\n\n"bad', 4, 1, "this quote is never closed.", '"bad"'),
        ('[A]\nok, "bad', 2, 5, "this quote is never closed.", 'ok, "bad"'),
        ("[A]\nmost paper: 5\nx", 2, 1, "there is no setting named 'most paper'.",
         "most papers: 5"),
        ("[A]\nmost papers: many\nx", 2, 13,
         "most papers is 10, another number up to 1,000, or all.", "most papers: 10"),
        ("[A]\norder: newest\nx", 2, 7, "order is relevant or trending.", "order: relevant"),
        ("[A]\nlayout: wide\nx", 2, 8, "layout is full, compact, titles or as the mail.",
         "layout: full"),
        ("[A]\nlowest score: nan\nx", 2, 14, "lowest score is 0 or another number up to 1,000.",
         "lowest score: 0"),
        ("[A]\nx\n[a]\ny", 3, 1, "another interest is named 'a'.", "[a 2]"),
        (f"[{SYNONYMS}]\nGNN", 2, 1, "names for one thing stand on one line with = between them.",
         "MoE = mixture of experts"),
        ("[A]\ntitel: x\ny", 2, 1, "there is no field named 'titel': ", "title: x"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line_in_the_whole_text(
    text: str, line: int, column: int, reason: str, repair: str
) -> None:
    _, (mistake, *more) = read(text)
    assert not more
    assert (mistake.line, mistake.column) == (line, column)
    assert mistake.reason.startswith(reason)
    assert mistake.repairs[0] == repair
    mended = text.splitlines()
    mended[line - 1] = repair
    assert not read("\n".join(mended))[1]


def test_too_many_interests_are_refused() -> None:
    _, mistakes = read("".join(f"[{n}]\nx\n" for n in range(51)))
    assert [each.reason for each in mistakes] == ["the most interests are 50."]


def test_a_sheet_too_long_is_refused_with_the_limit() -> None:
    sheet, (mistake,) = read("x\n" * 300_000)
    assert sheet == Sheet()
    assert (mistake.line, mistake.reason) == (
        250_001, "this is 600,000 characters long; the most is 500,000.",
    )  # fmt: skip
    assert len(read("[a]\n" * 100_000)[1]) == 50


def test_notes_and_the_case_of_the_heads_do_not_matter() -> None:
    sheet, mistakes = read(f"# note\n[A]\n  # note\nx\n[{NEVER.upper()}]\nby: B. Bad\nsurvey\n")
    assert not mistakes
    assert sheet == Sheet((Profile("x", name="A"),), ("survey",), ("B. Bad",))
