"""A profile: one named interest of a reader, in keywords, with its own limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_LIMIT: Final = 10
MAX_INTERESTS: Final = 50
"""Interests of one reader."""


class Layout(StrEnum):
    """How much of each paper a digest shows."""

    FULL = "full"
    COMPACT = "compact"
    TITLES = "titles"


class Order(StrEnum):
    """What comes first."""

    RELEVANT = "relevant"
    TRENDING = "trending"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a reader wants to hear of, as they wrote it.

    `text` is the keyword language of `subscribers.query`; empty means no query at all: the
    day's top ten by trend. `limit` is the most papers of one digest, 0 for all of them.
    `name` is the reader's own; without one, each line of the text stands for itself.
    `diverse` keeps variants of one paper from filling a digest; `new_versions` brings a paper
    again when it is replaced; `skip_library` leaves out what the reader says they have.
    """

    text: str = ""
    name: str = ""
    limit: int = DEFAULT_LIMIT
    order: Order = Order.RELEVANT
    lowest_score: float = 0.0
    layout: Layout | None = None
    new_versions: bool = False
    diverse: bool = True
    skip_library: bool = True


def called(profile: Profile) -> str:
    """What to call an interest in a line: its name, else its keywords, else the top ten."""
    return profile.name or "; ".join(profile.text.splitlines()) or "top ten"
