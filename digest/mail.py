"""The bytes of a message: our own headers and MIME, because the standard library breaks both.

`email.policy` folds a long List-Unsubscribe into encoded-words, and Gmail then ignores it. Here
header lines are folded at blanks only, encoded-words are at most 75 characters (RFC 2047), both
parts are quoted-printable, and every byte is 7-bit, so that no relay re-encodes what was signed.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from digest.tags import HEADER as TAG_HEADER

if TYPE_CHECKING:
    from datetime import datetime

_BAD: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_ATEXT: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ .-]*")
_WIDTH: Final = 76
_ENCODED_BYTES: Final = 45
"""Bytes of text in one encoded-word: 60 of base64 and its frame of 12 stay under 75."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one reader. `date` is aware; `message_id` stands in angle brackets.

    `text` and `html` may be quoted-printable already: then they are bytes.
    `unsubscribe_url` is https, or empty where nobody can reach this installation: then there is
    no List-Unsubscribe-Post either (RFC 8058 wants https).
    """

    sender_name: str
    sender_address: str
    to: str
    subject: str
    text: str | bytes
    html: str | bytes
    message_id: str
    date: datetime
    list_name: str = ""
    list_id: str = ""
    reply_to: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    feedback_id: str = ""
    tag: str = ""


def message_id(delivery_public_id: str, domain: str) -> str:
    """The Message-ID of a delivery, the same at every attempt, in angle brackets."""
    return f"<{delivery_public_id}@{domain}>"


def to_bytes(letter: Letter) -> bytes:
    """The complete message: CRLF lines of at most 998 bytes; text first, HTML last.

    It is 7-bit unless the address is not: then it goes only where SMTPUTF8 is offered. No line
    begins with a dot, so that none is to be doubled on the wire (RFC 5321 4.5.2): headers begin
    with a name or a blank, boundaries with hyphens, and both parts are `quoted_printable`.
    """
    boundary = f"=_{letter.message_id.strip('<>').partition('@')[0]}"
    text, html = letter.text, letter.html
    pieces = (
        f"{_headers(letter, boundary)}{_part('plain', boundary)}".encode(),
        text if isinstance(text, bytes) else quoted_printable(text),
        _part("html", boundary).encode(),
        html if isinstance(html, bytes) else quoted_printable(html),
        f"\r\n--{boundary}--\r\n".encode(),
    )
    return b"".join(pieces)


def _part(kind: str, boundary: str) -> str:
    return (
        f"\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def quoted_printable(text: str) -> bytes:
    """The text in UTF-8 as quoted-printable (RFC 2045 6.7), CRLF at the end of every line.

    It ends with a line or in a soft break, so that such pieces can be joined to a longer one. No
    line begins with a dot.
    """
    if not text:
        return b""
    is_short = len(text) < _WIDTH and text[0] != "."
    if is_short and text.isascii() and "=" not in text and text.isprintable():
        return b"%b=\r\n" % text.encode()  # as it is: what links are
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # The library lets a line with an encoded blank at its end grow too long; of these two
    # controls, which no text has, it does not, and the blanks are put in their places after.
    spaced = " \n" in text or "\t\n" in text
    if spaced:
        text = text.replace(" \n", "\x7f\n").replace("\t\n", "\x0b\n")
    # A character behind the end makes it leave room for one: there the soft break goes.
    whole = binascii.b2a_qp(text.encode("utf-8", "replace") + b"x", istext=True)[:-1]
    if spaced:
        whole = whole.replace(b"=7F\n", b"=20\n").replace(b"=0B\n", b"=09\n")
    if not whole.endswith(b"\n"):
        whole += b"=\n"
    if b"\n." in whole or whole.startswith(b"."):
        whole = _without_dots(whole)
    return whole.replace(b"\n", b"\r\n")


def _without_dots(lines: bytes) -> bytes:
    """Quoted-printable of which no line begins with a dot, each in a line of its own instead.

    What follows a dot may have no room beside what it becomes, or be one, too.
    """
    lines = b"\n" + lines
    while b"\n." in lines:
        lines = lines.replace(b"\n.", b"\n=2E=\n")
    return lines[1:]


def _headers(letter: Letter, boundary: str) -> str:
    sent, reply_to, list_id = _common(
        letter.date,
        letter.sender_name,
        letter.sender_address,
        letter.reply_to,
        letter.list_name,
        letter.list_id,
    )
    url, mailto = letter.unsubscribe_url, letter.unsubscribe_mailto
    _plain(letter.message_id, url, mailto, letter.feedback_id, letter.tag)
    # One line each, whatever its length: a folded or encoded link is no link.
    ways = f"<{url}>, <{mailto}>" if url and mailto else f"<{url or mailto}>"
    leave = f"List-Unsubscribe: {ways}\r\n" if url or mailto else ""
    if url.startswith("https://"):
        leave += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return (
        f"{sent}{_line('To', _address(letter.to))}{reply_to}"
        f"{_line('Subject', encoded(letter.subject))}{_line('Message-ID', letter.message_id)}"
        f"{list_id}{leave}"
        f"{_line('Feedback-ID', letter.feedback_id) if letter.feedback_id else ''}"
        f"{_line(TAG_HEADER, letter.tag) if letter.tag else ''}{_SAME}"
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
    )


_SAME: Final = (
    "Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\nX-Auto-Response-Suppress: All\r\n"
    "MIME-Version: 1.0\r\n"
)


@lru_cache(maxsize=64)
def _common(  # noqa: PLR0917 -- what all messages of a batch have in common
    date: datetime, name: str, address: str, reply_to: str, list_name: str, list_id: str
) -> tuple[str, str, str]:
    """Date and From, Reply-To, and List-Id; empty are those that are not wanted."""
    said = f"{phrase(list_name)} " if list_name else ""
    return (
        _line("Date", format_datetime(date)) + _line("From", mailbox(name, address)),
        _line("Reply-To", _plain(reply_to)) if reply_to else "",
        _line("List-Id", f"{said}<{_plain(list_id)}>") if list_id else "",
    )


def mailbox(name: str, address: str) -> str:
    """A name and an address as one header value."""
    return f"{phrase(name)} <{_plain(address)}>" if name else _plain(address)


def phrase(text: str) -> str:
    """A display name: as it is, quoted, or as encoded-words (RFC 5322 3.2.5, RFC 2047 5)."""
    if text.isascii() and not _BAD.search(text):
        plain = text.replace("\\", "\\\\").replace('"', '\\"')
        return text if _ATEXT.fullmatch(text) and "." not in text else f'"{plain}"'
    return encoded(text)


def encoded(text: str) -> str:
    """Unstructured text: as it is, or as encoded-words with a blank between two of them."""
    clean = " ".join(_BAD.sub(" ", text).split())
    if clean.isascii() and "=?" not in clean:
        return clean
    raw, words = clean.encode("utf-8", "replace"), []
    while raw:
        cut = _ENCODED_BYTES
        while cut < len(raw) and raw[cut] & 0xC0 == 0x80:  # noqa: PLR2004 -- inside a character
            cut -= 1
        words.append(binascii.b2a_base64(raw[:cut], newline=False).decode())
        raw = raw[cut:]
    return " ".join(f"=?utf-8?b?{word}?=" for word in words)


def _plain(*texts: str) -> str:
    """Texts that may stand in a header as they are, in one; raises ValueError for anything else."""
    whole = "".join(texts)
    if _BAD.search(whole) or not whole.isascii():
        bad = next(text for text in texts if _BAD.search(text) or not text.isascii())
        raise ValueError(f"{bad[:60]!r} cannot stand in a header")
    return whole


def _address(text: str) -> str:
    """An address; one beyond ASCII stays as it is, and only goes where SMTPUTF8 is (RFC 6532)."""
    if _BAD.search(text):
        raise ValueError(f"{text[:60]!r} cannot stand in a header")
    return text


def _line(name: str, value: str) -> str:
    """One header, folded at blanks so that its lines stay within 76 characters where they can."""
    if len(name) + len(value) + 2 <= _WIDTH and not value.startswith(" "):
        return f"{name}: {value}\r\n"
    line, lines = f"{name}:", []
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _WIDTH and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"
