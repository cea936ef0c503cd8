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
    """The median of several starts, in an empty folder with a database that is there already."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("DIGEST_")
        }
        environment |= {
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "DIGEST_DATABASE_URL": f"sqlite:///{folder}/bench.db",
        }
        return [
            Figure("help", _median(["--help"], folder, environment), 0.25, "s"),
            Figure("run_nothing_due", _median(["run"], folder, environment), 0.3, "s"),
        ]


def _median(words: list[str], folder: str, environment: dict[str, str]) -> float:
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "digest", *words],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )
        taken.append(time.perf_counter() - began)
    # The first start makes the database and warms the disk; nobody waits for that twice.
    return statistics.median(taken[1:])
