"""Signed links, one kind per purpose: what a link may do is decided when it is made.

A token is base64url of: 8 bytes of public id, 4 bytes of expiry if it has one (seconds since
1970, big-endian), 16 bytes of HMAC-SHA256 over what stands before, keyed by purpose. So a link
to pause cannot unsubscribe, no table of tokens is kept, and no address stands in a URL.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from digest.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ID: Final = 8
_CHARACTERS: Final = 13
_EXPIRY: Final = 4
_MAC: Final = 16


class Purpose(StrEnum):
    """What a link may do."""

    MANAGE = "manage"
    PAUSE = "pause"
    UNSUBSCRIBE = "unsubscribe"
    VIEW = "view"
    FEEDBACK = "feedback"
    CONFIRM = "confirm"
    ACCOUNT = "account"
    MOVE = "move"
    FEED = "feed"
    INVITATION = "invitation"

    @property
    def path(self) -> str:
        """The first part of the link's path."""
        return _PATHS[self]


_PATHS: Final = {
    Purpose.MANAGE: "m",
    Purpose.PAUSE: "p",
    Purpose.UNSUBSCRIBE: "u",
    Purpose.VIEW: "v",
    Purpose.FEEDBACK: "f",
    Purpose.CONFIRM: "c",
    Purpose.ACCOUNT: "a",
    Purpose.MOVE: "n",
    Purpose.FEED: "r",
    Purpose.INVITATION: "i",
}

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS: Final = dict.fromkeys(range(128), "-") | str.maketrans(
    _ALPHABET, "0123456789abcdefghijklmnopqrstuv"
)
"""From the letters of base32 to those of Python's numbers to the base of 32."""

_FOR_URLS: Final = bytes.maketrans(b"+/", b"-_")
"""From base64 to base64url."""

_BROKEN: Final = (
    "This link is not complete or was changed on its way. Open it again from the newest mail."
)

_PREVIEW: Final = "this-link-is-from-a-preview-only"
"""Stands where a token stands, and is as long as one."""
_OF_PREVIEW: Final = (
    "This link is from a preview, so it does nothing. The same link in the mail that is sent works."
)


class Links:
    """Makes and opens the links of one installation.

    `public_url` is where its pages stand and may have a path; without one there are no links
    and `url` answers "", so that no key is needed either. The first key signs, all of them
    verify, so a key can be replaced while the mails of the old one still lie in inboxes.
    """

    def __init__(self, public_url: str, keys: Sequence[bytes]) -> None:
        if not all(keys) or (public_url and not keys):
            raise ValueError("links need a key that is not empty")
        self.public_url = public_url.rstrip("/")
        self._keys = {purpose: [_derive(key, purpose) for key in keys] for purpose in Purpose}
        self._starts = {purpose: f"{self.public_url}/{purpose.path}/" for purpose in Purpose}

    def url(self, purpose: Purpose, public_id: str, *, expires: datetime | None = None) -> str:
        """The whole URL, or "" where the installation has no public URL."""
        if not self.public_url:
            return ""
        return self._starts[purpose] + self.token(purpose, public_id, expires=expires)

    def urls(self, public_id: str, *purposes: Purpose) -> list[str]:
        """The URLs of several purposes that never end, as `url` gives them."""
        if not self.public_url:
            return [""] * len(purposes)
        payload = _pack_id(public_id)
        return [self._starts[one] + _encode(payload + self._mac(one, payload)) for one in purposes]

    def token(self, purpose: Purpose, public_id: str, *, expires: datetime | None = None) -> str:
        """The token alone: 32 characters, 38 with an expiry (to the second)."""
        if expires is not None and purpose is Purpose.UNSUBSCRIBE:
            raise ValueError("an unsubscribe link never expires")
        payload = _pack_id(public_id)
        if expires is not None:
            payload += int(expires.timestamp()).to_bytes(_EXPIRY)
        return _encode(payload + self._mac(purpose, payload))

    def _mac(self, purpose: Purpose, payload: bytes) -> bytes:
        """Ours, with the key that signs."""
        keys = self._keys[purpose]
        if not keys:
            raise ValueError("links need a key that is not empty")
        return _mac(keys[0], payload)

    def preview(self, purpose: Purpose) -> str:
        """A URL as long as `url` without expiry gives, which stands for nobody; "" as there."""
        return self._starts[purpose] + _PREVIEW if self.public_url else ""

    def open(self, purpose: Purpose, token: str, *, now: datetime) -> str:
        """The public id the link stands for; LinkError when changed, swapped or ended.

        LinkError also for a link of a preview, and it says so.
        """
        if token == _PREVIEW:
            raise LinkError(_OF_PREVIEW)
        raw = _decode(token)
        payload, mac = raw[:-_MAC], raw[-_MAC:]
        if len(payload) not in (_ID, _ID + _EXPIRY):
            raise LinkError(_BROKEN)
        # Every key is tried, so the time taken does not tell which one fits.
        fits = [hmac.compare_digest(_mac(key, payload), mac) for key in self._keys[purpose]]
        if not any(fits):
            raise LinkError(_BROKEN)
        if len(payload) > _ID and now.timestamp() >= int.from_bytes(payload[_ID:]):
            ended = datetime.fromtimestamp(int.from_bytes(payload[_ID:]), UTC)
            raise LinkError(f"This link has ended: it was good until {ended:%d %B %Y, %H:%M} UTC.")
        return _unpack_id(payload[:_ID])


def _derive(key: bytes, purpose: Purpose) -> hmac.HMAC:
    """The key of a purpose, taken in once: to be copied for every link."""
    derived = hmac.digest(key, b"paper-digest link " + purpose.value.encode(), "sha256")
    return hmac.new(derived, digestmod="sha256")


def _mac(key: hmac.HMAC, payload: bytes) -> bytes:
    keyed = key.copy()
    keyed.update(payload)
    return keyed.digest()[:_MAC]


def _pack_id(public_id: str) -> bytes:
    """The 8 bytes of 13 characters of base32 (RFC 4648), of which the last bit is spare."""
    digits = public_id.translate(_DIGITS)
    if len(digits) != _CHARACTERS or not digits.isalnum() or not digits.isascii():
        raise ValueError(f"{public_id!r} is no public id")
    number = int(digits, 32)
    if number & 1:
        raise ValueError(f"{public_id!r} is no public id")
    return (number >> 1).to_bytes(_ID)


def _unpack_id(packed: bytes) -> str:
    return base64.b32encode(packed).decode("ascii").rstrip("=").lower()


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_FOR_URLS, b"=").decode("ascii")


def _decode(token: str) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise LinkError(_BROKEN) from error
    # Spare bits at the end could be set without changing a byte: one link, one spelling.
    if _encode(raw) != token:
        raise LinkError(_BROKEN)
    return raw
