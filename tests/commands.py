"""docs/commands.md, written from the program's own help: `python tests/commands.py` prints it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from typer.main import get_command
from typer.testing import CliRunner

from digest.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Commands

What `paper-digest COMMAND --help` says, for reading and searching. Written by `make docs`.
"""


def reference() -> str:
    """The whole page."""
    root = get_command(app)
    parts = [f"## paper-digest{path}\n\n```\n{_help(path)}\n```\n" for path in _paths(root, "")]
    return "\n".join([HEAD, *parts])


def _paths(command: object, path: str) -> Iterator[str]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from _paths(each, f"{path} {name}")


def _help(path: str) -> str:
    said = CliRunner().invoke(
        app, [*path.split(), "--help"], prog_name="paper-digest", terminal_width=78
    )
    return "\n".join(line.rstrip() for line in said.stdout.strip().splitlines())


if __name__ == "__main__":
    sys.stdout.write(reference())
