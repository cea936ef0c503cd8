"""What the commands show: bars and tables on a terminal, plain lines anywhere else."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo

import typer

from digest.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID
    from rich.table import Table

_WIDE: Final = 240
"""Columns of a table that goes into a file or a pipe: nothing there has an edge."""
_READABLE: Final = 100
"""Columns beyond which sentences are hard to read."""

_GAP: Final = 2
_NARROWEST: Final = 8
"""Columns between two columns; and how narrow a column is made at most."""

SHORT: Final = 8
"""Characters of a delivery's id that a table shows: enough to name it, and room is dear."""

Cell = str | tuple[str, ...]
"""What stands in a table: a text, or a text with others below it, indented."""


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
    remark: bool = False,
    stream: TextIO | None = None,
    width: int = _WIDE,
) -> None:
    """Print rows under their heads, the columns named in `right` with their ends aligned.

    `width` is for where there is no terminal; a terminal has its own. With `remark` the last
    column is a sentence, which stands below its row where there is no room beside it.
    """
    target = console(stream, width)
    rows, numbers = list(rows), set(right)
    if not target.is_terminal and _whole(heads, rows) <= width:
        for line in _plain(heads, rows, numbers):
            target.file.write(line + "\n")
        return
    if target.is_terminal:
        _print(target, heads, rows, numbers, remark=remark)
        return
    with target.capture() as capture:
        _print(target, heads, rows, numbers, remark=remark)
    for line in capture.get().splitlines():
        target.file.write(line.rstrip() + "\n")


def _plain(heads: Sequence[str], rows: Sequence[Sequence[Cell]], right: set[str]) -> Iterator[str]:
    """The same where all of it has room: a tenth of the work, and thousands of rows are common."""
    from rich.cells import cell_len

    lines = [[[head] for head in heads], *([_lines(cell) for cell in row] for row in rows)]
    widths = [
        max(cell_len(text) for row in lines for text in row[place]) for place in range(len(heads))
    ]
    for row in lines:
        for height in range(max(map(len, row))):
            texts = [cell[height] if height < len(cell) else "" for cell in row]
            padded = (
                " " * (width - cell_len(text)) + text
                if head in right
                else text + " " * (width - cell_len(text))
                for head, width, text in zip(heads, widths, texts, strict=True)
            )
            yield (" " * _GAP).join(padded).rstrip()


def _print(
    target: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: set[str],
    *,
    remark: bool,
) -> None:
    from rich.padding import Padding

    if not remark or _whole(heads, rows) <= target.width:
        grid = _grid(heads, right)
        for row in rows:
            grid.add_row(*map(_cell, row))
        target.print(grid)
        return
    widths = _widths(heads[:-1], rows, target.width)
    above = _grid(heads[:-1], right, widths)
    target.print(above)
    for row in rows:
        line = _grid(heads[:-1], right, widths)
        line.show_header = False
        line.add_row(*map(_cell, row[:-1]))
        target.print(line)
        if row[-1]:
            target.print(Padding.indent(_cell(row[-1]), 2 * _GAP))


def _grid(heads: Sequence[str], right: set[str], widths: Sequence[int] = ()) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        grid.add_column(
            head,
            justify="right" if head in right else "left",
            overflow="fold",
            width=widths[place] if widths else None,
        )
    return grid


def _whole(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """Columns that the table takes with nothing folded."""
    from rich.cells import cell_len

    widest = [
        max([cell_len(head), *(cell_len(line) for row in rows for line in _lines(row[place]))])
        for place, head in enumerate(heads)
    ]
    return sum(widest) + _GAP * (len(heads) - 1)


def _widths(heads: Sequence[str], rows: Sequence[Sequence[Cell]], most: int) -> list[int]:
    """Columns for each head: what its cells take; where that is too much, the widest gives way."""
    from rich.cells import cell_len

    widths = [
        max(
            [
                *(cell_len(word) for word in head.split()),
                *(cell_len(line) for row in rows for line in _lines(row[place])),
            ]
        )
        for place, head in enumerate(heads)
    ]
    while sum(widths) + _GAP * (len(widths) - 1) > most and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _lines(cell: Cell) -> list[str]:
    """The lines of a cell as they stand there."""
    if isinstance(cell, str):
        return [cell]
    above, *below = cell
    return [above, *(" " * _GAP + line for line in below if line)]


def _cell(cell: Cell) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(cell, str):
        return Text(cell)
    above, *below = cell
    return Group(Text(above), *(Padding.indent(Text(line), _GAP) for line in below if line))


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

    def __exit__(self, *_: object) -> None:
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
        """So many of so many are done; of none there is nothing to count."""
        self._count = f"{done}/{total}" if total else ""
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


def program() -> str:
    """How this program is called from here: by its name, or where that is not found by its path."""
    beside = Path(sys.executable).with_name("paper-digest")
    found = shutil.which("paper-digest")
    if not beside.is_file() or (found and Path(found).samefile(beside)):
        return "paper-digest"
    return near(beside)


def near(path: Path) -> str:
    """The path as seen from here, where it lies below."""
    here = Path.cwd()
    whole = here / path
    return f"{whole.relative_to(here)}" if whole.is_relative_to(here) else f"{path}"


def when(moment: datetime, zone: str, *, now: datetime) -> str:
    """An instant as people of that zone say it: "Mon 07:00 Europe/Paris", with its date if far."""
    local = moment.astimezone(ZoneInfo(zone))
    near = timedelta() <= moment - now < timedelta(days=6)
    return f"{local:%a %H:%M} {zone}" if near else f"{local:%a %d %b %Y %H:%M} {zone}"


def stamp(moment: datetime, zone: ZoneInfo) -> str:
    """An instant to the minute as a table has it, in a zone that its head names."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 paper", "1,200 papers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def waits(number: int, noun: str) -> str:
    """That so many wait: "1 digest waits", "1,200 digests wait"."""
    return f"{count(number, noun)} {'waits' if number == 1 else 'wait'}"


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
