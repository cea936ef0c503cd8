"""The keyword language: what it finds, what it refuses, and how it says things back."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import oracle
import pytest
from conftest import needs
from hypothesis import given
from hypothesis import strategies as st
from keyword_texts import NOW, lines, papers, texts, texts_with_exclusions

from digest.errors import QueryError
from digest.match import match
from digest.papers import Author, Listing, Paper, PaperId, Signals
from subscribers.finding import Reading, found_in
from subscribers.names import is_author
from subscribers.profile import Profile
from subscribers.query import check, explain, format_query, matches, mended, parse

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"
PAPER = Paper(
    PaperId.arxiv("2611.90001"),
    "Routing Without Regret: Mixtures of Experts for Retrieval",
    (Author("Ines Harrow"), Author("Yann LeCun", orcid="0000-0002-1825-0097"), Author("Y. Bengio")),
    "A sparse router with k-NN and C++ code. We use RAG on GPUs, fine-tuned GPT-4, and $\\beta$.",
    organization="Lindqvist Institute",
    categories=("cs.CL", "math.OC"),
    signals=Signals(upvotes=48, comments=0),
    listings=(Listing("hf", "Daily Papers", date(2026, 11, 20)),),
)


def found(text: str, paper: Paper = PAPER) -> bool:
    return bool(matches(parse(text), paper))


@pytest.mark.parametrize(
    "text",
    [
        "mixture of experts", '"mixture of experts"', "mixture experts",
        "Mixture-of-Experts", "routing OR unlearning", "routing | unlearning",
        "unlearning\nrouting", "unlearning, routing", "unlearning; routing",
        "unlearning or routing", "routing -image", "routing NOT image",
        "routing AND retrieval", "routing and retrieval", "(routing OR unlearning) experts",
        "rout*", "title:routing", "abstract:router", 'title:"mixture of experts"',
        "title: routing", "-abstract:regret routing", '"sparse code"~6', '"code router"~5',
        "author:harrow", 'author:"Ines Harrow"', 'author:"Harrow, Ines"',
        'author:"I. Harrow"', "author:Ines Harrow", 'author:"Yann LeCun"',
        'author:"Y. LeCun"', 'author:"LeCun, Y."', 'author:"Yoshua Bengio"',
        "author:0000-0002-1825-0097", "org:lindqvist", 'org:"Lindqvist Institute"',
        "category:cs.CL", "category:cs", "category:cs.*", "category:CS.cl", "source:hf",
        'source:"daily papers"', "id:2611.90001", "arxiv:2611.90001v2", "2611.90001",
        "https://arxiv.org/abs/2611.90001", "upvotes>20", "upvotes > 20", "upvotes>=48",
        "upvotes>20 routing", "RAG", "rag", "C++", "GPT-4", "k-NN", "knn", "gpu", "GPUs",
        "beta", "β", "routing^3", "(routing regret)^2", "-image\nrouting", "+routing",
        "“mixture of experts”", "- routing", "• routing", "1. routing", "ROUTING REGRET",
        "MIXTURES OF EXPERTS", "routing.", "'routing'", "routing -", "routing–without",
        "image OR -video", "author:Harrow author:LeCun", "routing –image",
        "routing -(image OR video)", "fine-tuned", "title:(routing OR image)", "!image routing",
        "title:(mixture of experts)", "title:(routing -image)", "author:(Harrow OR Hinton)",
        "author:(Ines Harrow)", "category:(cs.CV OR cs.CL)", "(title:routing)^2",
        "orcid:0000-0002-1825-0097", "author:https://orcid.org/0000-0002-1825-0097",
        "all:routing", "cs.CL routing", "math.OC", "https://huggingface.co/papers/2611.90001",
        'author:"Y. A. LeCun"', 'author:"Yann Le Cun"', "GPT4", "gpt 4", "kNN",
        "title:rout*", "gp* 4",
    ],
)  # fmt: skip
def test_this_finds_it(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "out", "expert mixing", '"experts of mixture"', "routing -regret", "routing image",
        "routing NOT (regret OR image)", "-retrieval\nrouting", "title:router",
        "abstract:regret", '"sparse code"~3', "author:Harow", 'author:"Anna Harrow"',
        'author:"X. LeCun"', "author:0000-0002-1825-0098", "org:lind", "category:cs.CV",
        "category:math.NA", "source:arxiv", "id:2611.90002", "upvotes>48", "stars>0",
        "comments>0", "SAM", "R", "C", "GPT-4o", "fine-tuning", "diffusion", "rou",
        "gpu-sparse", "-upvotes>20 routing", "routing^3 image",
        "-experts\nrouting, retrieval", "title:(routing router)", "author:(Hinton OR Bengi)",
        "cs.CV", "stat.ML", 'author:"Y. X. LeCun Smith"', "GPT-4V", "author:s2:1741101",
        "10.1000/182", "title:(-routing retrieval)",
    ],
)  # fmt: skip
def test_this_does_not(text: str) -> None:
    assert not found(text)


def test_fusion_never_finds_diffusion() -> None:
    paper = replace(PAPER, title="Diffusion models", abstract="Diffusion and confusion")
    assert not found("fusion", paper)
    assert found("diffusion model", paper)


def test_acronyms_are_found_as_written() -> None:
    paper = replace(PAPER, title="A rag doll", abstract="Lora wears rags.")
    assert not found("RAG", paper)
    assert not found("LoRA", paper)
    assert found("rag", paper)
    assert found("RAG", replace(PAPER, title="RAGs compared", abstract=""))


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Le Cun", "Yann LeCun"), ("LeCun", "Yann Le Cun"), ("Feifei Li", "Li Fei-Fei"),
        ("Schoelkopf", "Bernhard Schölkopf"), ("Klaus Müller", "K.-R. Mueller"),
        ("JL Picard", "Jean-Luc Picard"), ("Wu YN", "Ying Nian Wu"), ("Ying Nian Wu", "Wu YN"),
        ("Ying Nian Wu", "Yingnian Wu"), ("Geoffrey E. Hinton", "Geoffrey Hinton"),
        ("Geoffrey Hinton", "G. E. Hinton"), ("O'Brien", "Conor OBrien"),
        ("van der Berg", "L. van der Berg"), ("Ludwig van der Berg", "Berg, Ludwig van der"),
        ("Øyvind Hansen", "Oyvind Hansen"), ("李飞飞", "李飞飞"), ("King, M.", "Martin King Jr."),
    ],
)  # fmt: skip
def test_one_name_in_two_spellings_is_one_author(asked: str, name: str) -> None:
    paper = replace(PAPER, authors=(Author(name),))
    assert found(f'author:"{asked}"', paper)
    assert match([paper], [Profile(f'author:"{asked}"')], now=NOW)[0]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("X. LeCun", "Yann LeCun"), ("Wei Wang", "Wei Zhang"), ("Li", "Liang Chen"),
        ("Y. L.", "Yann LeCun"), ("Yann LeCun", "LeCun"), ("Wei Ming Zhang", "Wei Zhang"),
        ("Wei X. Zhang", "Wei Y. Zhang"), ("Cun", "Yann LeCun"), ("", "Yann LeCun"),
    ],
)  # fmt: skip
def test_two_names_are_two_authors(asked: str, name: str) -> None:
    assert not is_author(asked, Author(name))


@pytest.mark.parametrize(
    "asked",
    [
        "1741101", "s2:1741101", "https://www.semanticscholar.org/author/Ross-Girshick/1741101",
        "https://orcid.org/0000-0002-1825-009x", "0000-0002-1825-009X",
    ],
)  # fmt: skip
def test_an_author_is_told_apart_by_an_id(asked: str) -> None:
    known = Author("R. Girshick", "https://orcid.org/0000-0002-1825-009X", "1741101")
    assert is_author(asked, known)
    assert not is_author(asked, Author("R. Girshick", "0000-0002-1825-0097", "17411011"))


@pytest.mark.parametrize("word", ["R", "C"])
def test_a_single_capital_is_found_as_written(word: str) -> None:
    assert found(word, replace(PAPER, title=f"Statistics with {word}"))
    assert not found(word, replace(PAPER, title=f"x {word.lower()} y", abstract=""))


def test_chinese_japanese_and_korean_are_found_inside_text() -> None:
    paper = replace(PAPER, title="基于扩散模型的图像生成", abstract="拡散モデルと확산 모델")
    for text in ("扩散模型", "拡散モデル", "확산 모델", "图像"):
        assert found(text, paper)
    assert not found("模扩", paper)


def test_missing_counts_are_not_zero() -> None:
    paper = replace(PAPER, signals=Signals())
    assert not found("upvotes>0", paper)
    assert found("routing -upvotes>0", paper)


def test_a_line_of_exclusions_holds_for_the_whole_profile() -> None:
    query = parse("routing\n-regret")
    assert [line.excludes for line in query.lines] == [False, True]
    assert not matches(query, PAPER)
    assert parse("-regret").is_empty


def test_no_query_asks_for_the_top_ten() -> None:
    for text in ("", "  \n ,, ; ", "-survey"):
        query = parse(text)
        assert query.is_empty
        assert not matches(query, PAPER)
        assert "top ten" in explain(query)


def test_hits_say_where_the_words_stand() -> None:
    (line,) = matches(parse('"mixture of experts"'), PAPER)
    assert line.line == 1
    assert [PAPER.title[hit.start : hit.end] for hit in line.hits] == ["Mixtures of Experts"]
    (line,) = matches(parse("author:LeCun upvotes>20 rag"), PAPER)
    assert [(hit.term, hit.field) for hit in line.hits] == [
        ("rag", "abstract"),
        ("LeCun", "author"),
    ]
    assert line.floors == ("upvotes>20",)
    assert PAPER.authors[line.hits[1].start].name == "Yann LeCun"


def test_words_typed_side_by_side_and_found_side_by_side_are_one_term() -> None:
    (line,) = matches(parse("mixture of experts"), PAPER)
    assert [hit.term for hit in line.hits] == ["mixture of experts"]
    (line,) = matches(parse("experts mixture"), PAPER)
    assert [hit.term for hit in line.hits] == ["mixture", "experts"]


def test_lines_have_numbers_names_and_places() -> None:
    query = parse(
        'mixture of experts -image, author:"Ines Harrow"\n\n(RAG OR retrieval) agents upvotes>5'
    )
    assert [(line.number, line.row, line.column, line.name) for line in query.lines] == [
        (1, 1, 1, "mixture of experts"),
        (2, 1, 28, "Ines Harrow"),
        (3, 3, 1, "RAG or retrieval agents"),
    ]
    assert query.floors == {"upvotes"}


@pytest.mark.parametrize(
    ("text", "line", "column", "length", "repair"),
    [
        ('"machine unlearning', 1, 1, 1, '"machine unlearning"'),
        ('foo\nbar "baz', 2, 5, 1, 'bar "baz"'),
        ("(foo bar", 1, 1, 1, "(foo bar)"),
        ("foo) bar", 1, 4, 1, "foo bar"),
        ("titel:foo", 1, 1, 5, "title:foo"),
        ("color:red", 1, 1, 5, "color red"),
        ("upvotes:20", 1, 1, 10, "upvotes>20"),
        ("upvotes<20", 1, 1, 10, "upvotes>20"),
        ("upvotes>many foo", 1, 1, 12, "upvotes>20 foo"),
        ("upvote>20.5", 1, 1, 11, "upvotes>20"),
        ("likes>20", 1, 1, 8, "upvotes>20"),
        ("github>100", 1, 1, 10, "stars>100"),
        ("year>2020", 1, 1, 9, '"year>2020"'),
        ("title:(foo", 1, 7, 1, "title:(foo)"),
        ("foo OR", 1, 5, 2, "foo"),
        ("OR foo", 1, 1, 2, "foo"),
        ("foo AND AND bar", 1, 5, 3, "foo AND bar"),
        ("foo NOT", 1, 5, 3, "foo"),
        ("foo^0 bar", 1, 4, 2, "foo^3 bar"),
        ("foo^", 1, 4, 1, "foo^3"),
        ('"a b"~0', 1, 6, 2, '"a b"~5'),
        ("a* foo", 1, 1, 2, "a foo"),
        ('foo ""', 1, 5, 2, "foo"),
        ("author:", 1, 1, 7, "author"),
        ("OR", 1, 1, 2, '"OR"'),
        ("a NOT", 1, 3, 3, "a"),
        ("(" * 21 + "a b" + ")" * 21, 1, 21, 1, "a b"),
        ("diffusion -diffusion", 1, 1, 20, "diffusion"),
        ("mixture of experts\n-expert", 2, 1, 7, ""),
        ("routing -routing, RAG -rag", 1, 1, 16, "routing, RAG -rag"),
        ("cs.CL\n-category:cs", 2, 1, 12, ""),
        ("optimization -optim*", 1, 1, 20, "optimization"),
        (")", 1, 1, 1, ""),
        ('"', 1, 1, 1, ""),
        ("^3", 1, 1, 2, ""),
        ("title:()", 1, 7, 2, ""),
        ('title:"', 1, 7, 1, ""),
        ("maps, ^3, routing", 1, 7, 2, "maps, routing"),
        ("maps, routing), plans", 1, 14, 1, "maps, routing, plans"),
        ('agents, "bro, upvotes:20', 1, 9, 1, 'agents, "bro", upvotes:20'),
        ('agents ("bro)', 1, 9, 1, 'agents ("bro")'),
        ("title:-survey", 1, 1, 7, "-title:survey"),
        ("plans upvotes<50", 1, 7, 10, "plans"),
        ("likes>20 stars>many", 1, 1, 8, "upvotes>20 stars>20"),
        ("foo\x00bar", 1, 4, 1, "foo bar"),
        ("foo\ta\x1bb", 1, 6, 1, "foo a b"),
    ],
)
def test_a_mistake_has_a_place_and_a_repair(
    text: str, line: int, column: int, length: int, repair: str | None
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    mistake = caught.value
    assert (mistake.line, mistake.column, mistake.length) == (line, column, length)
    assert repair is None or mistake.repairs[0] == repair


_SLIPS = st.text(alphabet="abRC \"()-*:^~><.,;|+'1\u03b2\n", max_size=40) | st.lists(
    st.sampled_from(
        ["maps", '"', "(", ")", ",", "^3", "titel:", "title:", "upvotes:20", "OR", "NOT", "-", " "]
    ),
    max_size=9,
).map("".join)


@given(_SLIPS)
def test_every_mistake_has_a_repair_that_mends_it_and_keeps_what_was_good(text: str) -> None:
    query, mistakes = check(text)
    for mistake in mistakes:
        assert mistake.repairs
        for repair in mistake.repairs:
            rows = text.split("\n")
            rows[mistake.line - 1] = repair
            after, left = check("\n".join(rows))
            impossible = any("can find nothing" in each.reason for each in (mistake, *left))
            assert impossible or len(left) < len(mistakes)
            # What follows an opening quote or parenthesis may come to stand inside it.
            good = {
                line.tree for line in query.lines if (line.row, line.column) < (mistake.line, 1)
            }
            assert impossible or good <= {line.tree for line in after.lines}


@given(_SLIPS)
def test_all_mistakes_can_be_mended_together(text: str) -> None:
    assert not check(mended(text))[1]


def test_one_wrong_piece_spoils_no_other_of_its_line() -> None:
    query, mistakes = check('agents, "bro, upvotes:20, plan) x; maps, author:')
    assert [line.text for line in query.lines] == ["agents", "maps"]
    assert [mistake.column for mistake in mistakes] == [9, 15, 31, 42]
    assert mended(query.text) == 'agents, "bro", upvotes>20, plan x; maps, author'


def test_too_many_lines_are_refused_at_the_first_that_is_too_many() -> None:
    text = "\n\n".join(f"w{n}" for n in range(1_001))
    (mistake,) = check(text)[1]
    assert (mistake.line, mistake.reason) == (2_001, "these are 1,001 lines; the most is 1,000.")
    assert not check(text.rpartition("\n")[0])[1]


def test_good_lines_are_read_beside_bad_ones() -> None:
    query, mistakes = check('routing\n"bad\nregret, (worse')
    assert [(line.number, line.text) for line in query.lines] == [(1, "routing"), (3, "regret")]
    assert [mistake.line for mistake in mistakes] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"w{n}" for n in range(10_000)), "\n".join(f"w{n}" for n in range(10_000)),
        "x" * 1_000_000, "(" * 1_900, "(" * 100_000, "-" * 100_000, "NOT " * 400, '"' * 99_999,
        "a OR " * 390, "foo:" * 480, "\x00" * 100_000, "^" * 1_000, "~" * 90_000, "a," * 50_000,
        "(a OR (b " * 200, "upvotes>" * 200, "author:A " * 200, "a* " * 600, "'" * 1_900,
        "author:" + "A. " * 600, "[(" * 900, "\u202e" * 90_000, ("a^" * 900 + "\n") * 27,
        ("a:" * 900 + "\n") * 27, ('"a b"~' * 300 + "\n") * 27, ("\ufdfa" * 1_800 + "\n") * 27,
        ("(" * 400 + "a" + ")" * 380 + "\n") * 60, ('"a" ' * 490 + '"\n') * 25, "散" * 1_999,
    ],
    ids=lambda text: repr(text[:9]),
)  # fmt: skip
def test_hostile_input_is_refused_or_read_in_milliseconds(text: str) -> None:
    began = time.process_time()
    query, mistakes = check(text)
    assert time.process_time() - began < 1
    if not mistakes:
        explain(query)
        parse(format_query(query))


@pytest.mark.parametrize("text", ["x" * 1_000_000, " ".join(f"w{n}" for n in range(10_000))])
def test_a_limit_is_stated(text: str) -> None:
    with pytest.raises(QueryError, match="the most is"):
        parse(text)


def test_no_more_than_a_hundred_mistakes_are_told() -> None:
    query, mistakes = check("model\n" + '"a\n' * 900 + "routing")
    assert [line.text for line in query.lines] == ["model"]
    assert len(mistakes) == 101
    assert "the most is 100" in str(mistakes[-1])
    assert (mistakes[-1].line, mistakes[-1].column) == (102, 1)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    query, mistakes = check(text)
    for mistake in mistakes:
        assert mistake.line >= 1
        assert mistake.column >= 1
    matches(query, PAPER)
    explain(query)


@given(texts_with_exclusions | st.text(alphabet="abRC \"()-*:^~><.,;|+'1éβ散\n", max_size=40))
def test_what_is_written_back_is_read_as_the_same(text: str) -> None:
    query, _ = check(text)
    again, mistakes = check(format_query(query))
    impossible = [each for each in mistakes if "can find nothing" not in each.reason]
    assert not impossible
    assert [line.tree for line in again.lines] == [line.tree for line in query.lines]
    assert format_query(again) == format_query(query)


@given(texts, lines, papers)
def test_one_more_line_never_removes(text: str, line: str, paper: Paper) -> None:
    less, more = check(text)[0], check(f"{text}\n{line}")[0]
    if any(each.excludes for each in more.lines):
        return
    assert len(matches(less, paper)) <= len(matches(more, paper))


@given(texts, lines, papers)
def test_an_exclusion_never_adds(text: str, line: str, paper: Paper) -> None:
    query = check(text)[0]
    for narrower in (
        f"{text}\n-({line})",
        "\n".join(f"{each} -({line})" for each in text.split("\n")),
    ):
        numbers = {each.line for each in matches(check(narrower)[0], paper)}
        assert numbers <= {each.line for each in matches(query, paper)}


@given(st.lists(lines, min_size=1, max_size=4), papers, st.randoms(use_true_random=False))
def test_order_and_duplicates_of_lines_never_matter(
    asked: list[str], paper: Paper, chance: random.Random
) -> None:
    shuffled = [*asked, asked[0]]
    chance.shuffle(shuffled)

    def trees(wanted: list[str]) -> set[object]:
        query = check("\n".join(wanted))[0]
        numbers = {each.line for each in matches(query, paper)}
        return {line.tree for line in query.lines if line.number in numbers}

    assert trees(asked) == trees(shuffled)


@given(texts, papers)
def test_every_hit_stands_in_the_text(text: str, paper: Paper) -> None:
    for each in matches(check(text)[0], paper):
        for hit in each.hits:
            if hit.field in {"title", "abstract"}:
                standing = (paper.title if hit.field == "title" else paper.abstract)[
                    hit.start : hit.end
                ]
                assert standing
                assert standing.strip() == standing


def test_explain_says_what_it_finds() -> None:
    told = explain(parse('sparse experts -C\nauthor:"Ines Harrow" upvotes>20\n-survey'))
    assert told.splitlines() == [
        "Papers with all of the words sparse experts (side by side ranks higher), but none with C.",
        "Papers by Ines Harrow, with more than 20 upvotes.",
        "Leaves out papers with survey.",
    ]


# --- against an independent reader -----------------------------------------------------------


def _listed() -> list[tuple[str, str]]:
    listed = {
        (str(paper["title"]), str(paper["abstract"]))
        for path in sorted(CORPUS.glob("listing-*.json"))
        for paper in json.loads(path.read_text(encoding="utf-8"))["papers"]
    }
    return sorted(listed)


def test_three_hundred_queries_over_real_listings_are_read_as_an_independent_reader_does() -> None:
    needs(CORPUS.is_dir(), "real listings, which are no part of the project")
    listed = _listed()
    shelf = [
        Reading(Paper(PaperId("arxiv", f"2601.{n:05}"), title, abstract=abstract))
        for n, (title, abstract) in enumerate(listed)
    ]
    differences, fitting = [], 0
    asker = oracle.Asker(listed, random.Random(20261120))  # noqa: S311 -- the same every time
    for _ in range(300):
        asked = asker.query()
        text = oracle.typed(asked)
        query = check(text)[0]
        assert query.asks, text
        ours = {n for n, reading in enumerate(shelf) if found_in(query, reading)}
        theirs = {
            n for n, (title, abstract) in enumerate(listed) if oracle.fits(asked, title, abstract)
        }
        fitting += len(theirs)
        differences += [(text, listed[n][0], n in ours) for n in sorted(ours ^ theirs)]
    assert not differences
    assert fitting > 1_000
