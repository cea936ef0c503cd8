"""Relays and how to reach them: addresses, TLS, names and passwords, and which one is asked."""

from __future__ import annotations

import base64
import hmac
import shlex
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from digest.errors import RelayError, RelayRefused, RelayUnreachable, why
from digest.smtp.connection import SmtpConnection
from digest.smtp.dialogue import Dialogue, Extensions, Timing
from digest.smtp.replies import Replies, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONNECT_SECONDS: Final = 30.0
TOKEN_SECONDS: Final = 60.0
"""How long the command that prints a token may take."""
TOKEN_KEPT: Final = 300.0
"""Tokens live for about an hour; a new connection asks for a fresh one after this long."""
AWAY: Final = 60.0
"""How long a relay that could not be reached is passed over where there is another."""
DEFAULT_CONNECTIONS: Final = 4
_READ: Final = 4096
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_QUESTION: Final = 334
_LOGGED_IN: Final = 235
_MOST_QUESTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Login:
    """The name at a relay, and its password or the command that prints a token (XOAUTH2)."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token_command: str | None = None

    def __bool__(self) -> bool:
        return bool(self.user and (self.password or self.token_command))


class _Bounded(smtplib.SMTP):
    """smtplib for connecting and logging in, its replies read in bounded memory and time."""

    replies: Replies
    _read_from: socket.socket | None = None

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the relay closed the connection")
        if self._read_from is not self.sock:
            # After STARTTLS too: what was said before it is not believed.
            self._read_from, self.replies = self.sock, Replies()
        try:
            code, lines = self._read(self.sock)
        except (OSError, ValueError) as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(why(error)) from error
        return code, "\n".join(lines).encode()

    def _read(self, connected: socket.socket) -> tuple[int, list[str]]:
        """The next reply, complete within the time there is for it, however many bytes come."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while (said := self.replies.next()) is None:
            connected.settimeout(max(0.001, deadline - time.monotonic()))
            data = connected.recv(_READ)
            if not data:
                raise ConnectionError("the relay closed the connection")
            self.replies.feed(data)
        connected.settimeout(CONNECT_SECONDS)
        return said


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


class Relay:
    """A mail relay and how to reach it. TLS is verified unless the URL says verify=no."""

    def __init__(
        self,
        url: str,
        *,
        login: Login | None = None,
        hostname: str = "localhost",
        timing: Timing | None = None,
    ) -> None:
        """Read smtp://, smtp+starttls:// or smtps://, with ?cafile= and ?verify=no."""
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        login = login or Login()
        secret = unquote(parts.password) if parts.password else None
        user = unquote(parts.username) if parts.username else None
        self.host = parts.hostname or "localhost"
        self.port = parts.port or _PORTS[parts.scheme]
        self.scheme = parts.scheme
        self.login = Login(login.user or user, login.password or secret, login.token_command)
        self.hostname = hostname
        self.cafile = options.get("cafile", [None])[0]
        self.verify = options.get("verify", ["yes"])[0] != "no"
        self.timing = timing or Timing()
        self.most_messages = 0
        """Of one connection, learnt from how the relay ended them; 0 is any number."""
        self._token = ""
        self._token_until = 0.0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What the log calls it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def open(self) -> SmtpConnection:
        """Connect, start TLS and authenticate.

        Raises RelayUnreachable when there is no connection or no TLS, RelayRefused when the
        relay does not take the name and password or will not have us at all.
        """
        try:
            return self._opened(self._connect())
        except smtplib.SMTPAuthenticationError as error:
            self._token = ""
            said = f"{error.smtp_code} {_said(error.smtp_error)}"
            what, where = "password", "DIGEST_SMTP_PASSWORD"
            if self.login.token_command:
                what, where = "token", "what DIGEST_SMTP_TOKEN_COMMAND prints"
            raise RelayRefused(
                f"{self.name} did not take the name and {what} ({said}): "
                f"check DIGEST_SMTP_USER and {where}"
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise RelayRefused(f"{self.name} cannot do what the URL asks for: {error}") from error
        except smtplib.SMTPResponseException as error:
            said = f"{error.smtp_code} {_said(error.smtp_error)}"
            kind = RelayRefused if error.smtp_code // 100 == 5 else RelayUnreachable  # noqa: PLR2004 -- never
            raise kind(f"{self.name} does not let us in: {said}") from error
        except ssl.SSLCertVerificationError as error:
            raise RelayUnreachable(
                f"{self.name} showed a certificate that cannot be verified ({error.verify_message})"
            ) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise RelayUnreachable(f"{self.name} cannot be reached: {tidy(why(error))}") from error

    def learn(self, taken: int) -> None:
        """Remember that a connection was ended after so many messages."""
        if not self.most_messages or taken < self.most_messages:
            self.most_messages = taken

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """How TLS is done; one for all connections, because reading the authorities takes long."""
        context = ssl.create_default_context(cafile=self.cafile)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _connect(self) -> _Bounded:
        if self.scheme == "smtps":
            smtp: _Bounded = _BoundedTls(
                self.host, self.port, self.hostname, timeout=CONNECT_SECONDS, context=self._context
            )
        else:
            smtp = _Bounded(self.host, self.port, self.hostname, timeout=CONNECT_SECONDS)
        try:
            smtp.ehlo_or_helo_if_needed()
            if self.scheme == "smtp+starttls":
                smtp.starttls(context=self._context)
                smtp.ehlo()
            if self.login:
                self._log_in(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _log_in(self, smtp: _Bounded) -> None:
        """AUTH XOAUTH2 where there is a token, else the first of PLAIN, LOGIN and CRAM-MD5."""
        offered = smtp.esmtp_features.get("auth", "").upper().split()
        user, password = self.login.user or "", self.login.password or ""
        if self.login.token_command:
            if "XOAUTH2" not in offered:
                raise smtplib.SMTPNotSupportedError("it takes no tokens (AUTH XOAUTH2)")
            said = f"user={user}\1auth=Bearer {self._fresh_token()}\1\1"
            # What it asks after a refusal is answered with nothing, and then it says 535.
            _answer(smtp, "XOAUTH2", lambda asked: said if asked is None else "")
        elif "PLAIN" in offered:
            _answer(smtp, "PLAIN", lambda _: f"\0{user}\0{password}")
        elif "LOGIN" in offered:
            _answer(smtp, "LOGIN", lambda asked: password if _is_about_more(asked) else user)
        elif "CRAM-MD5" in offered:
            _answer(smtp, "CRAM-MD5", lambda asked: _signed(user, password, asked))
        else:
            raise smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server")

    def _fresh_token(self) -> str:
        with self._lock:
            if not self._token or time.monotonic() > self._token_until:
                self._token = token(self.login.token_command or "")
                self._token_until = time.monotonic() + TOKEN_KEPT
            return self._token

    def _opened(self, smtp: _Bounded) -> SmtpConnection:
        if smtp.sock is None:
            raise ConnectionError("the relay closed the connection")
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        dialogue = Dialogue(
            Extensions.of(smtp.esmtp_features),
            self.name,
            self.timing,
            time.monotonic(),
            self.most_messages,
            self.learn,
            smtp.replies,
        )
        return SmtpConnection(smtp.sock, dialogue)


class Relays:
    """Relays in the order they are preferred in: the first that can be reached is used."""

    name = "smtp"

    def __init__(
        self, relays: Sequence[Relay], most_connections: int = DEFAULT_CONNECTIONS
    ) -> None:
        self.relays = tuple(relays)
        self.most_connections = most_connections
        self._away_until: dict[Relay, float] = {}

    def open(self) -> SmtpConnection:
        """Connect to the first relay that lets us; raises what the last one said otherwise.

        One that could not be reached is passed over for a minute.
        """
        now = time.monotonic()
        back = [relay for relay in self.relays if self._away_until.get(relay, 0) <= now]
        errors: list[RelayError] = []
        for relay in back or self.relays:
            try:
                opened = relay.open()
            except RelayError as error:
                self._away_until[relay] = now + AWAY
                errors.append(error)
            else:
                self._away_until.pop(relay, None)
                return opened
        refused = [error for error in errors if isinstance(error, RelayRefused)]
        raise (
            (refused or errors)[0]
            if len(errors) == 1
            else type((refused or errors)[0])("; ".join(str(error) for error in errors))
        )


def _answer(smtp: _Bounded, method: str, reply: Callable[[bytes | None], str | None]) -> None:
    """Log in with what `reply` says: at first, asked None, and to each question after that.

    Names and passwords are UTF-8 (RFC 4616 2), which smtplib's own way does not bear.
    """
    first = reply(None)
    code, said = smtp.docmd("AUTH", method if first is None else f"{method} {_base64(first)}")
    for _ in range(_MOST_QUESTIONS):
        if code != _QUESTION:
            break
        code, said = smtp.docmd(_base64(reply(base64.b64decode(said)) or ""))
    if code // 100 == 4:  # noqa: PLR2004 -- not now (RFC 4954 6): it says nothing of the password
        raise smtplib.SMTPResponseException(code, said)
    if code != _LOGGED_IN:
        raise smtplib.SMTPAuthenticationError(code, said)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _is_about_more(asked: bytes | None) -> bool:
    """Whether a question of LOGIN is about the password; some ask for the name again."""
    return asked is not None and b"user" not in asked.lower()


def _signed(user: str, password: str, asked: bytes | None) -> str | None:
    """CRAM-MD5 (RFC 2195): it begins with their question."""
    if asked is None:
        return None
    return f"{user} {hmac.new(password.encode(), asked, 'md5').hexdigest()}"


def token(command: str, setting: str = "DIGEST_SMTP_TOKEN_COMMAND") -> str:
    """What the command of a setting prints: one line, a token.

    Raises RelayRefused, saying what went wrong.
    """
    try:
        done = subprocess.run(
            shlex.split(command),
            capture_output=True,
            text=True,
            timeout=TOKEN_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        said = f"it has not ended after {TOKEN_SECONDS:.0f} seconds"
        raise RelayRefused(f"{setting} gives no token: {said}") from error
    except (OSError, ValueError) as error:
        raise RelayRefused(f"{setting} cannot be run: {why(error)}") from error
    said = done.stdout.strip()
    if done.returncode or not said or not said.isascii() or not said.isprintable():
        told = tidy(done.stderr) or f"it ended with {done.returncode} and printed no token"
        raise RelayRefused(f"{setting} gives no token: {told}")
    return said


def _said(raw: Any) -> str:  # noqa: ANN401 -- smtplib gives bytes or text
    return tidy(raw if isinstance(raw, str) else raw.decode("utf-8", "replace"))
