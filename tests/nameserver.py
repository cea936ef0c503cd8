"""A DNS server on loopback, over UDP and TCP, with answers from a dictionary; certificates."""

from __future__ import annotations

import ipaddress
import socketserver
import struct
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class NameServer:
    """Answers what `records` has by (name, kind); what it has not does not exist.

    A name in `silent` gets no answer at all.
    """

    def __init__(
        self, records: Mapping[tuple[str, str], Sequence[str]], silent: Sequence[str] = ()
    ) -> None:
        self.records = dict(records)
        self.silent = set(silent)
        self.asked: list[tuple[str, str]] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._udp.server_address[1]}"

    def __enter__(self) -> Self:
        self._tcp, self._udp = _both()
        self._udp.names = self._tcp.names = self
        self._threads = [
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            )
            for server in (self._udp, self._tcp)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(10)

    def answer(self, wire: bytes, *, room: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = self.records.get((name, kind))
        if found:
            texts = [_quoted(text) if kind == "TXT" else text for text in found]
            response.answer.append(
                dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, kind, *texts)
            )
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        whole = response.to_wire()
        if len(whole) > room:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()
        return whole


def _both() -> tuple[_Tcp, _Udp]:
    """Servers on one port, which must be free for both."""
    while True:
        tcp = _Tcp(("127.0.0.1", 0), _Stream)
        try:
            return tcp, _Udp(tcp.server_address, _Datagram)
        except OSError:
            tcp.server_close()


def _quoted(text: str) -> str:
    """A text in pieces of at most 255 bytes, as a zone file has it."""
    pieces = [text[start : start + 250] for start in range(0, max(1, len(text)), 250)]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    names: NameServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    names: NameServer


class _Datagram(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        wire, connection = self.request
        answer = self.server.names.answer(wire, room=1232)
        if answer is not None:
            connection.sendto(answer, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        head = self.rfile.read(2)
        if len(head) == 2:
            wire = self.rfile.read(struct.unpack("!H", head)[0])
            answer = self.server.names.answer(wire, room=65535)
            if answer is not None:
                self.wfile.write(struct.pack("!H", len(answer)) + answer)


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def certificate(file: Path, *, days: float = 100, host: str = "127.0.0.1") -> Path:
    """A certificate for an address or a name that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([_named(host)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
