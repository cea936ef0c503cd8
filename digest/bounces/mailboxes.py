"""Mailboxes that bounces come back to: IMAP (RFC 3501) and Maildir, one mail after the other.

A mail is deleted only when its reader says so, which is after what it led to is committed; what
is not understood stays, marked as read, for a person to look at. The only import of imaplib.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from digest.bounces.mime import MAX_BYTES
from digest.errors import MailboxError, RelayError, why
from digest.smtp.relay import token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.settings import Settings

SECONDS: Final = 60.0
"""How long a server may be silent."""
KEYWORD: Final = "$PaperDigestRead"
"""Marks mails that were read and not understood (RFC 3501 2.3.2), so that they are read once."""
_PORTS: Final = {"imap": 143, "imap+starttls": 143, "imaps": 993}
_SEARCHED: Final = 5000
"""Mails asked for in one SEARCH, so that no answer is longer than a line may be."""


class Mailbox(Protocol):
    """An open mailbox."""

    def mails(self) -> Iterator[Mail]:
        """Every mail that was not read before; at most the first 2 MB of each."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: its bytes, and how to delete it or leave it, marked as read."""

    raw: bytes
    delete: Callable[[], None]
    leave: Callable[[], None]


@contextmanager
def open_mailbox(settings: Settings) -> Iterator[Mailbox]:
    """Open DIGEST_BOUNCES_URL; raises MailboxError, with what to do, when that fails."""
    url = settings.bounces_url
    if url.startswith("maildir:"):
        yield Maildir(Path(url.removeprefix("maildir:")))
        return
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    keeps = parse_qs(parts.query).get("keep", ["no"])[0] == "yes"
    user = settings.bounces_user or unquote(parts.username or "")
    password = settings.bounces_password or unquote(parts.password or "")
    command = settings.bounces_token_command
    say = _by_token(user, command) if command else _by_password(user, password)
    with _ours(where):
        server = _connected(url)
    try:
        with _ours(where):
            _log_in(server, say, where)
            folder = unquote(parts.path.strip("/")) or "INBOX"
            opened = _Imap(server, folder, where, keeps=keeps)
        yield opened
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()
        with suppress(OSError):  # where the line broke, logout() left it open
            server.shutdown()


@contextmanager
def _ours(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, imaplib.IMAP4.error, ValueError) as error:
        said = _tidy(error)
        raise MailboxError(
            f"the mailbox at {where} cannot be read ({said}): {_advice(error, said)}"
        ) from error


class Maildir:
    """A folder with new/ and cur/ in it, as Postfix, Dovecot and procmail deliver into."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "new").is_dir():
            raise MailboxError(
                f"{folder} is no Maildir (it has no folder new/ in it): name one in "
                "DIGEST_BOUNCES_URL, as in maildir:/var/mail/bounces"
            )

    def mails(self) -> Iterator[Mail]:
        """New mails, and those in cur/ that nobody has seen."""
        for place in ("new", "cur"):
            try:
                paths = sorted((self._folder / place).iterdir())
            except OSError:
                continue
            for path in paths:
                seen = place == "cur" and "S" in path.name.partition(":2,")[2]
                if not seen and not path.name.startswith("."):
                    yield from self._mail(path)

    def _mail(self, path: Path) -> Iterator[Mail]:
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES)
        except FileNotFoundError:  # somebody else took it
            return
        except OSError as error:
            raise MailboxError(
                f"{path} cannot be read ({why(error)}): let the user that runs Paper Digest read it"
            ) from error
        yield Mail(raw, lambda: path.unlink(missing_ok=True), lambda: self._leave(path))

    def _leave(self, path: Path) -> None:
        name, _, flags = path.name.partition(":2,")
        cur = self._folder / "cur"
        cur.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            path.rename(cur / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")


class _Imap:
    def __init__(self, server: imaplib.IMAP4, folder: str, where: str, *, keeps: bool) -> None:
        self._server = server
        self._where = where
        self._keeps = keeps
        quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
        status, answer = server.select(f'"{quoted}"')
        if status != "OK":
            raise MailboxError(
                f"the mailbox at {where} has no folder {folder!r}: "
                "name one behind the host in DIGEST_BOUNCES_URL"
            )
        self._count = int(answer[0] or 0)
        permanent = b" ".join(one or b"" for one in server.response("PERMANENTFLAGS")[1])
        self._mark = KEYWORD if b"\\*" in permanent else "\\Seen"
        # Asked again, because servers say more to who has logged in.
        capabilities = b" ".join(one or b"" for one in server.capability()[1])
        self._can_expunge = b"UIDPLUS" in capabilities.upper().split()

    def mails(self) -> Iterator[Mail]:
        """Every mail that is not deleted and not marked as read by us."""
        for uid in self._unread():
            raw = self._fetch(uid)
            if raw is not None:
                yield Mail(raw, lambda uid=uid: self._delete(uid), lambda uid=uid: self._leave(uid))  # type: ignore[misc]

    def _unread(self) -> list[str]:
        unread = f"UNKEYWORD {KEYWORD}" if self._mark == KEYWORD else "UNSEEN"
        uids: list[str] = []
        for first in range(1, self._count + 1, _SEARCHED):
            last = min(first + _SEARCHED - 1, self._count)
            answer = self._uid("SEARCH", f"{first}:{last}", "UNDELETED", unread)
            for line in answer:
                if isinstance(line, bytes):
                    uids += [uid.decode() for uid in line.split() if uid.isdigit()]
        return uids

    def _fetch(self, uid: str) -> bytes | None:
        """The first bytes of a mail, without marking it; None when it has gone meanwhile."""
        for piece in self._uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_BYTES}>)"):
            if isinstance(piece, tuple):
                return piece[1]
        return None

    def _delete(self, uid: str) -> None:
        if self._keeps:
            self._leave(uid)
            return
        self._uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
        # A plain EXPUNGE would take what others have marked as deleted along (RFC 4315 2.1).
        if self._can_expunge:
            self._uid("EXPUNGE", uid)

    def _leave(self, uid: str) -> None:
        self._uid("STORE", uid, "+FLAGS.SILENT", f"({self._mark})")

    def _uid(self, command: str, *words: str) -> list[bytes | tuple[bytes, bytes] | None]:
        with _ours(self._where):
            status, answer = self._server.uid(command, *words)
            if status != "OK":
                raise imaplib.IMAP4.error(f"{command} was answered {status} {answer!r}")
        return answer


def _connected(url: str) -> imaplib.IMAP4:
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    context = ssl.create_default_context(cafile=options.get("cafile", [None])[0])
    if options.get("verify", ["yes"])[0] == "no":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
    if parts.scheme == "imaps":
        return imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=SECONDS)
    server = imaplib.IMAP4(host, port, timeout=SECONDS)
    if parts.scheme == "imap+starttls":
        try:
            server.starttls(context)
        except BaseException:
            server.shutdown()
            raise
    return server


_Say = Callable[[imaplib.IMAP4], object]


def _by_password(user: str, password: str) -> _Say:
    def say(server: imaplib.IMAP4) -> object:
        if "AUTH=PLAIN" in server.capabilities:  # takes what LOGIN does not: any character
            return server.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        return server.login(user, password)

    return say


def _by_token(user: str, command: str) -> _Say:
    """XOAUTH2, as Google's and Microsoft's servers have it."""
    try:
        said = f"user={user}\1auth=Bearer {token(command, 'DIGEST_BOUNCES_TOKEN_COMMAND')}\1\1"
    except RelayError as error:
        raise MailboxError(str(error)) from error
    answers = iter((said.encode(), b""))  # what it says to a refusal is answered with nothing

    def say(server: imaplib.IMAP4) -> object:
        return server.authenticate("XOAUTH2", lambda _: next(answers, b""))

    return say


def _log_in(server: imaplib.IMAP4, say: _Say, where: str) -> None:
    try:
        say(server)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeError) as error:
        raise MailboxError(
            f"the mailbox at {where} did not take the name and password ({_tidy(error)}): "
            "check DIGEST_BOUNCES_USER and DIGEST_BOUNCES_PASSWORD, or the token"
        ) from error


def _advice(error: Exception, said: str) -> str:
    """What to do about a mailbox that cannot be reached, or that breaks off."""
    if isinstance(error, ssl.SSLCertVerificationError) and "expired" not in said:
        return "?cafile=FILE behind DIGEST_BOUNCES_URL names a private authority"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "whoever runs it has to renew its certificate"
    if isinstance(error, ssl.SSLError):
        return "imaps:// is for port 993, imap+starttls:// for 143"
    if isinstance(error, OSError):
        return (
            "check host and port in DIGEST_BOUNCES_URL, and the network; the next run tries again"
        )
    return "what was understood is taken; the next run goes on"


def _tidy(error: Exception) -> str:
    text = why(error) if isinstance(error, OSError) else str(error) or type(error).__name__
    return re.sub(r"[^ -~]+", " ", text.removeprefix("b'").removesuffix("'"))[:200]
