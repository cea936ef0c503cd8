"""A process that has imported everything and forks senders, so that a kill costs milliseconds.

Each line of its input is a JSON object: database, relay, connections, on_unknown, size, and what
else a sender is to suffer. It prints the sender's process id, and when it has ended its status.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from digest.channels import Outgoing
from digest.delivery import Sending, Unknown, send_all
from digest.errors import PaperDigestError
from digest.smtp.dialogue import Timing
from digest.smtp.relay import Relay, Relays
from digest.store import Store
from digest.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.store.deliveries import Delivery


COMPILED: dict[Any, Any] = {}
"""Statements as SQL: what takes a sender longest at its start, done before it is forked."""


def warm(url: str) -> Store:
    database = Database(url)
    database.engine = database.engine.execution_options(compiled_cache=COMPILED)
    return Store(database)


class Plain:
    """Short messages, or long ones, with nothing to look up."""

    def __init__(self, size: int) -> None:
        self._body = b"x" * 70 + b"\r\n"
        self._lines = max(1, size // len(self._body))

    def prepare(self, batch: Sequence[Delivery]) -> None:
        del batch

    def build(self, delivery: Delivery) -> Outgoing:
        head = f"Message-ID: {delivery.message_id}\r\nTo: {delivery.address}\r\n\r\n".encode()
        return Outgoing("digest@example.org", delivery.address, head + self._body * self._lines)


def send(order: dict[str, Any]) -> None:
    """What a forked process does: send everything that waits."""
    if "most_bytes" in order:  # of any file: what a full disk does to a database
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"], resource.RLIM_INFINITY))
    if order.get("forced"):  # as if two machines had the same disk and no locks
        fcntl.flock = lambda *_: None
    store = warm(order["database"])
    timing = Timing(order.get("reply", 20.0), order.get("dot", 20.0))
    relay = Relay(order["relay"], timing=timing)
    report = send_all(
        store,
        Relays([relay], order.get("connections", 1)),
        Plain(order.get("size", 100)),
        lambda: datetime.now(UTC),
        sending=Sending(Unknown(order.get("on_unknown", "hold")), rest=0.01, patience=0.5),
    )
    store.close()
    say(json.dumps({str(key): times for key, times in report.outcomes.items()}))


def say(line: str) -> None:
    """One line, whole."""
    os.write(1, f"{line}\n".encode())


def main() -> None:
    for line in sys.stdin:
        if not COMPILED:
            store = warm(json.loads(line)["database"])
            store.outbox.waiting(datetime.now(UTC))
            store.copies.problem()
            store.outbox.recover(datetime.now(UTC))
            store.outbox.release(store.outbox.lease("zygote", 200, datetime.now(UTC)), "zygote")
            store.close()
        child = os.fork()
        if not child:
            status = 1
            try:
                send(json.loads(line))
                status = 0
            except PaperDigestError as error:
                say(f"{type(error).__name__}: {error}")
            finally:
                os._exit(status)
        say(f"pid {child}")
        _, status = os.waitpid(child, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
