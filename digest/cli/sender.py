"""`paper-digest send`: the sender alone; with --follow it is the process that `serve` looks after.

Sending has a process of its own, because it would make the pages wait: the answer of a page in
the same process takes a hundred times as long while mails go out.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import Quiet
from digest.cli.sending import send_stage
from digest.cli.stages import end, stages
from digest.errors import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest.app import App
    from digest.delivery import Sent

_log = logging.getLogger(__name__)
_LOOKED_AFTER: Final = "PAPER_DIGEST_LOOKED_AFTER"
"""Set for a sender whose standard input is a pipe from `serve`: both end together."""
_AGAIN: Final = 5.0
"""Seconds before a sender that broke is started again."""


def send(
    *,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Keep time: ask the sources, and send whatever is due."),
    ] = False,
    restored: Annotated[
        bool,
        typer.Option(
            "--restored",
            help="Send although this database is a copy; some mails may come twice.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Send what waits, and end; decide nothing new.

    With --follow it does the work of `serve` without its pages, until SIGTERM or Ctrl-C.
    """
    from digest.app import open_app

    with open_app(settings(), create=follow) as house, ending_well() as ending:
        if restored:
            house.store.copies.accept()
        if follow:
            _follow(house, ending)
            return
        with stages(quiet=quiet) as steps:
            troubles = send_stage(house, steps, ending=ending.is_set)
    end(troubles)


@contextmanager
def ending_well() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second signal ends the process at once."""
    event = threading.Event()

    def once(number: int, _frame: object) -> None:
        event.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, once) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def looked_after(changes: dict[str, str]) -> Iterator[None]:
    """A sender in a process of its own while the block runs; started again if it breaks.

    At the end it finishes what is at the relay. If this process dies, its pipe does, and the
    sender ends as well.
    """
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    starting = threading.Lock()

    def keep() -> None:
        while True:
            try:
                with starting:
                    if stopping.is_set():
                        return
                    running[:] = [_start(changes)]
                said = f"ended status={running[0].wait()}"
            except OSError as error:  # no memory or no process to be had may pass
                said = f"not started error={why(error)!r}"
            if not stopping.is_set():
                _log.error("sender %s again_in=%.0f", said, _AGAIN)
                stopping.wait(_AGAIN)

    thread = threading.Thread(target=keep, name="sender", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with starting:
            stopping.set()
        for process in running:
            if process.stdin is not None:
                process.stdin.close()  # it finishes what is at the relay, and ends
        thread.join()


def _start(changes: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "digest", "send", "--follow"],
        env={**os.environ, **changes, _LOOKED_AFTER: "1"},
        stdin=subprocess.PIPE,
        process_group=0,  # Ctrl-C is for us, and we end it when the pages have ended
    )


def _follow(house: App, ending: threading.Event) -> None:
    from digest.schedule import ASK_SOURCES, LOOK_FOR_DUE, READ_BOUNCES, Scheduler, Tick

    log_to_stderr()
    if os.environ.get(_LOOKED_AFTER):
        threading.Thread(target=_end_with, args=(ending,), daemon=True).start()
    round_ = _Round()

    def ask() -> None:
        round_.ask(house, ending.is_set)
        scheduler.hurry("due")

    ticks = (
        Tick("sources", ASK_SOURCES, ask),
        Tick("bounces", READ_BOUNCES, lambda: _take_back(house)),
        Tick("due", LOOK_FOR_DUE, lambda: _send_due(house, round_, ending.is_set)),
    )
    with Scheduler(ticks) as scheduler:
        ending.wait()


def _end_with(ending: threading.Event) -> None:
    """End when the other end of the pipe does."""
    sys.stdin.buffer.read()
    ending.set()


class _Round:
    """A round of asking the sources: digests wait until it is over, but not for ever."""

    def __init__(self) -> None:
        self._since: float | None = time.monotonic()  # the first one begins at once

    def ask(self, house: App, ending: Callable[[], bool]) -> None:
        """Go round."""
        self._since = time.monotonic()
        try:
            _ask(house, ending)
        finally:
            self._since = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be waited for."""
        from digest.schedule import WAIT_FOR_SOURCES

        since = self._since
        return since is None or time.monotonic() - since > WAIT_FOR_SOURCES.total_seconds()


def _ask(house: App, ending: Callable[[], bool]) -> None:
    """One tick's question to the sources, told in one line."""
    from digest.ingest import ingest as ask

    report = ask(house, ending=ending)
    if not report.fetches and not report.failed:
        return  # none was due
    _log.info(
        "sources asked answers=%d new=%d changed=%d complete=%s",
        len(report.fetches), report.new, report.changed, report.complete,
    )  # fmt: skip
    for fetch in report.fetches:
        if not fetch.state.complete:
            _log.warning(
                "source incomplete source=%s day=%s state=%s note=%s",
                fetch.source, fetch.day, fetch.state.value, fetch.note,
            )  # fmt: skip
    for failure in report.failed:
        _log.error("source failed %s", failure)


def _take_back(house: App) -> None:
    """One tick's look into the mailbox of bounces, where there is one, told in one line."""
    if not house.settings.bounces_url:
        return
    from digest.bounces.taking import take_mailbox

    tally = take_mailbox(house)
    if tally.taken or tally.ignored:
        taken = " ".join(f"{kind.value}={number}" for kind, number in sorted(tally.taken.items()))
        _log.info("bounces read ignored=%d %s", sum(tally.ignored.values()), taken)
    for reason, number in tally.ignored.items():
        _log.warning("bounces ignored mails=%d why=%s", number, reason)


def _send_due(house: App, round_: _Round, ending: Callable[[], bool]) -> None:
    """One tick's issue and everything that waits to be sent, told in a line for each."""
    from digest.run import deliver, issue
    from digest.store.glance import glance

    if glance(house.settings.database_url, house.clock()):
        return
    frozen = issue(house).frozen if round_.is_over else None
    if frozen:
        _log.info(
            "issue frozen issue=%d prepared=%d excluded=%d",
            frozen.issue, frozen.prepared, frozen.excluded,
        )  # fmt: skip
    report = deliver(house, on_sent=_log_sent, ending=ending)
    for number in report.paused:
        reason = house.store.outbox.issue(number).reason
        _log.error("issue paused issue=%d reason=%s", number, reason)
    if report.held:
        _log.info("sending held why=%s", report.held)


def _log_sent(sent: Sent) -> None:
    _log.info(
        "delivery settled delivery=%s state=%s code=%s",
        sent.delivery.public_id, sent.reply.outcome.value, sent.reply.code,
    )  # fmt: skip


def log_to_stderr() -> None:
    """One event a line, in UTC."""
    # One line a request is too much, and some sources take their key in the address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
