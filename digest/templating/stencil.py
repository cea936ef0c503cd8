"""Stencils: a part of a mail rendered once with its slots open, kept as the bytes it is sent as.

Every piece ends in a soft break or at the end of a line (RFC 2045 6.7), so pieces can be joined
in any order and the whole is quoted-printable again. Filled, a stencil says what its template
would have said with the values in it: a test holds it to that. Pure.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import nodes
from markupsafe import escape

from digest.columns import squeezed
from digest.mail import quoted_printable
from digest.templating.sandbox import MARK, Later, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from jinja2 import Template

NUMBER: Final = "\x01"
"""Stands for a digit of a paper's number: as wide as the digit, so that lines wrap the same."""
_OPEN: Final = re.compile(f"{MARK}(\\d+){MARK}|{NUMBER}+")


class Stencil(NamedTuple):
    """What is the same in every copy of a part, and how to fill the rest; see `opened`.

    `form` is as it is sent, with %b for every slot; `picked` takes from the values of all slots
    those that stand in it, in their order. Where there is none, `picked` is None.
    """

    form: bytes
    picked: Callable[[Sequence[bytes]], Any] | None

    def fill(self, values: Sequence[bytes]) -> bytes:
        """The part with its values, each as it is sent."""
        return self.form % self.picked(values) if self.picked else self.form


class Opened(NamedTuple):
    """A stencil, the numbers of its slots as they come, and its size.

    The size is in bytes of UTF-8, of what stands beside the slots, not quoted.
    """

    stencil: Stencil
    slots: list[int]
    size: int


def opened(text: str) -> Opened:
    """The stencil of a template's text with open slots."""
    literals, slots, last = [], [], 0
    for found in _OPEN.finditer(text):
        literals.append(text[last : found.start()])
        slots.append(int(found[1] or 0))
        last = found.end()
    literals.append(text[last:])
    quoted = [quoted_printable(one) for one in literals]
    size = sum(len(one.encode("utf-8", "replace")) for one in literals)
    if not slots:
        return Opened(Stencil(quoted[0], None), slots, size)
    form = b"%b".join(one.replace(b"%", b"%%") for one in quoted)
    return Opened(Stencil(form, itemgetter(*slots)), slots, size)


class Stencils:
    """Parts of a mail that are filled with the same values.

    A filter that was put off while they were rendered makes a slot of its own, behind those of
    the values.
    """

    def __init__(
        self,
        templates: Iterable[Template],
        values: Mapping[str, Any],
        open_slots: int,
        *,
        html: bool,
    ) -> None:
        later = [Later(str, "", ())] * open_slots
        texts = [run(template, values, later) for template in templates]
        self._html = html
        self._late = _put_off(later, open_slots)
        parts = [opened(text if html else squeezed(text)) for text in texts]
        self._stencils = [one.stencil for one in parts]
        self._slots = [number for one in parts for number in one.slots]
        self._size = sum(one.size for one in parts)

    def fill(self, filling: Filling) -> tuple[list[bytes], int]:
        """The parts with those values, and the size of all in UTF-8, not quoted."""
        values, quoted, sizes = filling
        if self._late:
            late = [str(one(values)) for one in self._late]
            shown = [str(escape(text)) for text in late] if self._html else late
            quoted = quoted + [quoted_printable(text) for text in shown]
            sizes = sizes + [_size(text) for text in shown]
        size = self._size + sum([sizes[number] for number in self._slots])
        return [one.fill(quoted) for one in self._stencils], size


def _put_off(later: Sequence[Later], open_slots: int) -> list[Callable[[Sequence[str]], Any]]:
    """The filters that were put off, each as a function of the values of the first slots."""
    made: list[Callable[[Sequence[str]], Any]] = [itemgetter(n) for n in range(open_slots)]
    for one in later[open_slots:]:  # of which one may be of another that came before
        made.append(_applied(one, made))
    return made[open_slots:]


def _applied(
    later: Later, slots: list[Callable[[Sequence[str]], Any]]
) -> Callable[[Sequence[str]], Any]:
    text, *arguments = [_closed(one, slots) for one in (later.text, *later.arguments)]
    function = later.filter
    return lambda values: function(text(values), *[one(values) for one in arguments])


def _closed(
    text: Any,  # noqa: ANN401 -- any argument
    slots: list[Callable[[Sequence[str]], Any]],
) -> Callable[[Sequence[str]], Any]:
    """What stands for a text, when the slots in it have values."""
    if not isinstance(text, str) or MARK not in text:
        return lambda _: text
    if whole := _OPEN.fullmatch(text):
        return slots[int(whole[1])]
    return lambda values: _OPEN.sub(lambda found: str(slots[int(found[1])](values)), text)


class Filling(NamedTuple):
    """Values for slots, each as it is sent, and their sizes in UTF-8; see `fillings`."""

    values: Sequence[str]
    quoted: list[bytes]
    sizes: list[int]


def fillings(values: Sequence[str]) -> tuple[Filling, Filling]:
    """The values for HTML and for text; what HTML need not escape is the same in both."""
    quoted = [quoted_printable(value) for value in values]
    text = html = Filling(values, quoted, [_size(value) for value in values])
    whole = "".join(values)
    if any(sign in whole for sign in _MARKUP):
        shown = [str(escape(value)) for value in values]
        html = Filling(
            values,
            [
                before if one == value else quoted_printable(one)
                for one, value, before in zip(shown, values, quoted, strict=True)
            ],
            [_size(value) for value in shown],
        )
    return html, text


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


_MARKUP: Final = "&<>\"'"
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
