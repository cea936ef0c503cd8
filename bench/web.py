"""The pages while the sender works: every public page, the live answer, and the day page's rate.

100,000 papers (700 a list day) and 10,000 readers in SQLite; a process that sends ten digests a
second to a mailbox on loopback (10,000 readers in seventeen minutes), the pages in a process of
their own, as `serve` has it, and this one that asks, with bare sockets. Every page is asked
under addresses that were not asked before, so that few answers are kept ones. The first run
stores the papers, which takes minutes, and leaves them in build/; BENCH_WEB_DB names such a file
elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import select
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.figures import Figure
from bench.match import mixed, real_texts
from digest.app import App, utc_now
from digest.cli.work import QUICK_TURNS
from digest.papers import Listing, PaperId, Signals
from digest.run import issue
from digest.settings import load
from digest.store import open_store
from digest.web.listening import listen
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest.papers import Paper
    from digest.store import Store

ROOT = Path(__file__).parent.parent
PAPERS = 100_000
A_DAY = 700
READERS = 10_000
DUE = 400
ASKED = 100
PAUSE = 0.02
RATE_SECONDS = 4.0
WITH_VOTES = 10
WITH_ORGANIZATION = 30
"""Of a hundred papers; most sources tell neither."""
CONNECTIONS = 4
AT_ONCE = 1 << 16
PACE = "10/second"
CATEGORIES = ("cs.LG", "cs.CL", "cs.CV", "cs.AI", "stat.ML", "cs.RO", "cs.CR", "math.OC")
TOPICS = (
    "agents", "mixture of experts", "diffusion model", "reinforcement learning -robot",
    '"language model"', "category:cs.CL reasoning", "upvotes>30", "title:video", "retrieval",
    "benchmark evaluation", "optimis*", "sparse attention", "quantization", "speech", "safety",
    "long context", "tool use", "protein", "3D scene", "multilingual",
)  # fmt: skip


def measure() -> list[Figure]:
    """Latencies at the 95th percentile and requests a second, all beside a busy sender."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "papers.db"
        shutil.copyfile(_seeded(), database)
        environment = _environment(folder, database)
        with open_store(f"sqlite:///{database}") as store:
            _readers(store)
            app = App(load(environment), store, utc_now)
            began = time.perf_counter()
            issue(app)
            print(
                f"{store.papers.count():,} papers, {READERS:,} readers, {DUE:,} of them due "
                f"(decided in {time.perf_counter() - began:.0f} s)"
            )
            asked = _asked(store, random.Random(7))
        with (
            _process("_sink", environment),
            _process("_pages", environment) as pages,
            _process("_bare", environment),
            Sending(database, environment) as sending,
        ):
            environment["BENCH_PAGES_PID"] = str(pages)
            figures = _measured(asked, environment)
            print(f"meanwhile {sending.sent():,} mails were sent")
    return figures


def _measured(asked: dict[str, Callable[[], str]], environment: dict[str, str]) -> list[Figure]:
    pages = int(environment["BENCH_PAGES_PORT"])
    began = time.perf_counter()
    while b"data-late" in _asked_once(pages, "/digest/answer?q=agents"):
        time.sleep(0.1)
    print(f"the index for the live answer was there after {time.perf_counter() - began:.1f} s")
    figures = []
    bare_port = int(environment["BENCH_BARE_PORT"])
    _phase("bare", bare_port, lambda: "/", 0)
    for name, path in asked.items():
        late = _phase(name, pages, path, int(environment["BENCH_PAGES_PID"]))
        target = 100 if name == "answer" else 20
        figures.append(Figure(f"web_{name}_p95", late, target, "ms"))
    ours, own_share = _rate(pages, "/digest/day")
    bare, bare_share = _rate(bare_port, "/")
    print(
        f"day page {ours:,.0f}/s (asking took {own_share:.0%} of a core); the same bytes from a "
        f"bare FastAPI route {bare:,.0f}/s ({bare_share:.0%})"
    )
    figures.append(Figure("web_day_requests", ours, 300, "/s", more_is_better=True))
    figures.append(Figure("web_day_vs_bare_fastapi", ours / bare, 0.5, "x", more_is_better=True))
    return figures


def _phase(name: str, port: int, path: Callable[[], str], process: int) -> float:
    """The 95th percentile of many answers, in ms; prints what the machine was like, too.

    The processor's time of the pages, where Linux tells it, is the same on a busy machine.
    """
    before = _busy(process)
    taken = [_timed(port, path()) * 1000 for _ in range(ASKED)]
    each = (_busy(process) - before) / ASKED * 1000
    late = statistics.quantiles(taken, n=20)[-1]
    spent = f", processor {each:6.1f} ms each" if each else ""
    print(f"{name:<10} median {statistics.median(taken):7.1f} ms, 95th {late:7.1f} ms{spent}")
    return late


def _busy(process: int) -> float:
    """Seconds of processor that a process has had (proc(5)); 0 where nobody tells."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _asked(store: Store, chance: random.Random) -> dict[str, Callable[[], str]]:
    """Per kind of page, the next address to ask for."""
    newest = store.archive.days()[-1]
    days = [newest - timedelta(days=past) for past in range(PAPERS // A_DAY - 1)]
    numbers = [chance.randrange(1, store.papers.count()) for _ in range(2 * ASKED)]
    names = [str(paper.id) for paper in store.papers.by_numbers(numbers).values()]

    def spans(kind: str) -> Callable[[], str]:
        def path() -> str:
            day = chance.choice(days[: 22 if kind == "%Y-%m" else None])
            name = day.strftime(kind) if kind != "week" else "{}-W{:02}".format(*day.isocalendar())
            page, under = chance.randrange(1, 13), chance.choice(("", *CATEGORIES))
            folder = {"%Y-%m-%d": "day", "%Y-%m": "month"}.get(kind, "week")
            asked = urlencode({"page": 1 if under else page, "category": under})
            return f"/digest/{folder}/{name}?{asked}"

        return path

    def searched(path: str, **more: str) -> Callable[[], str]:
        def asked() -> str:
            topic = chance.choice(TOPICS)
            other = chance.choice(("", " learning", " training", " model", " data"))
            return f"/digest/{path}?{urlencode({'q': topic + other} | more)}"

        return asked

    return {
        "day": spans("%Y-%m-%d"),
        "week": spans("week"),
        "month": spans("%Y-%m"),
        "trending": lambda: f"/digest/trending?category={chance.choice(CATEGORIES)}",
        "paper": lambda: f"/digest/paper/{chance.choice(names)}",
        "search": searched("search"),
        "feed": lambda: f"/digest/feed.rss?asked={chance.random()}",
        "front": lambda: "/digest/",
        "answer": searched("answer"),
    }


def _timed(port: int, path: str) -> float:
    """Seconds until the whole answer is there, after a pause as visitors leave them."""
    time.sleep(PAUSE)
    with socket.create_connection(("127.0.0.1", port)) as line:
        began = time.perf_counter()
        line.sendall(_request(path))
        status, missing = _head(line)
        while missing > 0:
            missing -= len(line.recv(AT_ONCE))
        taken = time.perf_counter() - began
    if status != 200:
        raise RuntimeError(f"{path} was answered by {status}")
    return taken


def _asked_once(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        body: bytes = answer.read()
        return body


def _rate(port: int, path: str) -> tuple[float, float]:
    """Answers a second over a few connections that are kept, and this process's share of a core.

    One thread and bare sockets, so that whoever asks is not what is measured.
    """
    _timed(port, path)
    with ExitStack() as lines:
        missing = {}
        for _ in range(CONNECTIONS):
            line = lines.enter_context(socket.create_connection(("127.0.0.1", port)))
            line.sendall(_request(path))
            missing[line] = 0
        answered, began, before = 0, time.perf_counter(), time.process_time()
        while (gone := time.perf_counter() - began) < RATE_SECONDS:
            for line in select.select(list(missing), [], [])[0]:
                if missing[line]:
                    missing[line] -= len(line.recv(AT_ONCE))
                else:
                    missing[line] = _head(line)[1]
                if not missing[line]:
                    answered += 1
                    line.sendall(_request(path))
        return answered / gone, (time.process_time() - before) / gone


def _request(path: str) -> bytes:
    # Each visitor comes from a network of its own, as far as the limits of the pages can tell.
    network = ".".join(str(random.randrange(1, 250)) for _ in range(3))
    return (
        f"GET {path} HTTP/1.1\r\nhost: uni.example\r\nx-forwarded-for: {network}.1\r\n\r\n"
    ).encode()


def _head(line: socket.socket) -> tuple[int, int]:
    """The status of the answer that begins to come in, and the bytes of its body still to come."""
    answer = line.recv(AT_ONCE)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += line.recv(AT_ONCE)
    length = re.search(rb"\r\ncontent-length: (\d+)", answer[:end])
    if length is None:
        raise RuntimeError("an answer did not say how long it is")
    return int(answer.split(b" ", 2)[1]), int(length[1]) - len(answer) + end + 4


def _environment(folder: str, database: Path) -> dict[str, str]:
    ports = [_free_port() for _ in range(3)]
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("DIGEST_")},
        "PYTHONPATH": str(ROOT),
        "DIGEST_DATABASE_URL": f"sqlite:///{database}",
        "DIGEST_SMTP_URL": f"smtp://127.0.0.1:{ports[0]}",
        "DIGEST_FROM": "Paper Digest <digest@example.org>",
        "DIGEST_PUBLIC_URL": "https://uni.example/digest",
        "DIGEST_SECRET_KEY": "a key of this measurement, no secret",
        "DIGEST_SOURCES": f"file:{folder}",
        "DIGEST_PACE": PACE,
        "BENCH_SINK_PORT": str(ports[0]),
        "BENCH_PAGES_PORT": str(ports[1]),
        "BENCH_BARE_PORT": str(ports[2]),
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def _process(what: str, environment: dict[str, str]) -> Iterator[int]:
    """A process that runs one of the functions below, by number; ready when it says so."""
    program = f"import bench.web; bench.web.{what}()"
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        if running.stdout is None or running.stdout.readline() != "ready\n":
            raise RuntimeError(f"{what} did not start")
        try:
            yield running.pid
        finally:
            running.terminate()


class Sending:
    """A process that sends; when it has sent everything, everything waits again."""

    def __init__(self, database: Path, environment: dict[str, str]) -> None:
        self._database = database
        self._environment = environment
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._rounds = 0

    def sent(self) -> int:
        """How many mails were sent so far."""
        accepted = "SELECT count(*) FROM delivery WHERE state = 'accepted'"
        with sqlite3.connect(self._database) as connection:
            return int(connection.execute(accepted).fetchone()[0]) + self._rounds * DUE

    def _run(self) -> None:
        words = [sys.executable, "-m", "digest", "send", "--quiet"]
        while not self._ending.is_set():
            with subprocess.Popen(words, env=self._environment) as sender:
                while sender.poll() is None and not self._ending.wait(0.1):
                    pass
                sender.terminate()
            if not self._ending.is_set():
                with sqlite3.connect(self._database, timeout=30) as connection:
                    connection.execute("UPDATE delivery SET state = 'ready', attempt = 0")
                self._rounds += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()


def _pages() -> None:
    """The pages as `paper-digest serve` runs them."""
    import uvicorn  # noqa: PLC0415 -- in this process alone

    from digest.web import create_app  # noqa: PLC0415

    settings = load(os.environ)
    with open_store(settings.database_url) as store:
        web = create_app(App(settings, store, utc_now))
        web.state.months.begin()
        sys.setswitchinterval(QUICK_TURNS)
        port = int(os.environ["BENCH_PAGES_PORT"])
        config = uvicorn.Config(
            web, port=port, log_config=None, access_log=False, server_header=False,
            forwarded_allow_ips="127.0.0.1",
        )  # fmt: skip
        _run_ready(uvicorn.Server(config), port)


def _bare() -> None:
    """A FastAPI route that answers with as many bytes as a day page, and does nothing else."""
    import uvicorn  # noqa: PLC0415
    from fastapi import FastAPI  # noqa: PLC0415
    from starlette.responses import HTMLResponse  # noqa: PLC0415

    bare = FastAPI()
    body = "x" * 17_500

    @bare.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse(body)

    port = int(os.environ["BENCH_BARE_PORT"])
    config = uvicorn.Config(bare, port=port, log_config=None, access_log=False)
    _run_ready(uvicorn.Server(config), port)


def _run_ready(server: object, port: int) -> None:
    listening = listen("127.0.0.1", port)
    print("ready", flush=True)  # what is asked before it accepts simply waits
    server.run(sockets=[listening])  # type: ignore[attr-defined]


def _sink() -> None:
    """A mailbox that takes everything and keeps nothing (RFC 5321, PIPELINING)."""
    asyncio.run(_sunk(int(os.environ["BENCH_SINK_PORT"])))


async def _sunk(port: int) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while (await reader.readline()) != b".\r\n":
                    pass
                writer.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port, limit=1 << 20)
    print("ready", flush=True)
    await server.serve_forever()


def _seeded() -> Path:
    """A database with the papers, stored as the program stores them; made once a day."""
    named = os.environ.get("BENCH_WEB_DB")
    today = datetime.now(UTC).date()
    path = Path(named) if named else ROOT / "build" / f"bench-web-{today}.db"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob("bench-web-*.db*"):
        old.unlink()
    began = time.perf_counter()
    chance = random.Random(5)
    papers = mixed(real_texts(), PAPERS, chance)
    making = path.with_suffix(".making.db")
    making.unlink(missing_ok=True)
    with open_store(f"sqlite:///{making}") as store:
        for start in range(0, PAPERS, A_DAY):
            day = today - timedelta(days=(PAPERS - start - 1) // A_DAY)
            batch = [
                _listed(paper, start + place, day, chance)
                for place, paper in enumerate(papers[start : start + A_DAY])
            ]
            store.papers.ingest(batch, datetime(day.year, day.month, day.day, 2, tzinfo=UTC))
    with sqlite3.connect(making) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    making.rename(path)
    print(f"{PAPERS:,} papers stored in {time.perf_counter() - began:.0f} s")
    return path


def _listed(paper: Paper, number: int, day: date, chance: random.Random) -> Paper:
    has_votes = chance.randrange(100) < WITH_VOTES
    institute = f"Institute {chance.randrange(300)}"
    return replace(
        paper,
        id=PaperId("arxiv", f"{2001 + number // 90_000}.{number % 90_000 + 10_000}"),
        # Titles are made unique, so that none is taken for another of the same name.
        title=f"{paper.title}, part {number}",
        categories=tuple(chance.sample(CATEGORIES, 2)),
        organization=institute if chance.randrange(100) < WITH_ORGANIZATION else "",
        signals=Signals(int(chance.expovariate(1 / 8)), chance.randrange(9), None)
        if has_votes
        else Signals(),
        listings=(Listing("arxiv", "arXiv", day),),
        number=0,
        first_seen_at=None,
    )


def _readers(store: Store) -> None:
    now = utc_now()
    chance = random.Random(6)
    readers = [
        Subscriber(
            f"reader{number}@example.org",
            profiles=(Profile("\n".join(chance.sample(TOPICS, 3))),),
        ).confirm(now)
        for number in range(READERS)
    ]
    due = [replace(reader, next_due=now) for reader in readers[:DUE]]
    store.subscribers.add_all([*due, *readers[DUE:]], now)
