"""Reading MIME that strangers wrote, at a bounded cost whatever it is. Pure.

The standard library's parser follows every nesting and every header to its end; here depth,
parts and header bytes have a limit, a part beyond it is read as text, and nothing raises.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 2_000_000
"""Of a mail that are looked at: a report comes first, the returned mail behind it."""
_MAX_HEAD: Final = 64_000
_MAX_FIELDS: Final = 500
_MAX_DEPTH: Final = 6
_MAX_PARTS: Final = 40
_FIELD: Final = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)", re.DOTALL)
_TYPE: Final = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})")
_PARAMETER: Final = re.compile(r';\s*([\w-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: its fields by lower-case name, its body, and what it holds."""

    fields: dict[str, list[str]]
    kind: str
    parameters: dict[str, str]
    body: bytes
    parts: tuple[Part, ...] = ()

    def get(self, name: str) -> str:
        """The first field of that lower-case name, or ""."""
        return self.fields.get(name, [""])[0]

    @property
    def text(self) -> str:
        """The body with its transfer encoding undone."""
        return said(decoded(self.body, self.get("content-transfer-encoding")))

    def walk(self) -> Iterator[Part]:
        """This part and all it holds, in the order they stand."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def outer(self) -> Iterator[Part]:
        """The same without what stands in a message inside: what this mail itself says."""
        yield self
        if not self.kind.startswith("message/"):
            for part in self.parts:
                yield from part.outer()


@dataclass(slots=True)
class _Budget:
    parts: int = field(default=_MAX_PARTS)


def read(raw: bytes) -> Part:
    """A mail with its parts; a returned message inside is a part with fields of its own."""
    mail = raw[:MAX_BYTES].replace(b"\r\n", b"\n")
    if mail.startswith(b"From "):  # an mbox or a pipe put it there
        mail = mail.partition(b"\n")[2]
    return _part(mail, 0, _Budget())


def fields_of(block: str) -> dict[str, list[str]]:
    """The fields of a header block, or of a group of a report, unfolded."""
    unfolded = re.sub(r"\n[ \t]+", " ", block[:_MAX_HEAD])
    fields: dict[str, list[str]] = {}
    for line in unfolded.split("\n", _MAX_FIELDS)[:_MAX_FIELDS]:
        found = _FIELD.fullmatch(line)
        if found:
            fields.setdefault(found[1].lower(), []).append(found[2].strip())
    return fields


def said(raw: bytes) -> str:
    """The bytes as text: UTF-8, else Latin-1, in which what we look for reads the same."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decoded(body: bytes, encoding: str) -> bytes:
    """The body with its Content-Transfer-Encoding undone, as far as it is one."""
    match encoding.strip().lower():
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "base64":
            try:
                return binascii.a2b_base64(body)
            except binascii.Error:
                return body
        case _:
            return body


def _part(raw: bytes, depth: int, budget: _Budget) -> Part:
    budget.parts -= 1
    head, body = _split(raw)
    fields = fields_of(said(head[:_MAX_HEAD]))
    kind, parameters = _content_type(fields.get("content-type", [""])[0])
    inside: list[bytes] = []
    if depth < _MAX_DEPTH and budget.parts > 0:
        boundary = parameters.get("boundary", "")
        if kind.startswith("multipart/") and boundary:
            inside = _pieces(body, boundary.encode("utf-8", "replace"))
        elif kind in {"message/rfc822", "message/global"}:
            inside = [decoded(body, fields.get("content-transfer-encoding", [""])[0])]
    parts: list[Part] = []
    for piece in inside:
        if budget.parts <= 0:
            break
        parts.append(_part(piece, depth + 1, budget))
    return Part(fields, kind, parameters, body, tuple(parts))


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Header block and body; a part that begins with an empty line has no header."""
    if raw.startswith(b"\n"):
        return b"", raw[1:]
    head, _, body = raw.partition(b"\n\n")
    return head, body


def _content_type(value: str) -> tuple[str, dict[str, str]]:
    value = value[:2000]
    found = _TYPE.match(value)
    if not found:
        return "text/plain", {}
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    return found[1].lower(), parameters


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    """The parts between the boundary's lines; the last one also where its end is missing."""
    mark, start = b"\n--" + boundary, -1
    pieces: list[bytes] = []
    body = b"\n" + body
    place = body.find(mark)
    while place >= 0 and len(pieces) < _MAX_PARTS:
        behind = place + len(mark)
        end = body.find(b"\n", behind)
        tail = body[behind : end if end >= 0 else len(body)].rstrip()
        if tail in {b"", b"--"}:  # a longer word is another boundary that begins alike
            if start >= 0:
                pieces.append(body[start:place])
            start = end + 1 if end >= 0 and not tail else -1
            if tail or end < 0:
                break
        place = body.find(mark, behind)
    if start >= 0 and len(pieces) < _MAX_PARTS:
        pieces.append(body[start:])
    return pieces
