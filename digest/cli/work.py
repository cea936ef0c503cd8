"""`paper-digest ingest`, `run` and `serve`: the program at work."""

from __future__ import annotations

import logging
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import Quiet
from digest.cli.sender import ending_well, log_to_stderr, looked_after
from digest.cli.sending import send_stage
from digest.cli.stages import bounces_stage, end, ingest_stage, issue_stage, stages
from digest.cli.terminal import waits, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    import uvicorn

    from digest.store.glance import Idle

_log = logging.getLogger(__name__)
QUICK_TURNS: Final = 0.001
"""Seconds a thread has the interpreter while others want it: no page waits for the index."""


def ingest(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Ask every source, also those that are not due.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Ask the sources what is new; send nothing.

    `run` and `serve` do this by themselves. Each source is asked when something new can be there:
    `paper-digest sources` shows when that is.
    """
    from digest.app import open_app

    with open_app(settings()) as house, stages(quiet=quiet) as steps:
        _, troubles = ingest_stage(house, steps, now=now)
    end(troubles)


def run(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Every active reader is due, whatever the hour.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Ask the sources, send what is due, and end.

    The line for cron. With nothing due it ends at once without touching the network. What failed
    is told, loses nothing and is made up for by the next run; the exit code is 1 then.
    """
    from digest.store.glance import glance

    ours = settings()
    idle = None if now else glance(ours.database_url, datetime.now(UTC))
    if idle:
        if not quiet:
            for line in _nothing_due(idle, ours.zone):
                typer.echo(line)
        return
    from digest.app import open_app

    with open_app(ours) as house, stages(quiet=quiet) as steps:
        _, troubles = ingest_stage(house, steps)
        troubles += bounces_stage(house, steps)
        issue_stage(house, steps, everybody=now)
        with ending_well() as ending:
            troubles += send_stage(house, steps, ending=ending.is_set)
    end(troubles)


def _nothing_due(idle: Idle, zone: str) -> Iterator[str]:
    """What an idle run says; of readers at their own zone, of mails at the operator's."""
    now = datetime.now(UTC)
    if not idle.readers:
        yield "Nobody reads yet: paper-digest subscribers add ADDRESS adds somebody."
    elif idle.next_due is None:
        yield "Nothing is due."
    else:
        yield f"Nothing is due; next digest {when(idle.next_due, idle.zone, now=now)}"
    for number, waiting in idle.paused:
        yield (
            f"Issue {number} is paused: {waits(waiting, 'digest')}. "
            f"`paper-digest issues resume {number}` sends them, `paper-digest issues` says why."
        )
    if idle.again is not None:
        again = when(idle.again, zone, now=now)
        yield f"{waits(idle.put_off, 'mail')} for another try, from {again} on."


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on; over DIGEST_HOST.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; over DIGEST_PORT.")
    ] = None,
) -> None:
    """Keep time, send, and answer links in mails.

    Mails go out from a process of their own, so that no page waits for them. Needs no cron, and
    ends well on SIGTERM and Ctrl-C. What became due while it was not running is made up for at
    the start.
    """
    changes = {"DIGEST_HOST": host} if host else {}
    if port is not None:
        changes["DIGEST_PORT"] = str(port)
    import uvicorn

    from digest.app import open_app
    from digest.web import create_app
    from digest.web.listening import address_of, listen

    with open_app(settings(**changes)) as house:
        log_to_stderr()
        listening = listen(house.settings.host, house.settings.port)
        web = create_app(house)
        web.state.months.begin()
        sys.setswitchinterval(QUICK_TURNS)
        server = uvicorn.Server(
            uvicorn.Config(
                web,
                log_config=None,
                access_log=False,  # an address of a page is a key to it
                server_header=False,
                forwarded_allow_ips=list(house.settings.proxies),
                timeout_graceful_shutdown=10,
            )
        )
        _end_well_on_signals(server)
        with looked_after(changes):
            public = house.settings.public_url
            known_as = f" for {public}" if public else ""
            typer.echo(f"Paper Digest on {address_of(listening)}{known_as}. Ctrl-C ends.")
            server.run(sockets=[listening])
    typer.echo("Ended; nothing was left half done.")


def _end_well_on_signals(server: uvicorn.Server) -> None:
    """Let the server end first, then the tick that is running; a second signal ends at once.

    uvicorn takes both signals for itself and, once it has stopped, raises them again for whoever
    was there before: that is us, and by then there is nothing left to interrupt.
    """

    def once(number: int, _frame: object) -> None:
        server.should_exit = True
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, once)
