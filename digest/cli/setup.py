"""`paper-digest init`: asks what an installation needs, tries the relay, writes .env."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.advice import advise
from digest.cli.environment import FILE, environment, read_file
from digest.cli.terminal import program
from digest.errors import Conflict, RelayError
from digest.settings import BY_KEY, check, load

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from digest.settings import Settings

# In the order of asking: key, question, hint.
_QUESTIONS: Final = (
    ("DIGEST_SMTP_URL", "Mail relay", "smtps://HOST, smtp+starttls://HOST:587, or eml:FOLDER"),
    ("DIGEST_FROM", "Mails come from", "Name <address>"),
    ("DIGEST_SMTP_USER", "Login at the relay", "Enter if it wants none"),
    ("DIGEST_SMTP_PASSWORD", "Password", "not shown"),
    ("DIGEST_PUBLIC_URL", "Readers' pages", "https://...; Enter if this is only for you"),
    ("DIGEST_ZONE", "Time zone", "as in Europe/Paris"),
)
_OF_RELAY: Final = ("DIGEST_SMTP_URL", "DIGEST_SMTP_USER", "DIGEST_SMTP_PASSWORD")
_FREE_OF_QUOTES: Final = frozenset("+-./:@_=,%")


def init(
    *,
    sender: Annotated[
        str, typer.Option("--from", help="Who the mails come from: Name <address>.")
    ] = "",
    smtp_url: Annotated[
        str, typer.Option(help="smtps://HOST, smtp+starttls://HOST:587 or eml:FOLDER.")
    ] = "",
    smtp_user: Annotated[str, typer.Option(help="The name to log in with.")] = "",
    public_url: Annotated[
        str, typer.Option(help="Where readers will reach `serve`; none if only for you.")
    ] = "",
    zone: Annotated[str, typer.Option(help="The time zone of new readers.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take options and defaults.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Log in at the relay to see that it works.")
    ] = True,
) -> None:
    """Set up this folder: ask, try the relay, write .env.

    What stands in the environment or in a .env that is there is offered as the answer. The
    password is never an option, because others could read it: it comes from the question or from
    DIGEST_SMTP_PASSWORD.
    """
    kept = read_file(FILE) if FILE.is_file() else {}
    if kept and yes:
        raise Conflict(f"{FILE} is there already: change it, or move it away and run init again")
    given = {
        "DIGEST_FROM": sender,
        "DIGEST_SMTP_URL": smtp_url,
        "DIGEST_SMTP_USER": smtp_user,
        "DIGEST_PUBLIC_URL": public_url,
        "DIGEST_ZONE": zone,
    }
    answers = {"DIGEST_ZONE": _zone_here(), **environment()}
    answers |= {key: value for key, value in given.items() if value}
    if yes:
        answers = _completed(answers)
        load(answers)
        if test:
            _try_relay(load(answers))
    else:
        typer.echo("Setting up Paper Digest in this folder. Enter takes what stands in [ ].\n")
        answers = _ask(answers, [key for key, _, _ in _QUESTIONS])
        while test and not _relay_works(load(answers)):
            if not typer.confirm("Change the answers about the relay?", default=True):
                break
            answers = _ask(answers, _OF_RELAY)
    _write(FILE, {**kept, **answers})
    _say_next(load(answers))


def _ask(answers: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    """Ask for these keys, each until its answer is right."""
    now = dict(answers)
    for key, question, hint in _QUESTIONS:
        if key in keys and _applies(key, now):
            now[key] = _answer(key, question, hint, now)
    now = _completed(now)
    load(now)
    return now


def _applies(key: str, answers: Mapping[str, str]) -> bool:
    """A login is asked for only where there is a relay, a password only where there is a login."""
    if key == "DIGEST_SMTP_PASSWORD" and not answers.get("DIGEST_SMTP_USER"):
        return False
    return not key.startswith("DIGEST_SMTP_") or key == "DIGEST_SMTP_URL" or _has_relay(answers)


def _has_relay(answers: Mapping[str, str]) -> bool:
    return not answers.get("DIGEST_SMTP_URL", "eml:").startswith("eml:")


def _answer(key: str, question: str, hint: str, answers: Mapping[str, str]) -> str:
    secret = BY_KEY[key].secret
    standing = answers.get(key, "")
    # A relay takes no mail from our example: where there is one, the sender must be said.
    invented = key == "DIGEST_FROM" and _has_relay(answers)
    default = standing or (None if invented else BY_KEY[key].default)
    while True:
        said: str = typer.prompt(
            f"{question} ({hint})",
            default=default,
            show_default=bool(default) and not secret,
            hide_input=secret,
        ).strip()
        problem = check(key, said)
        if problem is None:
            return said
        typer.echo(str(problem), err=True)


def _completed(answers: Mapping[str, str]) -> dict[str, str]:
    """Without what is empty, and with a fresh secret where there is none."""
    full = {key: value for key, value in answers.items() if value}
    if not {"DIGEST_SECRET_KEY", "DIGEST_SECRET_KEY_FILE"} & set(full):
        full["DIGEST_SECRET_KEY"] = secrets.token_hex(32)
    return full


def _zone_here() -> str:
    """The zone this machine is set to, or nothing where it does not say."""
    try:
        zone = str(Path("/etc/localtime").readlink()).partition("zoneinfo/")[2]
    except OSError:
        return ""
    return "UTC" if zone == "Etc/UTC" else zone  # readers are shown it


def _relay_works(settings: Settings) -> bool:
    try:
        _try_relay(settings)
    except RelayError as error:
        typer.echo(str(error), err=True)
        return False
    return True


def _try_relay(settings: Settings) -> None:
    """Connect, check TLS and log in; raises RelayError with advice when that fails."""
    from digest.channels import channel
    from digest.channels.alone import hang_up

    relay = channel(
        settings.smtp_url,
        user=settings.smtp_user,
        password=settings.smtp_password,
        token_command=settings.smtp_token_command,
        hostname=settings.hostname,
    )
    try:
        hang_up(relay.open())
    except RelayError as error:
        raise type(error)(f"{error}\n{advise(str(error))}") from error
    if settings.writes_files:
        folder = settings.smtp_url.removeprefix("eml:")
        typer.echo(f"No relay: mails will be files in {folder}.")
    else:
        typer.echo("The relay answers" + (" and the login works." if settings.smtp_user else "."))


def _write(file: Path, texts: Mapping[str, str]) -> None:
    """Write a .env that only its owner can read, whole or not at all."""
    lines = ["# Settings of Paper Digest: docs/configuration.md. Keep this file to yourself.", ""]
    for key in [*BY_KEY, *sorted(set(texts) - set(BY_KEY))]:
        if key in texts:
            about = [f"# {BY_KEY[key].help}"] if key in BY_KEY else []
            lines += [*about, f"{key}={_quoted(texts[key])}", ""]
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 -- it has its mode
        stream.write("\n".join(lines))
        stream.flush()
        os.fsync(stream.fileno())
    if file.exists():
        file.replace(file.with_name(f"{file.name}.old"))
    fresh.replace(file)


def _quoted(text: str) -> str:
    """The text as a .env file holds it."""
    if all(c.isalnum() or c in _FREE_OF_QUOTES for c in text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _say_next(settings: Settings) -> None:
    ours = program()
    typer.echo(
        f"\nWrote {FILE.resolve()}, readable only by you. Next:\n"
        f"  {ours} ingest\n"
        f"  {ours} subscribers add you@example.org --keywords 'mixture of experts'\n"
        f"  {ours} run --now"
    )
    if settings.public_url:
        typer.echo(f"  {ours} serve      and let {settings.public_url} lead to it")
