"""The polite client against a real server on loopback."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import SourceError
from digest.sources import AnswerState, Pace, Validator
from digest.sources.guard import Forbidden, is_public, public_address
from digest.sources.http import Limits, Polite, SystemClock
from digest.testing import Clock, FixtureServer, Reply, Request, polite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PACE = Pace("example", gap=3.0, patience=10.0)


@pytest.fixture
def server() -> Iterator[FixtureServer]:
    with FixtureServer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def client(clock: Clock) -> Iterator[Polite]:
    with polite(clock) as made:
        yield made


def hasty(silence: float = 2.0, whole: float = 10.0) -> Polite:
    """On the real clock, for what only real time can show."""
    limits = Limits(silence=silence, whole=whole, wait=0.0)
    return Polite(contact="", limits=limits, clock=SystemClock(), chance=lambda: 0)


def test_a_page_comes_whole_and_names_who_asks(server: FixtureServer, client: Polite) -> None:
    server.on("/list", Reply(b"papers" * 1000, compress=True))
    answer = client.get(f"{server.url}/list", pace=PACE, params={"date": "2026-11-20"})
    assert (answer.state, answer.body) == (AnswerState.OK, b"papers" * 1000)
    asked = server.requests[0]
    assert asked.query == {"date": "2026-11-20"}
    assert asked.headers["user-agent"].startswith("paper-digest/")
    assert "mailto:operator@example.org" in asked.headers["user-agent"]
    assert asked.headers["accept-encoding"] == "gzip"


def test_requests_to_one_group_keep_their_gap(
    server: FixtureServer, client: Polite, clock: Clock
) -> None:
    server.on("/", Reply(b"x"))
    for _ in range(3):
        client.get(f"{server.url}/", pace=PACE)
    assert clock.slept == [3.0, 3.0]
    client.get(f"{server.url}/", pace=Pace("another", gap=9.0))
    assert clock.slept == [3.0, 3.0]


def test_one_connection_at_a_time_over_threads() -> None:
    inside: list[int] = []
    most: list[int] = []

    def answer(_: Request) -> Reply:
        inside.append(1)
        threading.Event().wait(0.02)
        most.append(len(inside))
        inside.pop()
        return Reply(b"x")

    with FixtureServer(answer) as server, hasty() as client:
        pace = Pace("threads", gap=0.0)
        threads = [
            threading.Thread(target=client.get, args=(server.url,), kwargs={"pace": pace})
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(server.requests) == 6
    assert max(most) == 1


def test_two_processes_share_gap_and_throttling_through_a_directory(
    server: FixtureServer, clock: Clock, tmp_path: Path
) -> None:
    server.on("/", Reply(b"x"), Reply(b"x"), Reply(status=429, headers={"Retry-After": "600"}))
    with polite(clock, queues=tmp_path) as one, polite(clock, queues=tmp_path) as two:
        one.get(f"{server.url}/", pace=PACE)
        two.get(f"{server.url}/", pace=PACE)
        assert clock.slept == [3.0]
        assert one.get(f"{server.url}/", pace=PACE).state is AnswerState.THROTTLED
        asked = len(server.requests)
        refused = two.get(f"{server.url}/", pace=PACE)
        assert refused.state is AnswerState.THROTTLED
        assert refused.retry_at == clock.now() + timedelta(seconds=600)
        assert len(server.requests) == asked


def test_a_damaged_queue_file_changes_nothing(
    server: FixtureServer, clock: Clock, tmp_path: Path
) -> None:
    server.on("/", Reply(b"x"))
    (tmp_path / "example.queue").write_text('["never", {}]', encoding="utf-8")
    with polite(clock, queues=tmp_path) as client:
        assert client.get(f"{server.url}/", pace=PACE).state is AnswerState.OK


def test_a_queue_that_cannot_be_kept_is_said_to_be(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with (
        polite(clock, queues=tmp_path / "file") as client,
        pytest.raises(SourceError, match=r"example\.queue cannot be written"),
    ):
        client.get("http://127.0.0.1:9/", pace=PACE)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Fri, 20 Nov 2026 12:00:09 GMT"}, 9),
        ({"RateLimit": '"api";r=0;t=2', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, 2),
        ({"X-RateLimit-Reset": "30"}, 30),
        ({}, 10),
        ({"Retry-After": "soon", "RateLimit": "???"}, 10),
    ],
)
def test_a_throttling_server_is_asked_again_when_it_wants(
    server: FixtureServer, client: Polite, clock: Clock, headers: dict[str, str], seconds: int
) -> None:
    server.on("/", Reply(b"slow down", 429, headers=headers), Reply(b"papers"))
    assert client.get(f"{server.url}/", pace=PACE).body == b"papers"
    assert clock.now() >= START + timedelta(seconds=seconds)
    assert sum(clock.slept) <= seconds + 3


def test_a_long_wait_is_left_to_the_next_run(
    server: FixtureServer, client: Polite, clock: Clock
) -> None:
    server.on("/", Reply(status=429, headers={"Retry-After": "3600"}), Reply(b"papers"))
    answer = client.get(f"{server.url}/", pace=PACE)
    assert answer.state is AnswerState.THROTTLED
    assert answer.retry_at == START + timedelta(hours=1)
    assert answer.reason == "asks us to wait until 13:00 UTC"
    assert client.get(f"{server.url}/", pace=PACE).state is AnswerState.THROTTLED
    assert len(server.requests) == 1, "a closed group is not asked"
    clock.set(START + timedelta(hours=1))
    assert client.get(f"{server.url}/", pace=PACE).body == b"papers"


def test_waits_without_a_date_double_and_end(
    server: FixtureServer, client: Polite, clock: Clock
) -> None:
    server.on("/", Reply(status=503))
    waits = []
    for _ in range(9):
        answer = client.get(f"{server.url}/", pace=Pace("patient", gap=0.0, patience=60.0))
        assert answer.retry_at is not None
        waits.append((answer.retry_at - clock.now()).total_seconds())
        clock.set(answer.retry_at)
    assert waits[:5] == [60.0, 120.0, 240.0, 480.0, 960.0]
    assert waits[-1] == 1800.0


def test_a_quota_used_up_by_a_good_answer_is_respected(
    server: FixtureServer, client: Polite, clock: Clock
) -> None:
    server.on("/", Reply(b"last", headers={"RateLimit": '"api";r=0;t=20'}), Reply(b"next"))
    assert client.get(f"{server.url}/", pace=PACE).body == b"last"
    assert client.get(f"{server.url}/", pace=PACE).body == b"next"
    assert clock.now() >= START + timedelta(seconds=20)


def test_a_failing_server_is_tried_again_with_growing_pauses_and_an_end(
    server: FixtureServer, client: Polite, clock: Clock
) -> None:
    server.on("/", Reply(b"<h1>Bad Gateway</h1>", 502))
    answer = client.get(f"{server.url}/", pace=Pace("failing", gap=0.0))
    assert (answer.state, answer.reason) == (AnswerState.FAILED, "answered 502")
    assert clock.slept == [2.0, 4.0, 8.0]
    assert len(server.requests) == 4


def test_a_server_that_recovers_is_not_a_failure(server: FixtureServer, client: Polite) -> None:
    server.on("/", Reply(reset_after=0), Reply(b"half", length=900), Reply(b"papers"))
    assert client.get(f"{server.url}/", pace=PACE).body == b"papers"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"x" * 5000, reset_after=100), "broke off in the middle"),
        (Reply(b"x" * 10, length=5000), "broke off in the middle"),
        (Reply(b"0" * 30_000_000, compress=True), "sent more than 4 MB"),
        (Reply(b"0" * 5_000_000), "sent more than 4 MB"),
        (Reply(b"{}", headers={"Content-Encoding": "br"}), "answered in an encoding we did not"),
        (Reply(b"\x1f\x8b\x08no", headers={"Content-Encoding": "gzip"}), "sent damaged data"),
        (Reply(b"", 304), "answered 304 to an open question"),
        (Reply(b"", 300), "answered 300"),
    ],
)
def test_a_damaged_answer_is_none(
    server: FixtureServer, client: Polite, reply: Reply, reason: str
) -> None:
    server.on("/", reply)
    answer = client.get(f"{server.url}/", pace=PACE)
    assert answer.state is AnswerState.FAILED
    assert answer.reason.startswith(reason)


def test_gzip_cut_short_is_no_answer(server: FixtureServer, client: Polite) -> None:
    server.on("/", Reply(b"papers" * 5000, compress=True, reset_after=20))
    assert client.get(f"{server.url}/", pace=PACE).state is AnswerState.FAILED


def test_a_refusal_is_not_repeated_and_keeps_its_words(
    server: FixtureServer, client: Polite
) -> None:
    server.on("/", Reply(b'{"error":"no such date"}', 400))
    answer = client.get(f"{server.url}/", pace=PACE)
    assert (answer.state, answer.status) == (AnswerState.REFUSED, 400)
    assert answer.body == b'{"error":"no such date"}'
    assert len(server.requests) == 1


def test_an_unchanged_page_is_not_sent_again(server: FixtureServer, client: Polite) -> None:
    server.on(
        "/list",
        Reply(b"papers", headers={"ETag": "abc", "Last-Modified": "Fri, 20 Nov 2026 05:00:00 GMT"}),
        Reply(status=304),
    )
    url = f"{server.url}/list"
    first = client.get(url, pace=PACE)
    assert first.validator == Validator(url, "abc", "Fri, 20 Nov 2026 05:00:00 GMT")
    second = client.get(url, pace=PACE, validators={url: first.validator})
    assert second.state is AnswerState.UNCHANGED
    assert second.validator == first.validator
    assert server.requests[1].etag == "abc"
    assert server.requests[1].headers["if-modified-since"] == "Fri, 20 Nov 2026 05:00:00 GMT"


def test_redirects_are_followed_and_a_permanent_move_is_told(
    server: FixtureServer, client: Polite
) -> None:
    server.on("/old", Reply(status=301, headers={"Location": "/new?page=1"}))
    server.on("/new", Reply(b"papers"))
    server.on("/for-now", Reply(status=302, headers={"Location": "/new"}))
    answer = client.get(f"{server.url}/old", pace=PACE)
    assert (answer.body, answer.moved_to) == (b"papers", f"{server.url}/new?page=1")
    assert client.get(f"{server.url}/for-now", pace=PACE).moved_to == ""


@pytest.mark.parametrize(
    "location", ["/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://", "http://[::1"]
)
def test_redirects_that_lead_nowhere_end(
    server: FixtureServer, client: Polite, location: str
) -> None:
    server.on("/", Reply(status=302, headers={"Location": location}))
    answer = client.get(f"{server.url}/", pace=PACE)
    assert answer.state in {AnswerState.REFUSED, AnswerState.FAILED}
    assert answer.body == b""
    assert len(server.requests) <= 6


def test_a_redirect_into_our_own_network_is_not_followed(server: FixtureServer) -> None:
    server.on(
        "/", Reply(status=302, headers={"Location": server.url.replace("127.0.0.1", "localhost")})
    )
    with hasty() as client:
        answer = client.get(f"{server.url}/", pace=Pace("redirect", gap=0.0))
    assert answer.state is AnswerState.REFUSED
    assert answer.reason == "leads to localhost, which is no public address"
    assert len(server.requests) == 1


def test_an_address_of_a_person_is_checked_before_it_is_connected_to(
    server: FixtureServer,
) -> None:
    server.on("/", Reply(b"secret"))
    with hasty() as client:
        answer = client.get(f"{server.url}/", pace=PACE, guarded=True)
    assert answer.state is AnswerState.REFUSED
    assert server.requests == []


def test_the_connection_goes_to_the_address_that_was_checked(
    server: FixtureServer, client: Polite
) -> None:
    server.on("/feed", Reply(b"papers"))
    url = server.url.replace("127.0.0.1", "journal.invalid")
    answer = client.get(f"{url}/feed", pace=PACE, guarded=True)
    assert answer.body == b"papers"
    assert server.requests[0].headers["host"] == url.removeprefix("http://")
    assert server.requests[0].headers["connection"] == "close"


def test_a_token_is_not_carried_to_another_host(server: FixtureServer, client: Polite) -> None:
    other = server.url.replace("127.0.0.1", "elsewhere.invalid")
    server.on("/", Reply(status=302, headers={"Location": f"{other}/there"}))
    server.on("/there", Reply(b"papers"))
    client.get(f"{server.url}/", pace=PACE, headers={"Authorization": "Bearer secret"})
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in server.requests[1].headers


def test_a_server_that_says_nothing_is_left(server: FixtureServer) -> None:
    server.on("/", Reply(b"papers", pause=5))
    with hasty(silence=0.1) as client:
        answer = client.get(f"{server.url}/", pace=Pace("silent", gap=0.0))
    assert (answer.state, answer.reason) == (AnswerState.FAILED, "did not answer in time")


def test_a_server_that_drips_is_left(server: FixtureServer) -> None:
    server.on("/", Reply(b"papers" * 1000, pause=0.02, piece=1))
    with hasty(whole=0.2) as client:
        answer = client.get(f"{server.url}/", pace=Pace("dripping", gap=0.0))
    assert answer.state is AnswerState.FAILED
    assert answer.reason.startswith("took longer than")


def test_a_host_that_is_down_is_said_to_be(client: Polite) -> None:
    with FixtureServer() as gone:
        url = gone.url
    answer = client.get(url, pace=PACE)
    assert (answer.state, answer.reason) == (AnswerState.FAILED, "could not be reached")
    assert list(client.troubles.values()) == ["Connection refused"]


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "file:///etc/passwd", "http://a b/", "http://[x"]
)
def test_an_address_that_is_none_is_refused(client: Polite, url: str) -> None:
    assert client.get(url, pace=PACE).state in {AnswerState.REFUSED, AnswerState.FAILED}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "no address",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_no_address_of_a_private_network_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:4700::6810:84e5", "::ffff:93.184.215.14"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_a_host_with_one_private_address_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="no public address"):
        public_address("mixed.example", lambda _: ["93.184.215.14", "127.0.0.1"])
    assert public_address("good.example", lambda _: ["93.184.215.14"]) == "93.184.215.14"


@given(st.text(max_size=40))
def test_no_host_a_person_can_write_crashes_the_guard(host: str) -> None:
    def unknown(_: str) -> list[str]:
        raise OSError

    try:
        found = public_address(host, unknown)
    except Forbidden:
        return
    assert is_public(found)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(status=302, headers={"Location": "http://[x"}), AnswerState.REFUSED),
        (Reply(status=302, headers={"Location": "http://a:99999999/"}), AnswerState.FAILED),
        (
            Reply(status=429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 -1200"}),
            AnswerState.THROTTLED,
        ),
        (
            Reply(status=429, headers={"Retry-After": "Mon, 01 Jan 0001 00:00:00 +1200"}),
            AnswerState.THROTTLED,
        ),
    ],
)
def test_headers_that_nothing_can_be_made_of_are_an_answer_too(
    server: FixtureServer, client: Polite, reply: Reply, state: AnswerState
) -> None:
    server.on("/", reply)
    assert client.get(f"{server.url}/", pace=PACE).state is state
