"""Suggested keywords: what sets some papers apart, each term with what it would bring."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import needs
from hypothesis import given
from keyword_texts import shelves
from test_volume import paper, recent
from typer.testing import CliRunner

from digest.cli import app
from digest.store import open_store
from digest.suggest import suggest
from subscribers.feedback import Feedback, Verdict
from subscribers.query import format_query, matches, parse

if TYPE_CHECKING:
    from digest.papers import Paper

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"
USUAL = [
    paper(n, f"We propose a novel model {word}", "In this paper we show results of learning.")
    for n, word in enumerate(("birds", "rivers", "clouds", "stones", "music", "maps"), start=11)
]
LIKED = [
    paper(1, "Mixture of experts routing", "In this paper we show results of LoRA for MoE layers."),
    paper(2, "Sparse mixtures of experts", "We propose LoRA adapters. Results of learning."),
    paper(3, "Experts in a mixture-of-experts", "A novel model with LoRA and routing."),
]


def texts(given_papers: list[Paper], others: list[Paper]) -> list[str]:
    return [one.text for one in suggest(given_papers, recent([*given_papers, *others]))]


def test_what_papers_have_in_common_and_others_have_not_is_suggested() -> None:
    found = texts(LIKED, USUAL)
    assert found[:2] == ['"mixture of experts"', "LoRA"]
    assert "routing" in found
    assert not {"novel", "model", "paper", "results", "learning", "mixture", "experts"} & set(found)


def test_each_comes_with_how_many_have_it_and_what_it_would_bring() -> None:
    first = suggest(LIKED, recent([*LIKED, *USUAL]))[0]
    assert (first.papers, first.brings.total, first.brings.looked_at) == (3, 3, 9)


def test_nothing_in_common_is_nothing_suggested() -> None:
    assert texts([paper(1, "Birds"), paper(2, "Rivers"), paper(3, "Maps")], USUAL) == []
    assert suggest([paper(1, "")], recent([])) == ()


def test_everyday_words_are_no_topic_however_few_papers_there_are() -> None:
    one = paper(1, "The third thing to know", "They stay; nobody had questions. They stay out.")
    other = paper(2, "Question answering over audits", "Audits of question answering.")
    found = texts([one, other], USUAL)
    assert not {"third", "stay", "know", "question", "questions", "had", "nobody"} & set(found)
    assert '"question answering"' in found
    assert "audits" in found


def test_one_paper_is_enough_to_begin_with() -> None:
    assert "zebrafish larvae" in {
        one.strip('"') for one in texts([paper(1, "Of zebrafish larvae")], USUAL)
    }


@given(shelves)
def test_every_suggestion_is_a_line_that_finds_the_papers_it_counts(papers: list[Paper]) -> None:
    liked = papers[:3]
    for one in suggest(liked, recent(papers)):
        query = parse(one.text)
        assert format_query(query) == one.text
        assert sum(bool(matches(query, each)) for each in liked) == one.papers


def test_terms_of_real_papers_are_what_their_topic_is_called() -> None:
    needs(CORPUS.is_dir(), "real listings, which are no part of the project")
    every = {
        one["title"]: one
        for path in sorted(CORPUS.glob("listing-*.json"))
        for one in json.loads(path.read_text(encoding="utf-8"))["papers"]
    }
    shelf = [paper(n, one["title"], one["abstract"]) for n, one in enumerate(every.values(), 1)]
    random.Random(4).shuffle(shelf)  # noqa: S311 -- the order must not matter
    for topic in ("machine unlearning", "reinforcement learning"):
        liked = [one for one in shelf if topic in one.title.lower()]
        assert len(liked) > 3
        found = [one.text for one in suggest(liked, recent(shelf))]
        assert f'"{topic}"' in found[:2]


def test_two_papers_are_enough_for_the_names_of_their_topic() -> None:
    needs(CORPUS.is_dir(), "real listings, which are no part of the project")
    every = {
        one["title"]: one
        for path in sorted(CORPUS.glob("listing-*.json"))
        for one in json.loads(path.read_text(encoding="utf-8"))["papers"]
    }
    shelf = [paper(n, one["title"], one["abstract"]) for n, one in enumerate(every.values(), 1)]
    by_title = {one.title: one for one in shelf}
    liked = [
        by_title["SlimFlow: Training Smaller One-Step Diffusion Models with Rectified Flow"],
        by_title[
            "Finding Dori: Memorization in Text-to-Image Diffusion Models "
            "Is Less Local Than Assumed"
        ],
    ]
    found = suggest(liked, recent(shelf))
    names = [one.text for one in found]
    assert {'"rectified flow"', "text-to-image", "memorization"} <= set(names[:6])
    assert not {"image", "models", "training", "assumed", "step"} & set(names)
    # Each is said by others too, and by no large share of all.
    assert all(1 < one.brings.total <= len(shelf) / 5 for one in found)


def test_what_one_paper_alone_says_is_offered_only_while_there_are_few() -> None:
    liked = [paper(1, "Quokka routing of frobnicated lattices"), paper(2, "Lattices and quokkas")]
    others = [paper(n, f"Sparse lattices of kind {n}") for n in range(10, 19)]
    assert '"frobnicated lattices"' in texts(liked, others)
    many = [paper(n, f"Sparse things of kind {n}") for n in range(10, 99)]
    assert not any("frobnicated" in one for one in texts(liked, many))
    assert "quokka" in texts(liked, many)


# --- on the command line -----------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    listing = {
        "source": "arxiv",
        "label": "arXiv",
        "papers": [
            {"id": str(one.id), "title": one.title, "abstract": one.abstract, "day": 0}
            for one in (*LIKED, *USUAL)
        ],
    }
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
    monkeypatch.setenv("DIGEST_SOURCES", "file:listing.json")
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    assert call("ingest").exit_code == 0
    return tmp_path


def call(*words: str) -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(
        app, ["keywords", "suggest", *words] if words != ("ingest",) else words
    )


@pytest.mark.usefixtures("house")
def test_papers_are_named_by_id_title_or_bibtex() -> None:
    said = call("2611.00001", "10.1000/none", "--json")
    assert said.exit_code == 1
    assert "doi:10.1000/none is not here" in said.stderr
    bib = "@misc{a, eprint={2611.00002}}\n@misc{b, title={Experts in a mixture of experts}}"
    Path("mine.bib").write_text(bib, encoding="utf-8")
    said = call("--file", "mine.bib")
    assert said.exit_code == 0, said.output
    assert re.search(r'mixture.of.experts"? +2 of 2  About 3 papers a ', said.stdout)
    assert "All of these lines together: About" in said.stdout
    told = json.loads(call("Mixture of experts routing", "2611.00003", "--json").stdout)
    assert told["papers"] == 2
    assert {"text": "LoRA", "papers": 2}.items() <= next(
        one for one in told["terms"] if one["text"] == "LoRA"
    ).items()


@pytest.mark.usefixtures("house")
def test_papers_are_those_a_reader_saved() -> None:
    assert CliRunner().invoke(app, ["subscribers", "add", "ada@example.org"]).exit_code == 0
    said = call("--reader", "ada@example.org")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "ada@example.org saved no paper yet" in said.stderr
    with open_store("sqlite:///paper-digest.db") as store:
        ada = store.subscribers.by_address("ada@example.org")
        for name in ("arxiv:2611.00001", "arxiv:2611.00002"):
            number = store.archive.number_of(name)
            assert number is not None
            at = ada.created_at
            assert at is not None
            store.feedback.give(Feedback(ada.number, number, Verdict.SAVE, at))
    assert '"mixture of experts"' in call("--reader", "ada@example.org").stdout


@pytest.mark.usefixtures("house")
def test_without_papers_it_says_how_to_name_some() -> None:
    assert "name some papers" in call().stderr


def test_a_title_that_is_nowhere_is_taken_by_itself(house: Path) -> None:
    del house
    said = call("Zebrafish larvae in turbid rivers")
    assert said.exit_code == 0
    assert "zebrafish larvae" in said.stdout
