"""`paper-digest keywords edit`: a reader's wish in an editor, tried before it is saved."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.interests import LOOK_BACK
from digest.cli.keywords import app, recent_papers, show_lines, shown
from digest.cli.options import Address
from digest.cli.readers import reader_at
from digest.cli.terminal import asked, confirmed
from digest.errors import Conflict, PaperDigestError
from subscribers.profile import called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.app import App
    from digest.errors import QueryError
    from subscribers.subscriber import Subscriber

keywords: Final = app
"""The commands of `paper-digest keywords`, this one the last of them."""
_USUAL_EDITOR: Final = "vi"


class EditorError(PaperDigestError):
    """The editor is not there, or did not end well."""


@app.command(
    epilog=example(
        "paper-digest keywords edit ada@example.org",
        "paper-digest keywords edit ada@example.org --file wish.txt --yes",
    )
)
def edit(
    address: Address,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Take the text from a file, or - for stdin; opens no editor."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Save without asking.")] = False,
) -> None:
    """Change all that a reader asked for, in $EDITOR; see what it brings, then save.

    A text with mistakes is never saved and never lost: it is opened again, or kept in a file.
    """
    from digest.app import open_app
    from subscribers.sheet import write

    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address)
        before = write(reader)
        if file is not None:
            _take(house, reader, before, _text_of(file), yes=yes)
            return
        handle, name = tempfile.mkstemp(prefix="keywords-", suffix=".txt")
        draft = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(before)
        is_done = False
        try:
            is_done = _edited(house, reader, before, draft, yes=yes)
        finally:
            if is_done or _text_of(draft) == before:
                draft.unlink()
            else:
                typer.echo(_kept(draft, address), err=True)
    if not is_done:
        raise typer.Exit(2)


def _edited(house: App, reader: Subscriber, before: str, draft: Path, *, yes: bool) -> bool:
    """Open the draft until it is saved (or nothing changed), or given up: then False."""
    while True:
        _open_editor(draft)
        text = _text_of(draft)
        if text == before:
            typer.echo("Nothing changed.")
            return True
        if _mistakes(text):
            if not confirmed("Open it again?", default=True, option="--file FILE"):
                return False
            continue
        _show(house, reader, text)
        answer = "y" if yes else _asked("Save this? (y)es, (e)dit again, (n)o")
        if answer == "y":
            _save(house, reader, before, text)
            return True
        if answer == "n":
            return False


def _take(house: App, reader: Subscriber, before: str, text: str, *, yes: bool) -> None:
    """A text from a file: shown, and saved when it is good and wanted."""
    if _mistakes(text):
        raise typer.Exit(2)
    _show(house, reader, text)
    if not (yes or confirmed("Save this?", default=True)):
        raise typer.Abort
    _save(house, reader, before, text)


def _asked(question: str) -> str:
    while True:
        answer = asked(question, "y").lower()[:1]
        if answer in {"y", "e", "n"}:
            return answer


def _open_editor(draft: Path) -> None:
    """Run the reader's editor on the draft; raises EditorError when that fails."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL_EDITOR
    try:
        done = subprocess.run([*shlex.split(command), str(draft)], check=False)
    except (OSError, ValueError) as error:
        raise EditorError(f"there is no editor {command!r}: set EDITOR to one") from error
    if done.returncode:
        raise EditorError(f"the editor {command!r} ended with {done.returncode}; nothing is saved")


def _text_of(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EditorError(f"{file} is not UTF-8 text; nothing is saved") from error
    except OSError as error:
        raise EditorError(f"{file} cannot be read: {error.strerror}") from error


def _mistakes(text: str) -> Sequence[QueryError]:
    """The mistakes of a text, shown."""
    from subscribers.sheet import read

    _, mistakes = read(text)
    for mistake in mistakes:
        for line in shown(text, mistake):
            typer.echo(line)
    return mistakes


def _show(house: App, reader: Subscriber, text: str) -> None:
    """What each interest of a text would have brought."""
    from digest.volume import headline, volume
    from subscribers.muting import muted_lines
    from subscribers.sheet import read

    wished = read(text)[0].onto(reader)
    recent = recent_papers(house, LOOK_BACK)
    muted = muted_lines(wished.muted_words, wished.muted_authors)
    for profile in wished.profiles:
        answer = volume(profile, recent, house.thesaurus(wished.synonyms), muted=muted)
        typer.echo(f"\n{called(profile)}: {headline(answer)}")
        if recent.papers:
            show_lines(answer)
    typer.echo("")


def _save(house: App, reader: Subscriber, before: str, text: str) -> None:
    """Store what the text asks for; raises Conflict when it was changed elsewhere meanwhile."""
    from subscribers.sheet import read, write

    sheet = read(text)[0]

    def wished(current: Subscriber) -> Subscriber:
        if write(current) != before:
            raise Conflict(
                f"what {reader.address} asked for was changed meanwhile; nothing is saved"
            )
        return sheet.onto(current)

    house.store.subscribers.change(reader.number, wished)
    typer.echo(f"Saved. It holds from {reader.address}'s next digest on.")


def _kept(draft: Path, address: str) -> str:
    return (
        f"Nothing is saved. Your text is in {draft}: "
        f"paper-digest keywords edit {address} --file {draft}"
    )
