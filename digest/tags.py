"""The tag of a delivery: it travels with the mail and proves, on what comes back, whose it was.

A tag is the delivery's public id and 80 bits of HMAC-SHA256 over it, 29 characters of lower-case
base32, so that it survives relays that fold the case of a local part. It stands in the envelope
sender (VERP), in ENVID (RFC 3461 4.4) and in the header `X-Digest-Tag`, so a report can be
matched whichever of them the other side gives back, and cannot be forged by who has not seen it.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER: Final = "X-Digest-Tag"
MARK: Final = "*"
"""Where the tag goes in a bounce address, as in bounces+*@example.org."""
PREVIEW: Final = "this-mail-is-only-for-preview"
"""Stands where a tag stands in a mail that is no delivery's; as long as one, and none."""
_MAC_BYTES: Final = 10
_TAG: Final = re.compile(r"(?<![a-z0-9])([a-z2-7]{13})([a-z2-7]{16})(?![a-z0-9])", re.IGNORECASE)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(one + other for one in _LETTERS for other in _LETTERS)
"""Base32 of ten bits each: the library encodes in Python, eight times as slowly."""
_SHIFTS: Final = tuple(range(_MAC_BYTES * 8 - 10, -1, -10))
_MOST_TRIED: Final = 200
"""Of what merely looks like a tag: a hostile mail may hold a million."""


class Tags:
    """Makes and finds the tags of one installation; the first key signs, all of them verify."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        derived = [hmac.digest(key, b"paper-digest tag of a delivery", "sha256") for key in keys]
        self._keys = [hmac.new(key, digestmod="sha256") for key in derived]
        self._made = lru_cache(maxsize=256)(self._tag)

    def __bool__(self) -> bool:
        """Whether there is a key to make and find tags with."""
        return bool(self._keys)

    def tag(self, public_id: str) -> str:
        """The tag of a delivery, or "" where there is no key."""
        return self._made(public_id) if self._keys else ""

    def _tag(self, public_id: str) -> str:
        return public_id + _mac(self._keys[0], public_id)

    def envelope(self, address: str, public_id: str) -> str:
        """The envelope sender of a delivery: the bounce address with the tag in place of its *.

        Without a key the * goes, and a "+" or "-" before it.
        """
        if MARK not in address:
            return address
        tag = self.tag(public_id)
        if tag:
            return tagged(address, tag)
        local, _, domain = address.rpartition("@")
        return f"{local.replace(MARK, '', 1).rstrip('+-=_.') or 'bounces'}@{domain}"

    def find(self, text: str) -> str | None:
        """The public id of the first tag in a text that is ours, or None."""
        for tried, found in enumerate(_TAG.finditer(text)):
            if tried == _MOST_TRIED:
                break
            public_id, mac = found[1].lower(), found[2].lower()
            # Every key is tried, so the time taken does not tell which one fits.
            fits = [hmac.compare_digest(_mac(key, public_id), mac) for key in self._keys]
            if any(fits):
                return public_id
        return None


def tagged(address: str, tag: str) -> str:
    """A bounce address with a tag in place of its *."""
    return address.replace(MARK, tag, 1)


def _mac(key: hmac.HMAC, public_id: str) -> str:
    keyed = key.copy()
    keyed.update(public_id.encode("ascii"))
    number = int.from_bytes(keyed.digest()[:_MAC_BYTES])
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
