"""Three hundred queries over real listings: the engine, an independent reader, and two indexes.

Where the languages coincide, SQLite FTS5 and tantivy find the same papers once the differences
of the table below are taken away, one by one: each is there, and behind the last none is left.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import oracle
import pytest
from conftest import needs
from test_match import NOW

from digest.match import Engine
from digest.match.stored import store
from digest.papers import Paper, PaperId
from subscribers.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oracle import Asked

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"

# What we do and an index does not; an example of each, as it stands in the listings.
DIFFERENCES: Final = {
    "a word in capitals is found as written": "SAM is not sam, RAG is not rag",
    "joined words and owners are parted": "finetuning is fine-tuning; model's loss has model loss",
    "plurals and spellings are one word": "behaviour, behaviors; model, models",
}


@cache
def listed() -> list[tuple[str, str]]:
    needs(CORPUS.is_dir(), "real listings, which are no part of the project")
    return sorted(
        {
            (str(paper["title"]), str(paper["abstract"]))
            for path in sorted(CORPUS.glob("listing-*.json"))
            for paper in json.loads(path.read_text(encoding="utf-8"))["papers"]
        }
    )


@cache
def queries() -> list[Asked]:
    asker = oracle.Asker(listed(), random.Random(20261121))  # noqa: S311 -- the same every time
    return [asker.query() for _ in range(300)]


@cache
def ours() -> list[set[int]]:
    """What the engine finds, all queries in one answer."""
    papers = [
        Paper(PaperId("arxiv", f"2601.{n:05}"), title, abstract=abstract, number=n)
        for n, (title, abstract) in enumerate(listed())
    ]
    answer = Engine(papers, now=NOW).answer(
        [store(Profile(oracle.typed(asked))) for asked in queries()], top=len(papers)
    )
    return [{place for place, _ in answer.of(n)} for n in range(len(queries()))]


def test_the_engine_finds_what_an_independent_reader_finds() -> None:
    literally = [
        {n for n, (title, abstract) in enumerate(listed()) if oracle.fits(asked, title, abstract)}
        for asked in queries()
    ]
    assert ours() == literally
    assert sum(map(len, literally)) > 1_000


@pytest.mark.parametrize("index", ["fts5", "tantivy"])
def test_indexes_find_the_same_but_for_what_the_table_names(index: str) -> None:
    needs(index == "fts5" or find_spec("tantivy"), "tantivy", "pip install tantivy")
    ask = {"fts5": ask_fts5, "tantivy": ask_tantivy}[index]
    kinds = {"fts5": set[str](), "tantivy": {"near", "prefix"}}[index]
    known = [n for n, asked in enumerate(queries()) if not kinds & set(kinds_of(asked))]
    left = [
        sum(len(theirs ^ ours()[n]) for n, theirs in zip(known, ask(known, taken), strict=True))
        for taken in range(len(DIFFERENCES) + 1)
    ]
    assert left[-1] == 0, left
    assert left == sorted(set(left), reverse=True), f"each difference is there: {left}"
    assert len(known) > 100


def kinds_of(asked: Asked) -> Iterable[str]:
    yield asked.kind
    for part in asked.parts:
        yield from kinds_of(part)


class Texts:
    """The listings as an index is given them, with the first `taken` differences taken away."""

    def __init__(self, taken: int) -> None:
        self.capitals, self.joined, self.forms = (taken > n for n in range(3))

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Title and abstract, and both again with words in capitals marked."""
        plain = [tuple(map(self._cleared, both)) for both in listed()]
        return [(title, text, marked(title), marked(text)) for title, text in plain]

    def _cleared(self, text: str) -> str:
        return oracle.spaced(text) if self.joined else text

    def ways(self, words: tuple[str, ...]) -> list[str]:
        """All the ways some words may be written."""
        if self.joined:
            words = tuple(oracle.spaced(" ".join(words)).split())
        if not self.forms:
            return [" ".join(words)]
        return [" ".join(way) for way in product(*(every(word) for word in words))]


def every(word: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", form) for form in oracle.forms(word).split("|")]


def marked(text: str) -> str:
    return re.sub(r"(?<![A-Za-z0-9])([A-Z]{3,5})s?(?![A-Za-z0-9])", r"capitals\1", text)


def either(ways: Iterable[str]) -> str:
    return f"({' OR '.join(ways)})"


def ask_fts5(known: list[int], taken: int) -> list[set[int]]:
    texts = Texts(taken)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE paper USING fts5(title, abstract, t, a)")
    connection.executemany("INSERT INTO paper VALUES (?, ?, ?, ?)", texts.rows())

    def leaf(asked: Asked) -> str:
        if asked.kind == "acronym" and texts.capitals:
            return f"{{t a}} : capitals{asked.words[0]}"
        ways = texts.ways(asked.words)
        if asked.kind == "prefix":
            return f"{{title abstract}} : {asked.words[0]}*"
        if asked.kind == "near":
            near = (way.split(" ") for way in ways)
            return f"{{title abstract}} : {either(f'NEAR({a} {b}, {asked.most})' for a, b in near)}"
        column = asked.kind if asked.kind in {"title", "abstract"} else "{title abstract}"
        quoted = (f'"{way}"' for way in ways)
        return f"{column} : {either(quoted)}"

    def written(asked: Asked) -> str:
        if asked.kind == "and":
            parts = sorted(asked.parts, key=lambda part: part.kind == "not")
            text = written(parts[0])
            for part in parts[1:]:
                left_out = part.kind == "not"
                joint = "NOT" if left_out else "AND"
                text = f"({text} {joint} {written(part.parts[0] if left_out else part)})"
            return text
        if asked.kind == "or":
            return either(map(written, asked.parts))
        return f"({leaf(asked)})"

    def found(asked: Asked) -> set[int]:
        rows = connection.execute("SELECT rowid FROM paper WHERE paper MATCH ?", (written(asked),))
        return {row - 1 for (row,) in rows}

    answers = [found(queries()[n]) for n in known]
    connection.close()
    return answers


def ask_tantivy(known: list[int], taken: int) -> list[set[int]]:
    import tantivy  # noqa: PLC0415 -- where it is installed

    texts = Texts(taken)
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", stored=True)
    for name in ("title", "abstract", "t", "a"):
        builder.add_text_field(name)
    index = tantivy.Index(builder.build())
    writer = index.writer(20_000_000, 1)
    for number, (title, abstract, t, a) in enumerate(texts.rows()):
        writer.add_document(
            tantivy.Document(number=number, title=title, abstract=abstract, t=t, a=a)
        )
    writer.commit()
    index.reload()
    searcher = index.searcher()

    def leaf(asked: Asked) -> str:
        if asked.kind == "acronym" and texts.capitals:
            return either(f"{field}:capitals{asked.words[0]}" for field in "ta")
        fields = [asked.kind] if asked.kind in {"title", "abstract"} else ["title", "abstract"]
        return either(f'{field}:"{way}"' for field in fields for way in texts.ways(asked.words))

    def written(asked: Asked) -> str:
        if asked.kind == "and":
            parts = (
                f"-{written(part.parts[0])}" if part.kind == "not" else f"+{written(part)}"
                for part in asked.parts
            )
            return f"({' '.join(parts)})"
        return either(map(written, asked.parts)) if asked.kind == "or" else leaf(asked)

    def found(asked: Asked) -> set[int]:
        query = index.parse_query(written(asked), ["title", "abstract"])
        hits = searcher.search(query, len(listed()), count=False).hits
        return {searcher.doc(address)["number"][0] for _, address in hits}

    return [found(queries()[n]) for n in known]
