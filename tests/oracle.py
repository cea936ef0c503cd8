"""A slow, literal reader of keyword queries, for tests: regular expressions and nothing of ours.

It takes queries as little trees and papers as (title, abstract), writes a query as a reader
would type it, and says by its own reading which papers fit. ASCII text only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


@dataclass(frozen=True)
class Asked:
    """and, or, not with parts; word, phrase, title, abstract, prefix, acronym, near with words."""

    kind: str
    words: tuple[str, ...] = ()
    parts: tuple[Asked, ...] = ()
    most: int = 0


# Joined words as the pairs they stand for, of those that the real listings hold.
_JOINED = [
    ("fine", "(?:tun(?:e|es|ed|ing|ings))"), ("pre", "(?:train(?:ed|ing)?)"),
    ("post", "training"), ("re", "(?:rank(?:ing|ings|ers?))"), ("multi", "modal"),
    ("multi", "(?:task|agent|view|step|turn|head|hop|scale|class|label)s?"), ("multi", "lingual"),
    ("hyper", "(?:parameter|network|graph)s?"), ("auto", "(?:encoders?|encoding|regressive)"),
    ("non", "(?:linear|convex|parametric|stationary|negative)"), ("super", "resolutions?"),
    ("sub", "(?:graph|space|network|word|task)s?"), ("de", "(?:noising|biasing|blurring|hazing)"),
    ("in", "paintings?"), ("out", "paintings?"), ("over", "(?:fitting|smoothing|sampling)"),
    ("down", "sampling"), ("up", "sampling"), ("data", "cent(?:er|re)s?"), ("real", "times?"),
    ("trade", "offs?"), ("code", "bases?"), ("key", "(?:point|frame)s?"), ("meta", "learning"),
    ("spatio", "temporal"), ("open", "source"), ("cross", "(?:modal|lingual|attention)"),
    ("self", "(?:attention|supervised)"), ("feed", "forward"), ("time", "(?:series|steps?)"),
    ("neuro", "(?:imaging|sciences?)"), ("run", "times?"), ("look", "ahead"), ("hand", "written"),
    ("bio", "markers?"), ("co", "training"), ("pseudo", "labels?"), ("nano", "particles?"),
    ("counter", "factuals?"), ("over", "parameteri[sz](?:ed|ation)"), ("hand", "writing"),
    ("k", "nns?"), ("[a-z]{3,}", r"[0-9]+(?:\.[0-9]+)*[a-z]{0,2}"),
    ("sub", "optimal(?:ity)?"), ("check", "points?"), ("soft", "max"), ("u", "nets?"),
    ("roll", "outs?"), ("re", "(?:parameteri[sz](?:ations?|ed)|weighting|sampling)"),
    ("pair|point|layer|element|token", "wise"), ("over", "(?:confiden(?:ce|t)|parameterized)"),
    ("meta", "(?:data|analys[ie]s)"), ("multi", "(?:variate|modality|spectral)"),
    ("x", "rays?"), ("e", "mails?"), ("non", "(?:linearity|linearities|invasive)"),
]  # fmt: skip
_JOINTS = [
    re.compile(rf"(?<![A-Za-z0-9])({a})({b})(?![A-Za-z0-9])", re.IGNORECASE) for a, b in _JOINED
]


_GREEK_PLURALS = {"analyses": "analysis", "hypotheses": "hypothesis", "syntheses": "synthesis"}


@cache
def spaced(text: str) -> str:
    """The text with joined words parted and possessives gone."""
    text = re.sub(r"'s(?![A-Za-z0-9])", "", text)
    for joint in _JOINTS:
        text = joint.sub(r"\1 \2", text)
    return text


@cache
def forms(word: str) -> str:
    """A regular expression for a lower-case word and its plurals, either way round."""
    stems = {word, _GREEK_PLURALS.get(word, word)}
    if word.endswith("ies"):
        stems.add(word[:-3] + "y")
    elif re.search(r"(ss|sh|ch|x|zz)es$", word):
        stems.add(word[:-2])
    elif word.endswith("s") and not re.search(r"(ss|us|is|ics)$", word) and len(word) > 3:
        stems.add(word[:-1])
    every = set()
    for stem in stems:
        every |= {stem, stem + "s"} | {many for many, one in _GREEK_PLURALS.items() if one == stem}
        if stem.endswith("y"):
            every.add(stem[:-1] + "ies")
        if re.search(r"(ss|sh|ch|x|zz)$", stem):
            every.add(stem + "es")
    both = set()
    for form in every:
        american = re.sub(r"is(e|es|ed|er|ing|ation|ations)$", r"iz\1", form)
        american = re.sub("(model|label)l(ed|er|ing)", r"\1\2", american)
        american = re.sub("(behavi|col|neighb|lab)our", r"\1or", american)
        british = re.sub(r"iz(e|es|ed|er|ing|ation|ations)$", r"is\1", american)
        british = re.sub("(model|label)(ed|er|ing)$", r"\1l\2", british)
        both |= {form, american, british, re.sub("(behavi|col|neighb|lab)or", r"\1our", british)}
    return "|".join(sorted(map(re.escape, both), key=len, reverse=True))


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    words = tuple(spaced(" ".join(words)).split())
    inner = r"(?:(?!\.(?=[0-9]))[^A-Za-z0-9])+".join(f"(?:{forms(word)})" for word in words)
    return re.compile(
        rf"(?<![A-Za-z0-9])(?<![0-9]\.){inner}(?![A-Za-z0-9])(?!\.[0-9])", re.IGNORECASE
    )


@cache
def _tokens(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+(?:(?<=[0-9])\.[0-9][A-Za-z0-9]*)*", text.lower())


def _near(pair: tuple[str, ...], most: int, text: str) -> bool:
    tokens = _tokens(text)
    places = [[n for n, t in enumerate(tokens) if re.fullmatch(forms(word), t)] for word in pair]
    return any(0 < abs(a - b) <= most + 1 for a in places[0] for b in places[1])


def fits(asked: Asked, title: str, abstract: str) -> bool:
    """Whether a paper is what was asked for."""
    if asked.kind == "and":
        return all(fits(part, title, abstract) for part in asked.parts)
    if asked.kind == "or":
        return any(fits(part, title, abstract) for part in asked.parts)
    if asked.kind == "not":
        return not fits(asked.parts[0], title, abstract)
    texts = {"title": [title], "abstract": [abstract]}.get(asked.kind, [title, abstract])
    return any(_stands(asked, spaced(text)) for text in texts)


def _stands(asked: Asked, text: str) -> bool:
    if asked.kind == "near":
        return _near(asked.words, asked.most, text)
    if asked.kind == "prefix":
        return bool(re.search(rf"(?<![A-Za-z0-9]){asked.words[0]}", text, re.IGNORECASE))
    if asked.kind == "acronym":
        return bool(re.search(rf"(?<![A-Za-z0-9]){asked.words[0]}s?(?![A-Za-z0-9])", text))
    return bool(_pattern(asked.words).search(text))


def typed(asked: Asked, *, inside: bool = False) -> str:
    """The query as a reader types it."""
    if asked.kind in {"and", "or"}:
        joint = " " if asked.kind == "and" else " OR "
        text = joint.join(typed(part, inside=True) for part in asked.parts)
        return f"({text})" if inside else text
    if asked.kind == "not":
        return "-" + typed(asked.parts[0], inside=True)
    text = " ".join(asked.words)
    if asked.kind == "prefix":
        return text + "*"
    if asked.kind == "near":
        return f'"{text}"~{asked.most}'
    field = f"{asked.kind}:" if asked.kind in {"title", "abstract"} else ""
    return field + (text if len(asked.words) == 1 else f'"{text}"')


class Asker:
    """Draws queries from what the listings say: words and phrases under every operator."""

    def __init__(self, listed: list[tuple[str, str]], chance: random.Random) -> None:
        self.chance = chance
        self.texts = [f"{title}. {abstract}" for title, abstract in listed]
        counted = Counter(
            word for text in self.texts for word in set(re.findall(r"[a-z]{4,}", text.lower()))
        )
        # The commonest words fit nearly everything and so tell least.
        self.vocabulary = sorted(word for word, count in counted.items() if count < 90)
        self.acronyms = sorted(set(re.findall(r"\b[A-Z]{3,5}\b", " ".join(self.texts))))

    def word(self) -> str:
        """A word of the listings."""
        drawn: str = self.chance.choice(self.vocabulary)
        return drawn

    def pair(self) -> tuple[str, ...]:
        """Two words that stand side by side somewhere, neither of them a joined one."""
        while True:
            words = re.findall(r"[a-z]+", self.chance.choice(self.texts).lower())
            at = self.chance.randrange(len(words) - 1)
            taken = tuple(words[at : at + 2])
            if min(map(len, taken)) > 3 and all(spaced(word) == word for word in taken):
                return taken

    def leaf(self) -> Asked:
        """One term."""
        kind = self.chance.choice(
            ["word", "word", "phrase", "title", "abstract", "prefix", "near", "acronym"]
        )
        if kind == "near":
            return Asked(kind, self.pair(), most=self.chance.randint(1, 8))
        if kind == "prefix":
            return Asked(kind, (self.word()[: self.chance.randint(3, 4)],))
        if kind == "acronym":
            return Asked(kind, (self.chance.choice(self.acronyms),))
        one = kind == "word" or (kind != "phrase" and self.chance.random() < 0.5)
        return Asked(kind, (self.word(),) if one else self.pair())

    def query(self) -> Asked:
        """One query."""
        shape = self.chance.choice(["leaf", "and", "or", "not", "mixed"])
        if shape == "leaf":
            return self.leaf()
        if shape == "not":
            return Asked("and", parts=(self.leaf(), Asked("not", parts=(self.leaf(),))))
        if shape == "mixed":
            either = Asked("or", parts=(self.leaf(), self.leaf(), self.leaf()))
            other = Asked("or", parts=(self.leaf(), Asked("word", ("model",))))
            return Asked("and", parts=(either, other))
        return Asked(shape, parts=tuple(self.leaf() for _ in range(self.chance.randint(2, 3))))
