"""What a mistake on the command line is told as: one line, in the words of everything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_COMMAND: Final = re.compile(r"No such command '(.*?)'\.(?: Did you mean (.*)\?)?", re.DOTALL)
_NOT_ONE_OF: Final = re.compile(r"'.*' is not one of (.*?)\.?", re.DOTALL)
_NO_VALUE: Final = re.compile(r"Option '(.*)' requires an argument\.", re.DOTALL)
_TOO_MUCH: Final = re.compile(r"Got unexpected extra argument\S* \((.*)\)", re.DOTALL)
_LONGEST: Final = 80


def sentence(error: Exception) -> str:
    """What is wrong and what to do about it, for an error of typer's that is about the usage."""
    said = str(getattr(error, "message", "") or error)
    if named := getattr(error, "option_name", ""):
        return _of_option(error, named, said)
    if found := _NO_COMMAND.fullmatch(said):
        meant = re.findall("'(.*?)'", found[2] or "")
        other = f"did you mean {_either(meant)}?" if meant else "--help lists what there is"
        return f"there is no command {found[1]!r:.{_LONGEST}}: {other}"
    if found := _TOO_MUCH.fullmatch(said):
        return f"there is no place for {found[1]!r:.{_LONGEST}}: {_usage(error)}"
    parameter = getattr(error, "param", None)
    if parameter is None:
        return said
    name = _name_of(parameter)
    if hasattr(error, "param_type"):
        return f"{name} is missing: {_usage(error)}"
    return f"{name}{_of_value(error, said)}"


def _of_option(error: Exception, named: str, said: str) -> str:
    if _NO_VALUE.fullmatch(said):
        return f"{named} needs a value behind it: {_usage(error)}"
    close = getattr(error, "possibilities", None)
    other = f"did you mean {_either(sorted(close))}?" if close else "--help lists what there is"
    if not named.startswith("--"):
        other += "; keywords that begin with a minus stand behind --, as in: -- '-survey'"
    return f"there is no option {named!s:.{_LONGEST}}: {other}"


def _of_value(error: Exception, said: str) -> str:
    """What follows the name of an option whose value will not do."""
    wrong = next(iter(getattr(error.__cause__, "errors", list)()), None)
    if wrong is None:
        return f": {said}"
    if (right := _right(wrong)) is None:
        return f": {said.removeprefix('Value error, ')}"
    return f" is {wrong['input']!r:.{_LONGEST}}: write {right}"


def _right(wrong: Mapping[str, Any]) -> str | None:
    """What would be right, where that is known from the kind of the mistake."""
    limits = wrong.get("ctx", {})
    kind, said = wrong["type"], wrong["msg"].removeprefix("Value error, ")
    if found := _NOT_ONE_OF.fullmatch(said):
        return _either(re.findall("'(.*?)'", found[1]))
    if "does not match the format" in said:
        return "a day as 2026-12-24"
    return {
        "greater_than_equal": f"{limits.get('ge', 0)} or more",
        "less_than_equal": f"{limits.get('le', 0)} or less",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "finite_number": "a number",
    }.get(kind)


def _name_of(parameter: Any) -> str:  # noqa: ANN401 -- typer's own, and private
    """What a parameter is called on the command line: its long option, or what it stands for."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper()).strip("[]")


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return "--help shows how"
    return " ".join(context.get_usage().removeprefix("Usage:").split())


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
