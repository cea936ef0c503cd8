"""A line that is so many milliseconds long, each way; and a sink where there is no better one."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress


async def forward(port: int, near: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)

        async def arrive() -> None:
            while True:
                at, data = await line.get()
                await asyncio.sleep(max(0.0, at - loop.time()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()

        arriving = asyncio.create_task(arrive())
        with suppress(OSError):
            while data := await reader.read(262_144):
                await line.put((loop.time() + seconds, data))
        await line.put((loop.time() + seconds, b""))
        with suppress(OSError):
            await arriving

    async with await asyncio.start_server(connected, "127.0.0.1", near) as server:
        await server.serve_forever()


async def swallow(port: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            elif verb == b"EHLO":
                writer.write(b"250-sink\r\n250 PIPELINING\r\n")
                continue
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    first, second, third = sys.argv[1:]
    task = (
        swallow(int(second))
        if first == "sink"
        else forward(int(first), int(second), float(third) / 1000)
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(task)
