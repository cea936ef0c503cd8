"""The engine on shelves and audiences large enough that its blocks, bounds and sums matter."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from one_by_one import as_literal, rank_one_by_one

from digest.match.audience import Audience
from digest.match.desk import Desk
from digest.match.engine import Engine
from digest.match.scan import Scan
from digest.match.stored import store
from digest.papers import Author, Paper, PaperId, Signals
from subscribers.finding import Text
from subscribers.profile import Order, Profile
from subscribers.query import check, matches
from subscribers.tree import Form, Pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
WORDS = [
    "model",
    "routing",
    "sparse",
    "attention",
    "diffusion",
    "unlearning",
    "expert",
    "language",
    "graph",
    "policy",
    "RAG",
    "token",
    "memory",
    "retrieval",
    "image",
    "video",
    "speech",
    "agent",
    "planning",
    "reward",
    "protein",
    "robust",
    "causal",
    "kernel",
]


@cache
def shelf(many: int = 500) -> tuple[Paper, ...]:
    """Papers of few words, so that everything is found often; common words are common."""
    chance = random.Random(7)  # noqa: S311 -- the same every time
    weights = [1 / (n + 1) for n in range(len(WORDS))]
    return tuple(
        Paper(
            PaperId("arxiv", f"2611.{number:05}"),
            " ".join(chance.choices(WORDS, weights, k=4)),
            abstract=" ".join(chance.choices(WORDS, weights, k=25)),
            number=number,
            authors=(Author(chance.choice(["Ines Harrow", "Y. LeCun", "Ada Byron"])),),
            signals=Signals(upvotes=chance.randrange(40), stars=chance.randrange(200)),
            first_seen_at=NOW - timedelta(hours=chance.randrange(100)),
        )
        for number in range(1, many + 1)
    )


@cache
def audience(many: int = 60) -> tuple[Profile, ...]:
    """Profiles of every kind of line, in both orders."""
    chance = random.Random(8)  # noqa: S311 -- the same every time

    def line() -> str:
        a, b, c = chance.sample(WORDS, 3)
        return chance.choice(
            [
                a, a, f"{a} {b}", f'"{a} {b}"', f"{a} -{b}", f"title:{a}", f"({a} OR {b}) {c}",
                f"{a}^{chance.randint(2, 9)}", f"-{a}", f"{a} upvotes>20", f'"{a} {b}"~4',
                'author:"Harrow, I."', f"{a[:3]}*", f"{a} the {b}", "stars>150", f"{a} OR -{b}",
            ]
        )  # fmt: skip

    return tuple(
        Profile(
            "\n".join(line() for _ in range(chance.randint(0, 7))), order=chance.choice([*Order])
        )
        for _ in range(many)
    )


def answered(
    papers: Sequence[Paper], stored: Audience | list[str], top: int
) -> list[list[tuple[int, float]]]:
    answer = Engine(papers, now=NOW).answer(stored, top=top)
    return [
        [(papers[place].number, score) for place, score in answer.of(n)] for n in range(len(stored))
    ]


@cache
def literally() -> list[list[tuple[int, float]]]:
    return [
        [(each.paper, each.score) for each in matched]
        for matched in rank_one_by_one(shelf(), audience(), now=NOW)
    ]


@pytest.mark.parametrize("top", [1, 5, 20, 1000])
def test_the_best_of_a_large_shelf_are_those_found_one_by_one(top: int) -> None:
    stored = [store(profile) for profile in audience()]
    assert answered(shelf(), stored, top) == [matched[:top] for matched in literally()]


def test_a_crowd_of_several_blocks_is_answered_as_each_of_it() -> None:
    stored = [store(profile) for profile in audience()] * 300
    engine = Engine(shelf(), now=NOW)
    assert len(Desk(Audience(stored), engine.index, engine.best, engine.rarity).blocks()) > 1
    answer = engine.answer(stored, top=20)
    first = [answer.of(n) for n in range(60)]
    assert all(answer.of(n) == first[n % 60] for n in range(len(stored)))


def test_thousands_of_trees_of_one_shape_are_scored_one_by_one() -> None:
    pairs = [f"{a} {b}" for a in WORDS for b in WORDS if a != b]
    texts = [f"{pair}^{weight}" for pair in pairs for weight in range(2, 22)]
    stored = [store(Profile(text)) for text in texts]
    answer = Engine(shelf(), now=NOW).answer(stored, top=3)
    some = range(0, len(texts), 997)
    expected = rank_one_by_one(shelf(), [Profile(texts[n]) for n in some], now=NOW)
    assert [[(shelf()[place].number, score) for place, score in answer.of(n)] for n in some] == [
        [(each.paper, each.score) for each in matched[:3]] for matched in expected
    ]


def test_sums_that_do_not_fit_sixteen_bits_are_right() -> None:
    heavy = [Profile("\n".join(f"{word}^{weight}" for word in WORDS)) for weight in (1, 50, 99)]
    expected = [
        [(each.paper, each.score) for each in matched][:20]
        for matched in rank_one_by_one(shelf(), heavy, now=NOW)
    ]
    assert max(score for _, score in expected[-1]) > 100
    assert answered(shelf(), [store(profile) for profile in heavy], 20) == expected


def test_an_audience_changes_in_place() -> None:
    stored = [store(profile) for profile in audience()]
    people = Audience(stored)
    for turn in range(3):
        for number in range(0, 60, 2):
            people.change(number, stored[(number + turn) % 60])
    people.change(1, "")
    expected = [[*matched[:20]] for matched in literally()]
    now = answered(shelf(), people, 20)
    for number in (0, 2, 3, 58, 59):
        meant = (number + 2) % 60 if number % 2 == 0 else number
        assert now[number] == expected[meant]
    assert now[1] == []


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    people = Audience(["1000=routing", "1000=sparse"])
    for number in range(70_000):
        people.change(0, f"1000=word{number}\n1000=sparse")
    assert len(people.numbers) < 70_000
    assert len(people.programs) < 70_000
    assert answered(shelf(), people, 3)[1] == answered(shelf(), ["1000=sparse"], 3)[0]


def test_nobody_and_nothing_are_answered_with_nothing() -> None:
    assert len(Engine(shelf(), now=NOW).answer([], top=5).places) == 0
    assert answered([], ["1000=model", "*\n~"], 5) == [[], []]


def test_equal_scores_stand_in_the_same_order_every_time() -> None:
    papers = [replace(paper, signals=Signals(), first_seen_at=NOW) for paper in shelf()]
    stored = [store(Profile("category:cs.CL\nupvotes>1000\nmodel*"))]
    first = answered(papers, stored, 20)
    chance = random.Random(3)  # noqa: S311 -- the same every time
    for _ in range(3):
        chance.shuffle(papers)
        assert answered(papers, stored, 20) == first


@pytest.mark.parametrize("top", [15, None])
def test_what_a_match_says_of_itself_is_what_is_found_one_by_one(top: int | None) -> None:
    profiles = audience()
    said = [
        [as_literal(each) for each in matched[:15]]
        for matched in Engine(shelf(), now=NOW).match(profiles, top=top)
    ]
    expected = rank_one_by_one(shelf(), profiles, now=NOW)
    assert said == [matched[:15] for matched in expected]


@pytest.mark.parametrize("top", [5, None])
def test_readers_who_typed_the_same_words_otherwise_are_told_in_their_own(top: int | None) -> None:
    texts = ["Sparse Routing", "sparse routing", "SPARSE, ROUTING LANGUAGE", "routing\nSparse"]
    engine = Engine(shelf(), now=NOW)
    for _ in range(2):
        found = list(engine.match([Profile(text) for text in texts], top=top))
        for text, matched in zip(texts, found, strict=True):
            (alone,) = rank_one_by_one(shelf(), [Profile(text)], now=NOW)
            assert [as_literal(each) for each in matched] == alone[:top]


@pytest.mark.parametrize(
    "text",
    [
        "A pretrained \\emph{model} of finetuned models",
        "\\foo pretrained",
        "pretrained \\foo",
        "The model's state-of-the-art $\\alpha$-model, modelled",
        "中文 models and ½ of R&D",
        "",
    ],
)
def test_a_scanned_text_is_read_as_any_other(text: str) -> None:
    scanned, literal = Scan(["before", text, "after"]).text(1), Text(text)
    assert list(scanned) == list(literal)
    for token in literal:
        for pattern in (
            Pattern(Form.FOLDED, token.word),
            Pattern(Form.WRITTEN, token.written),
            Pattern(Form.PREFIX, token.word[:2].casefold()),
        ):
            assert list(scanned.places(pattern)) == list(literal.places(pattern))


HOSTILE = (
    Paper(PaperId("arxiv", "2611.99991"), "", number=1),
    Paper(PaperId("arxiv", "2611.99992"), "T", abstract="model " * 170_000, number=2),
    Paper(
        PaperId("arxiv", "2611.99993"),
        "Model",
        number=3,
        authors=tuple(Author(f"Ada {n} Byron{n}") for n in range(10_000)),
    ),
    Paper(PaperId("arxiv", "2611.99994"), "x" * 1_000_000, number=4),
    Paper(PaperId("arxiv", "2611.99995"), "$\\" * 300_000, number=5),
    Paper(PaperId("arxiv", "2611.99996"), "深" * 300_000, number=6),
    Paper(PaperId("arxiv", "2611.99997"), "model\x00\x1f\u202e model", number=7),
)


def test_papers_that_no_source_should_give_are_matched_and_explained() -> None:
    engine = Engine(HOSTILE, now=NOW)
    (found,) = engine.match([Profile('model\nauthor:"Ada Byron77"\n"model model"~9')])
    assert {each.paper for each in found} == {2, 3, 7}
    for each in found:
        assert each.reasons
        assert sum(len(reason.hits) for reason in each.reasons) <= 200
    (everything,) = engine.match([Profile()])
    assert len(everything) == len(HOSTILE)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"word{number}" for number in range(10_000)) + "\nmodel",
        " OR ".join(f"word{number}" for number in range(10_000)),
        "a" * 1_000_000,
        " " * 1_000_000 + "model",
        "(" * 50_000,
        "-model " * 10_000,
        "model\x00model",
        '"model\n' * 2_000,
        "foo:model\n" * 2_000 + "model",
    ],
)
def test_texts_beyond_the_limits_are_answered_by_what_can_be_read_of_them(text: str) -> None:
    query, mistakes = check(text)
    (found,) = Engine(shelf(50), now=NOW).match([Profile(text)])
    assert mistakes, "a limit is stated"
    literally = [each for each in shelf(50) if matches(query, each)]
    assert len(found) == (50 if query.is_empty else len(literally))


def test_a_ranking_is_a_sequence_like_any_other() -> None:
    (ranking,) = Engine(shelf(), now=NOW).match([Profile("model")])
    found = [(each.paper, each.score, each.line) for each in ranking]
    many = len(ranking)
    assert [(e.paper, e.score, e.line) for e in map(ranking.__getitem__, range(many))] == found
    ends = [None, 0, 2, 5, -5, -1, -many - 1, many + 1]
    for part in itertools.starmap(slice, itertools.product(ends, ends, [None, 3, -1, -2])):
        assert [(each.paper, each.score, each.line) for each in ranking[part]] == found[part]
    assert ranking[-1].paper == found[-1][0]
    with pytest.raises(IndexError):
        ranking[many]


def test_hundreds_of_lines_are_answered_at_once() -> None:
    chance = random.Random(6)  # noqa: S311 -- the same every time
    text = "\n".join(" ".join(chance.sample(WORDS, 2)) for _ in range(300))
    (found,) = Engine(shelf(50), now=NOW).match([Profile(text)])
    assert [as_literal(each) for each in found] == rank_one_by_one(
        shelf(50), [Profile(text)], now=NOW
    )[0]
