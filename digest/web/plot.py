"""A count over time as a small plot, drawn by the server. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.phrases import counted, date_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.papers import Signals

WIDTH: Final = 240
HEIGHT: Final = 56
_ROOM: Final = 1.05
_NAMES: Final = {"upvotes": "upvote", "comments": "comment", "stars": "star"}


@dataclass(frozen=True, slots=True)
class Plot:
    """One count over time, as steps in a box of WIDTH by HEIGHT.

    `said` is the whole plot in a sentence, for those who do not see it; `first` and `last` are
    the ends of its axis.
    """

    name: str
    now: str
    said: str
    line: str
    area: str
    first: datetime
    last: datetime


def plots(history: Sequence[Signals]) -> tuple[Plot, ...]:
    """A plot of each count that ever moved; `history` is oldest first."""
    moments = [seen.seen_at for seen in history if seen.seen_at is not None]
    drawn = []
    for name, noun in _NAMES.items():
        rows: list[tuple[datetime, int]] = []
        for seen in history:
            count = getattr(seen, name)
            if seen.seen_at is None or count is None or (rows and rows[-1][1] == count):
                continue
            rows.append((seen.seen_at, count))
        if len(rows) > 1:
            drawn.append(_plot(name, noun, rows, (moments[0], moments[-1])))
    return tuple(drawn)


def _plot(
    name: str, noun: str, rows: list[tuple[datetime, int]], over: tuple[datetime, datetime]
) -> Plot:
    (began, first), (ended, last) = rows[0], rows[-1]
    # The plots of a paper have one axis, and room behind the last step so that it shows.
    span = (over[1] - over[0]).total_seconds() * _ROOM
    most = max(count for _, count in rows)

    def x(moment: datetime) -> float:
        return round(WIDTH * (moment - over[0]).total_seconds() / span, 1)

    def y(count: int) -> float:
        return round(HEIGHT - 2 - (HEIGHT - 6) * count / most, 1)

    steps = [f"M{x(began):g} {y(first):g}"]
    steps += [f"H{x(moment):g}V{y(count):g}" for moment, count in rows[1:]]
    line = "".join([*steps, f"H{WIDTH}"])
    days = (date_words(began.date()), date_words(ended.date()))
    return Plot(
        name=name.capitalize(),
        now=counted(last, noun),
        said=f"{name.capitalize()} from {first:,} on {days[0]} to {last:,} on {days[1]}.",
        line=line,
        area=f"{line}V{HEIGHT}H{x(began):g}Z",
        first=over[0],
        last=over[1],
    )
