"""What is learned: half of a real listing page is saved, and the rest of all pages is ranked.

Each page of ../shared/corpus is halved ten times by chance; the other half are the papers that
should come first. Keywords alone are the sixteen words that tell the saved half best, as a
reader would type them. Rival: TF-IDF and a linear support vector machine as arxiv-sanity-lite
has them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.figures import Figure
from digest.learn import Lessons
from digest.match import Engine
from digest.papers import Paper, PaperId
from subscribers.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from digest.match.learned import Learned

    Scores = npt.NDArray[np.float64]

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
ROOT = Path(__file__).parent.parent
HALVINGS = 10
KEYWORDS = 16
BEST = 10
_ITS_WORDS = r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b"


@dataclass(frozen=True, slots=True)
class Split:
    """Places of papers: the saved half of a page, and the other half among all that is left."""

    saved: tuple[int, ...]
    wanted: frozenset[int]


def measure() -> list[Figure]:
    """Precision among the first ten and nDCG of the whole order; higher is better."""
    papers, pages = _pages()
    if not pages:
        print("no real listings in ../shared/corpus: nothing is measured")
        return []
    splits = list(halved(pages))
    print(f"{len(papers)} papers, {len(pages)} pages, each halved {HALVINGS} times")
    engine, lessons = Engine(papers, now=NOW), Lessons(papers)
    learned = [lessons.learn([place + 1 for place in split.saved]) for split in splits]
    rival = _rival(papers)
    ways: dict[str, Callable[[Split, Learned], Scores]] = {
        "keywords": lambda _, liked: _matched(engine, keywords(liked), None),
        "learned": lambda _, liked: _alone(engine, liked),
        "both": lambda _, liked: _matched(engine, keywords(liked), liked),
    }
    if rival is not None:
        ways["TF-IDF + SVM"] = lambda split, _: rival(split.saved)
    told = {}
    for name, way in ways.items():
        found = [
            judged(way(split, liked), split)
            for split, liked in zip(splits, learned, strict=True)
            if liked is not None
        ]
        told[name] = precision, gain = tuple(np.mean(found, axis=0).tolist())
        print(f"{name:<14} precision at {BEST} {precision:.3f}   nDCG {gain:.3f}")
    if rival is None:
        return []
    bar = told.pop("TF-IDF + SVM")
    return [
        Figure(f"quality_{name}_{what}_vs_svm", value / least, 1, "x", more_is_better=True)
        for name, values in told.items()
        for what, value, least in zip(("precision", "ndcg"), values, bar, strict=True)
    ]


def _pages() -> tuple[list[Paper], list[list[int]]]:
    """All papers, and of each page the places of its own."""
    places: dict[str, int] = {}
    texts: dict[str, str] = {}
    pages = []
    for path in sorted((ROOT.parent / "shared" / "corpus").glob("listing-*.json")):
        listed = json.loads(path.read_text(encoding="utf-8"))["papers"]
        texts |= {paper["title"]: paper["abstract"] for paper in listed}
        titles = dict.fromkeys(paper["title"] for paper in listed)
        pages.append([places.setdefault(title, len(places)) for title in titles])
    papers = [
        Paper(PaperId("arxiv", f"2601.{n:05}"), title, abstract=texts[title], number=n + 1)
        for title, n in places.items()
    ]
    return papers, pages


def halved(pages: Sequence[Sequence[int]]) -> list[Split]:
    """Every page, ten times: one half by chance, and the other."""
    splits = []
    for seed in range(HALVINGS):
        chance = random.Random(seed)
        for page in pages:
            places = list(page)
            chance.shuffle(places)
            half = len(places) // 2
            splits.append(Split(tuple(places[:half]), frozenset(places[half:])))
    return splits


def judged(scores: Scores, split: Split) -> tuple[float, float]:
    """Precision among the first ten of what was not saved, and nDCG of the whole order."""
    saved = frozenset(split.saved)
    order = [place for place in np.argsort(-scores, kind="stable") if place not in saved]
    right = np.array([place in split.wanted for place in order], dtype=float)
    worth = 1 / np.log2(np.arange(2, len(right) + 2))
    return float(right[:BEST].mean()), float(right @ worth / worth[: len(split.wanted)].sum())


def keywords(liked: Learned) -> str:
    """The words that tell most, one a line."""
    words = [weight.word for weight in liked.weights if weight.thousandths > 0]
    return "\n".join(words[:KEYWORDS])


def _matched(engine: Engine, text: str, liked: Learned | None) -> Scores:
    """The scores of what keywords match; the rest comes behind, in no order."""
    scores = np.full(engine.size, -1e9)
    for match in next(engine.match([Profile(text)], learned=[liked])):
        scores[match.paper - 1] = match.score
    return scores


def _alone(engine: Engine, liked: Learned) -> Scores:
    """What was learned, of every paper."""
    weights = {weight.word: weight.thousandths for weight in liked.weights}
    tfidf = engine.index.tfidf
    return np.asarray(tfidf.rows @ np.array([weights.get(word, 0) for word in tfidf.words]))


def _rival(papers: Sequence[Paper]) -> Callable[[Sequence[int]], Scores] | None:
    """Scores of all papers from the places of saved ones; None where it is not installed."""
    if find_spec("sklearn") is None:
        print("scikit-learn is not installed (pip install scikit-learn): not compared")
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 -- a rival
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    vectorizer = TfidfVectorizer(
        strip_accents="unicode", stop_words="english", ngram_range=(1, 2), max_features=20_000,
        token_pattern=_ITS_WORDS, sublinear_tf=True, max_df=0.1, min_df=5,
    )  # fmt: skip
    texts = vectorizer.fit_transform([f"{paper.title} {paper.abstract}" for paper in papers])

    def scores(saved: Sequence[int]) -> Scores:
        is_saved = np.zeros(len(papers))
        is_saved[list(saved)] = 1
        machine = LinearSVC(class_weight="balanced", C=0.01, tol=1e-6, max_iter=10_000)
        return np.asarray(machine.fit(texts, is_saved).decision_function(texts))

    return scores
