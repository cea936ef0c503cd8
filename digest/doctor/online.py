"""Whether readers reach us: the public URL, and the one-click POST of RFC 8058 as receivers do it.

The POST names a reader who does not exist, signed with our key: so nobody is unsubscribed, and
the answer tells whether it was us who answered, and with the same key.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from digest.doctor import Finding, failed, ok, warning
from digest.doctor.relay import certificate
from digest.errors import why
from digest.store.subscribers import new_public_id
from digest.web.tokens import GONE
from subscribers.links import Purpose

if TYPE_CHECKING:
    from digest.app import App

SECONDS: Final = 8.0
_MOST: Final = 100_000
_CLOCK: Final = timedelta(seconds=60)
_FORMS: Final = {
    "multipart/form-data": (
        "multipart/form-data; boundary=one-click",
        (
            b'--one-click\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
            b"One-Click\r\n--one-click--\r\n"
        ),
    ),
    "application/x-www-form-urlencoded": (
        "application/x-www-form-urlencoded",
        b"List-Unsubscribe=One-Click",
    ),
}
"""Both bodies that RFC 8058 3.2 allows a receiver to send."""


def look_at_pages(app: App) -> list[Finding]:
    """Post an unsubscription as a mailbox provider would, and see who answers."""
    public = app.settings.public_url
    if not public:
        return [
            warning(
                "one-click", "there is no public URL: one leaves by writing to "
                f"{app.settings.contact}",
                "Large providers want one click of who sends to many: set DIGEST_PUBLIC_URL.",
            )
        ]  # fmt: skip
    token = app.links.token(Purpose.UNSUBSCRIBE, new_public_id())
    found: list[Finding] = []
    if urlsplit(public).scheme != "https":
        advice = "Put it behind https; docs/operating.md."
        found.append(
            warning("public URL", f"{public} is not https: mails offer no one click", advice)
        )
    for form, (kind, body) in _FORMS.items():
        try:
            answer = _post(f"{public}/u/{token}", kind, body)
        except ssl.SSLCertVerificationError as error:
            advice = "Renew or mend the certificate: receivers verify it."
            return [*found, failed("one-click", f"{public}: {why(error)}", advice)]
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = why(error) if isinstance(error, OSError) else str(error)
            advice = (
                "Check the host in DIGEST_PUBLIC_URL, and its DNS record."
                if isinstance(error, socket.gaierror)
                else "Is `paper-digest serve` running, and the proxy before it?"
            )
            return [*found, failed("one-click", f"{public} does not answer: {said}", advice)]
        finding = _judged(public, form, answer)
        if finding is not None:
            return [*found, finding]
    found.append(ok("one-click", f"{public} answers the POST of RFC 8058, in both its forms"))
    found += _clock(answer)
    if answer.finding is not None:
        found.append(answer.finding)
    return found


class _Answer:
    def __init__(self, status: int, text: str, date: str, finding: Finding | None) -> None:
        self.status = status
        self.text = text
        self.date = date
        self.finding = finding


def _post(url: str, kind: str, body: bytes) -> _Answer:
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": kind})
        tls = connection.sock
        finding = (
            certificate("https", parts.hostname or "", tls)
            if isinstance(tls, ssl.SSLSocket)
            else None
        )
        response = connection.getresponse()
        text = response.read(_MOST).decode("utf-8", "replace")
        return _Answer(response.status, text, response.getheader("Date") or "", finding)
    finally:
        connection.close()


def _judged(public: str, form: str, answer: _Answer) -> Finding | None:
    """What is wrong with an answer, or None."""
    if answer.status // 100 == 3:  # noqa: PLR2004 -- a redirect
        return failed(
            "one-click", f"{public} redirects the POST ({answer.status}); RFC 8058 forbids it",
            "Set DIGEST_PUBLIC_URL to where it leads in the end.",
        )  # fmt: skip
    if GONE in answer.text:
        return None
    if "was changed on its way" in answer.text:
        return failed(
            "one-click", f"{public} answers with another DIGEST_SECRET_KEY than ours",
            "Give `serve` and what sends the same settings, or links in mails do not work.",
        )  # fmt: skip
    return failed(
        "one-click", f"{public} answers {answer.status} to a POST as {form}, and it is not us",
        "Let the proxy pass POST to /u/ on to `paper-digest serve`, without login or cookies.",
    )  # fmt: skip


def _clock(answer: _Answer) -> list[Finding]:
    try:
        there = parsedate_to_datetime(answer.date)
    except (ValueError, TypeError):
        return []
    off = there - datetime.now(UTC)
    if abs(off) <= _CLOCK:
        return []
    told = f"the machine of the public URL is {off.total_seconds():+.0f} s off"
    return [warning("clock", told, "Let NTP set both clocks.")]
