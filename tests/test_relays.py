"""Relays as they are: greylisting, limits, refusals, silence and nonsense."""

from __future__ import annotations

import base64
import hmac
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from recorder import HANG_UP, STALL, Recorder, Session
from senders import freeze, states, unknowns
from zygote import Plain

from digest.channels import Outcome, Outgoing, Stage
from digest.channels.alone import hang_up, send_alone
from digest.delivery import Sending, Sent, Unknown, send_all
from digest.errors import RelayRefused, RelayUnreachable
from digest.smtp.dialogue import Timing
from digest.smtp.relay import Login, Relay, Relays
from digest.store import open_store
from digest.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from digest.store import Store

OUTGOING = Outgoing(
    "digest@example.org", "ada@example.org", b"To: ada@example.org\r\n\r\nHello.\r\n"
)
QUICK = Timing(reply=0.5, dot=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database in a file: what is written down is the same in both, and proved elsewhere."""
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def send(  # noqa: PLR0917 -- what a sender has
    store: Store,
    relay: Recorder,
    clock: Clock,
    connections: int = 1,
    sending: Sending | None = None,
    timing: Timing | None = None,
) -> list[Sent]:
    sent: list[Sent] = []
    send_all(
        store,
        Relays([Relay(relay.url, timing=timing)], connections),
        Plain(100),
        clock.now,
        sending=replace(sending or Sending(), rest=0.01),
        on_sent=sent.append,
    )
    return sent


def once(*replies: bytes | None, verb: str = "RCPT") -> Callable[[str, Session], bytes | None]:
    """Answer this verb with these, one after the other, and then as usual."""
    left = list(replies)

    def answer(said: str, _: Session) -> bytes | None:
        return left.pop(0) if said == verb and left else None

    return answer


def one(relay: Recorder, outgoing: Outgoing = OUTGOING, **more: Any) -> Any:  # noqa: ANN401 -- a Reply
    """Send one message over a connection of its own."""
    connection = Relay(relay.url, timing=QUICK, **more).open()
    try:
        return send_alone(connection, outgoing, lambda: None)
    finally:
        hang_up(connection)


def test_a_line_that_breaks_behind_the_dot_leaves_an_unknown(store: Store, now: datetime) -> None:
    freeze(store, 1, now=now)
    clock = Clock(now)
    with Recorder(answer=once(HANG_UP, verb=".")) as relay:
        (sent,) = send(store, relay, clock)
        assert sent.reply.outcome is Outcome.UNKNOWN
        clock.advance(timedelta(minutes=30))
        assert send(store, relay, clock) == []
    assert states(store) == {"r0@example.org": "unknown"}
    assert len(relay.dots) == 1


def test_half_an_answer_to_the_dot_is_none(store: Store, now: datetime) -> None:
    freeze(store, 1, now=now)
    with Recorder(answer=once(b"250 2.0.0 que", verb=".")) as relay:
        (sent,) = send(store, relay, Clock(now), timing=QUICK)
    assert sent.reply.outcome is Outcome.UNKNOWN
    assert states(store) == {"r0@example.org": "unknown"}


def test_a_good_bye_behind_an_answer_loses_nothing(store: Store, now: datetime) -> None:
    frozen = freeze(store, 6, now=now)
    with Recorder(answer=once(b"250 ok\r\n421 4.4.2 idle\r\n", verb=".")) as relay:
        send(store, relay, Clock(now))
    assert sorted(relay.dots) == sorted(frozen)
    assert set(states(store).values()) == {"accepted"}


def test_an_unknown_that_is_to_be_sent_again_is_after_a_while(store: Store, now: datetime) -> None:
    freeze(store, 1, now=now)
    clock = Clock(now)
    again = Sending(Unknown.RESEND)
    with Recorder(answer=once(HANG_UP, verb=".")) as relay:
        send(store, relay, clock, sending=again)
        assert send(store, relay, clock, sending=again) == []
        clock.advance(timedelta(minutes=5))
        send(store, relay, clock, sending=again)
    assert relay.dots == ["r0@example.org"] * 2
    assert relay.messages[0] == relay.messages[1]
    assert unknowns(store) == {"r0@example.org"}


def test_a_greylisted_message_comes_once_and_not_before_its_time(
    store: Store, now: datetime
) -> None:
    freeze(store, 2, now=now)
    clock = Clock(now)
    with Recorder(answer=once(b"451 4.7.1 come back later\r\n")) as relay:
        first = send(store, relay, clock)
        assert sorted(one.reply.outcome.value for one in first) == ["accepted", "deferred"]
        clock.advance(timedelta(minutes=4))
        assert send(store, relay, clock) == []
        clock.advance(timedelta(minutes=1))
        assert [one.reply.outcome for one in send(store, relay, clock)] == [Outcome.ACCEPTED]
    assert sorted(relay.replied) == ["r0@example.org", "r1@example.org"]


def test_a_4xx_is_tried_later_each_time_until_the_next_digest_is_due(
    store: Store, now: datetime
) -> None:
    freeze(store, 1, now=now)
    clock = Clock(now)
    tried: list[float] = []
    with Recorder(answer=lambda verb, _: b"450 4.2.1 no\r\n" if verb == "RCPT" else None) as relay:
        for _ in range(20 * 60 // 5 + 1):  # its time is over after 20 hours
            if send(store, relay, clock):
                tried.append((clock.now() - now).total_seconds() / 60)
            clock.advance(timedelta(minutes=5))
    assert tried[:6] == [0, 5, 20, 50, 110, 230]
    assert states(store) == {"r0@example.org": "expired"}
    reader = store.subscribers.all()[0].number
    assert store.deliveries.ledger([reader], now - timedelta(days=1)) == {reader: []}


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_relay_that_ends_each_connection_after_some_messages_gets_them_all(
    store: Store, now: datetime, connections: int, pipelining: bool
) -> None:
    frozen = freeze(store, 30, now=now)

    def answer(verb: str, session: Session) -> bytes | None:
        return b"421 4.7.0 too many messages\r\n" if verb == "MAIL" and session.taken == 3 else None

    with Recorder(answer=answer) as relay:
        relay.extensions = relay.extensions if pipelining else ()
        send(store, relay, Clock(now), connections)
    assert sorted(relay.replied) == sorted(frozen)
    assert set(states(store).values()) == {"accepted"}
    # It learns how many, and then says good-bye by itself.
    assert any(session.lines[-1] == "QUIT" for session in relay.sessions[-3:])


def test_the_pool_grows_by_success_and_halves_on_421(store: Store, now: datetime) -> None:
    freeze(store, 300, now=now)
    greeted = 0

    def answer(verb: str, session: Session) -> bytes | None:
        nonlocal greeted
        if verb == "CONNECT":
            greeted += 1
            return b"421 4.3.2 too many connections\r\n" if session.number >= 3 else None
        return None

    with Recorder(answer=answer) as relay:
        send(store, relay, Clock(now), 8)
    assert len(relay.replied) == 300
    # Three got in; the fourth was sent away, and it was not tried for every message again.
    assert 3 <= greeted < 40


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("smtp://127.0.0.1:1", "cannot be reached"),
        ("smtp://relay.invalid:25", "cannot be reached"),
        ("smtps://127.0.0.1:{port}", "cannot be reached"),
        ("smtp+starttls://127.0.0.1:{port}", "cannot do what the URL asks for"),
    ],
)
def test_a_relay_that_is_not_there_loses_nothing_and_the_issue_says_why(
    store: Store, now: datetime, url: str, why: str
) -> None:
    freeze(store, 3, now=now)
    with Recorder() as relay:
        broken = Relay(url.format(port=relay.port))
        with pytest.raises((RelayUnreachable, RelayRefused), match=why):
            send_all(store, Relays([broken]), Plain(10), Clock(now).now)
        assert set(states(store).values()) == {"ready"}
        assert why in store.outbox.issues()[0].reason

        send(store, relay, Clock(now))

    assert set(states(store).values()) == {"accepted"}
    issue = store.outbox.issues()[0]
    assert (issue.state, issue.reason) == ("done", "")


def test_a_refused_login_is_nobodys_fault_but_ours_and_loses_nothing(
    store: Store, now: datetime
) -> None:
    freeze(store, 1, now=now)
    with Recorder(extensions=("AUTH PLAIN LOGIN",)) as server:
        server.answer = lambda verb, _: b"535 5.7.8 no\r\n" if verb == "AUTH" else None
        relay = Relay(server.url, login=Login("digest", "secret"))
        with pytest.raises(RelayRefused, match=r"535 5\.7\.8 no"):
            send_all(store, Relays([relay]), Plain(10), Clock(now).now)
    assert states(store) == {"r0@example.org": "ready"}


def test_a_login_that_cannot_be_looked_up_now_says_nothing_of_the_password() -> None:
    """RFC 4954 6: 454 is a temporary failure, which another day may not have."""
    with Recorder(extensions=("AUTH PLAIN LOGIN",)) as server:
        server.answer = lambda verb, _: b"454 4.7.0 later\r\n" if verb == "AUTH" else None
        with pytest.raises(RelayUnreachable, match=r"does not let us in: 454 4\.7\.0 later"):
            Relay(server.url, login=Login("digest", "secret")).open()


@pytest.mark.parametrize(
    ("offered", "login", "said"),
    [
        ("AUTH LOGIN PLAIN", Login("me", "secret"), ["AUTH PLAIN AG1lAHNlY3JldA=="]),
        ("AUTH LOGIN", Login("me", "secret"), ["AUTH LOGIN bWU=", "c2VjcmV0"]),
        (
            "AUTH PLAIN XOAUTH2",
            Login("me", None, "echo ya29.token"),
            ["AUTH XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciB5YTI5LnRva2VuAQE="],
        ),
    ],
)
def test_each_way_of_logging_in(offered: str, login: Login, said: list[str]) -> None:
    def answer(verb: str, session: Session) -> bytes | None:
        if verb == "AUTH":
            return b"334 UGFzc3dvcmQ6\r\n" if "LOGIN" in session.lines[-1] else b"235 ok\r\n"
        return b"235 ok\r\n" if verb == "C2VJCMV0" else None

    with Recorder(extensions=(offered,), answer=answer) as relay:
        assert one(relay, login=login).outcome is Outcome.ACCEPTED
    heard = relay.sessions[0].lines
    assert [line for line in heard if line in said] == said


SECRET: Final = "pässwort".encode()


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ("PLAIN", ["\0jürgen\0pässwort"]),
        ("LOGIN", ["jürgen", "jürgen", "pässwort"]),
        ("CRAM-MD5", [f"jürgen {hmac.new(SECRET, b'Username:', 'md5').hexdigest()}"]),
    ],
)
def test_names_and_passwords_of_any_letters_log_in(offered: str, said: list[str]) -> None:
    questions = iter([b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"])
    heard: list[str] = []

    def answer(verb: str, session: Session) -> bytes | None:
        if verb in {"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"}:
            return None
        given = session.lines[-1].removeprefix(f"AUTH {offered}").strip()
        heard.extend([base64.b64decode(given).decode()] if given else [])
        is_asked = offered == "LOGIN" or (offered == "CRAM-MD5" and not given)
        return next(questions, b"235 ok\r\n") if is_asked else b"235 ok\r\n"

    with Recorder(extensions=(f"AUTH {offered}",), answer=answer) as relay:
        assert one(relay, login=Login("jürgen", "pässwort")).outcome is Outcome.ACCEPTED
    assert heard == said


def test_a_token_that_is_not_taken_is_told_as_one() -> None:
    with (
        Recorder(
            extensions=("AUTH XOAUTH2",),
            answer=lambda verb, _: b"535 5.7.8 no\r\n" if verb == "AUTH" else None,
        ) as relay,
        pytest.raises(RelayRefused, match=r"name and token .*what DIGEST_SMTP_TOKEN_COMMAND"),
    ):
        one(relay, login=Login("me", None, "echo ya29.token"))


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; sys.exit('the grant has expired')", "the grant has expired"),
        ("print()", "printed no token"),
    ],
)
def test_a_command_that_gives_no_token_is_told_with_what_it_said(program: str, why: str) -> None:
    login = Login("me", None, f'{sys.executable} -c "{program}"')
    with (
        Recorder(extensions=("AUTH XOAUTH2",)) as relay,
        pytest.raises(RelayRefused, match=why),
    ):
        one(relay, login=login)


def test_where_every_recipient_was_refused_a_lone_dot_takes_the_answer() -> None:
    def answer(verb: str, _: Session) -> bytes | None:
        return {
            "RCPT": b"550 5.1.1 nobody\r\n",
            "DATA": b"354 go on all the same\r\n",
            ".": b"554 5.5.1 no valid recipients\r\n",
        }.get(verb)

    with Recorder(answer=answer) as relay:
        connection = Relay(relay.url).open()
        refused = send_alone(connection, OUTGOING, pytest.fail)
        assert (refused.outcome, refused.code, refused.enhanced) == (Outcome.REJECTED, 550, "5.1.1")
        assert refused.stage is Stage.RCPT
        relay.answer = lambda *_: None
        taken = send_alone(connection, OUTGOING, lambda: None)
        hang_up(connection)
    assert taken.outcome is Outcome.ACCEPTED
    assert relay.messages[0] == b"", "nothing but the dot"
    assert len(relay.sessions) == 1


def test_a_recipient_that_was_taken_is_never_sent_an_empty_message() -> None:
    with Recorder(answer=once(b"550 5.7.1 not you\r\n", verb="MAIL")) as relay:
        refused = one(relay)
    assert (refused.outcome, refused.stage) == (Outcome.REJECTED, Stage.MAIL)
    assert relay.dots == []


def test_only_who_was_refused_is_rejected_and_the_reply_is_kept(
    store: Store, now: datetime
) -> None:
    freeze(store, 4, now=now)

    def answer(verb: str, session: Session) -> bytes | None:
        if verb == "RCPT" and session.recipient == "r1@example.org":
            return b"550 5.1.1 no such user\r\n"
        if verb == "." and session.recipient == "r2@example.org":
            return b"554 5.7.1 spam\r\n"
        return None

    with Recorder(answer=answer) as relay:
        send(store, relay, Clock(now))
    rows = {row.address: row for row in store.deliveries.history()}
    assert {name: row.state for name, row in rows.items()} == {
        "r0@example.org": "accepted",
        "r1@example.org": "rejected",
        "r2@example.org": "rejected",
        "r3@example.org": "accepted",
    }
    assert (rows["r1@example.org"].code, rows["r1@example.org"].enhanced) == (550, "5.1.1")
    assert (rows["r2@example.org"].enhanced, rows["r2@example.org"].text) == ("5.7.1", "spam")


@pytest.mark.parametrize(
    ("verb", "reply", "least", "most"),
    [(".", b"554 5.7.1 content\r\n", 10, 20), ("RCPT", b"550 5.1.1 nobody\r\n", 50, 60)],
)
def test_an_issue_nothing_of_which_is_taken_pauses_with_the_reason(  # noqa: PLR0917 -- a row
    store: Store, now: datetime, verb: str, reply: bytes, least: int, most: int
) -> None:
    freeze(store, 100, now=now)
    with Recorder(answer=lambda said, _: reply if said == verb else None) as relay:
        sent = send(store, relay, Clock(now), 4)
        assert least <= len(sent) <= most
        issue = store.outbox.issues()[0]
        assert issue.state == "paused"
        assert reply.decode().strip() in issue.reason
        assert send(store, relay, Clock(now)) == []

        relay.answer = lambda *_: None
        store.outbox.resume(issue.number)
        send(store, relay, Clock(now), 4)

    assert len(relay.replied) == 100 - len(sent)
    assert store.outbox.issues()[0].state == "done"


def test_a_relay_that_refuses_everybody_is_not_held_against_the_readers(
    store: Store, now: datetime
) -> None:
    freeze(store, 100, now=now)
    with Recorder(answer=lambda said, _: b"550 5.1.1 no\r\n" if said == "RCPT" else None) as relay:
        refused: list[str] = []
        report = send_all(
            store,
            Relays([Relay(relay.url)]),
            Plain(10),
            Clock(now).now,
            on_refused=lambda sent: refused.append(sent.delivery.address),
        )
    assert refused == []
    assert report.paused == (store.outbox.issues()[0].number,)


@pytest.mark.parametrize("first", ["r0@example.org", "r2@example.org"])
def test_who_is_refused_while_others_are_taken_is_told_also_where_the_relay_goes_away(
    store: Store, now: datetime, first: str
) -> None:
    freeze(store, 5, now=now)

    def answer(verb: str, session: Session) -> bytes | None:
        if len(relay.replied) == 3:
            return b"421 4.3.2 going down\r\n"
        return b"550 5.1.1 no\r\n" if verb == "RCPT" and session.recipient == first else None

    refused: list[str] = []
    with Recorder(answer=answer) as relay, pytest.raises(RelayUnreachable):
        send_all(
            store,
            Relays([Relay(relay.url)], 1),
            Plain(10),
            Clock(now).now,
            sending=Sending(rest=0.01),
            on_refused=lambda sent: refused.append(sent.delivery.address),
        )
    assert refused == [first]


def test_a_relay_that_never_answers_whole_messages_is_not_given_all_of_them(
    store: Store, now: datetime
) -> None:
    freeze(store, 50, now=now)
    with Recorder(answer=lambda said, _: HANG_UP if said == "." else None) as relay:
        send(store, relay, Clock(now))
    assert len(unknowns(store)) == 5
    assert store.outbox.issues()[0].state == "paused"


MISBEHAVIOUR = {
    "single bytes": ("", b"", Outcome.ACCEPTED),
    "a line of ten thousand": ("RCPT", b"250 " + b"x" * 10_000 + b"\r\n", Outcome.ACCEPTED),
    "many lines": ("RCPT", b"250-and\r\n" * 90 + b"250 so\r\n", Outcome.ACCEPTED),
    "no end of lines": ("RCPT", b"250-and\r\n" * 5000, Outcome.DEFERRED),
    "no end of a line": ("RCPT", b"250 " + b"x" * 500_000, Outcome.DEFERRED),
    "two codes in one reply": ("RCPT", b"250-yes\r\n550 no\r\n", Outcome.DEFERRED),
    "no code": ("RCPT", b"hello\r\n", Outcome.DEFERRED),
    "a binary": ("RCPT", bytes(range(256)) + b"\r\n", Outcome.DEFERRED),
    "one answer too many": ("RCPT", b"250 yes\r\n250 and yes\r\n", Outcome.DEFERRED),
    "an answer before the dot": ("DATA", b"354 go\r\n250 got it\r\n", Outcome.DEFERRED),
    "good-bye before the dot": ("DATA", b"354 go\r\n421 bye\r\n", Outcome.DEFERRED),
    "354 for the dot": (".", b"354 more\r\n", Outcome.UNKNOWN),
    "nonsense for the dot": (".", b"thanks\r\n", Outcome.UNKNOWN),
    "a bare line feed": ("RCPT", b"250 yes\n", Outcome.ACCEPTED),
    "silence": ("RCPT", STALL, Outcome.DEFERRED),
    "hanging up": ("RCPT", HANG_UP, Outcome.DEFERRED),
    "250 for DATA": ("DATA", b"250 yes\r\n", Outcome.DEFERRED),
}


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("trouble", MISBEHAVIOUR)
def test_a_relay_that_misbehaves_never_gets_a_message_taken_for_delivered(
    trouble: str, pipelining: bool
) -> None:
    verb, said, outcome = MISBEHAVIOUR[trouble]
    with Recorder(answer=once(said, verb=verb), bytewise=trouble == "single bytes") as relay:
        if not pipelining:
            relay.extensions = ()
        reply = one(relay)
    assert reply.outcome is outcome, reply
    if outcome is Outcome.DEFERRED:
        assert relay.dots == [], "no dot was sent, so nothing was delivered"
    assert "\n" not in reply.text
    assert len(reply.text) <= 600


def test_a_relay_that_stops_reading_is_left_in_time() -> None:
    over = threading.Event()

    def seen(stage: str, _: Session) -> None:
        if stage == "body":
            over.wait(60)

    longer_than_buffers = replace(OUTGOING, message=OUTGOING.message + b"Hello.\r\n" * 1_000_000)
    with Recorder(seen=seen) as relay:
        reply = one(relay, longer_than_buffers)
        over.set()
    assert (reply.outcome, reply.stage) == (Outcome.DEFERRED, Stage.DATA)
    assert "timed out" in reply.text
    assert relay.dots == []


@pytest.mark.parametrize("flood", [b"220-more\r\n" * 10_000, b"x" * 1_000_000])
def test_a_relay_that_floods_its_greeting_is_left(flood: bytes) -> None:
    with (
        Recorder(answer=once(flood, verb="CONNECT")) as relay,
        pytest.raises(RelayUnreachable, match="does not stop talking"),
    ):
        one(relay)


def test_what_a_relay_offers_is_used() -> None:
    everything = ("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")
    tagged = replace(OUTGOING, envid="a+b=c", to="josé+a=b@example.org", message=b"Hi \xc3\xa9\r\n")
    with Recorder(extensions=everything) as relay:
        assert one(relay, tagged).outcome is Outcome.ACCEPTED
        assert one(relay, replace(OUTGOING, envid="abc")).outcome is Outcome.ACCEPTED
        large = one(relay, replace(OUTGOING, message=b"x" * 2000))
    assert [line for line in relay.sessions[0].lines if line.startswith(("MAIL", "RCPT"))] == [
        "MAIL FROM:<digest@example.org> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc",
        "RCPT TO:<josé+a=b@example.org> NOTIFY=FAILURE",
    ]
    assert "RCPT TO:<ada@example.org> NOTIFY=FAILURE ORCPT=rfc822;ada@example.org" in (
        relay.sessions[1].lines
    )
    assert (large.outcome, large.text) == (
        Outcome.REJECTED,
        "2000 bytes are more than the 1000 the relay takes",
    )
    assert len(relay.dots) == 2


def test_what_a_relay_does_not_offer_is_refused_here_and_not_there() -> None:
    with Recorder(extensions=()) as relay:
        eight = one(relay, replace(OUTGOING, message=b"\xc3\xa9\r\n"))
        name = one(relay, replace(OUTGOING, to="josé@example.org"))
    assert "8-bit" in eight.text
    assert "SMTPUTF8" in name.text
    assert {eight.outcome, name.outcome} == {Outcome.REJECTED}
    assert relay.dots == []


def test_the_next_envelope_goes_behind_the_dot(store: Store, now: datetime) -> None:
    freeze(store, 10, now=now)
    with Recorder() as relay:
        send(store, relay, Clock(now))
    lines = relay.sessions[0].lines
    assert len(relay.sessions) == 1
    assert "RSET" not in lines
    assert lines.count("DATA") == 10


def test_when_the_first_relay_is_away_the_second_is_used(store: Store, now: datetime) -> None:
    freeze(store, 3, now=now)
    with Recorder() as second:
        relays = Relays([Relay("smtp://127.0.0.1:1"), Relay(second.url)])
        report = send_all(store, relays, Plain(10), Clock(now).now)
    assert report.outcomes == {Outcome.ACCEPTED: 3}
    assert {row.relay for row in store.deliveries.history()} == {f"127.0.0.1:{second.port}"}


def test_a_relay_at_an_ipv6_address_is_reached() -> None:
    relay = Relay("smtp://[::1]:1")
    assert relay.name == "[::1]:1"
    with pytest.raises(RelayUnreachable, match=r"\[::1\]:1 cannot be reached"):
        relay.open()
