"""Where templates run: words in, words out, and never more than so much of either. Pure.

Jinja's sandbox keeps a template from the program's insides, not from eating its time and memory.
So loops, calls and texts are counted: the count is the same on every machine, a clock's would
not be. Autoescape is always on for HTML, and a name that is not there is an error with its line.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from digest.columns import padded, ruled, wrapped
from digest.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MOST_STEPS: Final = 20_000
"""Turns of loops and calls of one rendering."""
MOST_TEXT: Final = 500_000
"""Characters of one text that a template makes, and of all it prints."""
_LARGEST: Final = 10**9
_PLAIN_FILTERS: Final = (
    "capitalize", "count", "d", "default", "e", "escape", "length", "lower", "string", "title",
    "trim", "upper",
)  # fmt: skip

_steps: ContextVar[list[int]] = ContextVar("steps")
_recording: ContextVar[list[Later] | None] = ContextVar("recording", default=None)

MARK: Final = "\x00"
"""Stands around a slot's number. No text of a paper or a reader has it: `papers.tidy_text`."""


@dataclass(frozen=True, slots=True)
class Later:
    """A filter of a text with open slots, to be applied when they are filled."""

    filter: Callable[..., Any]
    text: str
    arguments: tuple[Any, ...]


def slot(number: int) -> str:
    """What stands for a value that is filled in later."""
    return f"{MARK}{number}{MARK}"


def _step() -> None:
    taken = _steps.get([0])
    taken[0] += 1
    if taken[0] > MOST_STEPS:
        raise SecurityError(f"it takes more than {MOST_STEPS:,} steps")


def _bounded(value: Any) -> Any:  # noqa: ANN401 -- whatever a template made
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise SecurityError(f"it makes a text of more than {MOST_TEXT:,} characters")
    return value


def _counted(iterable: Iterable[Any]) -> list[Any]:
    items = []
    for item in iterable:
        _step()
        items.append(item)
    return items


def _glued(texts: Iterable[Any]) -> str:
    """The texts in one; escaped as soon as one of them is HTML."""
    parts = list(texts)
    markup = any(hasattr(part, "__html__") for part in parts)
    glued: str = Markup("").join(parts) if markup else "".join(map(str, parts))
    _bounded(glued)
    return glued


def _joined(texts: Iterable[Any], between: str = "") -> str:
    items = _counted(texts)
    pieces = [piece for item in items for piece in (between, item)]
    return _glued(pieces[1:])


def _replaced(text: str, old: str, new: str) -> str:
    if not old or text.count(old) * len(new) > MOST_TEXT:
        raise SecurityError(f"it makes a text of more than {MOST_TEXT:,} characters")
    return text.replace(old, new)


def _deferred(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter; of a text with open slots, a slot of its own."""

    @wraps(function)
    def filtered(value: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- any filter
        _step()
        recording = _recording.get()
        if recording is not None and isinstance(value, str) and MARK in value:
            if named:
                raise SecurityError("a filter of a slot takes its arguments in order")
            recording.append(Later(function, value, arguments))
            return slot(len(recording) - 1)
        return _bounded(function(value, *arguments, **named))

    return filtered


class _Caps(NodeTransformer):
    """Rewrites a template so that what it repeats and joins is counted."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 -- Jinja's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "_glued", [], [], None, None, lineno=node.lineno)

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.AssignBlock:  # noqa: N802
        self.generic_visit(node)
        node.filter = nodes.Filter(node.filter, "_bounded", [], [], None, None, lineno=node.lineno)
        return node

    def _refused(self, node: nodes.Node) -> nodes.Node:
        raise TemplateSyntaxError(
            f"a part of a mail has no {type(node).__name__.lower()}", node.lineno
        )


# A part is one file, and escaping is not its to switch off.
for _kind in ("Include", "Import", "FromImport", "Extends", "ScopedEvalContextModifier"):
    setattr(_Caps, f"visit_{_kind}", _Caps._refused)  # noqa: SLF001 -- its own


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles and runs templates: `compiled`, then `run`."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=not html,
            keep_trailing_newline=True,
        )
        self.globals.clear()
        own = {"join": _joined, "replace": _replaced, "wrap": wrapped, "pad": padded, "rule": ruled}
        plain = {name: FILTERS[name] for name in _PLAIN_FILTERS}
        self.filters = {name: _deferred(filter_) for name, filter_ in (plain | own).items()}
        self.filters |= {"_counted": _counted, "_glued": _glued, "_bounded": _bounded}

    def compiled(self, source: str, name: str) -> Template:
        """The template; TemplateError with its line when it is none."""
        try:
            code = self.compile(source, name, name)
        except JinjaError as error:
            line = getattr(error, "lineno", 1)
            raise TemplateError(f"{name}, line {line}: {error}") from error
        return Template.from_code(self, code, self.make_globals(None))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Caps().visit(super()._parse(source, name, filename))
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 -- Jinja's
        """Most values of a part are in dicts, where Jinja looks for an attribute first."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 -- Jinja's
        """Our values have fields; a text has filters, no methods."""
        return not isinstance(obj, str) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Reckoning is for numbers; texts are joined with ~."""
        for number in (left, right):
            if not isinstance(number, int | float) or abs(number) > _LARGEST:
                raise SecurityError(f"{operator} is for numbers only; join texts with ~")
        if operator == "**":
            raise SecurityError("there is no ** here")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Every call is a step, and what it makes is bounded."""
        _step()
        return _bounded(super().call(context, function, *args, **kwargs))


def run(template: Template, values: Mapping[str, Any], recording: list[Later] | None = None) -> str:
    """What the template makes of the values; TemplateError, with its line, where it cannot.

    With a `recording`, filters of open slots are written down in it instead of applied.
    """
    steps, record = _steps.set([0]), _recording.set(recording)
    try:
        pieces, size = [], 0
        for piece in template.root_render_func(template.new_context(dict(values))):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_TEXT:
                raise SecurityError(f"it prints more than {MOST_TEXT:,} characters")
        return "".join(pieces)
    except (
        JinjaError,
        RecursionError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
    ) as error:
        where = _line(template, error)
        raise TemplateError(f"{template.name}{where}: {_said(error)}") from error
    finally:
        _steps.reset(steps)
        _recording.reset(record)


def _line(template: Template, error: BaseException) -> str:
    """Where in the template it happened, as far as the traceback knows."""
    line, at = 0, error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(at.tb_lineno)
        at = at.tb_next
    # What MJML put together of several files has lines that are none of theirs.
    return f", line {line}" if line and "+" not in (template.name or "") else ""


def _said(error: BaseException) -> str:
    if isinstance(error, UndefinedError):
        return str(error.message)
    return "it calls itself without an end" if isinstance(error, RecursionError) else str(error)
