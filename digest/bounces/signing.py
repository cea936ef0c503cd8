"""Signatures of webhooks: Amazon SNS (RSA over a canonical text) and Standard Webhooks (HMAC).

The certificate that SNS names is fetched only from Amazon's host of the topic's own region, and
kept. A message is good for a while only; what is told again within it is known by its id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SNS_WINDOW: Final = timedelta(hours=24)
"""SNS tries for up to some hours; a message older than this is a replay."""
WINDOW: Final = timedelta(minutes=5)
"""How far the clock of a Standard Webhooks sender may be off (their specification)."""
_MOST_KEPT: Final = 8
_BETWEEN_FETCHES: Final = timedelta(seconds=10)
_PEM: Final = re.compile(r"/SimpleNotificationService-[0-9a-f]{32}\.pem")
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
    "UnsubscribeConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip


class Unsigned(ValueError):
    """A webhook whose signature does not hold; says why in a phrase."""


class Unchecked(Exception):
    """A webhook whose signature cannot be checked now; it may come again."""


class Sns:
    """Checks messages of one SNS topic; `fetch` gives what lies at a URL of Amazon's.

    `fetch` raises Unchecked when it cannot. It is asked once in ten seconds at most.
    """

    def __init__(self, topic: str, fetch: Callable[[str], bytes]) -> None:
        self._topic = topic
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}
        self._asked: datetime | None = None
        self._lock = threading.Lock()
        partition, region = topic.split(":")[1], topic.split(":")[3]
        end = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        self._host = f"sns.{region}.{end}"

    def check(self, message: Mapping[str, Any], now: datetime) -> None:
        """Raise Unsigned unless it is a fresh message of our topic that Amazon signed.

        Raises Unchecked when the certificate cannot be had now.
        """
        if str(message.get("Type")) not in _SIGNED or message.get("TopicArn") != self._topic:
            raise Unsigned("it is no message of the topic in DIGEST_SES_TOPIC")
        try:
            sent = datetime.fromisoformat(str(message.get("Timestamp")))
            signature = base64.b64decode(str(message.get("Signature")), validate=True)
        except (ValueError, binascii.Error) as error:
            raise Unsigned("it has no time or no signature") from error
        if sent.tzinfo is None or abs(now - sent) > SNS_WINDOW:
            raise Unsigned("it is too old: a replay, or a clock is wrong")
        version = message.get("SignatureVersion")
        algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(str(version))  # noqa: S303 -- version 1 is SHA-1
        if algorithm is None:
            raise Unsigned("it is signed in a version nobody knows")
        key = self._certificate(str(message.get("SigningCertURL")), now).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Unsigned("its certificate has no RSA key")
        try:
            key.verify(signature, canonical(message), padding.PKCS1v15(), algorithm)
        except InvalidSignature as error:
            raise Unsigned("its signature does not hold") from error

    def is_amazon(self, url: str) -> bool:
        """Whether a URL leads to SNS in the region of our topic."""
        try:
            parts = urlsplit(url)
        except ValueError:  # as https://[x
            return False
        return parts.scheme == "https" and parts.netloc == self._host

    def _certificate(self, url: str, now: datetime) -> x509.Certificate:
        if not self.is_amazon(url) or not _PEM.fullmatch(urlsplit(url).path) or "?" in url:
            raise Unsigned(f"its certificate is not at {self._host}")
        with self._lock:
            found = self._certificates.get(url) or self._fetched(url, now)
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise Unsigned("its certificate is not valid now")
        return found

    def _fetched(self, url: str, now: datetime) -> x509.Certificate:
        if self._asked is not None and now - self._asked < _BETWEEN_FETCHES:
            raise Unchecked("a certificate was fetched a moment ago")
        self._asked = now
        try:
            found = x509.load_pem_x509_certificate(self._fetch(url))
        except ValueError as error:
            raise Unsigned("its certificate is none") from error
        while len(self._certificates) >= _MOST_KEPT:
            del self._certificates[next(iter(self._certificates))]
        self._certificates[url] = found
        return found


def canonical(message: Mapping[str, Any]) -> bytes:
    """What SNS signs: names and values of the signed fields, a line each, in the order of names."""
    lines = [
        f"{name}\n{message[name]}\n"
        for name in _SIGNED[str(message["Type"])]
        if message.get(name) is not None
    ]
    return "".join(lines).encode("utf-8", "replace")  # half a surrogate pair nobody has signed


def check_webhook(headers: Mapping[str, str], body: bytes, key: bytes, now: datetime) -> str:
    """The id of a message signed as the Standard Webhooks say; raises Unsigned.

    `headers` have lower-case names: webhook-id, webhook-timestamp, webhook-signature.
    """
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or len(name) > 256 or not re.fullmatch(r"\d{1,12}", stamp):  # noqa: PLR2004 -- a sane id
        raise Unsigned("it has no webhook-id or webhook-timestamp")
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise Unsigned("its webhook-timestamp is more than 5 minutes off")
    signed = b".".join((name.encode(), stamp.encode(), body))
    wanted = base64.b64encode(hmac.digest(key, signed, "sha256"))
    fits = False
    for one in headers.get("webhook-signature", "").split(" ")[:8]:
        version, _, given = one.partition(",")
        fits |= version == "v1" and hmac.compare_digest(given.encode(), wanted)
    if not fits:
        raise Unsigned("its signature does not hold")
    return name
