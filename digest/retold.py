"""What was put down in English and is told in a reader's language: reasons, misses, troubles.

Sources, the matcher and the selection say in English what they found, and it is frozen so. A
sentence that is one of these patterns is told in the language of the mail; any other stays as it
is. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from digest.language import ENGLISH

if TYPE_CHECKING:
    from digest.language import Language

TOP_TEN: Final = "Top ten"
"""What stands over the papers of a reader without keywords."""
KEEP_ASKING: Final = "We keep asking; what you missed comes with your next digest."
UNASKED: Final = "{label} cannot be asked until a setting is changed; papers may be missing."

REASONS: Final = (
    "passed {number} {signal}",
    "passed {number} {signal} today",
    "new in {source}",
    "new",
    "new version",
    "new version of a paper you were sent",
    "like {number} paper you saved",
    "like {number} papers you saved",
)
MISSES: Final = (
    "it lacks {words}",
    "left out by {words}",
    "it has {number} {signal}, you asked for more than {floor}",
    "only a new version of it is new",
    "it was in an earlier digest",
    "it is in your library",
    "its score {score} is below {lowest}",
    "you muted {words}",
    "it is much like {title}",
    "it came after the best {number}",
)
TROUBLES: Final = (
    "answered 304 to an open question",
    "answered in an encoding we did not ask for",
    "answered {status}",
    "asks us to wait until {time} UTC",
    "broke off in the middle",
    "could not be asked: {why}",
    "could not be reached",
    "could not prove who it is",
    "cut {what} at {number} papers",
    "did not answer",
    "did not answer as it should",
    "did not answer fully",
    "did not answer in time",
    "did not answer with a feed",
    "did not answer with a list",
    "did not answer with records",
    "did not answer with results",
    "did not take the token: log in again for a new one",
    "gave papers that cannot be stored: {why}",
    "had an empty feed on a working day",
    "had an empty list on a working day",
    "had yesterday's feed once more",
    "has a host nobody knows: {host}",
    "has an address that is none",
    "has moved to {address}: change its address",
    "has no list newer than {day}",
    "has no {what}: {why}",
    "has not filled its list yet",
    "has not opened its list yet",
    "has not rebuilt its feed yet",
    "ignored {words} of the query",
    "is gone for good: take it out of the settings",
    "listed nothing on a working day",
    "redirects in circles",
    "refused the date asked for",
    "refused the query",
    "refused the question: {why}",
    "said {what}",
    "sent damaged data",
    "sent items that we cannot read",
    "sent more pages than we read",
    "sent more than {number} MB",
    "sent only a part of the day",
    "sent only a part of the results",
    "sent papers that we cannot read",
    "still had its feed of {day}",
    "taken from its query API",
    "took longer than {number} s",
)
"""Verb phrases that stand behind a source's name; several are joined by semicolons."""
_SHAPES: Final = {
    "number": r"[\d,]+",
    "floor": r"[\d,]+",
    "signal": r"\w+",
    "status": r"\d+",
    "time": r"[\d:]+",
}
"""What may stand in a slot; in any other, anything."""


def reason(text: str, language: Language) -> str:
    """A reason other than a term, an author or a count."""
    return _told(REASONS, text, language) or text


def miss(text: str, language: Language) -> str:
    """What kept a paper out."""
    if language.code == ENGLISH.code:
        return text
    return _told(MISSES, text, language) or text


def heading(name: str, language: Language) -> str:
    """The name of an interest: the reader's own words, or ours where there are none."""
    return language.say(name) if name == TOP_TEN else name


@lru_cache(maxsize=1024)
def trouble(sentence: str, language: Language) -> str:
    """What a source failed at, and what we do about it."""
    if language.code == ENGLISH.code:
        return sentence
    if whole := _told((UNASKED,), sentence, language):
        return whole
    said, asking, _ = sentence.partition(f". {KEEP_ASKING}")
    told = _behind_a_name(said, language)
    return f"{told}. {language.say(KEEP_ASKING)}" if asking else told


def _behind_a_name(said: str, language: Language) -> str:
    """A source's name, of any words, and the first phrase behind it that is one of ours."""
    for blank in re.finditer(" ", said):
        name, phrase = said[: blank.start()], said[blank.end() :]
        told = _told(TROUBLES, phrase, language)
        if not told and "; " in phrase:
            several = [_told(TROUBLES, one, language) for one in phrase.split("; ")]
            told = "; ".join(several) if all(several) else ""
        if told:
            return f"{name} {told}"
    return said


def _told(patterns: tuple[str, ...], text: str, language: Language) -> str:
    """The text in the language, if it is one of the patterns, else nothing."""
    for pattern in patterns:
        if found := _compiled(pattern).fullmatch(text):
            values = {
                name: _value(name, said, language) for name, said in found.groupdict().items()
            }
            return language.say(pattern, **values)
    return ""


def _value(name: str, said: str, language: Language) -> str:
    if name == "signal":
        return language.say(said)
    if name in {"number", "floor"} and (digits := said.replace(",", "")):
        return language.number(int(digits))
    return said


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", pattern)
    for at, piece in enumerate(pieces):
        pieces[at] = f"(?P<{piece}>{_SHAPES.get(piece, '.+?')})" if at % 2 else re.escape(piece)
    return re.compile("".join(pieces), re.DOTALL)
