"""Mutes: what a reader never wants to see is found as keywords are."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from keyword_texts import papers, phrases

from digest.match import match
from digest.papers import Author, Listing, Paper, PaperId
from digest.selection import near_misses, select
from subscribers.muting import muted_by
from subscribers.profile import Profile
from subscribers.query import matches, parse
from subscribers.subscriber import Subscriber

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
PAPER = Paper(
    PaperId("arxiv", "2611.90001"),
    "Behaviour Modelling, with fine-tuned image generators",
    (Author("Bernhard Schölkopf"), Author("Y. LeCun")),
    "We sell no NFTs. (Blockchain) is not used; an image of generation X is.",
    categories=("cs.CV",),
    listings=(Listing("hf", "Daily Papers", date(2026, 11, 20)),),
    number=1,
    first_seen_at=NOW,
)


@pytest.mark.parametrize(
    "word",
    [
        "blockchain", "Blockchains", "nft", "behavior modeling", "finetuned", "image generator",
        '"image generator"', "-blockchain", "category:cs.CV", "block*", "zebra, nft",
        "title:behaviour", "no NFT", "fine tuned",
    ],
)  # fmt: skip
def test_this_word_mutes_it(word: str) -> None:
    assert muted_by([word], [], PAPER) == word


@pytest.mark.parametrize(
    "word", ["block", "image generation", "chain", "", '"', "-", "tuned fine", "title:blockchain"]
)
def test_this_one_does_not(word: str) -> None:
    assert not muted_by([word], [], PAPER)


def test_an_author_is_muted_with_and_without_accents_initials_and_order() -> None:
    for name in ("Scholkopf", "LeCun, Yann", "Yann LeCun", "B. Schoelkopf"):
        assert muted_by([], [name], PAPER) == name
    assert not muted_by([], ["X. LeCun"], PAPER)


def test_a_word_that_cannot_be_read_is_taken_as_it_stands() -> None:
    assert muted_by(['"blockchain'], [], PAPER) == '"blockchain'


def test_a_muted_paper_is_not_picked_and_the_near_misses_name_the_mute() -> None:
    reader = Subscriber(
        "ada@example.org", profiles=(Profile("image"),), muted_words=("Blockchains",)
    )
    found = match([PAPER], reader.profiles, now=NOW)
    selection = select(reader, {1: PAPER}, found, until=NOW, looked_at=1)
    assert not selection.picks
    (miss,) = near_misses(reader, {1: PAPER}, found, selection)
    assert miss.why == "you muted Blockchains"


@given(phrases, papers)
def test_what_a_phrase_finds_a_mute_keeps_out(phrase: str, paper: Paper) -> None:
    is_found = bool(matches(parse(f'"{phrase}"'), paper))
    assert bool(muted_by([phrase], [], paper)) == is_found
