"""The way out and the way back: the relay, the mailbox of bounces, and what mails carry."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from digest.advice import advise
from digest.channels import urls
from digest.channels.alone import hang_up
from digest.doctor import Finding, failed, ok, warning
from digest.errors import MailboxError, RelayError
from digest.settings import mask_url

if TYPE_CHECKING:
    from digest.app import App
    from digest.smtp.connection import SmtpConnection
    from digest.smtp.relay import Relay

LARGE: Final = 500_000
"""Bytes that a relay should take at least: ten times a digest."""
_SOON: Final = 14
"""Days before a certificate's end that are soon."""


def look_at_relay(app: App) -> list[Finding]:
    """Connect to every relay, with TLS and login as set, and see what it offers."""
    settings = app.settings
    if settings.writes_files:
        told = f"none: mails become files in {settings.smtp_url.removeprefix('eml:')}"
        return [warning("relay", told, "Set DIGEST_SMTP_URL to send them.")]
    from digest.smtp.relay import Login, Relay  # noqa: PLC0415 -- needed with a relay only

    login = Login(settings.smtp_user, settings.smtp_password, settings.smtp_token_command)
    found: list[Finding] = []
    for url in urls(settings.smtp_url):
        relay = Relay(url, login=login, hostname=settings.hostname)
        try:
            connection = relay.open()
        except RelayError as error:
            found.append(failed("relay", str(error), advise(str(error))))
            continue
        try:
            found += _relay(relay, connection)
        finally:
            hang_up(connection)
    return found


def look_at_mailbox(app: App) -> list[Finding]:
    """Log in where bounces come back to; nothing is read or marked."""
    settings = app.settings
    if settings.writes_files:
        return []
    if not app.tags:
        return [
            warning(
                "bounces", "there is no DIGEST_SECRET_KEY: mails carry no tags",
                "Set one (openssl rand -hex 32), or no bounce can be matched.",
            )
        ]  # fmt: skip
    found = []
    if "*" in settings.bounce_address:
        found.append(ok("bounces", f"come back to {settings.bounce_address}, * is the tag"))
    else:
        found.append(
            warning(
                "bounces", f"come back to {settings.bounce_address} without a tag in the address",
                "If that mailbox takes a + in addresses: DIGEST_BOUNCE_ADDRESS=bounces+*@DOMAIN.",
            )
        )  # fmt: skip
    if settings.bounces_url:
        from digest.bounces.mailboxes import open_mailbox  # noqa: PLC0415 -- where there is one

        try:
            with open_mailbox(settings):
                found.append(ok("bounces", f"are read from {mask_url(settings.bounces_url)}"))
        except MailboxError as error:
            found.append(
                failed("bounces", str(error), "Until then nothing that comes back is seen.")
            )
    elif not (settings.ses_topic or settings.webhook_secret):
        found.append(
            warning(
                "bounces", "nothing reads what comes back",
                "Set DIGEST_BOUNCES_URL, a webhook, or pipe mails: docs/bounces.md.",
            )
        )  # fmt: skip
    return found


def _relay(relay: Relay, connection: SmtpConnection) -> list[Finding]:
    offers = connection.extensions
    named = {
        "PIPELINING": offers.pipelining,
        "SIZE": offers.size,
        "8BITMIME": offers.eight_bit,
        "SMTPUTF8": offers.utf8,
        "DSN": offers.dsn,
    }
    told = [name for name, there in named.items() if there]
    login = f", logged in as {relay.login.user}" if relay.login else ", no login"
    offering = f"; offers {', '.join(told)}" if told else "; offers no extension"
    found = [ok("relay", f"{relay.name} answers{login}{offering}")]
    if offers.largest and offers.largest < LARGE:
        found.append(
            warning(
                "relay", f"{relay.name} takes at most {offers.largest:,} bytes",
                "Long digests may be refused: give readers a limit.",
            )
        )  # fmt: skip
    if not offers.dsn:
        found.append(ok("relay", f"{relay.name} has no DSN: the tag is in address and header"))
    found.append(_tls(relay, connection.tls))
    return found


def _tls(relay: Relay, tls: ssl.SSLSocket | None) -> Finding:
    if tls is None:
        local = relay.host in {"localhost", "127.0.0.1", "::1"}
        if local:
            return ok("TLS", f"{relay.name} is this machine: none is needed")
        return failed(
            "TLS", f"to {relay.name} everything goes in the clear, the password too",
            "Use smtp+starttls:// (port 587) or smtps:// (port 465) in DIGEST_SMTP_URL.",
        )  # fmt: skip
    if not relay.verify:
        return warning(
            "TLS", f"{relay.name}: {tls.version()}, and its certificate is not verified",
            "Take ?verify=no away; ?cafile=FILE names a private authority.",
        )  # fmt: skip
    return certificate("TLS", f"{relay.name}: {tls.version()}", tls)


def certificate(topic: str, told: str, tls: ssl.SSLSocket) -> Finding:
    """How long a verified certificate is still good."""
    shown = tls.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(shown.get("notAfter", "Jan  1 00:00:00 1970 GMT")))
    until = datetime.fromtimestamp(ends, UTC)
    left = (until - datetime.now(UTC)).days
    told = f"{told}, certificate good until {until:%d %B %Y}"
    if left < _SOON:
        return warning(topic, told, f"Renew it: it ends in {left} days.")
    return ok(topic, told)
