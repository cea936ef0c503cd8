"""Presses: messages made in processes beside the sender are the same, and none depends on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder, Session
from senders import states, unknowns

from bench.delivering.crowd import fill
from digest.app import App, open_app
from digest.delivery import Report, send_all
from digest.letters import Letters
from digest.press import WORTH_IT, Presses, presses_for
from digest.settings import load
from digest.smtp.relay import Relay, Relays
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.channels import Outgoing
    from digest.store.deliveries import Delivery
    from digest.workshop import Made

ROOT = Path(__file__).parent.parent
READERS = 120
SECONDS = 60.0


def environment(folder: Path) -> dict[str, str]:
    return {
        "DIGEST_DATABASE_URL": f"sqlite:///{folder / 'digest.db'}",
        "DIGEST_SMTP_URL": "smtp://127.0.0.1:9",
        "DIGEST_FROM": "Paper Digest <digest@example.org>",
        "DIGEST_PUBLIC_URL": "https://digest.example.org",
        "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    }


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An installation with a digest of five papers waiting for each reader."""
    settings = load(environment(tmp_path))
    fill(settings.database_url, READERS, Layout.FULL, 5)
    with open_app(settings) as opened:
        yield opened


@pytest.fixture
def presses(app: App) -> Iterator[Presses]:
    with Presses(app.settings, 2) as opened:
        assert opened.wait(SECONDS)
        yield opened


def send(app: App, relay: Recorder, presses: Presses) -> Report:
    relays = Relays([Relay(relay.url)], 4)
    return send_all(app.store, relays, Letters(app), app.clock, workshop=presses)


def made_by(presses: Presses, batch: Sequence[Delivery]) -> dict[int, Outgoing | None]:
    """What the presses make of a batch, by number."""
    made: dict[int, Outgoing | None] = {}
    complete = threading.Event()

    def ready(chunk: Sequence[Made]) -> None:
        made.update({delivery.number: outgoing for delivery, outgoing in chunk})
        if len(made) == len(batch):
            complete.set()

    assert list(presses.take(batch, ready)) == []
    assert complete.wait(SECONDS)
    return made


def test_a_press_makes_what_the_sender_would_have_made(app: App, presses: Presses) -> None:
    batch = app.store.outbox.lease("somebody", READERS, app.clock())
    made = made_by(presses, batch)
    letters = Letters(app)
    letters.prepare(batch)
    assert made == {one.number: letters.build(one) for one in batch}
    assert len(made) == READERS


def test_everything_is_sent_once_with_presses(app: App, presses: Presses) -> None:
    with Recorder() as relay:
        report = send(app, relay, presses)
    assert report.attempts == READERS
    assert len(set(relay.dots)) == len(relay.dots) == READERS
    assert set(states(app.store).values()) == {"accepted"}


def test_when_the_presses_are_killed_nothing_is_lost_and_nothing_comes_twice(
    app: App, presses: Presses
) -> None:
    def seen(stage: str, session: Session) -> None:
        if stage == "dot" and session.number == 0 and session.taken == 5:
            os.killpg(presses.pid, signal.SIGKILL)

    with Recorder(seen=seen) as relay:
        send(app, relay, presses)
    assert len(set(relay.dots)) == len(relay.dots) == READERS
    assert set(states(app.store).values()) == {"accepted"}
    assert unknowns(app.store) == set()


def test_what_a_press_cannot_make_the_sender_judges(app: App, presses: Presses) -> None:
    with app.store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE subscriber SET address = 'a' || char(7) || '@example.org' WHERE id = 7"
        )
    with Recorder() as relay:
        send(app, relay, presses)
    (broken,) = [one for one in app.store.deliveries.history(limit=READERS) if one.number == 7]
    assert broken.state == "rejected"
    assert broken.text.startswith("the message could not be made")
    assert len(relay.dots) == READERS - 1


def test_a_damaged_row_stops_no_other(app: App, presses: Presses) -> None:
    with app.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET selection = x'0102' WHERE id = 7")
    with Recorder() as relay:
        send(app, relay, presses)
    (broken,) = [one for one in app.store.deliveries.history(limit=READERS) if one.number == 7]
    said = "the message could not be made: what was frozen for it is damaged"
    assert (broken.state, broken.text) == ("rejected", said)
    assert len(relay.dots) == READERS - 1


def test_a_pause_gives_back_what_the_presses_have(app: App, presses: Presses) -> None:
    def refuse(verb: str, _: Session) -> bytes | None:
        return b"554 5.7.1 not from you\r\n" if verb == "DATA" else None

    with Recorder(answer=refuse) as relay:
        report = send(app, relay, presses)
    assert report.paused == (1,)
    assert relay.dots == []
    after = list(states(app.store).values())
    assert after.count("ready") == READERS - after.count("rejected")
    assert after.count("rejected") < READERS / 2


def test_presses_end_with_a_sender_that_is_killed(app: App, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from digest.press import Presses\n"
        "from digest.settings import load\n"
        f"with Presses(load({environment(tmp_path)!r}), 2) as presses:\n"
        f"    print(presses.wait({SECONDS}), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    sender = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    with sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "True\n"
        sender.kill()
        # They have its output open too: it ends when the last of them has ended.
        assert sender.stdout.read() == ""
    del app


def test_presses_that_cannot_start_take_nothing(app: App) -> None:
    batch = app.store.outbox.lease("somebody", 5, app.clock())
    with Presses(replace(app.settings, dkim_key="no key"), 1) as presses:
        assert not presses.wait(SECONDS)
        assert presses.take(batch, lambda _: None) == batch


def test_a_few_mails_start_no_press(app: App) -> None:
    with presses_for(app, WORTH_IT - 1) as presses:
        assert presses is None
