"""What every request passes: the base path, the limit on bodies, the headers."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from loopback import Site, serving
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation

from digest.web.guard import MAX_BODY, PAGE_POLICY, Guard
from digest.web.listening import listen
from digest.web.preview import listen_here

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def site() -> Iterator[Site]:
    web = FastAPI()

    @web.get("/here")
    def here() -> str:
        return "here"

    @web.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    web.add_middleware(Guard, base="/digest", https=True)
    with serving(web) as site:
        yield site


@pytest.mark.parametrize("path", ["/here", "/digest/here"])
def test_a_proxy_may_strip_the_path_of_the_public_url_or_leave_it(site: Site, path: str) -> None:
    assert site.get(path).text == '"here"'


def test_a_path_that_only_begins_alike_is_another(site: Site) -> None:
    assert site.get("/digestive/here").status == 404


@pytest.mark.parametrize("path", ["/here", "/missing"])
def test_no_answer_forgets_its_headers(site: Site, path: str) -> None:
    headers = site.get(path).headers
    assert headers["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"]


def test_a_body_at_the_limit_is_read(site: Site) -> None:
    assert site.ask("POST", "/length", b"x" * MAX_BODY).text == str(MAX_BODY)


def test_a_body_announced_too_long_is_refused_unread(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.putrequest("POST", "/length")
    connection.putheader("content-length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_that_never_said_its_length_is_cut_off_at_the_limit(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    pieces = (b"x" * 8192 for _ in range(MAX_BODY // 8192 + 2))
    connection.request("POST", "/length", pieces, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("of_preview", [False, True])
def test_no_answer_waits_for_an_acknowledgement(of_preview: bool) -> None:
    """Head and body of an answer are two writes: the second must not wait for the first."""
    with (
        listen_here(0) if of_preview else listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_preview_takes_another_port_where_its_own_is_taken() -> None:
    with listen_here(0) as first, listen_here(first.getsockname()[1]) as second:
        assert second.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[1] != first.getsockname()[1]
