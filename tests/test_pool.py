"""One thread for all connections: nobody waits for somebody else's relay."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from nameserver import certificate
from recorder import Recorder, Session
from relay import Relay as Mailbox
from senders import freeze, states, unknowns
from zygote import Plain

from digest.channels import Outcome
from digest.delivery import Report, Sending, Sent, send_all
from digest.smtp.dialogue import Timing
from digest.smtp.relay import Relay, Relays
from digest.store import open_store
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest.store import Store

PATIENCE = 30.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database in a file: what is written down is the same in both, and proved elsewhere."""
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def utc_now() -> datetime:
    return datetime.now(UTC)


def send(store: Store, relay: Relay, connections: int, size: int = 10) -> Report:
    return send_all(
        store, Relays([relay], connections), Plain(size), utc_now, sending=Sending(rest=0.01)
    )


@pytest.mark.parametrize("stage", ["connect", "mail", "data", "dot"])
def test_a_connection_that_stands_still_keeps_no_other_waiting(store: Store, stage: str) -> None:
    """One session goes on only when forty messages went over the others."""
    frozen = freeze(store, 60)
    forty = threading.Event()
    stuck: list[bool] = []

    def seen(now: str, session: Session) -> None:
        if len(relay.replied) >= 40:
            forty.set()
        number, taken = (1, 0) if stage == "connect" else (0, 1)
        if (now, session.number, session.taken) == (stage, number, taken) and not stuck:
            stuck.append(forty.wait(PATIENCE))

    with Recorder(seen=seen) as relay:
        send(store, Relay(relay.url), 4)
    assert stuck == [True]
    assert sorted(relay.replied) == sorted(frozen)
    assert relay.twice == set()


def test_an_answer_that_never_comes_is_one_unknown_and_the_others_go(store: Store) -> None:
    frozen = freeze(store, 60)
    over = threading.Event()

    def seen(stage: str, session: Session) -> None:
        if (stage, session.number, session.taken) == ("dot", 0, 3):
            over.wait(PATIENCE)

    with Recorder(seen=seen) as relay:
        report = send(store, Relay(relay.url, timing=Timing(reply=20, dot=1)), 3)
        over.set()
    assert report.outcomes == {Outcome.ACCEPTED: 59, Outcome.UNKNOWN: 1}
    assert len(unknowns(store)) == 1
    assert set(relay.dots) == frozen


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_relay_that_hangs_up_behind_each_answer_gets_them_all(
    store: Store, connections: int, pipelining: bool
) -> None:
    frozen = freeze(store, 12)

    def seen(stage: str, _: Session) -> None:
        if stage == "replied":
            raise ConnectionAbortedError

    with Recorder(seen=seen) as relay:
        relay.extensions = relay.extensions if pipelining else ()
        send(store, Relay(relay.url), connections)
    assert sorted(relay.dots) == sorted(frozen)
    assert set(states(store).values()) == {"accepted"}
    assert {session.taken for session in relay.sessions} <= {0, 1}


def test_a_good_bye_that_nobody_answers_ends_all_the_same(store: Store) -> None:
    freeze(store, 1)

    def seen(stage: str, _: Session) -> None:
        if stage == "quit":
            raise ConnectionAbortedError

    with Recorder(seen=seen) as relay:
        send(store, Relay(relay.url), 1)
    assert states(store) == {"r0@example.org": "accepted"}


def test_long_messages_go_over_tls_side_by_side(store: Store, tmp_path: Path) -> None:
    frozen = freeze(store, 24)
    file = certificate(tmp_path / "relay.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Mailbox(context=context, extensions=("STARTTLS", "PIPELINING")) as relay:
        url = f"smtp+starttls://127.0.0.1:{relay.port}?cafile={file}"
        send(store, Relay(url), 3, 2_000_000)
    assert sorted(relay.accepted) == sorted(frozen)
    (body,) = {message.partition(b"\r\n\r\n")[2] for message in relay.messages}
    assert body == (b"x" * 70 + b"\r\n") * (2_000_000 // 72)
    assert set(states(store).values()) == {"accepted"}


def test_whoever_listens_may_break_and_what_was_sent_is_written_down(store: Store) -> None:
    freeze(store, 40)

    def listening(sent: Sent) -> None:
        raise BrokenPipeError(sent.delivery.address)

    with Recorder() as relay, pytest.raises(BrokenPipeError):
        send_all(store, Relays([Relay(relay.url)], 3), Plain(10), utc_now, on_sent=listening)
    after = states(store)
    assert {name for name, state in after.items() if state == "accepted"} == set(relay.dots)
    assert set(after.values()) == {"accepted", "ready"}
    assert len(relay.dots) < 40


def test_a_confirmation_that_arrives_meanwhile_goes_next(store: Store) -> None:
    freeze(store, 100)
    now = utc_now()
    reader = store.subscribers.add(Subscriber("new@example.org"), now)

    def seen(stage: str, session: Session) -> None:
        if stage == "dot" and session.taken == 5:
            store.notices.post(
                reader,
                "confirm",
                channel="smtp",
                domain="example.org",
                now=now,
                lasts=timedelta(hours=1),
            )

    with Recorder(seen=seen) as relay:
        sending = Sending(glance=0.0)
        send_all(store, Relays([Relay(relay.url)], 1), Plain(10), utc_now, sending=sending)
    assert len(relay.dots) == 101
    # Behind the dot at hand one envelope was announced, and behind that one's the next.
    assert relay.dots.index("new@example.org") <= 8
