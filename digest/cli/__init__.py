"""The command line: `paper-digest`.

Every command imports what it needs when it runs, so that help answers at once. What goes wrong
and is ours to say is one clear line on standard error and the error's exit code; a mistake of
the program itself is one line too, and `paper-digest --debug COMMAND` shows where it happened.
"""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from digest.cli import (
    asking,
    bounces,
    deliveries,
    dkim,
    doctor,
    editing,
    issues,
    look,
    readers,
    register,
    roster,
    sender,
    setup,
    sources,
    templates,
    work,
)
from digest.cli.examples import example
from digest.errors import PaperDigestError

_OUR_MISTAKE: Final = 70  # EX_SOFTWARE of sysexits.h
_USAGE: Final = 2
ORDER: Final = (
    "demo",
    "init",
    "ingest",
    "sources",
    "backfill",
    "keywords",
    "subscribers",
    "preview",
    "why",
    "templates",
    "run",
    "send",
    "serve",
    "issues",
    "deliveries",
    "bounces",
    "suppressions",
    "dkim",
    "doctor",
)


class Commands(TyperGroup):
    """The commands, in the order they are needed in, and the end of every error."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401
        super().__init__(**how)
        _summarize(self)

    def make_context(self, *words: Any, **how: Any) -> Any:  # noqa: ANN401
        """The context of a run; a mistake before the name of a command is told as all others."""
        try:
            return super().make_context(*words, **how)
        except typer.TyperException as error:
            raise _told(error) from error

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 -- typer's own, and private
        """The names of all commands, as help lists them."""
        places = {name: place for place, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: places.get(name, len(places)))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; raises typer.Exit with the error's exit code when it fails."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except typer.TyperException as error:
            raise _told(error) from error
        except BrokenPipeError:
            raise  # typer ends quietly when nobody reads on
        except PaperDigestError as error:
            self._show(ctx, str(error))
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            self._show(ctx, f"{error.strerror or error}: {error.filename or 'no file named'}")
            raise typer.Exit(1) from error
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            where = "" if ctx.params["debug"] else " (paper-digest --debug shows where)"
            self._show(ctx, f"This is a mistake in Paper Digest, not yours: {said}{where}")
            raise typer.Exit(_OUR_MISTAKE) from error

    def _show(self, ctx: Any, said: str) -> None:  # noqa: ANN401
        if ctx.params["debug"]:
            import traceback

            traceback.print_exc()
        typer.echo(said, err=True)


def _summarize(group: Any) -> None:  # noqa: ANN401
    """Give every command its first sentence, uncut, as what a list of commands says of it."""
    for command in group.commands.values():
        if command.help and not command.short_help:
            first = command.help.strip().partition("\n\n")[0]
            command.short_help = re.split(r"(?<=\.)\s", " ".join(first.split()))[0]
        if hasattr(command, "commands"):
            _summarize(command)


def _told(error: Exception) -> Exception:
    """What ends the program after a mistake in how it was called; it has been told then."""
    from digest.cli.usage import sentence

    if type(error).__name__ == "NoArgsIsHelpError":
        return error
    typer.echo(sentence(error), err=True)
    return typer.Exit(_USAGE)


app = typer.Typer(
    name="paper-digest",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=(
        "New papers that match your keywords, in your inbox every morning: explained, never twice."
    ),
    epilog=example("paper-digest demo", "paper-digest init", "paper-digest COMMAND --help"),
)


def _say_version(asked: bool) -> None:  # noqa: FBT001 -- typer's way
    if asked:
        from importlib.metadata import version

        typer.echo(f"paper-digest {version('paper-digest')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="When something fails, show where in the program.")
    ] = False,
) -> None:
    """What stands before every command."""
    del show_version, debug  # --version has answered already; Commands reads --debug


app.command(epilog=example("paper-digest demo", "paper-digest demo --once --dir /tmp/demo"))(
    look.demo
)
app.command(
    epilog=example(
        "paper-digest init",
        "DIGEST_SMTP_PASSWORD=... paper-digest init --yes --from 'Digest <digest@example.org>' "
        "--smtp-url smtps://mail.example.org --smtp-user digest@example.org",
    )
)(setup.init)
app.add_typer(editing.keywords, name="keywords")
readers.app.command(
    "list",
    epilog=example(
        "paper-digest subscribers list",
        "paper-digest subscribers list --find uni.example --status active --limit 0",
        "paper-digest subscribers list --json | jq -r '.[].address'",
    ),
)(register.list_)
readers.app.command(epilog=example("paper-digest subscribers show reader@example.org"))(
    register.show
)
readers.app.command(
    "import",
    epilog=example(
        "paper-digest subscribers import readers.csv",
        "paper-digest subscribers import readers.csv --confirmed --consent-date 2026-11-02 "
        "--consent-source 'the reading group'",
        "paper-digest subscribers import readers.csv --invite --invited-by 'Ada Lovelace' "
        "--keywords 'mixture of experts'",
    ),
)(roster.import_)
readers.app.command(
    epilog=example("paper-digest subscribers export --out readers.csv"),
)(roster.export)
app.add_typer(readers.app, name="subscribers")
app.command(epilog=example("paper-digest ingest", "paper-digest ingest --now"))(work.ingest)
app.add_typer(sources.app, name="sources")
app.command(
    epilog=example(
        "paper-digest backfill --source arxiv --since 2026-11-01",
        "paper-digest backfill --source hf --since 2026-10-01 --until 2026-10-31",
    )
)(sources.backfill)
app.command(epilog=example("paper-digest run", "paper-digest run --now"))(work.run)
app.command(epilog=example("paper-digest send", "paper-digest send --follow"))(sender.send)
app.command(epilog=example("paper-digest serve", "paper-digest serve --port 8080"))(work.serve)
app.command(
    epilog=example(
        "paper-digest preview ada@example.org --open",
        "paper-digest preview --query 'mixture of experts' --date 2026-11-20",
        "paper-digest preview ada@example.org --serve",
    )
)(look.preview)
app.add_typer(templates.app, name="templates")
app.add_typer(issues.app, name="issues")
app.add_typer(dkim.app, name="dkim")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(bounces.bounces, name="bounces")
app.add_typer(bounces.suppressions, name="suppressions")
app.command(
    epilog=example(
        "paper-digest doctor",
        "paper-digest doctor --mail digest.eml --address 192.0.2.1 --dns 9.9.9.9",
    )
)(doctor.doctor)

app.command(
    epilog=example(
        "paper-digest why ada@example.org",
        "paper-digest why ada@example.org 2611.90001",
        "paper-digest why ada@example.org 'Forgetting on a Budget'",
    )
)(asking.why)


def main() -> None:
    """Run the command line and end the process."""
    # A terminal that cannot show a name shows a mark instead of ending the program.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app(prog_name="paper-digest")
