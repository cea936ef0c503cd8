"""`send --follow`: what cannot wait does not wait for what takes long."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder, Session

from digest.app import App, open_app
from digest.cli.sender import looked_after
from digest.notices import Notice, post
from digest.settings import load
from digest.testing import FixtureServer, Reply, Request
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


class Mails:
    """Whom the relay has heard of, to be waited for."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self.to: list[str] = []

    def seen(self, stage: str, session: Session) -> None:
        if stage == "replied":
            with self._came:
                self.to.append(session.recipient)
                self._came.notify_all()

    def wait_for(self, address: str) -> None:
        with self._came:
            assert self._came.wait_for(lambda: address in self.to, 60), self.to


class Stalling:
    """Daily Papers that says nothing until it may, and then has one paper for each day."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> Reply:
        self.asked.set()
        self.go_on.wait(60)
        day = request.query["date"].replace("-", "")
        paper = {"id": f"{day[2:6]}.{day[4:]}0", "title": f"Invented on {day}", "upvotes": 1}
        return Reply(json.dumps([{"paper": paper}]).encode())


@contextmanager
def follower(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("DIGEST_")}
    with subprocess.Popen(
        [sys.executable, "-m", "digest", "send", "--follow"],
        env={**ours, "PYTHONPATH": str(ROOT), **env},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def prepared(app: App) -> None:
    """Ada has just signed up and waits for a mail; Bo's digest is due."""
    now = app.clock()
    ada = app.store.subscribers.add(Subscriber("ada@example.org"), now)
    assert post(app, ada, Notice.CONFIRM)
    fresh = Subscriber("bo@example.org", profiles=(Profile("invented"),)).confirm(now)
    bo = app.store.subscribers.add(fresh, now)
    app.store.subscribers.update(replace(bo, next_due=now))


@pytest.mark.slow
def test_a_mail_to_confirm_leaves_while_a_source_stalls_and_digests_wait_for_it(
    tmp_path: Path,
) -> None:
    mails, stalling = Mails(), Stalling()
    with Recorder(seen=mails.seen) as relay, FixtureServer(stalling) as server:
        env = {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}",
            "DIGEST_SMTP_URL": relay.url,
            "DIGEST_FROM": "Paper Digest <digest@example.org>",
            "DIGEST_PUBLIC_URL": "https://digest.example.org",
            "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "DIGEST_SOURCES": "hf",
            "DIGEST_HF_URL": server.url,
        }
        with open_app(load(env)) as app:
            prepared(app)
        with follower(env):
            assert stalling.asked.wait(60)
            mails.wait_for("ada@example.org")
            assert mails.to == ["ada@example.org"], "the digest waits for what the source says"
            stalling.go_on.set()
            mails.wait_for("bo@example.org")
    assert b"Invented on" in relay.messages[-1]


@pytest.mark.slow
def test_a_signal_does_not_wait_for_a_source_that_stalls(tmp_path: Path) -> None:
    stalling = Stalling()
    with FixtureServer(stalling) as server:
        env = {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}",
            "DIGEST_SMTP_URL": f"eml:{tmp_path / 'outbox'}",
            "DIGEST_SOURCES": "hf",
            "DIGEST_HF_URL": server.url,
        }
        with follower(env) as process:
            assert stalling.asked.wait(60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert not stalling.go_on.is_set()
            stalling.go_on.set()


class Said(logging.Handler):
    """What was logged, to be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.came.set()


def test_a_sender_that_cannot_be_started_is_told_and_tried_again() -> None:
    said, log = Said(), logging.getLogger("digest.cli.sender")
    log.addHandler(said)
    try:
        with looked_after({"TOO_LONG": "x" * 200_000}):  # no system takes such an environment
            assert said.came.wait(60)
    finally:
        log.removeHandler(said)
    assert said.lines[0].startswith("sender not started error=")
    assert said.lines[0].endswith("again_in=5")
