"""Programs of Debian packages, unpacked into build/debian: nothing is installed, nothing conflicts.

`python3 -m bench.delivering.debian postfix opensmtpd` has them ready before anybody asks.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNPACKED = Path(__file__).parent.parent.parent / "build" / "debian"
_PATIENCE = 300


def unpacked(package: str) -> Path | None:
    """The folder with a package and what it needs that is not installed; None where none is had."""
    folder = UNPACKED / package
    if folder.is_dir():
        return folder
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    with _alone():  # tests run side by side
        if not folder.is_dir():
            try:
                _unpack(package, folder)
            except (OSError, subprocess.SubprocessError):
                return None
    return folder


def _unpack(package: str, folder: Path) -> None:
    partial = folder.with_name(f"{package}.part")
    archives = folder.with_name(f"{package}.archives")
    shutil.rmtree(partial, ignore_errors=True)
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = ("Debug::NoLocking=1", f"Dir::Cache::archives={archives}", "APT::Sandbox::User=root")
    _run(
        [
            "apt-get",
            "install",
            "--download-only",
            "--reinstall",
            "--no-install-recommends",
            "--yes",
            "-qq",
        ]
        + [f"-o{option}" for option in options]
        + [package]
    )
    for archive in archives.glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(partial)])
    shutil.rmtree(archives)
    partial.rename(folder)


def in_a_root(package: Path, root: Path, programs: Sequence[str], users: Sequence[str]) -> None:
    """Make `root` a file system in which a package's programs run behind chroot.

    It holds the unpacked package, the libraries that the programs (shell patterns) need, and
    users and groups of these names. The files are links to those unpacked: do not write into them.
    """
    shutil.copytree(package, root, symlinks=True, copy_function=_link)
    found = sorted({path for pattern in programs for path in package.glob(pattern)})
    for library in _libraries(package, found):
        if not library.is_relative_to(package):
            copy = root / library.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            _link(str(library.resolve()), str(copy))
    for folder in ("dev", "etc", "tmp", "var/run", "var/log", "var/tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("null", "urandom", "random"):
        _device(root / "dev" / name)
    names = ["root", "nobody", *users]
    numbers = [0, 65534, *range(64_001, 64_001 + len(users))]
    pairs = list(zip(names, numbers, strict=True))
    passwd = "".join(f"{name}:x:{number}:{number}::/:/bin/false\n" for name, number in pairs)
    (root / "etc" / "passwd").write_text(passwd, encoding="ascii")
    groups = "".join(f"{name}:x:{number}:\n" for name, number in pairs)
    (root / "etc" / "group").write_text(groups, encoding="ascii")
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")
    (root / "etc" / "services").write_text("smtp 25/tcp\n", encoding="ascii")
    (root / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")


def _device(path: Path) -> None:
    """A device as this machine has it; where no device may be made, a file for want of better."""
    there = Path("/dev", path.name).stat()
    try:
        os.mknod(path, there.st_mode, there.st_rdev)
        path.chmod(0o666)  # whatever the umask made of it
        path.open("rb").close()
    except PermissionError:  # a container without the right to, or a disk mounted without devices
        path.unlink(missing_ok=True)
        path.write_bytes(b"" if path.name == "null" else os.urandom(4096))
        path.chmod(0o666)


def _libraries(package: Path, programs: Sequence[Path]) -> Iterator[Path]:
    """Every shared library that the programs are linked with, where it lies here."""
    places = [path.parent for path in package.rglob("*.so*")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted({str(p) for p in places}))}
    for program in programs:
        done = subprocess.run(
            ["ldd", str(program)], env=environment, capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            words = line.split(" (", maxsplit=1)[0].split()
            if words and words[-1].startswith("/"):
                yield Path(words[-1])


def _link(source: str, target: str) -> None:
    """The same file under another name, or a copy where that is another disk."""
    if Path(target).exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def _alone() -> Iterator[None]:
    UNPACKED.mkdir(parents=True, exist_ok=True)
    file = os.open(UNPACKED / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)


if __name__ == "__main__":
    missing = [name for name in sys.argv[1:] if unpacked(name) is None]
    sys.exit(f"cannot be had: {' '.join(missing)}" if missing else 0)
