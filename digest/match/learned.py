"""What was learned of a reader, as the engine uses it: a few weighted words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_TELLING: Final = 3
"""Words of a paper that are compared with the saved ones."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A word and what it says, in thousandths; `papers` (bits) are the saved ones that have it."""

    word: str
    thousandths: int
    papers: int = 0


@dataclass(frozen=True, slots=True)
class Learned:
    """The weights, together of length 1, and how many papers they were learned from."""

    weights: tuple[Weight, ...]
    saved: int

    def like(self, says: Mapping[str, float]) -> int:
        """How many saved papers a paper is like; `says` is what its words say of it.

        Its three most telling words are compared: alike is what has two of them at least, or
        the one there is.
        """
        telling = sorted(
            (weight for weight in self.weights if weight.thousandths > 0 and weight.word in says),
            key=lambda weight: (-weight.thousandths * says[weight.word], weight.word),
        )[:_TELLING]
        shared = [sum(w.papers >> paper & 1 for w in telling) for paper in range(self.saved)]
        return sum(count >= min(2, len(telling)) for count in shared) if telling else 0
