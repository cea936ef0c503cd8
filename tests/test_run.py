"""The main job, end to end: listings over HTTP, mail over SMTP, each paper once, nothing lost."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from conftest import needs
from outbox import intend

from digest import run
from digest.app import open_app, utc_now
from digest.demo import Mailbox
from digest.errors import RelayUnreachable
from digest.ingest import take_in
from digest.papers import Listing, Paper, PaperId
from digest.preview import preview
from digest.selection import papers_of
from digest.settings import load
from digest.testing import FixtureServer, Reply
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.app import App
    from digest.delivery import Sent

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"
SAMPLE = Path(run.__file__).parent / "sample"
TOPICS = (
    "diffusion",
    "reparameterization",
    "quantization",
    "prompt learning",
    "reinforcement learning",
    "large language models",
    "benchmark",
    "vision language",
    "attention",
    "agents",
    "retrieval",
    "video",
    "reasoning",
    "alignment",
    "segmentation",
    "transformers",
    "mixture of experts",
    "fine-tuning",
    "code generation",
    "image editing",
    "long context",
    "multi-modal",
    "speech",
    "robot",
    "3D",
)


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path / "mails") as opened:
        yield opened


def opened(folder: Path, now: datetime, *, smtp: str, **more: str) -> App:
    settings = load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{folder / 'digest.db'}",
            "DIGEST_SMTP_URL": smtp,
            "DIGEST_FROM": "Paper Digest <digest@example.org>",
            "DIGEST_SOURCES": f"file:{SAMPLE}",
            **more,
        }
    )
    return open_app(settings, clock=lambda: now, sleep=lambda _: None)


def add(app: App, name: str, *keywords: str, limit: int = 0) -> Subscriber:
    now = app.clock()
    reader = Subscriber(
        f"{name}@example.org",
        profiles=tuple(Profile(text, limit=limit) for text in keywords),
        schedule=Schedule(zone="UTC"),
        layout=Layout.TITLES,
    )
    return app.store.subscribers.add(reader.confirm(now), now)


def delivered(app: App) -> list[Sent]:
    """Send what waits; every attempt that was told of."""
    sent: list[Sent] = []
    report = run.deliver(app, on_sent=sent.append)
    assert report.attempts == len(sent)
    return sent


def titles_in(mail: Path) -> set[str]:
    """The titles of a mail, from its headings."""
    html = mail.with_suffix(".html").read_text(encoding="utf-8")
    headings = re.findall(r"<h3.*?<a [^>]*>(.*?)</a>", html, re.DOTALL)
    return {squeezed(re.sub(r"<[^>]+>", "", one)) for one in headings}


def squeezed(text: str) -> str:
    import html  # noqa: PLC0415 -- beside what is called html here

    return " ".join(html.unescape(text).split())


def test_the_sample_reaches_four_readers_and_says_why_the_fifth_got_none(
    tmp_path: Path, now: datetime, mailbox: Mailbox, database_url: str
) -> None:
    smtp = f"smtp://127.0.0.1:{mailbox.port}"
    with opened(tmp_path, now, smtp=smtp, DIGEST_DATABASE_URL=database_url) as app:
        add(app, "ada", "mixture of experts", "unlearning -image")
        add(app, "bo", "agents", limit=10)
        add(app, "chidi", 'author:"Ines Harrow"', "upvotes>20")
        add(app, "dana", "", limit=10)
        add(app, "emre", "zebrafish")

        report = run.ingest(app)
        decided: list[run.Decided] = []
        issue = run.issue(app, everybody=True, on_decided=decided.append)
        sent = delivered(app)

        assert report.new == 60
        assert issue.frozen is not None
        assert issue.frozen.candidates == issue.frozen.prepared + issue.frozen.excluded == 5
        assert sorted(one.delivery.address for one in sent) == [
            f"{name}@example.org" for name in ("ada", "bo", "chidi", "dana")
        ]
        (block,) = decided
        assert (block.done, block.total, issue.readers) == (5, 5, 5)
        picked = [len(one.selection.picks) for one in block.considered]
        matched = [one.selection.matched for one in block.considered]
        assert picked == [6, 10, 3, 10, 0]
        assert matched[:3] == [6, 23, 3]
        assert block.considered[-1].reason == "nothing matched, 60 looked at"
        assert len(titles_in(mailbox.folder / "ada.eml")) == 6


def test_a_second_run_sends_nothing_twice(tmp_path: Path, now: datetime, database_url: str) -> None:
    out = f"eml:{tmp_path / 'out'}"
    with opened(tmp_path, now, smtp=out, DIGEST_DATABASE_URL=database_url) as app:
        add(app, "ada", "mixture of experts")
        run.ingest(app)
        run.issue(app, everybody=True)
        assert len(delivered(app)) == 1

        again = run.ingest(app)
        issue = run.issue(app, everybody=True)

        assert (again.new, again.changed) == (0, 0)
        assert issue.frozen is None, "an issue of nothing is none"
        assert len(app.store.outbox.issues(9)) == 1
        assert delivered(app) == []


def test_a_digest_is_due_once_a_local_date(tmp_path: Path, now: datetime) -> None:
    before = now - timedelta(days=1)
    with opened(tmp_path, before, smtp=f"eml:{tmp_path / 'out'}") as app:
        reader = add(app, "ada", "")
        assert reader.next_due == now
        run.ingest(app)
        assert run.issue(app).frozen is None

        app.clock = lambda: now + timedelta(minutes=1)
        first, second = run.issue(app), run.issue(app)

        assert first.frozen is not None
        assert first.frozen.prepared == 1
        assert second.frozen is None
        moved = app.store.subscribers.by_address("ada@example.org")
        assert moved.next_due == now + timedelta(days=3)  # Monday


def test_an_unreachable_relay_loses_nothing(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path, now, smtp="smtp://127.0.0.1:1") as app:
        add(app, "ada", "")
        run.ingest(app)
        run.issue(app, everybody=True)
        with pytest.raises(RelayUnreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
            run.deliver(app)
        assert [one.state for one in app.store.deliveries.history()] == ["ready"]

    with opened(tmp_path, now, smtp=f"eml:{tmp_path / 'out'}") as app:
        assert [one.reply.outcome for one in delivered(app)] == ["accepted"]


def test_who_leaves_after_the_freeze_is_not_written_to(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path, now, smtp=f"eml:{tmp_path / 'out'}") as app:
        reader = add(app, "ada", "")
        run.ingest(app)
        run.issue(app, everybody=True)
        app.store.subscribers.update(reader.unsubscribe())

        assert delivered(app) == []

        (delivery,) = app.store.deliveries.history()
        assert (delivery.state, delivery.text) == ("cancelled", "the reader is unsubscribed")


def test_what_was_not_sent_is_offered_again(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path, now, smtp=f"eml:{tmp_path / 'out'}") as app:
        reader = add(app, "ada", "mixture of experts")
        run.ingest(app)
        run.issue(app, everybody=True)
        app.store.subscribers.update(replace(reader, status=Status.PAUSED))
        run.deliver(app)  # cancels it
        app.store.subscribers.update(reader)
        app.clock = lambda: now + timedelta(minutes=1)

        issue = run.issue(app, everybody=True)

        assert issue.frozen is not None
        assert issue.frozen.prepared == 1


def test_what_a_dead_sender_held_is_sent_or_recorded_as_unknown(
    tmp_path: Path, now: datetime, database_url: str
) -> None:
    out = f"eml:{tmp_path / 'out'}"
    with opened(tmp_path, now, smtp=out, DIGEST_DATABASE_URL=database_url) as app:
        for name in ("ada", "bo"):
            add(app, name, "mixture of experts")
        run.ingest(app)
        run.issue(app, everybody=True)
        ada, _bo = app.store.outbox.lease("dead", 10, now)
        intend(app.store, ada, "dead", now)

        sent = delivered(app)

        assert [one.delivery.address for one in sent] == ["bo@example.org"]
        states = {one.address: one.state for one in app.store.deliveries.history()}
        assert states == {"ada@example.org": "unknown", "bo@example.org": "accepted"}


def test_preview_marks_nothing_as_sent(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path, now, smtp=f"eml:{tmp_path / 'out'}") as app:
        reader = add(app, "ada", "mixture of experts")
        run.ingest(app)

        shown = preview(app, reader, now=now)

        assert shown.digest.subject == "4 new: mixture of experts (4) · Fri 20 Nov"
        assert "4 new papers for you" in shown.rendered.html.replace("\u00a0", " ")
        assert app.store.deliveries.history() == []


def listings() -> list[dict[str, Any]]:
    """All real papers once, as items of the Daily Papers payload with invented ids."""
    seen: dict[str, dict[str, Any]] = {}
    for path in sorted(CORPUS.glob("listing-*.json")):
        for paper in json.loads(path.read_text(encoding="utf-8"))["papers"]:
            seen.setdefault(squeezed(paper["title"]), paper)
    return [
        {
            "paper": {
                "id": f"2611.{10_000 + position}",
                "title": paper["title"],
                "summary": paper["abstract"],
                "authors": [{"name": "A. Author", "hidden": False}],
                "publishedAt": "2026-11-19T00:00:00.000Z",
                "submittedOnDailyAt": "2026-11-20T00:00:00.000Z",
                "upvotes": position % 40,
            },
            "title": paper["title"],
            "numComments": 0,
        }
        for position, paper in enumerate(seen.values())
    ]


def stem(word: str) -> str:
    """A word in singular or plural, in American or British spelling, "re-" with its hyphen."""
    one = re.escape(word.removesuffix("s")).replace("ization", "i[sz]ation")
    return re.sub("^re", "re-?", one) + "(?:s|es)?"


def test_real_listings_reach_exactly_the_readers_who_asked(
    tmp_path: Path, now: datetime, mailbox: Mailbox
) -> None:
    needs(CORPUS.is_dir(), "real listings in ../shared/corpus")
    items = listings()
    half = len(items) // 2
    with FixtureServer() as server:
        base = {"DIGEST_SOURCES": "hf", "DIGEST_HF_URL": server.url}
        with opened(tmp_path, now, smtp=f"smtp://127.0.0.1:{mailbox.port}", **base) as app:
            for position, topic in enumerate(TOPICS):
                add(app, f"r{position}", f'"{topic}"' if " " in topic else topic)
            # The list fills during the day: half of it in the morning, all of it later.
            for part, moment in ((items[:half], now), (items, now + timedelta(hours=4))):
                server.on("/api/daily_papers", Reply(json.dumps(part).encode()))
                app.clock = lambda moment=moment: moment  # type: ignore[misc]
                run.ingest(app)
                run.issue(app, everybody=True)
                run.deliver(app)
            assert app.store.papers.count() == len(items)
            issue = run.issue(app, everybody=True)
            assert issue.frozen is None
    for position, topic in enumerate(TOPICS):
        got: list[str] = []
        for mail in mailbox.folder.glob(f"r{position}*.eml"):
            if re.fullmatch(rf"r{position}(?:-\d+)?", mail.stem):
                got += titles_in(mail)
        assert len(got) == len(set(got)), f"{topic}: a paper came twice"
        assert set(got) == phrase_oracle(topic, items), topic


def phrase_oracle(topic: str, items: list[dict[str, Any]]) -> set[str]:
    """The words of a topic one behind the other, joined or with any marks between them."""
    pattern = r"[^a-z0-9]*".join(stem(word) for word in re.split(r"[ -]", topic.lower()))
    whole = re.compile(rf"(?<![a-z0-9]){pattern}(?![a-z0-9])")
    return {
        squeezed(item["title"])
        for item in items
        if whole.search(item["title"].lower()) or whole.search(item["paper"]["summary"].lower())
    }


def test_a_welcome_never_overlooks_papers_that_are_being_stored(
    tmp_path: Path, now: datetime, database_url: str
) -> None:
    """They have their instant before anybody sees them, and a digest looks behind the welcome."""
    smtp = f"eml:{tmp_path / 'out'}"
    with opened(tmp_path, now, smtp=smtp, DIGEST_DATABASE_URL=database_url) as app:
        reader = add(app, "ada", "")
        moments = (now + timedelta(seconds=n) for n in count(1))
        joining = Thread(target=run.welcome, args=(app, reader))

        def clock() -> datetime:
            moment = next(moments)
            if not joining.ident:
                joining.start()
                joining.join(0.3)  # as far as it comes before the papers are stored
            return moment

        app.clock = clock
        listed = Listing("arxiv", "arXiv", now.date())
        take_in(app, [Paper(PaperId("arxiv", "2611.00001"), "Unlearning", listings=(listed,))])
        joining.join()

        (welcomed,) = app.store.deliveries.history()
        assert len(papers_of(welcomed.selection)) == 1


def test_utc_now_is_aware() -> None:
    assert utc_now().tzinfo is UTC
