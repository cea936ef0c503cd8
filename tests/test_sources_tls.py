"""TLS to an address that was checked: the name is what is asked for and has to be proved."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from nameserver import certificate

from digest.sources import AnswerState, Pace
from digest.sources.http import Limits, Polite
from digest.testing import Clock, FixtureServer, Reply, loopback_only

if TYPE_CHECKING:
    from pathlib import Path

    from digest.sources import Answer

HOST = "journal.example"
PACE = Pace(HOST, gap=0.0)


def asked(folder: Path, *, of: str = HOST, trusted: bool = True) -> tuple[Answer, list[str | None]]:
    """Ask https://journal.example of a server that has the certificate `of` some host."""
    file = certificate(folder / "server.pem", host=of)
    names: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    serving.sni_callback = lambda _socket, name, _context: names.append(name)
    trust = ssl.create_default_context(cafile=str(file)) if trusted else None
    with (
        FixtureServer(lambda _: Reply(b"papers"), tls=serving) as server,
        Polite(
            contact="operator@example.org",
            clock=Clock(datetime(2026, 11, 20, tzinfo=UTC)),
            limits=Limits(silence=5.0),
            guard=loopback_only,
            trust=trust,
        ) as client,
    ):
        url = server.url.replace("127.0.0.1", HOST)
        answer = client.get(f"{url}/rss", pace=PACE, guarded=True)
        if answer.state is AnswerState.OK:
            assert server.requests[0].headers["host"] == url.removeprefix("https://")
    return answer, names


def test_the_name_is_asked_for_and_proved_though_the_address_is_connected_to(
    tmp_path: Path,
) -> None:
    answer, names = asked(tmp_path)
    assert (answer.state, answer.body) == (AnswerState.OK, b"papers")
    assert names == [HOST]


@pytest.mark.parametrize(("of", "trusted"), [("elsewhere.example", True), (HOST, False)])
def test_a_server_that_cannot_prove_its_name_is_not_believed(
    tmp_path: Path, of: str, *, trusted: bool
) -> None:
    answer, _ = asked(tmp_path, of=of, trusted=trusted)
    assert answer.state is AnswerState.FAILED
    assert answer.body == b""
    assert answer.reason == "could not prove who it is"
