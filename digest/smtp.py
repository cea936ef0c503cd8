"""One SMTP connection: smtplib connects and authenticates, the rest of the dialogue is ours.

The order of one message: MAIL, RCPT, DATA; after 354 the body without its dot; the caller's
intent; then the dot, and up to ten minutes for its answer (RFC 5321 4.5.3.2.6). To abandon a
message after 354 the connection is closed, never a dot sent.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from digest.channels import Outcome, Reply
from digest.errors import RelayRefused, RelayUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS: Final = 30
REPLY_SECONDS: Final = 300
DOT_SECONDS: Final = 600
_LONGEST_LINE: Final = 4096
_MOST_LINES: Final = 100
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail relay and how to reach it. TLS is verified unless the URL says verify=no."""

    host: str
    port: int
    scheme: str
    user: str | None = None
    password: str | None = None
    hostname: str = "localhost"
    cafile: str | None = None
    verify: bool = True
    reply_seconds: float = REPLY_SECONDS
    dot_seconds: float = DOT_SECONDS

    name = "smtp"

    @classmethod
    def from_url(cls, url: str, *, user: str | None, password: str | None, hostname: str) -> Relay:
        """Read smtp://, smtp+starttls:// or smtps://, with ?cafile= and ?verify=no."""
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        secret = unquote(parts.password) if parts.password else None
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or _PORTS[parts.scheme],
            scheme=parts.scheme,
            user=user or (unquote(parts.username) if parts.username else None),
            password=password or secret,
            hostname=hostname,
            cafile=options.get("cafile", [None])[0],
            verify=options.get("verify", ["yes"])[0] != "no",
        )

    def open(self) -> SmtpConnection:
        """Connect, start TLS and authenticate.

        Raises RelayUnreachable when there is no connection or no TLS, RelayRefused when the
        relay does not take the name and password.
        """
        where = f"{self.host}:{self.port}"
        try:
            return SmtpConnection(self._connect(), self)
        except smtplib.SMTPAuthenticationError as error:
            raw = error.smtp_error
            said = _tidy(raw if isinstance(raw, str) else raw.decode("utf-8", "replace"))
            raise RelayRefused(
                f"{where} did not take the name and password ({error.smtp_code} {said}): "
                "check DIGEST_SMTP_USER and DIGEST_SMTP_PASSWORD"
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise RelayRefused(f"{where} cannot do what the URL asks for: {error}") from error
        except ssl.SSLCertVerificationError as error:
            raise RelayUnreachable(
                f"{where} showed a certificate that cannot be verified ({error.verify_message}): "
                "name its authority with ?cafile=FILE behind DIGEST_SMTP_URL"
            ) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise RelayUnreachable(f"{where} cannot be reached: {_tidy(str(error))}") from error

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.cafile)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, self.hostname, timeout=CONNECT_SECONDS, context=context
            )
        else:
            smtp = smtplib.SMTP(self.host, self.port, self.hostname, timeout=CONNECT_SECONDS)
        try:
            smtp.ehlo_or_helo_if_needed()
            if self.scheme == "smtp+starttls":
                smtp.starttls(context=context)
                smtp.ehlo()
            if self.user and self.password:
                smtp.login(self.user, self.password)
        except BaseException:
            smtp.close()
            raise
        return smtp


class SmtpConnection:
    """An open connection; after any doubt about what it says it is closed and unusable."""

    def __init__(self, smtp: smtplib.SMTP, relay: Relay) -> None:
        self._smtp = smtp
        self._relay = relay
        if smtp.sock is None:
            raise RelayUnreachable(f"{relay.host}:{relay.port} closed the connection")
        self._socket = smtp.sock
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(relay.reply_seconds)
        # smtplib made it for its own replies; going on with it keeps what is buffered already.
        self._file = smtp.file or self._socket.makefile("rb")
        self.usable = True

    def send(self, *, sender: str, to: str, message: bytes, intent: Callable[[], None]) -> Reply:
        """One message to one recipient; see `digest.channels.Connection`."""
        try:
            refused = self._envelope(sender, to)
            if refused is not None:
                return refused
            self._socket.sendall(stuffed(message))
        except (OSError, ValueError) as error:
            self._drop()
            said = f"the connection was lost: {_tidy(str(error))}"
            return self._reply(Outcome.DEFERRED, None, said)
        try:
            intent()
        except BaseException:
            self._drop()  # no dot was sent, so the relay must forget the message
            raise
        try:
            self._socket.settimeout(self._relay.dot_seconds)
            self._socket.sendall(b".\r\n")
            code, text = self._read()
            self._socket.settimeout(self._relay.reply_seconds)
        except (OSError, ValueError) as error:
            self._drop()
            said = f"no answer to the final dot: {_tidy(str(error))}"
            return self._reply(Outcome.UNKNOWN, None, said)
        return self._answered(code, text)

    def close(self) -> None:
        """Say QUIT, if there is anybody to say it to."""
        if self.usable:
            try:
                self._socket.settimeout(5)
                self._socket.sendall(b"QUIT\r\n")
                self._read()
            except (OSError, ValueError):
                pass  # it is over either way
        self._drop()

    def _envelope(self, sender: str, to: str) -> Reply | None:
        """MAIL, RCPT and DATA in lock-step; a Reply when the relay said no."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
            if not line.isascii() or re.search(r"[\x00-\x1f\x7f]", line):
                return self._reply(Outcome.REJECTED, None, "the address cannot be written in SMTP")
            self._socket.sendall(line.encode("ascii") + b"\r\n")
            code, text = self._read()
            if code // 100 != (3 if line == "DATA" else 2):
                refusal = self._answered(code, text)
                if self.usable:
                    self._reset()
                return refusal
        return None

    def _reset(self) -> None:
        self._socket.sendall(b"RSET\r\n")
        if self._read()[0] // 100 != 2:  # noqa: PLR2004 -- 2xx is yes
            self._drop()

    def _read(self) -> tuple[int, str]:
        """One reply of any number of lines; ValueError when it is none."""
        lines: list[str] = []
        while len(lines) < _MOST_LINES:
            line = self._file.readline(_LONGEST_LINE)
            while line and not line.endswith(b"\n"):  # a longer line: its head is enough
                more = self._file.readline(_LONGEST_LINE)
                if not more:
                    break
                line = line[:_LONGEST_LINE] + (b"\n" if more.endswith(b"\n") else b"")
            if not line:
                raise ConnectionError("the relay closed the connection")
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not re.match(r"[2345]\d\d(?:[ -]|$)", text):
                raise ValueError(f"the relay said {text[:60]!r}")
            lines.append(text[4:])
            if text[3:4] != "-":
                return int(text[:3]), _tidy(" ".join(lines))
        raise ValueError("the relay does not stop talking")

    def _answered(self, code: int, text: str) -> Reply:
        if code == 421:  # noqa: PLR2004 -- RFC 5321: closing the channel
            self._drop()
        outcome = {2: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REJECTED}.get(code // 100)
        if outcome is None:  # a 3xx where none can be: nobody knows what it took
            self._drop()
            outcome = Outcome.UNKNOWN
        return self._reply(outcome, code, text)

    def _reply(self, outcome: Outcome, code: int | None, text: str) -> Reply:
        found = _ENHANCED.match(text)
        rest = text[found.end() :] if found else text
        where = f"{self._relay.host}:{self._relay.port}"
        return Reply(outcome, code, found[1] if found else "", rest, where)

    def _drop(self) -> None:
        self.usable = False
        self._smtp.close()


def stuffed(message: bytes) -> bytes:
    """The message with dots doubled at the beginning of lines (RFC 5321 4.5.2), CRLF at its end."""
    body = message.replace(b"\r\n.", b"\r\n..")
    if body.startswith(b"."):
        body = b"." + body
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _tidy(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()[:500]
