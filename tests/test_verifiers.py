"""opendkim and rspamd as Debian has them believe our signatures, and nothing changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

import pytest
from mailsystems import free_port, owned, process, rooted
from nameserver import NameServer
from test_dkim import RSA, SMALL
from test_wire import LETTER

from digest.dkim import Key, Signer
from digest.mail import to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RECORDS: Final = {
    (f"{key.selector}._domainkey.example.org", "TXT"): [key.record] for key in (RSA, SMALL)
}
FAMILIAR: Final = replace(LETTER, subject="Größe, 3 new", text=".\r\nnaïve  \r\n\r\n\r\n")
MAILS: Final = {
    "RSA-2048": [RSA],
    "Ed25519": [SMALL],
    "both": [RSA, SMALL],
}


@contextmanager
def opendkim(folder: Path) -> Iterator[Callable[[bytes], bool]]:
    """Whether opendkim believes the first signature of a mail; keys come from our name server."""
    root = folder / "opendkim"
    rooted("opendkim", root, ("usr/sbin/opendkim",), ("opendkim",))
    with NameServer(RECORDS) as names:
        (root / "etc" / "unbound.conf").write_text(
            "server:\n  do-not-query-localhost: no\n  module-config: iterator\n"
            f'forward-zone:\n  name: "."\n  forward-addr: {names.place.replace(":", "@")}\n',
            encoding="ascii",
        )
        (root / "etc" / "opendkim.conf").write_text(
            "Mode v\nResolverConfiguration /etc/unbound.conf\nUserID root\n", encoding="ascii"
        )

        def believes(mail: bytes) -> bool:
            (root / "mail").write_bytes(mail)
            command = ["chroot", str(root), "/usr/sbin/opendkim", "-v", "-t", "/mail"]
            done = subprocess.run(
                [*command, "-x", "/etc/opendkim.conf"], capture_output=True, text=True, check=True
            )
            assert " verification (s=d2026" in done.stdout, done.stdout
            return done.stdout.rstrip().endswith(") succeeded")

        yield believes


@contextmanager
def rspamd(folder: Path) -> Iterator[Callable[[bytes], bool]]:
    """Whether rspamd believes every signature of a mail; keys come from our name server."""
    root = folder / "rspamd"
    rooted("rspamd", root, ("usr/bin/rspamd", "usr/lib/*/rspamd/*.so"), ("_rspamd",))
    owned(root, "_rspamd", "var/lib/rspamd", "var/log/rspamd", "run/rspamd")
    shutil.rmtree(root / "etc" / "rspamd")  # the files of an installation, and links to ours
    (root / "etc" / "rspamd").mkdir()
    port = free_port()
    with NameServer(RECORDS) as names:
        (root / "etc" / "rspamd" / "rspamd.conf").write_text(
            f"""\
options {{
  dns {{ nameserver = ["{names.place}"]; timeout = 5s; }}
  filters = "dkim";
  tempdir = "/tmp";
  pidfile = false;
  disable_hyperscan = true;
  local_addrs = [];
}}
logging {{ type = "console"; }}
dkim {{ check_local = true; check_authed = true; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
""",
            encoding="ascii",
        )
        command = ("/usr/bin/rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd")
        with process(root, (*command, "-c", "/etc/rspamd/rspamd.conf"), port):

            def believes(mail: bytes) -> bool:
                with urlopen(f"http://127.0.0.1:{port}/checkv2", mail, timeout=60) as answer:
                    found: dict[str, Any] = json.load(answer)["symbols"]
                assert {"R_DKIM_ALLOW", "R_DKIM_REJECT"} & set(found), found
                return "R_DKIM_REJECT" not in found and len(
                    found["R_DKIM_ALLOW"]["options"]
                ) == mail.count(b"DKIM-Signature:")

            yield believes


@pytest.mark.slow
@pytest.mark.parametrize("verifier", [opendkim, rspamd])
def test_a_verifier_of_debian_believes_our_signatures_and_nothing_that_was_changed(
    tmp_path: Path, verifier: Callable[[Path], Any]
) -> None:
    with verifier(tmp_path) as believes:
        for keys in MAILS.values():
            mail = Signer("example.org", list[Key](keys)).sign(to_bytes(FAMILIAR), LETTER.date)
            assert believes(mail)
            assert not believes(mail.replace(b"Subject: ", b"Subject: Re: "))
            assert not believes(mail.replace(b"=_", b"=-"))
            assert not believes(
                mail.replace(b"List-Unsubscribe-Post: ", b"X-List-Unsubscribe-Post: ")
            )
