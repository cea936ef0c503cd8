"""What the commands show: bars and tables on a terminal, plain lines anywhere else."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo

import typer

from digest.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import TextIO

    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

_WIDE: Final = 240
"""Columns of a table that goes into a file or a pipe: nothing there has an edge."""
_READABLE: Final = 100
"""Columns beyond which sentences are hard to read."""

Cell = str | tuple[str, str]
"""What stands in a table: a text, or a text with another below it, indented."""


def console(stream: TextIO | None = None, width: int = _WIDE) -> Console:
    """A console on that stream (standard output if none), so wide if it is no terminal."""
    from rich.console import Console

    file = stream or sys.stdout
    columns = None if file.isatty() else width
    return Console(file=file, width=columns, highlight=False, markup=False, emoji=False)


def columns() -> int:
    """As many as people read in one line here: those of the terminal, 80 where there is none."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, _READABLE))


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Iterable[str] = (),
    stream: TextIO | None = None,
    width: int = _WIDE,
) -> None:
    """Print rows under their heads, the columns named in `right` with their ends aligned.

    `width` is for where there is no terminal; a terminal has its own.
    """
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    numbers = set(right)
    for head in heads:
        grid.add_column(head, justify="right" if head in numbers else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(_cell, row))
    target = console(stream, width)
    if target.is_terminal:
        target.print(grid)
        return
    with target.capture() as capture:
        target.print(grid)
    for line in capture.get().splitlines():
        target.file.write(line.rstrip() + "\n")


def _cell(cell: Cell) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(cell, str):
        return Text(cell)
    above, below = cell
    return Group(Text(above), Padding(Text(below), (0, 0, 0, 2))) if below else Text(above)


def confirmed(question: str, *, default: bool = False, option: str = "--yes") -> bool:
    """Whether somebody says yes; raises Conflict, naming the option, where nobody can answer."""
    with _somebody_answers(option):
        return typer.confirm(question, default=default)


def asked(question: str, default: str, option: str = "--yes") -> str:
    """What somebody answers; raises Conflict, naming the option, where nobody can answer."""
    with _somebody_answers(option):
        return str(typer.prompt(question, default=default)).strip()


@contextmanager
def _somebody_answers(option: str) -> Iterator[None]:
    try:
        yield
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typer.echo()  # the question's line ends
        raise Conflict(
            f"nobody is here to answer, so nothing was done: {option} says yes"
        ) from None


class Steps:
    """Named steps of one piece of work: bars that fill on a terminal, else a line as each ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.bars: Progress | None = None

    def __enter__(self) -> Self:
        if self.stream.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            self.bars = Progress(
                TextColumn("{task.fields[name]:<9}", style="bold", markup=False),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[count]}", justify="right", markup=False),
                console=console(self.stream),
            )
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.bars:
            self.bars.stop()

    def step(self, name: str, text: str = "") -> Step:
        """Begin the next step."""
        return Step(self, name, text)


class Step:
    """One step under way."""

    def __init__(self, steps: Steps, name: str, text: str) -> None:
        self._steps = steps
        self._name = name
        self._count = ""
        self._task: TaskID | None = None
        if steps.bars:
            self._task = steps.bars.add_task(text, total=None, name=name, count="")

    def progress(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._count = f"{done}/{total}"
        if self._steps.bars and self._task is not None:
            bars, count = self._steps.bars, self._count
            bars.update(self._task, completed=done, total=total, count=count)

    def end(self, text: str) -> None:
        """The step is over, and this is what came of it."""
        if self._steps.bars and self._task is not None:
            task = self._steps.bars.tasks[self._task]
            total = task.total or 1  # nothing to do is done, too
            self._steps.bars.update(self._task, description=text, completed=total, total=total)
        else:
            self._steps.stream.write(f"{self._name:<11}{text}  {self._count}".rstrip() + "\n")
            self._steps.stream.flush()


def when(moment: datetime, zone: str, *, now: datetime) -> str:
    """An instant as people of that zone say it: "Mon 07:00 Europe/Paris", with its date if far."""
    local = moment.astimezone(ZoneInfo(zone))
    near = timedelta() <= moment - now < timedelta(days=6)
    return f"{local:%a %H:%M} {zone}" if near else f"{local:%a %d %b %Y %H:%M} {zone}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 paper", "1,200 papers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bars(counts: Sequence[int], *, stream: TextIO | None = None) -> str:
    """A column for each count, one character high; nothing where there is nothing."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        steps = "▁▂▃▄▅▆▇█"
        steps.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        steps = ".:-=+*%#"
    highest = max(counts, default=0) or 1
    heights = [-(-count * len(steps) // highest) for count in counts]
    return "".join(steps[height - 1] if height else " " for height in heights)
