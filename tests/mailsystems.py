"""Postfix, Exim and OpenSMTPD of Debian as relays on loopback, each in a file system of its own.

They take mail from anybody here and pass all of it on to one port of 127.0.0.1. Nothing of them
is installed; they are unpacked, run behind chroot, which takes root, and end with the test.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conftest import needs
from nameserver import certificate

from bench.delivering.debian import in_a_root, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSWORD: Final = "secret"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a relay listens, and where it passes mails on to."""

    own: int
    next: int


@dataclass(frozen=True, slots=True)
class System:
    """A mail system: its package, what of it runs and as whom, and its configuration."""

    package: str
    programs: tuple[str, ...]
    users: tuple[str, ...]
    command: tuple[str, ...]
    configure: Callable[[Path, Ports], None]
    tls: bool = True
    """Whether STARTTLS works. It does not in OpenSMTPD 6.8 with OpenSSL 3, as in Debian 12."""
    login: bool = False
    """Whether it knows somebody called digest with PASSWORD."""
    utf8: bool = True
    """Whether it offers SMTPUTF8."""
    envid: bool = True
    """Whether it passes ENVID on (RFC 3461 5.2.1)."""


@dataclass(frozen=True, slots=True)
class Running:
    """A relay at work on a port, its certificate, and what it has said."""

    system: System
    port: int
    cafile: Path
    root: Path

    @property
    def url(self) -> str:
        """How a sender is to reach it, as DIGEST_SMTP_URL has it."""
        if not self.system.tls:
            return f"smtp://127.0.0.1:{self.port}"
        login = f"digest:{PASSWORD}@" if self.system.login else ""
        return f"smtp+starttls://{login}127.0.0.1:{self.port}?cafile={self.cafile}"

    @property
    def log(self) -> str:
        """What it wrote down, for a test that fails."""
        files = [self.root / "said", *sorted((self.root / "var" / "log").glob("*"))]
        return "\n".join(file.read_text("utf-8", "replace") for file in files if file.is_file())


def _exim(root: Path, ports: Ports) -> None:
    folder = root / "etc" / "exim4"
    folder.mkdir(exist_ok=True)
    (folder / "exim4.conf").write_text(
        f"""\
primary_hostname = relay.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = {ports.own}
spool_directory = /var/spool/exim4
log_file_path = /var/log/%s.log
tls_certificate = /etc/relay.pem
tls_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_rcpt = accept
acl_smtp_data = accept
smtp_accept_max = 50
smtp_accept_queue_per_connection = 0
bounce_return_message = false
begin routers
onwards:
  driver = manualroute
  transport = onwards
  route_list = * 127.0.0.1
  self = send
begin transports
onwards:
  driver = smtp
  port = {ports.next}
  hosts_try_fastopen =
  hosts_avoid_tls = *
begin retry
* * F,1h,1h
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{digest}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
""",
        encoding="ascii",
    )
    owned(root, "Debian-exim", "var/spool/exim4", "var/log", "etc/relay.pem")


def _opensmtpd(root: Path, ports: Ports) -> None:
    (root / "etc" / "smtpd.conf").write_text(
        f"""\
listen on 127.0.0.1 port {ports.own} hostname relay.example.org
action "onwards" relay host smtp://127.0.0.1:{ports.next}
match from any for any action "onwards"
""",
        encoding="ascii",
    )
    (root / "etc" / "mailname").write_text("relay.example.org\n", encoding="ascii")
    owned(root, "root", "var/spool/smtpd", mode=0o711)  # it makes the rest itself
    owned(root, "root", "var/lib/opensmtpd/empty", mode=0o755)


def _postfix(root: Path, ports: Ports) -> None:
    folder = root / "etc" / "postfix"
    (folder / "main.cf").write_text(
        f"""\
compatibility_level = 3.6
myhostname = relay.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
relayhost = [127.0.0.1]:{ports.next}
disable_dns_lookups = yes
recipient_delimiter = +
smtpd_tls_chain_files = /etc/relay.pem
smtpd_tls_security_level = may
smtpd_relay_restrictions = permit_mynetworks, reject
maillog_file = /var/log/postfix.log
""",
        encoding="ascii",
    )
    services = (
        f"127.0.0.1:{ports.own} inet n - n - - smtpd",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "tlsmgr unix - - n 1000? 1 tlsmgr",
        "rewrite unix - - n - - trivial-rewrite",
        "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap",
        "smtp unix - - n - - smtp",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache",
        "postlog unix-dgram n - n - 1 postlogd",
    )
    (folder / "master.cf").write_text("".join(f"{line}\n" for line in services), encoding="ascii")
    spool = "active bounce corrupt defer deferred flush hold incoming private saved trace"
    owned(root, "root", "var/spool/postfix/pid", "etc/postfix/dynamicmaps.cf.d")
    (folder / "dynamicmaps.cf").touch()
    for name in (*spool.split(), "maildrop", "public"):
        owned(root, "postfix", f"var/spool/postfix/{name}", mode=0o700)
    owned(root, "postfix", "var/lib/postfix", mode=0o700)


SYSTEMS: Final = {
    "Postfix": System(
        "postfix",
        ("usr/lib/postfix/sbin/smtpd",),
        ("postfix", "postdrop"),
        ("/usr/lib/postfix/sbin/master", "-d"),
        _postfix,
    ),
    "Exim": System(
        "exim4-daemon-light",
        ("usr/sbin/exim4",),
        ("Debian-exim",),
        ("/usr/sbin/exim4", "-bdf", "-q1s"),
        _exim,
        login=True,
    ),
    "OpenSMTPD": System(
        "opensmtpd",
        ("usr/sbin/smtpd",),
        ("opensmtpd", "opensmtpq"),
        ("/usr/sbin/smtpd", "-d"),
        _opensmtpd,
        tls=False,
        utf8=False,
    ),
}


@contextmanager
def running(name: str, folder: Path, onwards: int) -> Iterator[Running]:
    """A relay that passes everything on to a port, until the block ends."""
    system = SYSTEMS[name]
    root = folder / system.package
    rooted(system.package, root, system.programs, system.users)
    cafile = certificate(folder / "relay.pem")
    shutil.copy(cafile, root / "etc" / "relay.pem")
    (root / "etc" / "relay.pem").chmod(0o600)
    port = free_port()
    system.configure(root, Ports(port, onwards))
    with process(root, system.command, port, greets=True):
        yield Running(system, port, cafile, root)


def rooted(package: str, root: Path, programs: tuple[str, ...], users: tuple[str, ...]) -> None:
    """A package in a file system of its own, or the test is skipped with a word."""
    needs(os.geteuid() == 0, f"root, to run {package} behind chroot")
    found = unpacked(package)
    needs(found, f"{package} of Debian", "an apt-get that downloads")
    assert found is not None
    in_a_root(found, root, programs, users)


@contextmanager
def process(
    root: Path, command: tuple[str, ...], port: int, *, greets: bool = False
) -> Iterator[None]:
    """A program behind chroot until the block ends; by then it listens, and greets if it does."""
    said = root / "said"
    with said.open("wb") as out:
        started = subprocess.Popen(
            ["chroot", str(root), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,
            cwd=root,
        )
    try:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as line:
                if not greets or line.recv(3) == b"220":
                    break
            with suppress(subprocess.TimeoutExpired):
                started.wait(0.02)
                raise AssertionError(said.read_text("utf-8", "replace"))
        yield
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        with suppress(ProcessLookupError):  # what it may have left behind
            os.killpg(started.pid, signal.SIGKILL)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def owned(root: Path, owner: str, *places: str, mode: int | None = None) -> None:
    """Folders (made where they are missing) or files that belong to a user, or user:group."""
    lines = (root / "etc" / "passwd").read_text("ascii").splitlines()
    numbers = {name: int(number) for name, _, number, *_ in (line.split(":") for line in lines)}
    user, _, group = owner.partition(":")
    for place in places:
        path = root / place
        if not path.exists():
            path.mkdir(parents=True)
        os.chown(path, numbers[user], numbers[group or user])
        if mode is not None:
            path.chmod(mode)
