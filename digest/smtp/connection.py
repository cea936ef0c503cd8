"""One line to a relay: the bytes of its dialogue, moved as far as they go without waiting."""

from __future__ import annotations

import ssl
import time
from math import inf
from typing import TYPE_CHECKING, Final

from digest.channels import Pause

if TYPE_CHECKING:
    import socket

    from digest.channels import Outgoing, Progress
    from digest.smtp.dialogue import Dialogue, Extensions

_READ: Final = 4096
_NOT_YET: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpConnection:
    """An open connection, greeted and logged in; see `digest.channels.Connection`."""

    def __init__(self, connected: socket.socket, dialogue: Dialogue) -> None:
        connected.settimeout(0)
        self.relay = dialogue.relay
        self._socket = connected
        self._dialogue = dialogue

    @property
    def extensions(self) -> Extensions:
        """What the relay offers."""
        return self._dialogue.extensions

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The socket, where it is encrypted."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    @property
    def taken(self) -> int:
        """How many messages were given to it."""
        return self._dialogue.taken

    @property
    def usable(self) -> bool:
        """Whether another message can be given to it."""
        return self._dialogue.is_usable(time.monotonic())

    @property
    def announces(self) -> bool:
        """Whether the next envelope can go behind the dot."""
        return self._dialogue.announces

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._dialogue.is_over

    @property
    def is_writing(self) -> bool:
        """Whether the relay has not taken yet what it was given."""
        return bool(self._dialogue.unsent)

    @property
    def deadline(self) -> float:
        """When to give it up."""
        dialogue = self._dialogue
        return inf if dialogue.at_dot and not dialogue.unsent else dialogue.deadline

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def begin(self, outgoing: Outgoing) -> Progress:
        """Begin one message to one recipient."""
        return self._came_to(self._dialogue.begin(outgoing, time.monotonic()))

    def finish(self, following: Outgoing | None) -> Progress:
        """Give the final dot."""
        return self._came_to(self._dialogue.finish(following, time.monotonic()))

    def move(self) -> Progress:
        """Read and write what can be."""
        progress: Progress = Pause.LINE
        if self._dialogue.unsent:
            progress = self._came_to(Pause.INTENT if self._dialogue.at_dot else Pause.LINE)
        if self.closed:
            return progress
        try:
            data = self._socket.recv(_READ)
            while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                data += self._socket.recv(_READ)  # decrypted already, so no system tells of it
        except _NOT_YET:
            return progress
        except OSError as error:
            return self._lost(error)
        return self._came_to(self._dialogue.hear(data, time.monotonic()))

    def late(self) -> Progress:
        """Give it up."""
        return self._lost(TimeoutError("timed out"))

    def quit(self) -> None:
        """Begin to say good-bye."""
        self._dialogue.quit(time.monotonic())
        self._came_to(Pause.LINE)

    def drop(self) -> None:
        """End it at once."""
        self._dialogue.is_over = True
        self._socket.close()

    def _lost(self, error: OSError) -> Progress:
        self._dialogue.sent(len(self._dialogue.unsent))  # nobody is there to read it
        return self._came_to(self._dialogue.lost(error, time.monotonic()))

    def _came_to(self, progress: Progress) -> Progress:
        """Write what the dialogue wants written; the intent waits until all of it is."""
        dialogue = self._dialogue
        try:
            while dialogue.unsent and not dialogue.is_over:
                dialogue.sent(self._socket.send(dialogue.unsent))
        except _NOT_YET:
            return Pause.LINE if progress is Pause.INTENT else progress
        except OSError as error:
            return self._lost(error)
        if dialogue.is_over:
            self._socket.close()
        return progress
