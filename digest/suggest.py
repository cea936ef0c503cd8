"""Suggestions: the terms that set some papers apart from all others, each with its volume. Pure.

A term is one to three words side by side. Its worth is how much the given papers make of it
(titles and repetition count), times the logarithm of how much more often they have it than the
papers of the last days, and more for a term of several words. What one paper alone says is no
term of its field.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from digest.match.stored import store
from digest.volume import Volume, volume
from subscribers.lexemes import STOP_WORDS
from subscribers.profile import Profile
from subscribers.query import write
from subscribers.tree import Term, patterns_of
from subscribers.words import fold, is_acronym

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.papers import Paper
    from digest.volume import Recent
    from subscribers.words import Token

MOST: Final = 12
_LONGEST: Final = 3
_ASKED: Final = 400
"""Terms, those the given papers make most of, that are held against the others."""
_SHORTEST: Final = 3
_SAID_ENOUGH: Final = 2
_NO_MORE: Final = 0.7
"""A shorter term is left out where it stands in one longer term so much of its times."""
_FEW_PAPERS: Final = 50
_LARGE_SHARE: Final = 0.2
"""What so large a share of all papers has sets nothing apart."""
_LEAST_WORTH: Final = 0.12
"""Of the best term's: what is worth less fills a list and nothing else."""
_JOINING: Final = frozenset({"of", "to", "in", "for"})
"""Small words inside a term: chain of thought, text to image."""
_JOINTS: Final = frozenset(" -\u2010\u2011\u2012\u2013")
_OF_ABSTRACTS: Final = """
    ability able abstract accuracy achieve across adaptive address adopt adopting aim all allow
    also although among analysis analyze any applied apply approach are assume assumed
    assumption attempt available based baseline be because been behavior benchmark best better
    between both can capability case certain challenge challenging change code common compare
    compared complete comprehensive concept concrete consider consistent consistently content
    contribution could cover create current data dataset demonstrate demonstrated depth design
    despite develop difference different directly do due during each effective effectively
    effectiveness efficient eight enable encourage end enhance erroneous evaluate evaluation
    even existing experiment experimental exploit explore extensive extra few fewer field find
    finding first five focus following four framework from full fully fundamental further
    general generate given good great guide guided hard harder hardest has have help here high
    higher how however idea identify impact implementation important improve improved
    improvement improving include including increase input insight instead integration introduce
    investigate issue its key knowledge known large larger lead leading learn leverage
    leveraging like limitation limited low lower main make many may mean method methodology
    model more most much multiple namely near need new no non novel number observe obtain often
    once one only open optimal order other our outperform output over overall page pair paper
    particular perform performance period popular possible potential practical practice pre
    present previous previously prior problem process project propose proposed provide provided
    public publicly quality range rate real recent recently reduce related release rely remain
    request require required research respond response result resulting reveal robust same
    sample scale second self set setting seven several shift should show shown signal
    significant significantly simple simply since single six small so soft solution some
    specific specifically standard state step still strategy strong study sub suboptimal such
    suffer suggest superior support system task technique ten than that their them then there
    these they this those three through thus time together too total toward training trick tune
    tuning two type typically under understand understanding unlike up us use used useful
    usefulness user using utility various very via was way we well were what when where whether
    which while who whose wide widely will within work world would yet yield you your
"""
_OF_EVERYDAY: Final = """
    above according account actual add advantage after again against age ago aid alone amount
    another answer anybody anyone anything apart appear around ask assess aspect asset away back
    bad bar basic become bed before begin behind believe below beside beyond big bit block book
    both bottom break bring broad build burden business busy call came cannot care careful carry
    cause center central chance check choice choose clear close collect come comment company
    conclude condition contain context continue cost count country couple course cut daily day
    deal death decade decide decision deep define degree describe desire detail did die differ
    difficult direct discuss distinct divide done door doubt down draw drive drop early ease
    easy effect effort either element else empty end enough ensure entire equal especially
    essential establish ever every everybody everyone everything exact except expect expensive
    explain express extend extent extreme fact factor fair fall false family far fast fat father
    favor fear feel fill final fix flat floor follow foot force forget form forward found
    frequent friend front gap gave general get give go gone got ground grow had half handle
    happen head hear heavy held hence her herself hide him himself his hit hold home hope hour
    house huge hundred ignore imagine immediate inside interest into involve itself job join
    just keep kept key kind kitchen knew know largely last late later law lay least leave led
    left length less let letter level lie life likely line listen little live local lone look
    lose loss lost lot love made maintain manner mark meaning meet member mention merely middle
    might million mine minute miss mistake mix moment month morning mostly mother move must
    myself name narrow necessary neither never nevertheless next night nobody none nor normal
    nothing notice now obvious occur off offer office old ones onto opposite others ought out
    outside own owner part partial pass past pay peak people per percent perhaps permit pick
    piece place plain please plenty plus point precise prefer prepare presence press pretty
    print private probably produce promise proper prove pull purpose push put question quick
    quickly quiet quite quote raise ran rare rather reach read reader ready receive recognize
    recommend record reflect regard regular relative repeat replace represent rest return right
    rise room round row run safe said sake satisfy save saw say seat secondary see seek seem
    seen select sell send sent sentence separate serious serve share short side sight silent
    similar situation size slow slowly society some somebody someone something sort speak
    special spend spent spread stage stand start stay stop store straight strange street strict
    stronger succeed success sudden sum sure surprise take taken talk target tell thank thing
    third thought thousand throw thus tie tight till title today told tomorrow top toward town
    trouble true truth try turn twice ultimate unable unless until upon usual usually value vary
    visit wait want week went white whole why win wish without woman wonder wrong wrote yes
    yesterday yourself
"""
_SAYS_LITTLE: Final = frozenset(_OF_EVERYDAY.split())
"""Words that are no term by themselves: question, but question answering."""
_SAYS_NOTHING: Final = STOP_WORDS | frozenset(_OF_ABSTRACTS.split())


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A term as a line of keywords, how many of the given papers have it, and what it brings."""

    text: str
    papers: int
    brings: Volume


@dataclass(slots=True)
class _Candidate:
    """A term of the given papers: how often it stands in each (title, abstract), how written."""

    spelled: Counter[str] = field(default_factory=Counter)
    times: dict[int, tuple[int, int]] = field(default_factory=dict)

    def stands(self, place: int, written: str, *, in_title: bool) -> None:
        title, abstract = self.times.get(place, (0, 0))
        self.times[place] = title + in_title, abstract + (not in_title)
        self.spelled[_in_lower_case(written)] += 1

    @property
    def total(self) -> int:
        """How often it stands in all of them."""
        return self.spelled.total()

    @property
    def is_said(self) -> bool:
        """Whether somebody said it more than in passing: in a title, twice, or in two papers."""
        return self.total > 1 or any(title for title, _ in self.times.values())

    @property
    def strength(self) -> float:
        """The sum over the papers: more for a title, and less for each further time."""
        return sum((title > 0) + 1 + math.log(title + body) for title, body in self.times.values())


def suggest(given: Sequence[Paper], recent: Recent, *, most: int = MOST) -> tuple[Suggestion, ...]:
    """The terms that set the given papers apart, best first; none where nothing does."""
    found = _candidates(given)
    least = 1 if len(given) < _SHORTEST else 2
    said = {words: one for words, one in found.items() if len(one.times) >= least and one.is_said}
    asked = sorted(said, key=lambda words: (-said[words].strength, -len(words), words))[:_ASKED]
    lines = {words: write(_term(said[words].spelled)) for words in asked}
    counts = recent.asked([store(Profile(text)) for text in lines.values()]) if lines else []
    usual = dict(zip(lines, (len(each.places) for each in counts), strict=True))
    size, known = len(recent.papers), {paper.number for paper in recent.papers}

    def is_term(words: tuple[str, ...]) -> bool:
        """Whether it is one of the field: somebody else says it, and not everybody."""
        if size < _FEW_PAPERS:
            return True
        own = [place for place in said[words].times if given[place].number in known]
        return usual[words] <= _LARGE_SHARE * size and (
            len(said[words].times) > 1 or usual[words] > len(own)
        )

    def worth(words: tuple[str, ...]) -> float:
        share = len(said[words].times) / len(given)
        apart = math.log(share * (size + 2) / (usual[words] + 1))
        return said[words].strength / len(given) * apart * (1 + (len(words) - 1) / 2)

    kept = [words for words in asked if is_term(words) and not _is_within(words, asked, said)]
    worths = {words: worth(words) for words in kept}
    least_worth = _LEAST_WORTH * max(worths.values(), default=0)
    best = sorted(
        (words for words in kept if worths[words] > 0 and worths[words] >= least_worth),
        key=lambda words: (-worths[words], words),
    )
    chosen = _varied(best)[:most]
    return tuple(
        Suggestion(lines[words], len(said[words].times), volume(lines[words], recent))
        for words in chosen
    )


def _candidates(given: Sequence[Paper]) -> dict[tuple[str, ...], _Candidate]:
    """Every stretch of words of the given papers that may be a term."""
    found: dict[tuple[str, ...], _Candidate] = {}
    for place, paper in enumerate(given):
        for text, in_title in ((paper.title, True), (paper.abstract or paper.summary, False)):
            for words, written in _terms(text):
                found.setdefault(words, _Candidate()).stands(place, written, in_title=in_title)
    return found


def _varied(best: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The terms without those that have a word which others before them said often enough."""
    said: Counter[str] = Counter()
    kept = []
    for words in best:
        if all(said[word] < _SAID_ENOUGH for word in words if word not in _SAYS_NOTHING):
            said.update(words)
            kept.append(words)
    return kept


def _is_within(
    words: tuple[str, ...],
    asked: Sequence[tuple[str, ...]],
    said: Mapping[tuple[str, ...], _Candidate],
) -> bool:
    """Whether it nearly always stands in one longer term."""
    size = len(words)
    return any(
        len(longer) > size
        and said[longer].total >= _NO_MORE * said[words].total
        and any(longer[at : at + size] == words for at in range(len(longer) - size + 1))
        for longer in asked
    )


def _term(spelled: Counter[str]) -> Term:
    """The term as it is mostly written, the shortest of equals."""
    text = min(spelled, key=lambda one: (-spelled[one], len(one), one))
    return Term(text, patterns=patterns_of(text))


def _in_lower_case(written: str) -> str:
    """All but acronyms in lower case."""
    return re.sub(r"[^\W_]+", lambda one: one[0] if is_acronym(one[0]) else one[0].lower(), written)


def _terms(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every stretch of words that may be a term: folded, and as it is written."""
    tokens = fold(text)
    for start in range(len(tokens)):
        for size in range(1, _LONGEST + 1):
            stretch = tokens[start : start + size]
            if len(stretch) < size or not _are_joined(text, stretch[-2:]):
                break
            words = tuple(token.word for token in stretch)
            if _SAYS_LITTLE.issuperset(words):
                continue
            inner = all(_says_something(word) or word in _JOINING for word in words[1:-1])
            if inner and _says_something(words[0]) and _says_something(words[-1]):
                yield words, text[stretch[0].start : stretch[-1].end]


def _are_joined(text: str, pair: Sequence[Token]) -> bool:
    """Whether nothing but a blank or a hyphen stands between two words."""
    if len(pair) < 2:  # noqa: PLR2004 -- a word by itself
        return True
    one, other = pair
    between = text[one.end : other.start]
    return len(between) <= 1 and set(between) <= _JOINTS


def _says_something(word: str) -> bool:
    """Whether a word can begin or end a term."""
    is_adverb = word.endswith("ly") and len(word) > _SHORTEST + len("ly")
    return (
        len(word) >= _SHORTEST
        and sum(map(str.isdecimal, word)) < _SHORTEST
        and not is_adverb
        and word not in _SAYS_NOTHING
    )
