"""A reader's whole wish as one text, to be read and changed in an editor.

    [Experts]                        an interest, by its name
    most papers: 5                   its settings, as far as they are not the usual ones
    mixture of experts -image        its keywords, one topic a line

    [never show me]                  words, and authors with author: before them
    survey
    author: B. Bad

    [my synonyms]                    one or more names for one thing, to be offered
    GNN = graph neural network

An interest without a name has no head where it is the first, and [another interest] elsewhere.
A line that begins with # is a note. write() and read() are each other's inverse, but for notes,
blank lines and the order of the sections.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from digest.errors import QueryError
from subscribers.profile import DEFAULT_LIMIT, MAX_INTERESTS, Layout, Order, Profile
from subscribers.query import check
from subscribers.synonyms import read_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from subscribers.subscriber import Subscriber

MAX_TEXT: Final = 500_000
MAX_LIMIT: Final = 1_000
NEVER: Final = "never show me"
SYNONYMS: Final = "my synonyms"
UNNAMED: Final = "another interest"
_HEAD: Final = re.compile(r"\s*\[(.*)\]\s*")
_SETTING: Final = re.compile(r"\s*([a-z][a-z ]*?)\s*:\s*(.*?)\s*", re.IGNORECASE)
_AUTHOR: Final = re.compile(r"\s*(?:author|by)\s*:\s*(.+?)\s*", re.IGNORECASE)
_NOTES: Final = """\
# One topic a line. An interest with a name begins with it in [brackets].
# Settings of an interest, with what they usually are: most papers: 10 (or
# all), lowest score: 0, order: relevant (or trending), layout: as the mail
# (or full, compact, titles), diverse: yes, new versions: no, library: left
# out (or kept).
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a reader asked for, read from one text."""

    profiles: tuple[Profile, ...] = ()
    muted_words: tuple[str, ...] = ()
    muted_authors: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()

    def onto(self, reader: Subscriber) -> Subscriber:
        """The reader, asking for this; no interest at all means the day's top ten."""
        return replace(
            reader,
            profiles=self.profiles or (Profile(),),
            muted_words=self.muted_words,
            muted_authors=self.muted_authors,
            synonyms=self.synonyms,
        )


def write(reader: Subscriber) -> str:
    """The reader's wish as a text that read() reads."""
    sections = [
        "\n".join([*_head_of(reader, place), *_settings_of(profile), *_lines_of(profile.text)])
        for place, profile in enumerate(reader.profiles)
    ]
    never = [*reader.muted_words, *(f"author: {name}" for name in reader.muted_authors)]
    sections.append("\n".join([f"[{NEVER}]", *never]))
    if reader.synonyms:
        sections.append("\n".join([f"[{SYNONYMS}]", *reader.synonyms]))
    return _NOTES + "\n" + "\n\n".join(sections) + "\n"


def _head_of(reader: Subscriber, place: int) -> list[str]:
    """The line an interest begins with; the first needs none where it has no name."""
    profile = reader.profiles[place]
    if reader.profiles == (Profile(),):
        return ["# No topic yet: what comes is the day's top ten."]
    if profile.name or place or profile == Profile():
        return [f"[{profile.name or UNNAMED}]"]
    return []


def _lines_of(text: str) -> Iterator[str]:
    """The lines of a keyword text; signs that would mean something here mean nothing there."""
    for line in text.splitlines():
        bare = line.strip().lstrip("#").strip()
        while found := _HEAD.fullmatch(bare):
            bare = found[1].strip().lstrip("#").strip()
        if bare:
            yield bare


def _settings_of(profile: Profile) -> Iterator[str]:
    usual = Profile()
    if profile.limit != usual.limit:
        yield f"most papers: {profile.limit or 'all'}"
    if profile.lowest_score != usual.lowest_score:
        yield f"lowest score: {profile.lowest_score:g}"
    if profile.order is not usual.order:
        yield f"order: {profile.order.value}"
    if profile.layout is not None:
        yield f"layout: {profile.layout.value}"
    if not profile.diverse:
        yield "diverse: no"
    if profile.new_versions:
        yield "new versions: yes"
    if not profile.skip_library:
        yield "library: kept"


def read(text: str) -> tuple[Sheet, tuple[QueryError, ...]]:
    """What a text asks for, and every mistake in it, each with its line in the text."""
    if len(text) > MAX_TEXT:
        reason = f"this is {len(text):,} characters long; the most is {MAX_TEXT:,}."
        return Sheet(), (QueryError(reason, line=text.count("\n", 0, MAX_TEXT) + 1),)
    reader = _Reader()
    for row, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            reader.take(row, line)
    return reader.sheet()


class _Reader:
    """Takes a sheet line by line."""

    def __init__(self) -> None:
        self.section = ""
        self.profiles: list[Profile] = []
        self.rows: list[list[tuple[int, str]]] = []
        self.words: list[str] = []
        self.authors: list[str] = []
        self.synonyms: list[str] = []
        self.mistakes: list[QueryError] = []
        self.is_full = False

    def take(self, row: int, line: str) -> None:
        """One line that is neither blank nor a note."""
        if head := _HEAD.fullmatch(line):
            self._begin(row, head[1].strip())
        elif self.is_full:
            return  # what stands below an interest too many is nobody's
        elif self.section == NEVER:
            if name := _AUTHOR.fullmatch(line):
                self.authors.append(name[1])
            else:
                self.words.append(line.strip())
        elif self.section == SYNONYMS:
            self._define(row, line)
        else:
            if not self.profiles:
                self._begin(row, "")  # what stands before any head is an interest without a name
            if not self._set(row, line):
                self.rows[-1].append((row, line.strip()))

    def sheet(self) -> tuple[Sheet, tuple[QueryError, ...]]:
        """Everything that was taken, and all mistakes in the order of their lines."""
        profiles = []
        for profile, rows in zip(self.profiles, self.rows, strict=True):
            text = "\n".join(line for _, line in rows)
            profiles.append(replace(profile, text=text))
            for mistake in check(text)[1]:
                self.mistakes.append(_moved(mistake, rows[mistake.line - 1]))
        self.mistakes.sort(key=lambda one: (one.line, one.column))
        made = Sheet(tuple(profiles), _once(self.words), _once(self.authors), _once(self.synonyms))
        return made, tuple(self.mistakes)

    def _begin(self, row: int, name: str) -> None:
        self.section = name.casefold()
        name = "" if name == UNNAMED else name
        if self.section in {NEVER, SYNONYMS}:
            return
        if len(self.profiles) >= MAX_INTERESTS:
            if not self.is_full:
                self._wrong(row, 1, len(name) + 2, f"the most interests are {MAX_INTERESTS}.")
            self.is_full = True
            return
        if name and any(name.casefold() == one.name.casefold() for one in self.profiles):
            other = f"[{name} {len(self.profiles) + 1}]"
            self._wrong(row, 1, len(name) + 2, f"another interest is named {name!r}.", other)
        self.profiles.append(Profile(name=name))
        self.rows.append([])

    def _define(self, row: int, line: str) -> None:
        try:
            self.synonyms.append(" = ".join(read_group(line)))
        except ValueError as error:
            self._wrong(row, 1, len(line), f"{error}.", "MoE = mixture of experts")

    def _set(self, row: int, line: str) -> bool:
        """Whether the line is a setting; a wrong one is a mistake."""
        found = _SETTING.fullmatch(line)
        if found is None:
            return False
        name, value = found[1].lower(), found[2].lower()
        if name not in _SETTINGS:
            close = get_close_matches(name, _SETTINGS, 1, 0.75)
            if not close:
                return False
            right = f"{close[0]}: {found[2]}"
            self._wrong(row, 1, len(name), f"there is no setting named {name!r}.", right)
            return True
        change, wanted = _SETTINGS[name]
        try:
            self.profiles[-1] = change(self.profiles[-1], value)
        except ValueError:
            at = line.index(":") + 2
            right = f"{name}: {wanted.partition(' ')[0].rstrip(',')}"
            self._wrong(row, at, len(line) - at + 1, f"{name} is {wanted}.", right)
        return True

    def _wrong(self, row: int, column: int, length: int, reason: str, *repairs: str) -> None:
        self.mistakes.append(
            QueryError(reason, line=row, column=column, length=max(length, 1), repairs=repairs)
        )


def _moved(mistake: QueryError, place: tuple[int, str]) -> QueryError:
    """The mistake, said of the line it has in the whole text."""
    return QueryError(
        mistake.reason,
        line=place[0],
        column=mistake.column,
        length=mistake.length,
        repairs=mistake.repairs,
    )


def _once(lines: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))


def _limit(profile: Profile, value: str) -> Profile:
    limit = 0 if value == "all" else int(value)
    if not 0 <= limit <= MAX_LIMIT:
        raise ValueError(value)
    return replace(profile, limit=limit)


def _score(profile: Profile, value: str) -> Profile:
    score = float(value)
    if not 0 <= score <= MAX_LIMIT:
        raise ValueError(value)
    return replace(profile, lowest_score=score)


def _layout(profile: Profile, value: str) -> Profile:
    return replace(profile, layout=None if value == "as the mail" else Layout(value))


def _is_so(value: str, yes: str = "yes", no: str = "no") -> bool:
    if value not in {yes, no}:
        raise ValueError(value)
    return value == yes


_SETTINGS: Final[dict[str, tuple[Callable[[Profile, str], Profile], str]]] = {
    "most papers": (_limit, f"{DEFAULT_LIMIT}, another number up to {MAX_LIMIT:,}, or all"),
    "lowest score": (_score, f"0 or another number up to {MAX_LIMIT:,}"),
    "order": (lambda p, value: replace(p, order=Order(value)), "relevant or trending"),
    "layout": (_layout, "full, compact, titles or as the mail"),
    "diverse": (lambda p, value: replace(p, diverse=_is_so(value)), "yes or no"),
    "new versions": (lambda p, value: replace(p, new_versions=_is_so(value)), "yes or no"),
    "library": (
        lambda p, value: replace(p, skip_library=_is_so(value, "left out", "kept")),
        "kept or left out",
    ),
}
