"""Every example of docs/keywords.md does what the page says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from digest.errors import QueryError
from digest.papers import Author, Listing, Paper, PaperId, Signals
from subscribers.grammar import MAX_TERMS, MAX_TEXT, MAX_WORDS
from subscribers.lexemes import MAX_DEPTH, MAX_LINE, MAX_WEIGHT
from subscribers.muting import muted_by
from subscribers.profile import Profile
from subscribers.query import matches, parse
from subscribers.sheet import read
from subscribers.synonyms import Synonym, built_in, thesaurus

PAGE: Final = (Path(__file__).parent.parent / "docs" / "keywords.md").read_text(encoding="utf-8")
PLAIN: Final = Paper(PaperId("arxiv", "2611.00001"), "x")


def rows(head: str) -> list[list[str]]:
    """The rows of every table with that head."""
    tables = re.findall(rf"(?m)^\| {re.escape(head)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE)
    lines = [line for table in tables for line in table.splitlines()]
    return [
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
    ]


def paper(described: str) -> Paper:
    """The paper that a cell speaks of: *title*, by *name*, in *category*, with *n* upvotes."""
    found = PLAIN
    pattern = r"(by|from|in|id|with|listed by|abstract|) ?\*((?:\\\*|[^*])+)\*( upvotes| stars)?"
    for what, raw, counted in re.findall(pattern, described):
        value = raw.replace(r"\*", "*")
        match what:
            case "by":
                name, _, known = value.partition(" (")
                orcid = known.rstrip(")") if "-" in known else ""
                scholar = known.rstrip(")").removeprefix("s2 ") if not orcid else ""
                found = replace(found, authors=(Author(name, orcid, scholar),))
            case "from":
                found = replace(found, organization=value)
            case "in":
                found = replace(found, categories=(value,))
            case "id":
                found = replace(found, id=PaperId("arxiv", value))
            case "with":
                is_stars = counted == " stars"
                signals = Signals(stars=int(value)) if is_stars else Signals(upvotes=int(value))
                found = replace(found, signals=signals)
            case "listed by":
                found = replace(found, listings=(Listing(value, "Any", date(2026, 11, 20)),))
            case "abstract":
                found = replace(found, abstract=value)
            case _:
                found = replace(found, title=value)
    assert found != PLAIN, described
    return found


EXAMPLES: Final = [
    (code.strip("`"), described.strip(), column == 1)
    for code, *cells in rows("you write | it finds | and not")
    for column, cell in zip((1, 2), cells, strict=True)
    for described in cell.split(";")
]


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) > 90


@pytest.mark.parametrize(("text", "described", "is_found"), EXAMPLES)
def test_an_example_finds_what_the_page_says(text: str, described: str, *, is_found: bool) -> None:
    assert bool(matches(parse(text), paper(described))) == is_found


@pytest.mark.parametrize(("text", "name", "then"), rows("you write | offered | the line is then"))
def test_a_synonym_is_offered_as_the_page_says(text: str, name: str, then: str) -> None:
    (line,) = parse(text.strip("`")).lines
    assert thesaurus().of(line)[0] == Synonym(name, then.strip("`"))


@pytest.mark.parametrize(("text", "says", "repair"), rows("you write | it says | try"))
def test_a_mistake_is_told_as_the_page_says(text: str, says: str, repair: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text.strip("`"))
    assert caught.value.reason.startswith(says)
    assert caught.value.repairs[0] == repair.strip("`")


def test_the_page_names_the_limits() -> None:
    said = PAGE.replace("\n", " ")
    assert abs(len(built_in()) - 160) < 10
    for limit in (
        f"{MAX_TEXT:,} characters", f"{MAX_TERMS:,} terms", f"{MAX_WORDS:,} words",
        f"{MAX_LINE:,} characters",
    ):  # fmt: skip
        assert limit in said
    assert f"at most {MAX_DEPTH} deep" in said
    assert f"(0.001 to {MAX_WEIGHT:g})" in said


@pytest.mark.parametrize(("name", "usual", "text"), rows("setting | usually | what it does"))
def test_a_setting_of_the_page_is_one_of_the_text_that_is_edited(
    name: str, usual: str, text: str
) -> None:
    del text
    sheet, mistakes = read(f"[A]\n{name.strip('`')}: {usual}\nrouting\n")
    assert not mistakes
    assert sheet.profiles == (Profile("routing", "A"),)


def test_what_the_page_says_of_mutes() -> None:
    assert muted_by(["image generation"], [], paper("*Image generation*"))
    assert not muted_by(["image generation"], [], paper("*Image retrieval*"))
