"""Matching: all papers against all profiles, with a score and the reasons for each match.

What a match means is `subscribers.finding`, held against one paper at a time. Here many profiles
are answered at once, the papers are ranked, and each says why it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest.match.ranking import Match, Ranking, distinct, explain
from digest.match.reasons import Reason, ReasonKind
from digest.match.score import Parts, trend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.match.engine import Engine
    from digest.papers import Paper
    from subscribers.profile import Profile

__all__ = [
    "Engine",
    "Match",
    "Parts",
    "Ranking",
    "Reason",
    "ReasonKind",
    "distinct",
    "explain",
    "match",
    "trend",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- as PEP 562 has it
    """The engine, loaded when it is asked for: who only says the reasons needs no scipy."""
    if name != "Engine":
        raise AttributeError(f"{__name__!r} has no {name}")
    from digest.match.engine import Engine  # noqa: PLC0415

    return Engine


def match(papers: Sequence[Paper], profiles: Sequence[Profile], *, now: datetime) -> list[Ranking]:
    """Per profile, every paper it matches, best first; a profile without keywords has them all.

    The order is the same every time. Lines with mistakes in them are passed over: they were
    refused when the profile was saved.
    """
    from digest.match.engine import Engine  # noqa: PLC0415 -- heavy

    return list(Engine(papers, now=now).match(profiles))
