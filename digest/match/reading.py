"""A paper that was scanned, for the literal reader: where each of its words stands.

The stream of a scan holds title and abstract one behind the other, so that a word or phrase is
looked for in both at once.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

from subscribers.finding import MOST_PLACES, Hit, Reading
from subscribers.tree import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.match.scan import Scan
    from digest.papers import Paper
    from subscribers.finding import Text
    from subscribers.tree import Pattern, Term


class ScannedReading(Reading):
    """The paper at a place of a scan that holds a title and an abstract for each in turn."""

    def __init__(self, paper: Paper, scan: Scan, place: int) -> None:
        super().__init__(paper)
        self._scan = scan
        self._place = place
        self._start, self._cut, self._end = scan.ends[2 * place : 2 * place + 3]

    @cached_property
    def title(self) -> Text:
        """The words of the title."""
        return self._scan.text(2 * self._place)

    @cached_property
    def body(self) -> Text:
        """The words of the abstract, or of the summary."""
        return self._scan.text(2 * self._place + 1)

    def found(self, term: Term) -> tuple[Hit, ...]:
        """Every place where the term stands, looked for anew."""
        if not term.patterns or term.near:
            return super().found(term)
        begins = self._begins(term.patterns)
        if not begins:
            return ()
        if len(begins) > MOST_PLACES:
            return super().found(term)
        text, field, cut = term.text, term.field, self._cut
        if field is not Field.ANY:
            begins = [at for at in begins if (at < cut) == (field is Field.TITLE)]
        further, abstract = len(term.patterns) - 1, self.body_field
        spans = self._scan.located([2 * self._place, 2 * self._place + 1])
        return tuple(
            [
                Hit(
                    text,
                    "title" if at < cut else abstract,
                    spans[2 * at],
                    spans[2 * (at + further) + 1],
                )
                for at in begins
            ]
        )

    def _begins(self, patterns: Sequence[Pattern]) -> list[int]:
        """Where in the stream words begin that are what a term asks for, one behind the other."""
        scan, start, end = self._scan, self._start, self._end
        places, first_of = scan.places_of, scan.first_of
        begins = []
        kinds = scan.kinds_of(patterns[0])
        for kind in kinds:
            last = first_of[kind + 1]
            at = bisect_left(places, start, first_of[kind], last)
            while at < last and (place := places[at]) < end:
                begins.append(place)
                at += 1
        if len(kinds) > 1 and len(begins) > 1:
            begins.sort()
        for further in range(1, len(patterns)):
            if not begins:
                break
            kinds, stream = scan.kinds_of(patterns[further]), scan.stream_of
            # Behind the last word of each text stands a separator, which nobody asks for.
            begins = [at for at in begins if stream[at + further] in kinds]
        return begins
