"""The demo: the whole way of a listing into an inbox, on this machine alone.

Invented papers, five invented readers, a SQLite file, and a mailbox that is a real SMTP server
on loopback. Nothing is asked of the network, and a second run sends nothing twice.
"""

from __future__ import annotations

import asyncio
import re
import threading
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Mailbox:
    """An SMTP server on a free port of 127.0.0.1 that keeps each mail as NAME.eml and NAME.html.

    NAME is the part of the recipient's address before the @, with a number from the second mail
    on. A mail is on disk before the server says 250.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415 -- the demo's alone

        return await self._loop.create_server(
            lambda: SMTP(self, hostname="mailbox.example.org", loop=self._loop), "127.0.0.1", 0
        )

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        # Connections that are still open end with their tasks.
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: ANN401, N802 -- aiosmtpd's name and type
        """Keep a mail, then say so."""
        for recipient in envelope.rcpt_tos:
            name = re.sub(r"[^\w-]", "_", recipient.partition("@")[0])
            self._keep(name, envelope.original_content)
        return "250 accepted"

    def _keep(self, name: str, content: bytes) -> None:
        number, path = 1, self.folder / f"{name}.eml"
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}.eml"
        html = BytesParser(policy=policy.default).parsebytes(content).get_body(("html",))
        if html is not None:
            path.with_suffix(".html").write_text(html.get_content(), encoding="utf-8")
        path.write_bytes(content)
