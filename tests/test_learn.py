"""What is learned from saved papers: off until five, bounded, and never more than an order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from digest.app import open_app
from digest.learn import LEAST_SAVED, MOST_WORDS, Lessons
from digest.match import Engine, ReasonKind
from digest.match.learned import Learned, Weight
from digest.news import consider
from digest.papers import Listing, Paper, PaperId
from digest.selection import Pick, Selection
from digest.settings import load
from subscribers.feedback import Feedback, Verdict
from subscribers.profile import Order, Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
TOPICS = {
    "robots": "robot grasping manipulation gripper tactile arm dexterous policy",
    "proteins": "protein folding structure sequence residue ligand docking enzyme",
    "speech": "speech audio phoneme speaker acoustic recognition voice prosody",
}


def papers(each: int = 20) -> list[Paper]:
    """Papers of three topics that all speak of models; the first `each` are of robots."""
    chance = random.Random(5)  # noqa: S311 -- the same every time
    made: list[Paper] = []
    for topic in TOPICS.values():
        for _ in range(each):
            words = [*chance.choices(topic.split(), k=12), "model", "learning", "we"]
            number = len(made) + 1
            title = f"A model of {words[0]} {number}"
            made.append(
                Paper(
                    PaperId("arxiv", f"2611.{number:05}"),
                    title,
                    abstract=" ".join(words),
                    number=number,
                )
            )
    return made


def learned(saved: range, waved: range = range(0)) -> Learned:
    found = Lessons(papers()).learn(saved, waved)
    assert found is not None
    return found


def test_nothing_is_learned_from_fewer_than_five_saved_papers() -> None:
    lessons = Lessons(papers())
    assert lessons.learn(range(1, LEAST_SAVED)) is None
    assert lessons.learn(range(1, LEAST_SAVED + 1)) is not None
    assert lessons.learn([1, 2, 3, 4, 999]) is None


def test_the_words_of_saved_papers_weigh_and_those_of_others_weigh_against() -> None:
    weights = {weight.word: weight.thousandths for weight in learned(range(1, 11)).weights}
    assert len(weights) <= MOST_WORDS
    assert weights["gripper"] > 0 > weights["protein"]
    assert "model" not in weights, "what stands everywhere says nothing"
    assert sum((each / 1000) ** 2 for each in weights.values()) == pytest.approx(1, abs=0.05)


def test_what_was_waved_away_weighs_against() -> None:
    before = {weight.word: weight.thousandths for weight in learned(range(1, 11)).weights}
    after = {w.word: w.thousandths for w in learned(range(1, 11), range(41, 51)).weights}
    assert after["speech"] < before["speech"] < 0


def test_learning_is_the_same_every_time_and_in_any_order() -> None:
    reverse = Lessons(papers()).learn(range(10, 0, -1))
    assert reverse is not None
    assert [(w.word, w.thousandths) for w in reverse.weights] == [
        (w.word, w.thousandths) for w in learned(range(1, 11)).weights
    ]


def test_what_is_learned_of_a_reader_does_not_depend_on_what_others_saved() -> None:
    """Readers are decided block by block; the older papers of a block's others count for nobody."""
    made = papers()
    at_hand, mine, others = made[10:], made[:5], made[5:10]
    saved = [*(paper.number for paper in mine), 11, 12]
    alone = Lessons(at_hand, mine).learn(saved)
    assert alone is not None
    assert {weight.word for weight in alone.weights} >= {"gripper", "tactile"}
    assert Lessons(at_hand, [*others, *mine]).learn(saved) == alone


def test_learned_interest_reorders_what_keywords_found_and_brings_nothing_in() -> None:
    engine = Engine(papers(), now=NOW)
    for text in ("model", "enzyme", "model -robot"):
        (plain,) = engine.match([Profile(text)])
        (liked,) = engine.match([Profile(text)], learned=[learned(range(1, 11))])
        assert {each.paper for each in liked} == {each.paper for each in plain}
    (liked,) = engine.match([Profile("model")], learned=[learned(range(1, 11))])
    assert {each.paper for each in liked[:15]} <= set(range(1, 21))
    assert all(each.parts.learned > 0 for each in liked[:15])
    assert liked[-1].parts.learned < 0


def test_the_parts_of_a_score_add_up_to_it() -> None:
    engine = Engine(papers(), now=NOW)
    for text, liked in (("model\nrobot", learned(range(1, 11))), ("", None), ("speech", None)):
        for each in next(engine.match([Profile(text)], learned=[liked])):
            assert each.parts.total == pytest.approx(each.score)
            assert (each.parts.relevance > 0) is bool(text)


def test_what_was_learned_is_shown_as_a_reason() -> None:
    engine = Engine(papers(), now=NOW)
    (liked,) = engine.match([Profile("model")], learned=[learned(range(1, 11))])
    assert liked[0].reasons[-1].kind is ReasonKind.LEARNED
    assert liked[0].reasons[-1].text.startswith("like ")
    assert liked[0].reasons[-1].text.endswith(" papers you saved")
    assert all(reason.kind is not ReasonKind.LEARNED for reason in liked[-1].reasons)


def test_a_paper_is_like_the_saved_ones_that_share_its_telling_words() -> None:
    taste = Learned(
        (
            Weight("gripper", 800, 0b0111),
            Weight("tactile", 500, 0b0011),
            Weight("arm", 300, 0b1000),
            Weight("protein", -400, 0b1111),
        ),
        4,
    )
    assert taste.like({"gripper": 0.5, "tactile": 0.5}) == 2
    assert taste.like({"gripper": 0.5}) == 3
    assert taste.like({"protein": 0.9}) == 0
    assert taste.like({}) == 0


def test_a_trending_order_is_left_as_it_is() -> None:
    engine = Engine(papers(), now=NOW)
    profile = Profile("model", order=Order.TRENDING)
    (plain,) = engine.match([profile])
    (liked,) = engine.match([profile], learned=[learned(range(1, 11))])
    assert [each.paper for each in liked] == [each.paper for each in plain]


def test_readers_who_saved_nothing_are_not_touched_by_those_who_did() -> None:
    engine = Engine(papers(), now=NOW)
    profiles = [Profile("model"), Profile("model"), Profile("speech")]
    mixed = [
        [(each.paper, each.score) for each in one]
        for one in engine.match(profiles, learned=[None, learned(range(1, 11)), None])
    ]
    plain = [[(each.paper, each.score) for each in one] for one in engine.match(profiles)]
    assert mixed[0] == plain[0] != mixed[1]
    assert mixed[2] == plain[2]


def test_five_saves_change_the_next_digest_and_it_says_so(tmp_path: Path, now: datetime) -> None:
    settings = load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}",
            "DIGEST_SMTP_URL": "smtp://127.0.0.1:1",
            "DIGEST_FROM": "Paper Digest <digest@example.org>",
        }
    )
    listed = (Listing("arxiv", "arXiv", now.date()),)
    with open_app(settings, clock=lambda: now) as app:
        app.store.papers.ingest([replace(paper, listings=listed) for paper in papers()], now)
        numbers = {p.title: p.number for p in app.store.papers.between(now.date(), now.date())}
        robots = [numbers[paper.title] for paper in papers()[:20]]
        reader = app.store.subscribers.add(
            Subscriber("ada@example.org", profiles=(Profile("model"),)).confirm(now), now
        )
        for count, number in enumerate(robots[:5], start=1):
            (before,) = consider(app, [reader], now)
            assert not any(told(pick) for pick in before.selection.picks), count
            app.store.feedback.give(Feedback(reader.number, number, Verdict.SAVE, now))
        (after,) = consider(app, [reader], now)
    assert {pick.paper for pick in after.selection.picks} <= set(robots)
    assert all(told(pick) for pick in after.selection.picks)
    assert Selection.unpack(after.selection.pack()) == after.selection


def told(pick: Pick) -> list[str]:
    return [reason.text for reason in pick.reasons if reason.kind is ReasonKind.LEARNED]
