"""Synonyms: offered, never added by themselves; switched on, they only ever add papers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyword_texts import papers, texts_with_exclusions
from test_volume import paper, recent

from digest.app import open_app
from digest.errors import SettingsError
from digest.papers import Paper, PaperId
from digest.settings import load
from digest.volume import Switch, volume
from subscribers.query import check, format_query, matches, parse
from subscribers.subscriber import Subscriber
from subscribers.synonyms import Synonym, built_in, read_group, read_list, thesaurus
from subscribers.words import words

if TYPE_CHECKING:
    from pathlib import Path

# What the invented papers and texts of keyword_texts are made of, so that offers are made.
OURS = thesaurus(["mixture of experts = sparse attention", "RAG = image = LoRA", "GPT-4 = k-NN"])


def offered(text: str) -> dict[str, str]:
    (line,) = parse(text).lines
    return {one.name: one.text for one in thesaurus().of(line)}


def test_the_list_has_no_name_twice_for_one_thing_and_reads_as_keywords() -> None:
    groups = built_in()
    assert len(groups) > 150
    for group in groups:
        assert len({tuple(words(name)) for name in group}) == len(group), group
        for name in group:
            assert len(parse(f'"{name}"').asks) == 1
    assert len({frozenset(group) for group in groups}) == len(groups)


@pytest.mark.parametrize(
    ("text", "name", "then"),
    [
        ("mixture of experts", "MoE", "mixture of experts OR MoE"),
        ("mixtures-of-expert", "MoE", "mixtures-of-expert OR MoE"),
        ("moe", "mixture of experts", 'moe OR "mixture of experts"'),
        ("MoE -image", "mixture of experts", '(MoE OR "mixture of experts") -image'),
        ("sparse large language models", "LLM", "sparse (large language models OR LLM)"),
        ("(LLM OR VLM) safety", "vision language model",
         '(LLM OR VLM OR "vision language model") safety'),
        ("title:GNN", "graph neural network", 'title:GNN OR title:"graph neural network"'),
        ("SAM", "sharpness-aware minimization", 'SAM OR "sharpness-aware minimization"'),
    ],
)  # fmt: skip
def test_another_name_is_offered_as_the_line_that_has_it(text: str, name: str, then: str) -> None:
    assert offered(text)[name] == then
    assert format_query(parse(then)) == then


@pytest.mark.parametrize(
    "text",
    [
        "mixture of experts OR MoE", "-MoE agents", "author:MoE", "moe*", "mixture experts",
        'MoE OR "mixture of experts"', "(moe OR mixture of experts) routing",
        '"mixture experts"~5', "upvotes>3",
    ],
)  # fmt: skip
def test_nothing_is_offered_where_it_is_there_already_or_not_meant(text: str) -> None:
    assert not offered(text)


def test_all_names_can_be_switched_on_at_once() -> None:
    (line,) = parse("RAG agents LLM").lines
    assert thesaurus().all_on(line) == (
        '(RAG OR "retrieval-augmented generation") agents (LLM OR "large language model")'
    )


@pytest.mark.parametrize(
    ("text", "names", "then"),
    [
        ("mixture of experts\nzebra  fish", ["moe"], "mixture of experts OR MoE\nzebra  fish"),
        ("LLM agents, zebra\n-LLM", [],
         '(LLM OR "large language model") agents\nzebra\n-LLM'),
        ("SAM", ["segment anything", "sharpness-aware minimization"],
         'SAM OR "sharpness-aware minimization" OR "segment anything"'),
        ('"bad\nMoE', [], '"bad\nMoE OR "mixture of experts"'),
        ("MoE", ["LLM"], "MoE"),
        ("", [], ""),
    ],
)  # fmt: skip
def test_names_are_switched_on_in_the_text_itself(text: str, names: list[str], then: str) -> None:
    assert thesaurus().switched_on(text, names) == then


@given(texts_with_exclusions, papers)
def test_a_name_switched_on_never_removes_a_paper(text: str, each: Paper) -> None:
    query = check(text)[0]
    for line in query.asks:
        for one in OURS.of(line):
            wider = check(one.text)[0]  # a line that leaves out what it asks for still does
            assert format_query(wider) == one.text
            if matches(replace(query, lines=(line,)), each):
                assert matches(wider, each), one


@given(texts_with_exclusions)
def test_what_is_switched_on_is_offered_no_more(text: str) -> None:
    for line in check(text)[0].asks:
        (again,) = check(OURS.all_on(line))[0].asks or (line,)
        assert not OURS.of(again)
        for one in OURS.of(line):
            (wider,) = check(one.text)[0].lines
            assert one.name not in {other.name for other in OURS.of(wider)}


def test_nothing_is_found_by_a_synonym_that_is_not_switched_on() -> None:
    made = Paper(PaperId("arxiv", "2611.1"), "MoE layers")
    assert not matches(parse("mixture of experts"), made)
    assert matches(parse("mixture of experts OR MoE"), made)


def test_the_live_answer_says_what_each_name_would_add() -> None:
    shelf = [
        paper(1, "Mixture of experts"), paper(2, "MoE layers"), paper(3, "MoE: mixture of experts"),
        paper(4, "MoE images"), paper(5, "MoE routing"),
    ]  # fmt: skip
    answer = volume("mixture of experts\nrouting\n-image", recent(shelf))
    assert answer.lines[0].papers == 2
    # Of four with the name one is found already, one by another line, and one is left out.
    assert answer.lines[0].synonyms == (Switch("MoE", "mixture of experts OR MoE", 1),)
    assert not volume("MoE\nexperts", recent(shelf)).lines[0].synonyms


def test_operators_and_readers_add_their_own(tmp_path: Path) -> None:
    file = tmp_path / "ours.txt"
    file.write_text("# ours\nHEP = high energy physics\n", encoding="utf-8")
    settings = load(
        {"DIGEST_DATABASE_URL": f"sqlite:///{tmp_path}/a.db", "DIGEST_SYNONYMS": str(file)}
    )
    with open_app(settings) as house:
        reader = Subscriber("ada@example.org", synonyms=("DIS = deep inelastic scattering", "bad"))
        (line,) = parse("HEP").lines
        assert house.thesaurus().of(line) == (
            Synonym("high energy physics", 'HEP OR "high energy physics"'),
        )
        (line,) = parse("DIS").lines
        assert not house.thesaurus().of(line)
        assert house.thesaurus(reader.synonyms).of(line)[0].name == "deep inelastic scattering"


@pytest.mark.parametrize("text", ["HEP", "= x", "a = !!", "a=" * 9 + "b", f"a = {'b' * 101}"])
def test_a_wrong_list_is_told_with_its_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        read_list(f"a = b\n{text}")
    file = tmp_path / "ours.txt"
    file.write_text(text, encoding="utf-8")
    settings = load(
        {"DIGEST_DATABASE_URL": f"sqlite:///{tmp_path}/a.db", "DIGEST_SYNONYMS": str(file)}
    )
    with open_app(settings) as house, pytest.raises(SettingsError, match=r"DIGEST_SYNONYMS is .*"):
        house.thesaurus()


@given(st.text(max_size=40))
def test_any_line_is_a_group_or_refused(text: str) -> None:
    try:
        names = read_group(text)
    except ValueError:
        return
    assert read_group(" = ".join(names)) == names
