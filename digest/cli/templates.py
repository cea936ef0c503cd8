"""`paper-digest templates`: an operator's own templates, laid over ours part by part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.terminal import table
from digest.errors import Conflict, NotFound

if TYPE_CHECKING:
    from digest.brand import Brand

app = typer.Typer(
    no_args_is_help=True,
    help="See, copy, compare and check the templates of mails.",
    epilog=example(
        "paper-digest templates list",
        "paper-digest templates new card.html",
        "paper-digest templates check",
    ),
)

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="The folder of your templates; DIGEST_TEMPLATES without it."),
]


@app.command("list", epilog=example("paper-digest templates list"))
def show(*, folder: Folder = None) -> None:
    """Show every part a mail is made of, and which of them are yours."""
    from digest.templating.parts import PARTS, sources

    found = sources(_overlay(folder))
    rows = [
        (name, str(found[name].path) if found[name].own else "ours", about)
        for name, about in PARTS.items()
    ]
    table(("part", "from", "what it is"), rows)


@app.command(epilog=example("paper-digest templates new card.html --dir my-templates"))
def new(
    name: Annotated[str, typer.Argument(help="The part, as `templates list` shows it.")],
    *,
    folder: Folder = None,
) -> None:
    """Copy one of our parts into your folder, to change it there.

    The other parts stay ours, and get better with every version.
    """
    from digest.templating.parts import templates_dir

    _known(name)
    used = settings().templates
    own = folder or used or Path("my-templates")
    into = own / "email" / name
    if own.resolve() == templates_dir().resolve():
        raise Conflict(f"{own} holds our parts: name a folder of your own, --dir my-templates")
    if into.exists():
        raise Conflict(f"{into} is there already: paper-digest templates diff {name} shows it")
    into.parent.mkdir(parents=True, exist_ok=True)
    text = (templates_dir() / "email" / name).read_text(encoding="utf-8")
    into.write_text(text, encoding="utf-8")
    typer.echo(f"{into}")
    if used is None or used.resolve() != own.resolve():
        typer.echo(f"It is used once DIGEST_TEMPLATES={own} is set.")


@app.command(epilog=example("paper-digest templates diff", "paper-digest templates diff card.html"))
def diff(
    name: Annotated[str, typer.Argument(help="Only this part.")] = "", *, folder: Folder = None
) -> None:
    """Show how your parts differ from ours, as a unified diff."""
    from difflib import unified_diff

    from digest.templating.parts import sources, templates_dir

    if name:
        _known(name)
    own = [one for one in sources(_overlay(folder)).values() if one.own and name in {"", one.name}]
    for source in own:
        ours = (templates_dir() / "email" / source.name).read_text(encoding="utf-8")
        lines = unified_diff(
            ours.splitlines(), source.text.splitlines(), "ours", str(source.path), lineterm=""
        )
        for line in list(lines) or [f"{source.path} is as ours is."]:
            typer.echo(line)
    if not own:
        typer.echo("None of the parts is yours: paper-digest templates new NAME copies one.")


@app.command(
    epilog=example(
        "paper-digest templates check", "paper-digest templates check --dir my-templates"
    )
)
def check(*, folder: Folder = None) -> None:
    """Try every part on a mail with everything and on one with next to nothing.

    Says what is wrong with file and line: mistakes of Jinja and of MJML (also tags that are
    misspelt), names that are not there, sizes, missing alt texts, insecure links, contrast.
    Ends with 1 when something keeps a part from being used.
    """
    from digest.templating.parts import sources
    from digest.templating.proof import check as proofread

    overlay = _overlay(folder)
    findings = proofread(overlay, _brand() if folder is None else None)
    for finding in findings:
        typer.echo(f"{'error' if finding.serious else 'advice'}: {finding}")
    parts = sources(overlay)
    own = sum(part.own for part in parts.values())
    serious = sum(finding.serious for finding in findings)
    if serious:
        typer.echo(f"{serious} to mend; until then ours are used in a run, and it says so.")
        raise typer.Exit(1)
    typer.echo(f"All is well: {own} of {len(parts)} parts are yours." if own else "Ours are well.")


def _overlay(folder: Path | None) -> Path | None:
    if folder is None:
        return settings().templates
    if not folder.is_dir():
        raise NotFound(
            f"{folder} is no folder: paper-digest templates new NAME --dir {folder} makes it"
        )
    return folder


def _brand() -> Brand:
    from digest.app import brand_of

    return brand_of(settings())


def _known(name: str) -> None:
    from difflib import get_close_matches

    from digest.templating.parts import PARTS

    if name not in PARTS:
        close = get_close_matches(name, PARTS, n=1)
        hint = f"did you mean {close[0]}?" if close else "paper-digest templates list shows them"
        raise NotFound(f"there is no part {name!r}: {hint}")
