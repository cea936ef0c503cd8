"""How fast digests go out, from the lease to the last commit, beside Postfix's own generator.

smtp-source sends ready-made messages of the same size over as many connections to the same sink;
smtplib and aiosmtplib send ready-made ones too. Ours are built one by one meanwhile, and written
down twice, durably. Rounds are taken in turn, so that what else runs here strikes all alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.delivering.memory import Memory
from bench.delivering.sink import ROOT, Postfix, delayed, postfix, sink
from bench.figures import Figure

ROUNDS = 2
MESSAGES = 20_000
"""Of ours: the second in which presses get ready, and the cards, are in it."""
READY_MADE = 5_000
"""Of the others', who have no beginning."""
FEW = 1_500
"""Over one connection, where each waits for its commit."""
FAR = 2_000
MANY = 100_000
CONNECTIONS = 10
DELAY_MILLISECONDS = 20.0


def measure() -> list[Figure]:
    found = postfix()
    if found.folder is None:
        print("smtp-sink and smtp-source (Debian's postfix) cannot be had here: our own sink")
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as folder:
        return [
            *_against_source(Path(folder), found),
            *_signed(Path(folder), found),
            *_over_a_long_line(Path(folder), found),
            *_flat(Path(folder), found),
        ]


def _against_source(folder: Path, found: Postfix) -> list[Figure]:
    figures: list[Figure] = []
    for name, layout, papers, target in (("long", "full", 20, 0.8), ("short", "titles", 2, 0.35)):
        ratios: dict[str, list[float]] = {}
        size = _size(folder, layout, papers)
        for _ in range(ROUNDS):
            for connections, messages in ((CONNECTIONS, MESSAGES), (1, FEW)):
                with sink(found) as port:
                    done = _send(_crowd(folder, messages, layout, papers), port, connections)
                    ours = _rate(done)
                    _tell_processor(name, connections, done)
                    many = min(messages, READY_MADE)
                    source = found.source(port, size, many, connections) if found.folder else 0.0
                ratios.setdefault(f"ours_{connections}", []).append(ours)
                ratios.setdefault(f"source_{connections}", []).append(source)
            with sink(found) as port:
                for rival in ("smtplib", "aiosmtplib"):
                    order = {"rival": rival, "size": size, "messages": READY_MADE}
                    rate = _run("rivals", {**order, "port": port, "connections": CONNECTIONS})
                    ratios.setdefault(rival, []).append(rate)
        middle = {key: statistics.median(rates) for key, rates in ratios.items()}
        told = ", ".join(f"{key} {rate:,.0f}/s" for key, rate in middle.items())
        print(f"{name}: {papers} papers, {size / 1000:.0f} kB: {told}")
        figures += _compared(name, middle, target)
    return figures


def _compared(name: str, rates: dict[str, float], target: float) -> list[Figure]:
    ours = rates[f"ours_{CONNECTIONS}"]
    figures = [
        Figure(f"{name}_per_second", ours, 0, "/s", more_is_better=True),
        Figure(f"{name}_one_connection", rates["ours_1"], 0, "/s", more_is_better=True),
    ]
    for rival, least in ((f"source_{CONNECTIONS}", target), ("smtplib", 2), ("aiosmtplib", 3)):
        if rates[rival]:
            against = ours / rates[rival]
            what = rival.partition("_")[0]
            figures.append(Figure(f"{name}_to_{what}", against, least, "x", more_is_better=True))
        else:
            print(f"{rival} is missing here")
    return figures


def _signed(folder: Path, found: Postfix) -> list[Figure]:
    from digest.dkim import new_key  # noqa: PLC0415 -- here alone

    rates = {}
    for name, small, layout, papers in (
        ("rsa", False, "full", 20),
        ("ed25519", True, "full", 20),
        ("rsa_short", False, "titles", 2),
    ):
        key = folder / f"{name}.pem"
        key.write_text(new_key("digest", small=small).pem, encoding="ascii")
        with sink(found) as port:
            url = _crowd(folder, MESSAGES, layout, papers)
            done = _send(url, port, CONNECTIONS, key=str(key))
        _tell_processor(f"signed, {name}", CONNECTIONS, done)
        rates[name] = _rate(done)
    return [
        Figure("signed_rsa", rates["rsa"], 2_000, "/s", more_is_better=True),
        Figure("signed_rsa_short", rates["rsa_short"], 0, "/s", more_is_better=True),
        Figure("signed_ed25519", rates["ed25519"], 0, "/s", more_is_better=True),
    ]


def _over_a_long_line(folder: Path, found: Postfix) -> list[Figure]:
    size = _size(folder, "full", 20)
    with sink(found) as port, delayed(port, DELAY_MILLISECONDS) as far:
        ours = _rate(_send(_crowd(folder, FAR, "full", 20), far, CONNECTIONS))
        order = {"rival": "smtplib", "size": size, "messages": FAR, "port": far}
        theirs = _run("rivals", {**order, "connections": CONNECTIONS})
    print(f"over {DELAY_MILLISECONDS:.0f} ms: ours {ours:,.0f}/s, smtplib {theirs:,.0f}/s")
    return [Figure("delayed_to_smtplib", ours / theirs, 3, "x", more_is_better=True)]


def _flat(folder: Path, found: Postfix) -> list[Figure]:
    costs = {}
    for readers in (MANY // 10, MANY):
        with sink(found) as port:
            url = _crowd(folder, readers, "titles", 20)
            done = _send(url, port, CONNECTIONS, watched=True)
        assert done["sent"] == readers
        costs[readers] = (done["sender"] + done["presses"]) / readers
        _tell_processor(f"{readers:,}", CONNECTIONS, done)
        print(f"{readers:,} digests: {_rate(done):,.0f}/s, {done['megabytes']:.0f} MB")
    return [
        Figure("memory_at_100000", done["megabytes"], 300, "MB"),
        Figure("cost_at_100000_to_10000", costs[MANY] / costs[MANY // 10], 1.2, "x"),
    ]


def _crowd(folder: Path, readers: int, layout: str, papers: int) -> str:
    """The URL of a new database with so many digests waiting."""
    for old in folder.glob("crowd.db*"):
        old.unlink()
    url = f"sqlite:///{folder / 'crowd.db'}"
    _run("crowd", {"database": url, "readers": readers, "layout": layout, "papers": papers})
    return url


def _size(folder: Path, layout: str, papers: int) -> int:
    """Bytes of one such message, headers included."""
    url = _crowd(folder, 1, layout, papers)
    outbox = folder / f"one-{layout}-{papers}"
    _run("sender", {"database": url, "relay": f"eml:{outbox}", "connections": 1})
    (mail,) = outbox.glob("*.eml")
    size = mail.stat().st_size
    mail.unlink()
    outbox.rmdir()
    return size


def _send(
    url: str, port: int, connections: int, *, watched: bool = False, **more: str
) -> dict[str, float]:
    relay = f"smtp://127.0.0.1:{port}"
    order = {"database": url, "relay": relay, "connections": connections, **more}
    done: dict[str, float] = _run("sender", order, watched=watched)
    return done


def _tell_processor(what: str, connections: int, done: dict[str, float]) -> None:
    """What of the processor's time a message takes, which swings less than the rate."""
    each = {who: done[who] / done["sent"] * 1e6 for who in ("sender", "presses")}
    print(
        f"{what}, {connections} connections: {_rate(done):,.0f}/s; of the processor "
        f"{each['sender']:.0f} us the sender, {each['presses']:.0f} us the presses"
    )


def _rate(done: dict[str, float]) -> float:
    return done["sent"] / done["seconds"]


def _run(what: str, order: dict[str, Any], *, watched: bool = False) -> Any:  # noqa: ANN401 -- what it prints
    """One part of the measurement in a process of its own; the last line it prints.

    Where it is `watched`, the most memory it took, with all it started, is put into that. To
    look takes a twentieth of the processor, which a rate would lose.
    """
    environment = {key: value for key, value in os.environ.items() if "DIGEST_" not in key}
    command = [sys.executable, "-m", f"bench.delivering.{what}", json.dumps(order)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        memory = Memory(process) if watched else None
        printed, _ = process.communicate()
        megabytes = memory.end() if memory else 0.0
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    lines = printed.strip().splitlines()
    said = json.loads(lines[-1]) if lines else None
    return {**said, "megabytes": megabytes} if isinstance(said, dict) else said
