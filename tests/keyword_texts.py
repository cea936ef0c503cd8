"""Strategies: keyword texts as people write them, and papers they may find."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from digest.papers import Author, Listing, Paper, PaperId, Signals

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
_TYPED = (
    "model models sparse attention mixture of experts expert diffusion fusion RAG LoRA the routing "
    "fine-tuning finetuning behaviour behavior C++ GPT-4 3D k-NN naïve β 扩散模型 A* R image"
)
VOCABULARY = _TYPED.split()
AUTHORS = (
    "Ines Harrow", "Pavel Tomsa", "Y. LeCun", "LeCun, Yann", "Zoë van der Berg", "Le Cun",
    "Jörg Wu", "Wu YN", "0000-0002-1825-0097",
)  # fmt: skip
CATEGORIES = ("cs.CL", "cs.LG", "stat.ML")

words = st.sampled_from(VOCABULARY)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)


def _leaf(kind: str, text: str, number: int) -> str:
    first, *_, last = text.split() * 2
    return {
        "word": first,
        "words": text,
        "phrase": f'"{text}"',
        "title": f'title:"{text}"',
        "abstract": f"abstract:{first}",
        "prefix": "spars*" if number % 2 else "diff*",
        "near": f'"{text}"~{number % 9 + 1}',
        "floor": f"{('upvotes', 'stars', 'comments')[number % 3]}>{number}",
        "author": f'author:"{AUTHORS[number % len(AUTHORS)]}"',
        "category": f"category:{('cs.CL', 'cs', 'stat.*')[number % 3]}",
        "source": "source:hf",
        "org": "org:Lindqvist",
        "id": "id:2611.90001",
        "weight": f"{last}^{number % 7 + 1}",
        "scope": f"title:({first} OR {last})",
    }[kind]


KINDS = (
    "word", "words", "words", "phrase", "title", "abstract", "prefix", "near", "floor", "author",
    "category", "source", "org", "id", "weight", "scope",
)  # fmt: skip
leaves = st.builds(_leaf, st.sampled_from(KINDS), phrases, st.integers(0, 30))


def _joined(parts: list[str], how: str) -> str:
    return " ".join(parts) if how == "and" else f"({' OR '.join(parts)})"


expressions = st.recursive(
    leaves,
    lambda inner: st.builds(
        _joined, st.lists(inner, min_size=1, max_size=3), st.sampled_from(("and", "or"))
    ),
    max_leaves=5,
)
excluded = leaves.map(lambda leaf: f"-({leaf})")
lines = st.builds(
    lambda wanted, unwanted: " ".join([wanted, *unwanted]),
    expressions,
    st.lists(excluded, max_size=2),
)
texts = st.lists(lines, min_size=1, max_size=4).map("\n".join)
texts_with_exclusions = st.builds(
    lambda text, unwanted: "\n".join([text, *unwanted]), texts, st.lists(excluded, max_size=1)
)

counts = st.none() | st.integers(0, 40)


def _paper(
    number: int, title: str, abstract: str, counted: tuple[int | None, ...], hours: int
) -> Paper:
    upvotes, comments, stars = counted
    return Paper(
        PaperId("arxiv", f"2611.{90000 + number:05}"),
        title,
        tuple(Author(AUTHORS[(number + n) % len(AUTHORS)]) for n in range(number % 3)),
        abstract,
        organization="Lindqvist Institute" if number % 2 else "",
        categories=(CATEGORIES[number % 3],),
        signals=Signals(upvotes, comments, stars),
        listings=(Listing("hf" if number % 2 else "arxiv", "Any", date(2026, 11, 20)),),
        number=number,
        first_seen_at=NOW - timedelta(hours=hours),
    )


papers = st.builds(
    _paper,
    st.integers(1, 40),
    st.lists(words, min_size=1, max_size=5).map(" ".join),
    st.lists(words | st.sampled_from(("and", "we", "show.", "A", "with")), max_size=14).map(
        " ".join
    ),
    st.tuples(counts, counts, counts),
    st.integers(0, 100),
)
shelves = st.lists(papers, min_size=1, max_size=6, unique_by=lambda paper: paper.number)
