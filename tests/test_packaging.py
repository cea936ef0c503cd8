"""The wheel, alone in an empty environment and an empty folder, is the whole program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, timeout: int = 300) -> str:
    """What the command prints; its whole output in the failure when it does not end well."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR"}
    environment = {
        key: value
        for key, value in os.environ.items()
        if key in kept or key.startswith(("PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, (
        f"{command[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--wheel-dir", built, ROOT,
        cwd=built,
    )  # fmt: skip
    found = list(built.glob("*.whl"))
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it asks for."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True, symlinks=True)
    interpreter = home / "bin" / "python"
    run(
        interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-compile", "--constraint", ROOT / "constraints.txt", wheel,
        cwd=home,
    )  # fmt: skip
    return interpreter


def files(folder: str, pattern: str) -> set[str]:
    return {
        str(path.relative_to(ROOT / folder))
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_templates_migrations_and_the_sample_travel_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert {f"digest/templates/{name}" for name in files("templates", "*")} <= packed
    assert {f"digest/{name}" for name in files("digest", "*")} <= packed
    assert {f"subscribers/{name}" for name in files("subscribers", "*")} <= packed
    assert {"digest/sample/arxiv.json", "digest/sample/daily-papers.json"} <= packed
    assert any(name.startswith("digest/store/migrations/") for name in packed)
    assert not {name for name in packed if name.startswith(("tests/", "bench/", "docs/"))}


def test_the_wheel_runs_the_demo_in_an_empty_folder(
    python: Path, wheel: Path, tmp_path: Path
) -> None:
    where = run(python, "-c", "import digest; print(digest.__file__)", cwd=tmp_path).strip()
    assert not Path(where).is_relative_to(ROOT), "the checkout shadows the wheel"
    program = python.parent / "paper-digest"
    assert wheel.name.split("-")[1] in run(program, "--version", cwd=tmp_path)

    said = run(program, "demo", "--once", cwd=tmp_path)

    assert "60 papers from 3 sources" in said
    for row in (r"ada .* 6 +6 +250", r"bo .* 23 +10 +250", r"chidi .* 3 +3 +250"):
        assert re.search(row, said), said
    for row in (r"dana .* 60 +10 +250", r"emre .* 0 +– +no mail: nothing matched, 60 looked at"):
        assert re.search(row, said), said
    mails = sorted(tmp_path.rglob("*.eml"))
    assert len(mails) == 4
    assert all(b"Subject: " in mail.read_bytes() for mail in mails)
    assert len(sorted(tmp_path.rglob("*.html"))) >= 4

    again = run(program, "demo", "--once", cwd=tmp_path)

    assert "60 papers" in again
    assert sorted(tmp_path.rglob("*.eml")) == mails, "the second run sends nothing twice"
