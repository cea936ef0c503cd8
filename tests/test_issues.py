"""Stopping a batch from the command line, and sending without deciding anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recorder import Recorder
from senders import freeze, states

from digest.store import open_store

if TYPE_CHECKING:
    from subprocess import CompletedProcess

ROOT = Path(__file__).parent.parent


def paper_digest(folder: Path, *words: str, relay: str = "eml:out") -> CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if "DIGEST_" not in key}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "DIGEST_SMTP_URL": relay,
        "DIGEST_FROM": "digest@example.org",
    }
    return subprocess.run(
        [sys.executable, "-m", "digest", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_issue_is_paused_resumed_and_cancelled_by_its_number(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'paper-digest.db'}") as store:
        freeze(store, 3)
    paused = paper_digest(tmp_path, "issues", "pause", "1", "--reason", "wrong note")
    assert paused.stdout == "Issue 1 is paused; 3 digests wait.\n", paused.stderr
    with Recorder() as relay:
        held = paper_digest(tmp_path, "send", relay=relay.url)
        assert (held.returncode, held.stdout) == (0, "Sending    nothing yet\n")
        assert held.stderr == (
            "Issue 1 is paused (wrong note): 3 digests wait. `paper-digest issues resume 1` sends "
            "them.\n"
        )
        assert relay.sessions == []
    (listed,) = json.loads(paper_digest(tmp_path, "issues", "--json").stdout)
    assert (listed["state"], listed["reason"]) == ("paused", "wrong note")
    assert listed["states"] == {"ready": 3}
    assert listed["candidates"] == listed["prepared"] + listed["excluded"] == 3
    resumed = paper_digest(tmp_path, "issues", "resume", "1")
    assert resumed.stdout == "Issue 1 goes on; 3 digests will be sent.\n"
    twice = paper_digest(tmp_path, "issues", "resume", "1")
    assert (twice.returncode, twice.stderr) == (1, "issue 1 is being sent already\n")
    cancelled = paper_digest(tmp_path, "issues", "cancel", "1")
    assert cancelled.stdout == "Issue 1 is cancelled; 3 digests will not be sent.\n"
    with open_store(f"sqlite:///{tmp_path / 'paper-digest.db'}") as store:
        assert set(states(store).values()) == {"cancelled"}
    again = paper_digest(tmp_path, "issues", "cancel", "1")
    said = "issue 1 is cancelled: nothing of it waits any more\n"
    assert (again.returncode, again.stderr) == (1, said)
    nothing = paper_digest(tmp_path, "issues", "pause", "9")
    assert nothing.stderr == "there is no issue 9: `paper-digest issues` lists them\n"
