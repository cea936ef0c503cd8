"""Misses: what was nearly in a digest, and the one thing that kept it out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from digest.selection import Miss
from subscribers.finding import Reading, holds, is_excluded, signal_of
from subscribers.query import check
from subscribers.tree import And, Floor, Node, Not, Query, Term, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.papers import Paper
    from digest.selection import Selection
    from subscribers.subscriber import Subscriber

MOST: Final = 12
LOOKED_THROUGH: Final = 500
"""Papers of the window, newest first, that are looked through for what lacked one thing."""


def nearest(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    selection: Selection,
    misses: Sequence[Miss],
) -> tuple[Miss, ...]:
    """What nearly was in and what stopped it: matches first, then what lacked one thing."""
    known = selection.papers | {miss.paper for miss in misses}
    queries = [check(profile.text)[0] for profile in reader.profiles]
    rest = sorted(set(papers) - known, reverse=True)[:LOOKED_THROUGH]
    almosts = [Miss(number, why) for number in rest if (why := _nearest(queries, papers[number]))]
    almosts.sort(key=lambda one: one.why.startswith(_LACKS))
    return tuple([*misses, *almosts][:MOST])


def almost(query: Query, paper: Paper) -> str:
    """The one thing that keeps a paper from matching a query, or "" when it is not so near.

    Near is a line of which all but one part holds and something asked for is there, a count of
    more than half its floor, and a match that an exclusion takes away.
    """
    reading = Reading(paper)
    for line in query.asks:
        if holds(line.tree, reading):
            words = ", ".join(excluded.text for excluded in query.excludes)
            return f"left out by {words}" if is_excluded(query, reading) else ""
    for line in query.asks:
        parts = [part for part in _parts(line.tree) if not _is_optional(part)]
        failing = [part for part in parts if not holds(part, reading)]
        held = [part for part in parts if part not in failing and not isinstance(part, Not)]
        if len(failing) == 1 and (held or isinstance(failing[0], Floor)):
            return _lack(failing[0], paper)
    return ""


_LACKS: Final = "it lacks "


def _nearest(queries: Sequence[Query], paper: Paper) -> str:
    return next(filter(None, (almost(query, paper) for query in queries)), "")


def _parts(tree: Node) -> tuple[Node, ...]:
    return tree.parts if isinstance(tree, And) else (tree,)


def _is_optional(part: Node) -> bool:
    return isinstance(part, Term) and part.optional


def _lack(part: Node, paper: Paper) -> str:
    match part:
        case Floor(signal, above):
            count = signal_of(paper.signals, signal) or 0
            if count * 2 <= above:
                return ""
            return f"it has {count:,} {signal}, you asked for more than {above:,}"
        case Not(kept_out):
            return f"left out by -{_named(kept_out)}"
        case _:
            return f"{_LACKS}{_named(part)}"


def _named(node: Node) -> str:
    """The terms of a part, as the reader wrote them."""
    return " or ".join(leaf.text if isinstance(leaf, Term) else str(leaf) for leaf in leaves(node))


def lacks(query: Query, paper: Paper) -> tuple[tuple[str, str], ...]:
    """For each line that asks, its text and what keeps the paper from it; nothing where it fits."""
    reading = Reading(paper)
    out = [line.text for line in query.excludes if not holds(line.tree, reading)]
    if query.is_empty:
        return (("top ten", f"left out by {', '.join(out)}" if out else ""),)
    return tuple((line.text, _stopped(line.tree, reading, out)) for line in query.asks)


def _stopped(tree: Node, reading: Reading, out: Sequence[str]) -> str:
    """Why a line does not bring a paper, in words, or nothing."""
    if holds(tree, reading):
        return f"left out by {', '.join(out)}" if out else ""
    parts = [part for part in _parts(tree) if not _is_optional(part)]
    failing = [part for part in parts if not holds(part, reading)]
    lacking = [_named(part) for part in failing if not isinstance(part, Floor | Not)]
    said = [f"{_LACKS}{', '.join(lacking)}"] if lacking else []
    said += [_failed(part, reading.paper) for part in failing if isinstance(part, Floor | Not)]
    return " and ".join(said)


def _failed(part: Floor | Not, paper: Paper) -> str:
    if isinstance(part, Not):
        return _lack(part, paper)
    count = signal_of(paper.signals, part.signal)
    if count is None:
        return f"nobody told us its {part.signal}"
    return f"it has {count:,} {part.signal}, the line asks for more than {part.above:,}"
