"""Matching: everybody at once, against asking an index once per reader; one reader; reasons.

The papers are made of real abstracts where a folder of listings lies beside the checkout, else
of the bundled sample, mixed to 1,500. A profile has 8 terms, common and rare ones as Zipf would
have them; a third of the profiles use AND, NOT, phrases and fields.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import re
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.figures import Figure
from digest.match import match
from digest.match.engine import Engine
from digest.match.stored import store
from digest.papers import Paper, PaperId, Signals
from subscribers.profile import DEFAULT_LIMIT, Profile
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
ROOT = Path(__file__).parent.parent
PAPERS = 1_500
PROFILES = 100_000
TERMS = 8
TOP = 20
EXPLAINED = 20_000
ASKED_TANTIVY = 2_000
ASKED_FTS5 = 500


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a profile in our language, for tantivy and for FTS5."""

    ours: str
    tantivy: str
    fts5: str


def measure() -> list[Figure]:
    """Ratios to rivals in the same run, on the same papers and profiles."""
    chance = random.Random(4)
    papers = mixed(real_texts(), PAPERS, chance)
    profiles = crowd(papers, chance)(PROFILES)
    stored = stored_forms(profiles)
    gc.freeze()  # the readers are ours, not the engine's
    few, taken = _taken(lambda: Engine(papers, now=NOW).answer(stored, top=TOP))
    print(f"{PROFILES:,} profiles x {PAPERS:,} papers: {taken:.2f} s, {len(few.places):,} shown")
    rivals = {
        "tantivy": tantivy_seconds(papers, profiles[:ASKED_TANTIVY]),
        "fts5": _fts5(papers, profiles[:ASKED_FTS5]),
    }
    figures = []
    for name, target in (("tantivy", 10), ("fts5", 30)):
        each = rivals[name]
        if each is not None:
            print(f"{name}: {1 / each:,.0f} profiles/s, asked once per profile")
            ratio = each * PROFILES / taken
            figures.append(Figure(f"match_100k_vs_{name}", ratio, target, "x", more_is_better=True))
    figures += _reasons(papers, profiles[:EXPLAINED])
    figures += _one_more(profiles, chance)
    figures += _one_reader(papers, profiles)
    figures += _worst(papers)
    return figures


def _worst(papers: Sequence[Paper]) -> list[Figure]:
    """The slowest of texts that nobody means: at the limits and beyond, mistakes, a megabyte."""
    engine = Engine(papers, now=NOW)
    gc.freeze()  # what was measured before is no part of a text
    asked = [
        "\n".join(f"word{number}" for number in range(10_000)),
        " OR ".join(f"word{number}" for number in range(10_000)),
        "a" * 1_000_000,
        "(" * 1_000_000,
        '"' * 99_999,
        "-a " * 30_000,
        '"a\n' * 2_000,
        "foo:a\n" * 2_000,
        ("(" * 24 + "a\n") * 2_000,
        "a\x00\n" * 2_000,
        "\n".join(f"word{number}" for number in range(1_000)),
        "\n".join(f"word{number} -model" for number in range(500)),
        ("(" * 400 + "a" + ")" * 380 + "\n") * 60,
        ("a^" * 900 + "\n") * 27,
        ("a:" * 900 + "\n") * 27,
        ('"a b"~' * 300 + "\n") * 27,
        ("\ufdfa" * 1_800 + "\n") * 27,
    ]
    times = [
        _taken(
            lambda text=text: next(engine.match([Profile(text)], top=TOP)),  # type: ignore[misc]
            time.process_time,
        )[1]
        for text in asked
    ]
    slowest = max(times)
    print(f"slowest text: {slowest * 1000:.0f} ms, {asked[times.index(slowest)][:40]!r}...")
    return [Figure("match_worst_text", slowest * 1000, 50, "ms")]


def stored_forms(profiles: Sequence[list[Term]]) -> list[str]:
    """Each profile as it was stored when it was saved; a line is compiled once here."""
    known: dict[str, str] = {}
    forms = []
    for terms in profiles:
        for term in terms:
            if term.ours not in known:
                known[term.ours] = store(Profile(term.ours))
        forms.append("\n".join(dict.fromkeys(known[term.ours] for term in terms)))
    return forms


def _taken(
    work: Callable[[], T], clock: Callable[[], float] = time.perf_counter
) -> tuple[T, float]:
    began = clock()
    done = work()
    return done, clock() - began


def real_texts() -> list[tuple[str, str]]:
    corpus = ROOT.parent / "shared" / "corpus"
    paths = sorted(corpus.glob("listing-*.json")) or [
        ROOT / "digest" / "sample" / "daily-papers.json"
    ]
    print(f"papers are made of {', '.join(path.name for path in paths)}")
    found = {
        (paper["title"], paper["abstract"])
        for path in paths
        for paper in json.loads(path.read_text(encoding="utf-8"))["papers"]
    }
    return sorted(found)


def mixed(texts: Sequence[tuple[str, str]], many: int, chance: random.Random) -> list[Paper]:
    """Papers whose abstracts are sentences of several real ones."""
    sentences = [re.split(r"(?<=[.!?]) ", abstract) for _, abstract in texts]
    made = []
    for number in range(many):
        title, _ = chance.choice(texts)
        sources = chance.sample(sentences, 3)
        abstract = " ".join(chance.choice(source) for source in sources for _ in range(3))
        made.append(
            Paper(
                PaperId("arxiv", f"26{number // 90_000 + 10}.{number % 90_000:05}"),
                title,
                abstract=abstract,
                number=number + 1,
                signals=Signals(upvotes=chance.randrange(60)),
                first_seen_at=NOW - timedelta(hours=chance.randrange(1, 72)),
            )
        )
    return made


def crowd(papers: Sequence[Paper], chance: random.Random) -> Callable[[int], list[list[Term]]]:
    """What draws profiles of eight lines; the n-th most common word or pair is drawn like 1/n."""
    singles: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for paper in papers:
        text = re.findall(r"[a-z]+", f"{paper.title} {paper.abstract}".lower())
        singles.update(sorted({word for word in text if len(word) > 3}))
        pairs.update(sorted({p for p in itertools.pairwise(text) if min(map(len, p)) > 3}))
    common = [(word,) for word, _ in singles.most_common()]
    phrases = [pair for pair, _ in pairs.most_common(20_000)]
    ranked = [topic for both in itertools.zip_longest(common, phrases) for topic in both if topic]
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(ranked))))

    def draw(many: int) -> list[list[Term]]:
        picked = chance.choices(ranked, cum_weights=weights, k=many * (TERMS + 1))
        profiles = []
        for number in range(many):
            at = number * (TERMS + 1)
            terms = [_plain_term(topic) for topic in picked[at : at + TERMS]]
            if number % 3 == 0:
                joint = _and if number % 2 else _not
                terms[0] = joint(picked[at], picked[at + TERMS])
                terms[1] = _title(picked[at + 1])
            profiles.append(terms)
        return profiles

    return draw


def _plain_term(topic: tuple[str, ...]) -> Term:
    text = " ".join(topic)
    quoted = f'"{text}"'
    return Term(quoted if len(topic) > 1 else text, quoted, quoted)


def _and(one: tuple[str, ...], other: tuple[str, ...]) -> Term:
    a, b = _plain_term(one), _plain_term(other)
    return Term(f"{a.ours} {b.ours}", f"({a.tantivy} AND {b.tantivy})", f"({a.fts5} AND {b.fts5})")


def _not(one: tuple[str, ...], other: tuple[str, ...]) -> Term:
    if one == other:
        return _plain_term(one)
    a, b = _plain_term(one), _plain_term(other)
    return Term(f"{a.ours} -{b.ours}", f"(+{a.tantivy} -{b.tantivy})", f"({a.fts5} NOT {b.fts5})")


def _title(one: tuple[str, ...]) -> Term:
    a = _plain_term(one)
    return Term(f"title:{a.ours}", f"title:{a.tantivy}", f"title : {a.fts5}")


def tantivy_seconds(papers: Sequence[Paper], profiles: Sequence[list[Term]]) -> float | None:
    """Seconds a profile, or None where it is not installed."""
    if find_spec("tantivy") is None:
        print("tantivy is not installed (pip install tantivy): not compared")
        return None
    import tantivy  # noqa: PLC0415 -- only a benchmark has it

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", stored=True)
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("abstract", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(50_000_000, 1)
    for paper in papers:
        writer.add_document(
            tantivy.Document(number=paper.number, title=paper.title, abstract=paper.abstract)
        )
    writer.commit()
    index.reload()
    searcher = index.searcher()

    def ask() -> int:
        hits = 0
        for terms in profiles:
            query = index.parse_query(
                " OR ".join(term.tantivy for term in terms), ["title", "abstract"],
                field_boosts={"title": 3.0},
            )  # fmt: skip
            hits += len(searcher.search(query, TOP, count=False).hits)
        return hits

    hits, taken = _taken(ask)
    print(f"tantivy: {hits / len(profiles):.1f} papers a profile")
    return taken / len(profiles)


def _fts5(papers: Sequence[Paper], profiles: Sequence[list[Term]]) -> float | None:
    """Seconds a profile."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE paper USING fts5(title, abstract, tokenize='porter')")
    connection.executemany(
        "INSERT INTO paper (title, abstract) VALUES (?, ?)",
        [(paper.title, paper.abstract) for paper in papers],
    )

    def ask() -> int:
        hits = 0
        for terms in profiles:
            asked = " OR ".join(term.fts5 for term in terms)
            found = connection.execute(
                "SELECT rowid FROM paper WHERE paper MATCH ? "
                "ORDER BY bm25(paper, 3.0, 1.0) LIMIT ?",
                (asked, TOP),
            )
            hits += len(found.fetchall())
        return hits

    hits, taken = _taken(ask)
    print(f"SQLite FTS5: {hits / len(profiles):.1f} papers a profile")
    connection.close()
    return taken / len(profiles)


def _reasons(papers: Sequence[Paper], profiles: Sequence[list[Term]]) -> list[Figure]:
    """Reasons for the papers shown to many readers, with all places, as a delivery's row has them.

    Processor time, beyond matching them.
    """
    asked = [Profile("\n".join(term.ours for term in terms)) for terms in profiles]
    engine = Engine(papers, now=NOW)
    for ranking in engine.match(asked[:100], top=TOP):  # the first sums of a process are slow
        assert ranking[0].score
    taken, told = 0.0, 0
    for ranking in engine.match(asked, top=TOP):
        shown = ranking[:]
        began = time.process_time()
        told += sum(bool(match.packed) for match in shown)
        taken += time.process_time() - began
    print(f"reasons for {told:,} papers shown: {taken:.1f} s")
    return [Figure("match_reasons_each", taken / told * 1e6, 10, "us")]


def _one_more(profiles: Sequence[list[Term]], chance: random.Random) -> list[Figure]:
    """A reader typing: one more profile against 20,000 papers that are indexed already."""
    engine = Engine(mixed(real_texts(), 20_000, chance), now=NOW)
    times = []
    for terms in profiles[:30]:
        text = "\n".join(term.ours for term in terms)
        _, taken = _taken(lambda text=text: engine.answer([store(Profile(text))], top=TOP))  # type: ignore[misc]
        times.append(taken)
    return [Figure("match_one_more_20k_papers", sorted(times)[-2] * 1000, 100, "ms")]


def _one_reader(papers: Sequence[Paper], profiles: Sequence[list[Term]]) -> list[Figure]:
    """One reader and one day's sixty papers, against folding and looking word by word."""
    day = papers[:60]
    asked = [profile for number, profile in enumerate(profiles[:90]) if number % 3]
    texts = ["\n".join(term.ours for term in terms) for terms in asked]

    def ours() -> None:
        for text in texts:
            (found,) = match(day, [Profile(text)], now=NOW)
            assert all(each.reasons for each in found[:DEFAULT_LIMIT])

    def loop() -> None:
        for text in texts:
            phrases = [words(line) for line in text.split("\n")]
            for paper in day:
                folded = [words(paper.title), words(paper.abstract)]
                for phrase in phrases:
                    for there in folded:
                        size = len(phrase)
                        any(there[at : at + size] == phrase for at in range(len(there) - size + 1))

    loop()
    _, plainly = _taken(loop, time.process_time)
    _, taken = _taken(ours, time.process_time)
    print(f"one reader, one day: {taken / len(texts) * 1000:.1f} ms")
    return [Figure("match_one_reader_vs_loop", taken / plainly, 1, "x")]
