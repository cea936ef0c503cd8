"""Stamps: what a form was given when it was shown, so that it cannot be sent unseen or at once.

A stamp is base64url of 4 bytes of time (seconds since 1970), 8 of chance and 16 of HMAC-SHA256.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

QUICKEST: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(hours=24)
USES: Final = 3
"""More than one, for whoever goes back and mends the address."""
REMEMBERED: Final = 50_000
_TIME: Final = 4
_CHANCE: Final = 8
_MAC: Final = 16


class Stamps:
    """The stamps of one installation; safe to use from several threads."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        # Without a key nobody can be sent a link, so nothing can be signed up for either.
        key = keys[0] if keys else secrets.token_bytes(32)
        self._key = hmac.digest(key, b"paper-digest form", "sha256")
        self._used: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def give(self, now: datetime) -> str:
        """A fresh stamp."""
        payload = int(now.timestamp()).to_bytes(_TIME) + secrets.token_bytes(_CHANCE)
        return base64.urlsafe_b64encode(payload + self._mac(payload)).decode("ascii").rstrip("=")

    def takes(self, stamp: str, now: datetime) -> bool:
        """Whether it is one of ours, of today, not of this very moment and not used up."""
        try:
            raw = base64.b64decode(stamp + "=" * (-len(stamp) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return False
        payload, mac = raw[:-_MAC], raw[-_MAC:]
        if len(payload) != _TIME + _CHANCE or not hmac.compare_digest(self._mac(payload), mac):
            return False
        age = now - datetime.fromtimestamp(int.from_bytes(payload[:_TIME]), UTC)
        return QUICKEST <= age <= LONGEST and self._is_left(payload)

    def _is_left(self, payload: bytes) -> bool:
        with self._lock:
            used = self._used.pop(payload, 0)
            self._used[payload] = used + 1
            if len(self._used) > REMEMBERED:
                self._used.popitem(last=False)
        return used < USES

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:_MAC]
