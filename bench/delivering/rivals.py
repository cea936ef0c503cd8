"""Sending ready-made messages with what others use: `python -m bench.delivering.rivals`."""

from __future__ import annotations

import asyncio
import json
import smtplib
import sys
import threading
import time
from importlib.util import find_spec


def with_smtplib(port: int, message: bytes, messages: int, connections: int) -> float:
    """Messages a second of smtplib, a thread a connection."""

    def work(share: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            for _ in range(share):
                smtp.sendmail("digest@example.org", ["reader@example.org"], message)

    threads = [
        threading.Thread(target=work, args=(messages // connections,)) for _ in range(connections)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return messages / (time.perf_counter() - began)


def with_aiosmtplib(port: int, message: bytes, messages: int, connections: int) -> float:
    """Messages a second of aiosmtplib, a task a connection; 0 where it is not installed."""
    if find_spec("aiosmtplib") is None:
        return 0.0
    import aiosmtplib  # noqa: PLC0415 -- here alone

    async def work(share: int) -> None:
        smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        async with smtp:
            for _ in range(share):
                await smtp.sendmail("digest@example.org", ["reader@example.org"], message)

    async def everybody() -> None:
        await asyncio.gather(*(work(messages // connections) for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(everybody())
    return messages / (time.perf_counter() - began)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    size, port = order["size"], order["port"]
    line = b"x" * 74 + b"\r\n"
    ready = b"Subject: Ready-made\r\n\r\n" + line * (size // len(line))
    rival = {"smtplib": with_smtplib, "aiosmtplib": with_aiosmtplib}[order["rival"]]
    print(json.dumps(rival(port, ready, order["messages"], order["connections"])))
