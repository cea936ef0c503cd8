"""Signatures of our mail (RFC 6376): RSA-2048 and Ed25519 (RFC 8463), relaxed/simple.

What is signed is what goes on the wire, so a message is signed last. List-Unsubscribe-Post is
among the signed headers, without which no provider shows the one-click link (RFC 8058 4); From,
To, Subject and Reply-To are signed once more than they are there, so that none can be added.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from digest.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SIGNED: Final = (
    "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id", "auto-submitted",
)  # fmt: skip
ONCE_MORE: Final = ("from", "to", "subject", "reply-to")
SMALLEST: Final = 1024
"""Bits of an RSA key that anybody verifies (RFC 8301 3.2); new ones have 2048."""
NEW_BITS: Final = 2048
_LINE: Final = 72
_RECORD_PART: Final = 250
"""Characters of one string of a TXT record, which can have 255."""
_FIELD: Final = re.compile(rb"\r\n(?![ \t])")
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.+?-----END [A-Z0-9 ]+-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the selector its public half is found under."""

    selector: str
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """As a= has it."""
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The signature over the SHA-256 of the data, in base64."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            raw = self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            raw = self.private.sign(hashlib.sha256(data).digest())
        return base64.b64encode(raw)

    @property
    def pem(self) -> str:
        """The private key as it is kept in a file."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii")

    @property
    def record(self) -> str:
        """The value of its TXT record, at SELECTOR._domainkey.DOMAIN."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            raw = public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


class Signer:
    """Signs the messages of one domain, with each of its keys."""

    def __init__(self, domain: str, keys: Sequence[Key]) -> None:
        self.domain = domain
        self.keys = tuple(keys)

    def sign(self, message: bytes, at: datetime) -> bytes:
        """The message with a DKIM-Signature on top for each key; CRLF lines, 7-bit.

        `at` is aware; the same message signed twice as of one instant is the same again.
        """
        head, _, body = message.partition(b"\r\n\r\n")
        names, signed = _canonical(head)
        digest = base64.b64encode(hashlib.sha256(_simple(body)).digest()).decode()
        on_top = [self._header(key, names, signed, digest, at) for key in self.keys]
        return b"".join([*on_top, message])

    def _header(
        self, key: Key, names: Sequence[str], signed: bytes, digest: str, at: datetime
    ) -> bytes:
        unsigned = (
            f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/simple; d={self.domain};\r\n"
            f" s={key.selector}; t={int(at.timestamp())};\r\n"
            f" h={_folded(names)};\r\n"
            f" bh={digest};\r\n b="
        ).encode("ascii")
        signature = key.sign(signed + _relaxed(unsigned))
        lines = [signature[start : start + _LINE] for start in range(0, len(signature), _LINE)]
        return unsigned + b"\r\n ".join(lines) + b"\r\n"


def new_key(selector: str, *, small: bool = False) -> Key:
    """A fresh key: RSA-2048, or Ed25519 where it is to be small."""
    if small:
        return Key(selector, ed25519.Ed25519PrivateKey.generate())
    return Key(selector, rsa.generate_private_key(public_exponent=65537, key_size=NEW_BITS))


def read_keys(text: str, selectors: Sequence[str]) -> tuple[Key, ...]:
    """The private keys of a PEM text, one for each selector, in order.

    Raises SigningError, saying what is wrong; the text itself is never shown.
    """
    blocks = _PEM.findall(text)
    if len(blocks) != len(selectors):
        raise SigningError(
            f"DIGEST_DKIM_KEY holds {len(blocks)} keys and DIGEST_DKIM_SELECTOR names "
            f"{len(selectors)}: one selector for each key, with commas between"
        )
    keys = []
    for block, selector in zip(blocks, selectors, strict=True):
        try:
            private: Any = serialization.load_pem_private_key(block.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SigningError(
                f"the key of selector {selector} cannot be read: it must be a private key in PEM, "
                "without a password (paper-digest dkim new makes one)"
            ) from error
        if isinstance(private, rsa.RSAPrivateKey) and private.key_size < SMALLEST:
            raise SigningError(
                f"the key of selector {selector} has {private.key_size} bits, and nobody believes "
                f"fewer than {SMALLEST}: paper-digest dkim new makes one of {NEW_BITS}"
            )
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise SigningError(f"the key of selector {selector} is neither RSA nor Ed25519")
        keys.append(Key(selector, private))
    return tuple(keys)


def zone_line(key: Key, domain: str) -> str:
    """The record as a line of a zone file, its text in strings short enough for one."""
    text = key.record
    parts = [text[start : start + _RECORD_PART] for start in range(0, len(text), _RECORD_PART)]
    strings = " ".join(f'"{part}"' for part in parts)
    return f"{key.selector}._domainkey.{domain}. IN TXT ( {strings} )"


def _canonical(head: bytes) -> tuple[list[str], bytes]:
    """The names for h=, and those headers in relaxed form (RFC 6376 3.4.2)."""
    found: dict[str, bytes] = {}
    for field in _FIELD.split(head):
        relaxed = _relaxed(field)
        found[relaxed.partition(b":")[0].decode("ascii", "replace")] = relaxed
    names = [name for name in SIGNED if name in found]
    return [*names, *ONCE_MORE], b"\r\n".join([*(found[name] for name in names), b""])


def _relaxed(field: bytes) -> bytes:
    # Of white space our headers have blanks and folds only, so splitting anywhere is right.
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + b" ".join(value.split())


def _simple(body: bytes) -> bytes:
    """The body with one line end at its end (RFC 6376 3.4.3)."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def _folded(names: Sequence[str]) -> str:
    """The names with colons between, in lines that are not too long."""
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > _LINE:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n ".join([*lines, line])[:-1]
