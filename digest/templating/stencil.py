"""Stencils: a part of a mail rendered once with its slots open, kept as the bytes it is sent as.

Every piece ends in a soft break or at the end of a line (RFC 2045 6.7), so pieces can be joined
in any order and the whole is quoted-printable again. Filled, a stencil says what its template
would have said with the values in it: a test holds it to that. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes
from markupsafe import escape

from digest.columns import squeezed
from digest.mail import quoted_printable
from digest.templating.sandbox import MARK, Later, run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jinja2 import Template

NUMBER: Final = "\x01"
"""Stands for a digit of a paper's number: as wide as the digit, so that lines wrap the same."""
_OPEN: Final = re.compile(f"{MARK}(\\d+){MARK}|{NUMBER}+")


class Stencil:
    """A template's text with slots; `size` is how many bytes of UTF-8 it has beside them.

    `pieces` are bytes as they are sent, and numbers of slots between them: below `open_slots`
    those of values, from there on of filters that were put off.
    """

    __slots__ = ("_later", "_open", "pieces", "size")

    def __init__(self, text: str, later: Sequence[Later], open_slots: int) -> None:
        self._later, self._open = later, open_slots
        self.pieces: list[bytes | int] = []
        self.size = last = 0
        for found in _OPEN.finditer(text):
            self._literal(text[last : found.start()])
            self.pieces.append(int(found[1] or 0))
            last = found.end()
        self._literal(text[last:])

    def _literal(self, text: str) -> None:
        if text:
            self.pieces.append(quoted_printable(text))
            self.size += len(text.encode("utf-8", "replace"))

    def fill(self, filling: Filling, into: list[bytes]) -> int:
        """Add the part with those values; gives back its size in UTF-8, not quoted."""
        size, quoted, sizes = self.size, filling.quoted, filling.sizes
        for piece in self.pieces:
            if isinstance(piece, bytes):
                into.append(piece)
            elif piece < self._open:
                into.append(quoted[piece])
                size += sizes[piece]
            else:
                late = filling.shown(str(self._filtered(piece, filling.values)))
                into.append(quoted_printable(late))
                size += len(late.encode("utf-8", "replace"))
        return size

    def _filtered(self, number: int, values: Sequence[str]) -> Any:  # noqa: ANN401 -- a filter's
        if number < self._open:
            return values[number]
        later = self._later[number]
        return later.filter(*(self._closed(one, values) for one in (later.text, *later.arguments)))

    def _closed(self, text: Any, values: Sequence[str]) -> Any:  # noqa: ANN401 -- any argument
        if not isinstance(text, str) or MARK not in text:
            return text
        whole = _OPEN.fullmatch(text)
        if whole:
            return self._filtered(int(whole[1]), values)
        return _OPEN.sub(lambda found: str(self._filtered(int(found[1]), values)), text)


class Filling:
    """Values for slots, quoted once for all the stencils they fill; see `fillings`."""

    __slots__ = ("_html", "quoted", "sizes", "values")

    def __init__(self, values: Sequence[str], quoted: list[bytes], *, html: bool) -> None:
        self.values, self.quoted, self._html = values, quoted, html
        self.sizes = [len(value.encode("utf-8", "replace")) for value in values]

    def shown(self, text: str) -> str:
        """A text as it stands in the part."""
        return str(escape(text)) if self._html else text


def fillings(values: Sequence[str]) -> tuple[Filling, Filling]:
    """The values for HTML and for text; what HTML need not escape is the same in both."""
    quoted = [quoted_printable(value) for value in values]
    text = Filling(values, quoted, html=False)
    html = Filling(values, quoted, html=True)
    for at, value in enumerate(values):
        if _MARKUP.search(value):
            shown = str(escape(value))
            if html.quoted is quoted:
                html.quoted = quoted.copy()
            html.quoted[at] = quoted_printable(shown)
            html.sizes[at] = len(shown.encode("utf-8", "replace"))
    return html, text


_MARKUP: Final = re.compile("[&<>\"']")


def stencil(
    template: Template, values: Mapping[str, Any], open_slots: int, *, html: bool
) -> Stencil:
    """Run a template whose values hold slots 0 to `open_slots` - 1."""
    later = [Later(str, "", ())] * open_slots
    text = run(template, values, later)
    return Stencil(text if html else squeezed(text), later, open_slots)


_COMPUTED: Final = (
    nodes.Compare,
    nodes.Test,
    nodes.Getitem,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Call,
)
_LOGICAL: Final = (nodes.And, nodes.Or, nodes.Not)


def only_prints(
    tree: nodes.Template, slots: Collection[str], unfiltered: Collection[str] = ()
) -> bool:
    """Whether a template only prints and filters these names, or asks whether they are empty.

    Only then a stencil says the same as the template. A name is the last part of it: `headline`
    for `digest.headline`. Those of `unfiltered` are not even filtered.
    """
    names = {*slots, "groups"}
    for loop in tree.find_all(nodes.For):
        if _names(loop.iter) & names:
            names |= {target.name for target in _targets(loop)}
    if any(_names(node) & names for node in tree.find_all((nodes.Assign, nodes.AssignBlock))):
        return False
    computed = (node for node in tree.find_all(_COMPUTED) if not isinstance(node, _LOGICAL))
    if any(_names(node) & names for node in computed):
        return False
    filtered = (node for node in tree.find_all(nodes.Filter) if not node.name.startswith("_"))
    return "groups" not in _names(tree) and not any(
        _names(node) & {*unfiltered} for node in filtered
    )


def _targets(loop: nodes.For) -> list[nodes.Name]:
    return (
        [loop.target]
        if isinstance(loop.target, nodes.Name)
        else list(loop.target.find_all(nodes.Name))
    )


def _names(node: nodes.Node) -> set[str]:
    inside = [node, *node.find_all((nodes.Name, nodes.Getattr))]
    return {
        one.name if isinstance(one, nodes.Name) else one.attr
        for one in inside
        if isinstance(one, nodes.Name | nodes.Getattr)
    }
