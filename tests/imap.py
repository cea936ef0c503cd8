"""IMAP servers on loopback: a small scripted one (RFC 3501, UIDPLUS), and Debian's Dovecot."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import re
import shlex
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

from loopback import Listening

if TYPE_CHECKING:
    import ssl

    from loopback import LineServer


@dataclass
class Message:
    """One mail in the folder."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class ImapServer(Listening):
    """One folder, one login. `breaks_at` ends the connection at the command that begins so.

    `heard` keeps every command; `inside` is offered to who has logged in. With a `context`
    STARTTLS works.
    """

    capabilities: str = "IMAP4rev1 AUTH=PLAIN"
    inside: str = "UIDPLUS"
    permanent: str = "\\Deleted \\Seen \\*"
    folder: str = "INBOX"
    login: tuple[str, str] = ("bounces", "sëcret")
    token: str = ""
    context: ssl.SSLContext | None = None
    breaks_at: str = ""
    messages: list[Message] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def put(self, raw: bytes, *flags: str) -> Message:
        """Deliver a mail into the folder."""
        uid = max((one.uid for one in self.messages), default=100) + 1
        self.messages.append(Message(uid, raw, set(flags)))
        return self.messages[-1]

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    @property
    def session(self) -> type[socketserver.StreamRequestHandler]:
        return _Session


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.imap: ImapServer = cast("LineServer", self.server).owner
        self._is_in = False
        self._say("* OK ready")
        while line := self.rfile.readline(8192):
            tag, _, rest = line.decode("utf-8").strip().partition(" ")
            self.imap.heard.append(rest)
            if self.imap.breaks_at and rest.startswith(self.imap.breaks_at):
                return
            verb, _, words = rest.partition(" ")
            if verb == "UID":
                verb, _, words = words.partition(" ")
                verb = f"uid_{verb}"
            known = getattr(self, f"_{verb.lower()}", None)
            answer = known(words) if known else "BAD what?"
            self._say(f"{tag} {answer}")
            if verb == "LOGOUT":
                return
            if verb == "STARTTLS" and self.imap.context:
                self._wrap(self.imap.context)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _wrap(self, context: ssl.SSLContext) -> None:
        wrapped: Any = context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = wrapped.makefile("rb"), wrapped.makefile("wb", buffering=0)

    def _capability(self, _words: str) -> str:
        more = " STARTTLS" if self.imap.context else ""
        inside = f" {self.imap.inside}" if self._is_in else ""
        self._say(f"* CAPABILITY {self.imap.capabilities}{more}{inside}")
        return "OK done"

    def _starttls(self, _words: str) -> str:
        return "OK go on" if self.imap.context else "BAD no"

    def _login(self, words: str) -> str:
        return self._let_in(tuple(shlex.split(words)))

    def _authenticate(self, words: str) -> str:
        self._say("+ ")
        given = base64.b64decode(self.rfile.readline()).decode()
        if words == "XOAUTH2":
            self._is_in = given == f"user=bounces\1auth=Bearer {self.imap.token}\1\1"
            if not self._is_in:  # the reason, which wants an empty answer
                self._say("+ " + base64.b64encode(b'{"status":"400"}').decode())
                self.rfile.readline()
            return "OK in" if self._is_in else "NO [AUTHENTICATIONFAILED] wrong"
        _, user, password = given.split("\0")
        return self._let_in((user, password))

    def _let_in(self, given: tuple[str, ...]) -> str:
        self._is_in = given == self.imap.login
        return "OK in" if self._is_in else "NO [AUTHENTICATIONFAILED] wrong"

    def _select(self, words: str) -> str:
        if words.strip('"') != self.imap.folder:
            return "NO no such folder"
        self._say(f"* {len(self.imap.messages)} EXISTS")
        self._say(f"* OK [PERMANENTFLAGS ({self.imap.permanent})] limited")
        return "OK [READ-WRITE] selected"

    def _uid_search(self, words: str) -> str:
        first, last = map(int, words.split(maxsplit=1)[0].split(":"))
        keyword = re.search(r"UNKEYWORD (\S+)", words)
        without = {"\\Deleted", keyword[1] if keyword else "\\Seen"}
        found = [
            str(one.uid) for one in self.imap.messages[first - 1 : last] if not one.flags & without
        ]
        self._say(f"* SEARCH {' '.join(found)}")
        return "OK done"

    def _uid_fetch(self, words: str) -> str:
        uid, most = re.match(r"(\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", words).groups()  # type: ignore[union-attr]
        for place, one in enumerate(self.imap.messages, start=1):
            if one.uid == int(uid):
                raw = one.raw[: int(most)]
                head = f"* {place} FETCH (UID {uid} BODY[]<0> {{{len(raw)}}}\r\n"
                self.wfile.write(head.encode() + raw + b")\r\n")
        return "OK done"

    def _uid_store(self, words: str) -> str:
        uid, _, flags = words.partition(" +FLAGS.SILENT ")
        for one in self.imap.messages:
            if one.uid == int(uid):
                one.flags |= set(flags.strip("()").split())
        return "OK done"

    def _uid_expunge(self, words: str) -> str:
        gone = [m for m in self.imap.messages if str(m.uid) == words and "\\Deleted" in m.flags]
        for one in gone:
            self.imap.messages.remove(one)
        return "OK done"

    def _logout(self, _words: str) -> str:
        self._say("* BYE")
        return "OK done"


DOVECOT: Final = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """Debian's Dovecot over a Maildir of its own, with the login bounces / secret."""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.mail = self.folder / "mail"
        person = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        for folder in (self.folder, self.mail, *(self.mail / one for one in ("new", "cur", "tmp"))):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            if folder != self.folder:
                os.chown(folder, person.pw_uid, person.pw_gid)
        self._person = person
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        config = self.folder / "dovecot.conf"
        config.write_text(
            DOVECOT.format(
                folder=self.folder,
                user=person.pw_name,
                group=grp.getgrgid(person.pw_gid).gr_name,
                uid=person.pw_uid,
                gid=person.pw_gid,
                port=self.port,
            )
        )
        (self.folder / "run").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [has_dovecot(), "-F", "-c", config], stderr=subprocess.DEVNULL
        )
        self._wait()
        return self

    def put(self, raw: bytes) -> None:
        """Deliver a mail into the Maildir."""
        path = self.mail / "new" / f"{len(list((self.mail / 'new').iterdir()))}.M1.host"
        path.write_bytes(raw)
        os.chown(path, self._person.pw_uid, self._person.pw_gid)

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    def mails(self) -> list[Path]:
        return [path for place in ("new", "cur") for path in (self.mail / place).iterdir()]

    def _wait(self) -> None:
        for _ in range(1000):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 10) as peer:
                    if peer.recv(10).startswith(b"* OK"):
                        return
            except OSError:
                threading.Event().wait(0.02)
        log = self.folder / "log"
        raise AssertionError(f"Dovecot does not start: {log.read_text() if log.exists() else ''}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def has_dovecot() -> str:
    """Where Dovecot is installed, or ""."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
