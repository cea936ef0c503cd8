"""A second reader of messages, written from RFC 5322, 2045, 2046 and 2047 and nothing of ours.

Strict: what a careless mail program might guess at is an error here.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """Headers by lower-case name, unfolded and decoded; parts as (type, text)."""

    headers: dict[str, str]
    parts: list[tuple[str, str]]


def parse(message: bytes) -> Message:
    """The message, or AssertionError where it breaks a rule."""
    assert b"\n" not in message.replace(b"\r\n", b""), "a bare line feed"
    assert b"\r" not in message.replace(b"\r\n", b""), "a bare carriage return"
    head, body = message.split(b"\r\n\r\n", 1)
    headers = _headers(head.decode("ascii"))
    found = re.fullmatch(r'multipart/alternative; boundary="([^"]{1,70})"', headers["content-type"])
    assert found, headers["content-type"]
    line = f"--{found[1]}".encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + line)
    assert pieces[-1] == b"--\r\n", "the last boundary is missing"
    return Message(headers, [_part(piece) for piece in pieces[1:-1]])


def _headers(head: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n"):
        name, colon, value = line.partition(":")
        assert colon
        assert re.fullmatch(r"[!-9;-~]+", name), line
        assert name.lower() not in headers, f"{name} stands twice"
        headers[name.lower()] = _words(value.strip())
    return headers


def _words(value: str) -> str:
    """RFC 2047: adjacent encoded-words are one text, whole characters in each."""
    joined = re.sub(r"(\?=)\s+(?==\?)", r"\1", value)

    def word(found: re.Match[str]) -> str:
        assert len(found[0]) <= 75
        return base64.b64decode(found[1], validate=True).decode("utf-8")

    return re.sub(r"=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=", word, joined)


def _part(piece: bytes) -> tuple[str, str]:
    assert piece.startswith(b"\r\n")
    head, body = piece.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)
    headers = _headers(head.decode("ascii"))
    assert headers["content-transfer-encoding"] == "quoted-printable"
    kind, charset = headers["content-type"].split("; ")
    assert charset == "charset=utf-8"
    return kind, _quoted_printable(body)


def _quoted_printable(body: bytes) -> str:
    """RFC 2045 6.7: 76 characters a line, no blank at its end, only =XX and soft breaks."""
    text = bytearray()
    lines = body.split(b"\r\n")
    for at, line in enumerate(lines):
        assert len(line) <= 76, line
        assert not line.endswith((b" ", b"\t")), line
        soft = line.endswith(b"=")
        whole = line[:-1] if soft else line
        place = 0
        while place < len(whole):
            if whole[place] == ord("="):
                code = whole[place + 1 : place + 3]
                assert re.fullmatch(rb"[0-9A-F]{2}", code), line
                text.append(int(code, 16))
                place += 3
            else:
                assert whole[place] == 9 or 32 <= whole[place] <= 126, line
                text.append(whole[place])
                place += 1
        if not soft and at < len(lines) - 1:
            text += b"\n"
    return text.decode("utf-8")
