"""One message over one connection, waited for: a test mail, not the sender's way."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from digest.channels import Pause, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.channels import Connection, Outgoing, Progress


def send_alone(connection: Connection, outgoing: Outgoing, intent: Callable[[], None]) -> Reply:
    """Send one message to one recipient, and say what became of it.

    `intent` is called at most once, before the final dot; an error out of it is raised on, and
    the message is then certainly not delivered.
    """
    progress = connection.begin(outgoing)
    while not isinstance(progress, Reply):
        if progress is Pause.LINE:
            progress = _moved(connection)
            continue
        try:
            intent()
        except BaseException:
            connection.drop()
            raise
        progress = connection.finish(None)
    return progress


def hang_up(connection: Connection) -> None:
    """End a connection politely, as far as the other side lets us."""
    connection.quit()
    while not connection.closed:
        _moved(connection)


def _moved(connection: Connection) -> Progress:
    """Wait for the other side, and go on."""
    waiting = select.poll()
    waiting.register(
        connection.fileno(), select.POLLIN | (select.POLLOUT if connection.is_writing else 0)
    )
    left = connection.deadline - time.monotonic()
    if left > 0 and waiting.poll(left * 1000):
        return connection.move()
    return connection.late()
