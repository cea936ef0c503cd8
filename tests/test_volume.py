"""The live answer: what a text would have brought, counted; and better ways to write it."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyword_texts import NOW, shelves, texts_with_exclusions
from typer.testing import CliRunner

from digest.cli import app
from digest.cli.terminal import bars
from digest.match import match
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.repairs import slips
from digest.volume import Offer, Recent, detail, headline, remark, volume
from subscribers.muting import muted_lines
from subscribers.profile import Profile
from subscribers.query import check, matches, write
from subscribers.tree import And, Not

if TYPE_CHECKING:
    from collections.abc import Sequence

TODAY = date(2026, 11, 20)  # a Friday


def paper(number: int, title: str, abstract: str = "", **more: object) -> Paper:
    made = Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=abstract,
        number=number,
        first_seen_at=datetime(2026, 11, 20, 6, tzinfo=UTC),
        listings=(Listing("arxiv", "arXiv", TODAY),),
        categories=("cs.CL",),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def listed(number: int, title: str, days_ago: int) -> Paper:
    day = TODAY - timedelta(days=days_ago)
    return paper(number, title, listings=(Listing("arxiv", "arXiv", day),))


def recent(papers: Sequence[Paper], days: int = 30) -> Recent:
    return Recent(papers, today=TODAY, now=NOW, days=days)


# --- what is counted is what the language says -------------------------------------------------


@given(shelves, texts_with_exclusions)
def test_every_count_is_that_of_reading_the_papers_one_by_one(
    papers: list[Paper], text: str
) -> None:
    answer = volume(text, recent(papers))
    query = check(text)[0]
    found = {each.number: {one.line for one in matches(query, each)} for each in papers}
    if query.is_empty:
        return
    assert answer.total == sum(bool(lines) for lines in found.values())
    assert answer.looked_at == len(papers)
    kept_out = query.excludes
    for line in answer.lines:
        (asked,) = [each for each in query.asks if each.number == line.number]
        alone = replace(query, lines=(asked, *kept_out))
        assert line.papers == sum(bool(matches(alone, each)) for each in papers)
    for cut in answer.left_out:
        if cut.line:
            (asked,) = [each for each in query.asks if each.number == cut.line]
            assert isinstance(asked.tree, And)
            parts = [
                each
                for each in asked.tree.parts
                if not (isinstance(each, Not) and write(each) == cut.text)
            ]
            if len(parts) < len(asked.tree.parts) - 1:
                continue  # the same exclusion twice
            with_it = replace(query, lines=(asked, *kept_out))
            tree = parts[0] if len(parts) == 1 else And(tuple(parts))
            less = replace(query, lines=(replace(asked, tree=tree), *kept_out))
        else:
            with_it = query
            left = [line for line in kept_out if write(line.tree) != cut.text]
            less = replace(query, lines=(*query.asks, *left))
        assert cut.papers == sum(
            bool(matches(less, each)) and not matches(with_it, each) for each in papers
        )


@given(shelves, texts_with_exclusions)
def test_the_best_are_those_of_matching_with_the_same_scores(
    papers: list[Paper], text: str
) -> None:
    answer = volume(text, recent(papers))
    expected = match(papers, [Profile(text)], now=NOW)[0][:10]
    assert [(each.paper, each.score) for each in answer.best] == [
        (each.paper, each.score) for each in expected
    ]
    assert all(each.reasons for each in answer.best)


# --- days --------------------------------------------------------------------------------------


def test_the_span_has_every_date_from_the_oldest_paper_on_and_none_outside_the_days() -> None:
    papers = [listed(1, "Routing", 40), listed(2, "Routing", 4), listed(3, "Routing", 0)]
    answer = volume("routing", recent(papers))
    assert [count for _, count in answer.counts] == [1, 0, 0, 0, 1]
    assert answer.counts[-1] == (TODAY, 1)
    assert answer.looked_at == 2
    assert answer.busiest == (TODAY, 1)


def test_without_papers_there_is_an_answer_too() -> None:
    answer = volume("routing", recent([]))
    assert (answer.total, answer.looked_at, answer.busiest, answer.best) == (0, 0, None, ())
    assert headline(answer) == "Nothing in the last day"


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ([n % 14 for n in range(40)], "About 4 papers a day"),
        ([0, 1, 2, 13], "About 2 papers a week"),
        ([0, 29], "About 2 papers a month"),
        ([29], "About 1 paper a month"),
    ],
)
def test_the_headline_is_rounded_to_what_people_say(ages: list[int], said: str) -> None:
    papers = [listed(n, "Routing", age) for n, age in enumerate(ages, start=1)]
    answer = volume("routing", recent([*papers, listed(99, "Other", 29 if 29 in ages else 13)]))
    assert headline(answer) == said


def test_what_came_on_a_saturday_counts_for_the_monday_on_which_it_is_read() -> None:
    saturday = TODAY + timedelta(days=1)
    papers = [listed(1, "Routing", 0), *(listed(n, "Routing", -1) for n in range(2, 7))]
    answer = volume("routing", Recent(papers, today=saturday, now=NOW))
    assert headline(answer) == "About 3 papers a day"


def test_the_detail_says_over_what_and_what_was_not_counted() -> None:
    papers = [listed(1, "Routing", 0), listed(2, "Other", 29)]
    assert detail(volume("routing", recent(papers))) == (
        "1 in the last 30 days, out of 2. Your mail holds the best 10 of each day."
    )
    assert detail(volume(Profile('routing\n"bad', limit=0), recent(papers))) == (
        "Counted without line 2. 1 in the last 30 days, out of 2. Your mail holds them all."
    )


def test_no_keywords_mean_the_top_ten() -> None:
    papers = [paper(1, "Quiet"), paper(2, "Loud", signals=Signals(upvotes=9))]
    answer = volume("", recent(papers))
    assert headline(answer) == "The 10 papers people talk about, every weekday"
    assert answer.is_top_ten
    assert [each.paper for each in answer.best] == [2, 1]
    assert volume("-loud", recent(papers)).left_out[0].papers == 1


def test_a_lowest_score_is_held_to() -> None:
    papers = [paper(1, "Routing"), paper(2, "X", "routing")]
    scores = [each.score for each in volume("routing", recent(papers)).best]
    answer = volume(Profile("routing", lowest_score=scores[0]), recent(papers))
    assert [each.paper for each in answer.best] == [1]
    assert answer.total == 1


# --- lines that bring nothing, or all ----------------------------------------------------------

SHELF = [
    paper(1, "Machine unlearning", "We forget.", authors=(Author("Yann LeCun"),)),
    paper(2, "Mixture of experts", "Sparse attention in PyTorch"),
    paper(3, "Sparse routing of experts", "A mixture", organization="Lindqvist Institute"),
]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("unlerning", [Offer("unlearning", 1)]),
        ("unlaerning", [Offer("unlearning", 1)]),
        ("unlearming", [Offer("unlearning", 1)]),
        ("unlaernign", [Offer("unlearning", 1)]),
        ("mixture of exprets", [Offer("mixture of experts", 2)]),
        ("mixtrue of exprets", [Offer("mixture of experts", 2)]),
        ('title:"sparse rooting" -vision', [Offer('title:"sparse routing" -vision', 1)]),
        ("ROUTING SAPRSE", [Offer("routing sparse", 1)]),
        ("with PYTORCH", [Offer("with pytorch", 1)]),
        ("author:LeCum", [Offer('author:"Yann LeCun"', 1)]),
        ("category:cs.CC", [Offer("category:cs.cl", 3)]),
        ("source:arxive", [Offer("source:arxiv", 3)]),
        ("org:Lindquist", [Offer("org:lindqvist", 1)]),
        ("unlearning zebrafish", [Offer("unlearning", 1)]),
        ("zebrafish", []),
        ("zzz", []),
    ],
)
def test_a_line_that_brings_nothing_is_answered_with_what_it_may_have_meant(
    text: str, meant: list[Offer]
) -> None:
    (line,) = volume(text, recent(SHELF)).lines
    assert line.papers == 0
    offered = [Offer(each.text.replace("cs.CL", "cs.cl"), each.papers) for each in line.instead]
    assert offered[:1] == meant


def test_among_thousands_of_words_alike_the_usual_one_is_still_offered() -> None:
    chance = random.Random(3)  # noqa: S311 -- the same every time
    letters = "aeinorst"
    alike = sorted(
        {
            "re" + "".join(chance.choices(letters, k=3)) + "sent" + "".join(chance.choices(letters))
            for _ in range(4_000)
        }
    )
    shelf = [paper(n, " ".join(alike[n::40])) for n in range(1, 40)]
    usual = [paper(n, "Representation learning") for n in range(100, 110)]
    (line,) = volume("raprasentation", recent([*shelf, *usual])).lines
    assert line.instead[0] == Offer("representation", 10)
    assert volume("x" * 1_000, recent(usual)).lines[0].instead == ()


def test_of_many_terms_that_are_unknown_the_line_is_still_answered() -> None:
    text = " ".join(f"unlerning{letter}zz" for letter in "abcdefghijklmnopqrstuvwxyz")
    answer = volume("\n".join([text] * 30 + ["unlerning"]), recent(SHELF))
    assert answer.lines[-1].instead == (Offer("unlearning", 1),)


@given(st.text("abcd", min_size=1, max_size=8), st.text("abcd", min_size=1, max_size=8))
def test_slips_are_counted_as_the_whole_table_counts_them(one: str, other: str) -> None:
    table = [[n + m for m in range(len(other) + 1)] for n in range(len(one) + 1)]
    for n, m in itertools.product(range(1, len(one) + 1), range(1, len(other) + 1)):
        table[n][m] = min(
            table[n - 1][m] + 1,
            table[n][m - 1] + 1,
            table[n - 1][m - 1] + (one[n - 1] != other[m - 1]),
        )
        if n > 1 and m > 1 and one[n - 1] == other[m - 2] and one[n - 2] == other[m - 1]:
            table[n][m] = min(table[n][m], table[n - 2][m - 2] + 1)
    assert min(slips(one, other), 3) == min(table[-1][-1], 3)


def test_a_line_that_brings_nearly_all_is_answered_with_a_narrower_one() -> None:
    papers = [paper(n, "Deep learning" if n % 3 else "Learning deep", "x") for n in range(1, 61)]
    answer = volume("deep learning", recent(papers))
    assert answer.lines[0].is_wide
    assert answer.lines[0].narrower == (
        Offer('"deep learning"', 40),
        Offer('title:"deep learning"', 40),
    )
    papers = [paper(n, "A" if n % 3 else "Learning", "learning") for n in range(1, 61)]
    answer = volume("learning", recent(papers))
    assert remark(answer.lines[0], answer) == (
        "Finds 100 of 100 papers. Narrower: title:learning (20 papers)."
    )


def test_a_line_that_others_cover_is_told() -> None:
    answer = volume("sparse\nmixture\nmachine unlearning\nunlearning", recent(SHELF))
    assert [(line.papers, line.alone) for line in answer.lines] == [(2, 0), (2, 0), (1, 0), (1, 0)]
    assert remark(answer.lines[3], answer) == "Brings nothing that the other lines do not."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routing not experts", "“not” says nothing here; to leave out, write -experts."),
        ("routing NOT experts", ""),
        ('"routing not experts" OR sparse', ""),
    ],
)
def test_a_not_in_small_letters_is_pointed_at(text: str, said: str) -> None:
    answer = volume(text, recent(SHELF))
    hint = remark(answer.lines[0], answer).partition("“")
    assert hint[1] + hint[2] == said


def test_offers_keep_to_what_is_left_out_of_the_whole() -> None:
    (line,) = volume("unlerning\n-forget", recent(SHELF)).lines
    assert line.instead == ()


def test_what_a_reader_muted_is_in_no_count_and_is_told_apart() -> None:
    muted = muted_lines(["Mixtures", "zebra"], ["Y. LeCun"])
    answer = volume("sparse\nunlearning", recent(SHELF), muted=muted)
    assert (answer.total, answer.best) == (0, ())
    assert [(cut.text, cut.papers) for cut in answer.left_out] == [
        ("muted: Mixtures", 2),
        ("muted: zebra", 0),
        ("muted: Y. LeCun", 1),
    ]
    assert [match.paper for match in volume("", recent(SHELF), muted=muted[:1]).best] == [1]


# --- on the command line -----------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    papers = [
        {"id": f"arxiv:2611.9000{n}", "title": title, "abstract": "Of things.", "day": 0}
        for n, title in enumerate(("Machine Unlearning", "Zebrafish Learn to Route"), start=1)
    ]
    listing = {"source": "arxiv", "label": "arXiv", "papers": papers}
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
    monkeypatch.setenv("DIGEST_SOURCES", "file:listing.json")
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    assert call("ingest").exit_code == 0
    return tmp_path


def call(*words: str, say: str = "") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(app, words, input=say)


@pytest.mark.usefixtures("house")
def test_keywords_are_tried_on_the_command_line() -> None:
    result = call("keywords", "test", "unlearning\nzebrafsh\n-survey")
    assert result.exit_code == 0
    said = result.stdout
    assert said.startswith("Papers with unlearning.\nPapers with zebrafsh.\nLeaves out papers with")
    assert "About 1 paper a" in said
    assert "Did you mean zebrafish (1 paper)?" in said
    assert "left out by" in said
    assert "Machine Unlearning" in said
    assert "unlearning (title)" in said


@pytest.mark.usefixtures("house")
def test_keywords_are_tried_for_machines() -> None:
    said = json.loads(call("keywords", "test", "zebrafsh, learn", "--json").stdout)
    assert said["papers"] == 1
    assert said["canonical"] == "zebrafsh\nlearn"
    assert said["lines"][0]["did_you_mean"] == {"zebrafish": 1}
    assert said["best"][0]["id"] == "arxiv:2611.90002"
    assert sum(said["days"].values()) == 1


@pytest.mark.usefixtures("house")
def test_mistakes_are_underlined_and_repaired_each_and_together() -> None:
    result = call("keywords", "test", 'unlearning\nzebra "fish, upvotes:20')
    assert result.exit_code == 2
    assert result.stdout == (
        "Line 2, column 7: this quote is never closed.\n"
        '  zebra "fish, upvotes:20\n'
        "        ^\n"
        '  try: zebra "fish", upvotes:20\n'
        '  try: zebra "fish, upvotes:20"\n'
        "  try: zebra fish, upvotes:20\n"
        "Line 2, column 14: a floor is written with >, as in upvotes>20.\n"
        '  zebra "fish, upvotes:20\n'
        "               ^^^^^^^^^^\n"
        '  try: zebra "fish, upvotes>20\n'
        "All mended:\n"
        "  unlearning\n"
        '  zebra "fish", upvotes>20\n'
    )


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("text", ["x" * 1_000_000, "a\x00b", '"' * 200, "(" * 5_000])
def test_what_cannot_be_read_is_said_in_short_lines(text: str) -> None:
    result = call("keywords", "test", text)
    assert result.exit_code == 2
    assert max(map(len, result.stdout.splitlines())) <= 200
    assert "because of" not in result.stdout, "nothing was asked, so nothing is shown"
    assert "Traceback" not in result.output


def test_bars_are_as_high_as_their_counts_and_plain_where_the_terminal_is() -> None:
    assert bars([0, 1, 4, 8]) == " ▁▄█"
    assert bars([]) == ""
    assert bars([0, 0]) == "  "

    class Plain(StringIO):
        encoding = "ascii"

    assert bars([1, 2], stream=Plain()) == "=#"
