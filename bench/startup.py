"""How long the command line takes to answer: what cron and a person at a prompt wait for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure

ROUNDS = 9


def measure() -> list[Figure]:
    """The median of several starts, each a process of its own in a folder with one reader."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("DIGEST_")
        }
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        _start(["subscribers", "add", "ada@example.org", "-k", "unlearning"], folder, environment)
        return [
            Figure("help_seconds", _median(["--help"], folder, environment), 0.25, "s"),
            Figure("run_nothing_due_seconds", _median(["run"], folder, environment), 0.3, "s"),
        ]


def _median(words: list[str], folder: str, environment: dict[str, str]) -> float:
    _start(words, folder, environment)  # nobody waits twice for what the first start leaves behind
    return statistics.median(_start(words, folder, environment) for _ in range(ROUNDS))


def _start(words: list[str], folder: str, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "digest", *words],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began
