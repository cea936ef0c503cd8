"""A figure: what was measured, what it should be, and whether it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `target` is a lower bound where `more_is_better`, else an upper one."""

    name: str
    value: float
    target: float
    unit: str
    more_is_better: bool = False

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of its target."""
        return self.value >= self.target if self.more_is_better else self.value <= self.target


def table(figures: Sequence[Figure]) -> str:
    """One line a figure, for people."""
    lines = [f"{'figure':<34}{'value':>12}{'target':>12}  unit"]
    for figure in figures:
        bound = ("≥" if figure.more_is_better else "≤") + f" {figure.target:g}"
        mark = "" if figure.met else "  missed"
        lines.append(f"{figure.name:<34}{figure.value:>12.4g}{bound:>12}  {figure.unit}{mark}")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure]) -> str:
    """All figures as one JSON object in one line, for machines."""
    return json.dumps(
        {
            figure.name: {
                "value": round(figure.value, 6),
                "target": figure.target,
                "unit": figure.unit,
                "met": figure.met,
            }
            for figure in figures
        }
    )
