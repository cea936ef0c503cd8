"""What takes the mails: smtp-sink of Debian's postfix, and smtp-source to compare with.

Both run unpacked from the package; nothing is installed. Where the package cannot be had, a
sink of our own in Python stands in, and what is measured against it says so.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.delivering.debian import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
_PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Postfix:
    """Where smtp-sink and smtp-source are; `folder` is None where they cannot be had."""

    folder: Path | None

    @property
    def environment(self) -> dict[str, str]:
        if self.folder is None:
            return dict(os.environ)
        libraries = self.folder.parent / "lib" / "postfix"
        return {**os.environ, "LD_LIBRARY_PATH": str(libraries)}

    def source(self, port: int, size: int, messages: int, connections: int) -> float:
        """Messages a second that smtp-source gives to the sink, ready-made and all the same."""
        assert self.folder is not None
        command = [str(self.folder / "smtp-source"), "-d", "-s", str(connections), "-l", str(size)]
        ends = ["-f", "digest@example.org", "-t", "reader@example.org", f"127.0.0.1:{port}"]
        began = time.perf_counter()
        subprocess.run(
            [*command, "-m", str(messages), *ends],
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=_PATIENCE,
        )
        return messages / (time.perf_counter() - began)


def postfix() -> Postfix:
    """Installed, unpacked before, or unpacked now."""
    installed = Path("/usr/sbin")
    if (installed / "smtp-sink").exists():
        return Postfix(installed)
    package = unpacked("postfix")
    return Postfix(package / "usr" / "sbin" if package else None)


@contextmanager
def sink(found: Postfix) -> Iterator[int]:
    """A sink on a free port of 127.0.0.1 while the block runs; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    if found.folder is not None:
        rights = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [str(found.folder / "smtp-sink"), *rights, f"127.0.0.1:{port}", "256"]
    else:
        command = [sys.executable, "-m", "bench.delivering.proxy", "sink", str(port), "0"]
    with subprocess.Popen(command, env=found.environment, cwd=ROOT) as process:
        try:
            _listening(port)
            yield port
        finally:
            process.terminate()


@contextmanager
def delayed(port: int, milliseconds: float) -> Iterator[int]:
    """The same port, so many milliseconds away there and back."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        near = int(free.getsockname()[1])
    command = [sys.executable, "-m", "bench.delivering.proxy", str(port), str(near)]
    with subprocess.Popen([*command, str(milliseconds / 2)], cwd=ROOT) as process:
        try:
            _listening(near)
            yield near
        finally:
            process.terminate()


def _listening(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise OSError(f"nothing listens on port {port}")
