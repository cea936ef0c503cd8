"""How long a digest takes: the day's fragments, one reader's message of them, and each whole.

Beside it, in the same run and of the same papers: rendering each digest whole, and building the
message with the standard library's EmailMessage.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from bench.figures import Figure
from digest.brand import Brand
from digest.fragments import Fragments
from digest.mail import Letter, to_bytes
from digest.match import match
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.render import DigestLinks, Renderer
from digest.selection import Selection, select
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest.fragments import Body
    from digest.render import Rendered

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
SIZES = (5, 20, 50)
READERS = 40
ROUNDS = 25
TARGET_MICROSECONDS = 100.0
_WORDS = [
    "mixture",
    "of",
    "experts",
    "routing",
    "tokens",
    "whose",
    "loss",
    "hardly",
    "changes",
    "sparse",
    "layers",
    "overflow",
    "balance",
    "penalty",
    "audit",
    "unlearning",
    "removes",
    "influence",
    "training",
    "examples",
    "model",
    "quality",
    "four",
    "sizes",
    "agents",
    "plan",
    "tools",
    "search",
    "memory",
    "graph",
    "protein",
    "folding",
    "diffusion",
    "image",
    "language",
    "speech",
]


def measure() -> list[Figure]:
    figures = []
    renderer = Renderer(Brand("Paper Digest", "A group, 12 Mill Lane, Trent Valley TV1 2AB"))
    for size in SIZES:
        papers = {number: _paper(number) for number in range(1, size + 1)}
        readers = [_reader(number, size) for number in range(READERS)]
        selections = [_selection(reader, papers) for reader in readers]
        work = list(zip(readers, selections, strict=True))

        Fragments(renderer, papers).build(*work[0], _links(0))  # what is loaded once a process
        began = time.perf_counter()
        fragments = Fragments(renderer, papers)
        first = [fragments.build(*one, _links(0)) for one in work]
        made = (time.perf_counter() - began) * 1e6

        def build(number: int) -> bytes:
            reader, selection = work[number]  # noqa: B023 -- called in this turn only
            links = _links(number)
            return to_bytes(_letter(reader, fragments.build(reader, selection, links), links))  # noqa: B023

        def whole(number: int) -> bytes:
            reader, selection = work[number]  # noqa: B023
            links = _links(number)
            mail = renderer.fitted(reader, selection, papers, links)[1]  # noqa: B023
            return to_bytes(_letter(reader, mail, links))

        def standard(number: int) -> bytes:
            reader, selection = work[number]  # noqa: B023
            mail = renderer.fitted(reader, selection, papers, _links(number))[1]  # noqa: B023
            return _standard(reader, mail)

        message = len(build(0))
        quick, slow, library = _median(build, ROUNDS), _median(whole, 2), _median(standard, 2)
        target = TARGET_MICROSECONDS if size == 20 else TARGET_MICROSECONDS * max(1, size / 20)
        cards = fragments.cards_made
        figures += [
            Figure(f"build_{size}_papers", quick, target, "us"),
            _times(f"build_{size}_against_whole", slow / quick),
            _times(f"build_{size}_against_stdlib", library / quick),
            Figure(f"fragments_{size}_papers", made / cards, 2_000, "us a card"),
        ]
        print(
            f"{size:>3} papers, {message / 1000:.0f} kB: built in {quick:.0f} us; "
            f"rendered whole in {slow:.0f} us; with EmailMessage in {library:.0f} us; "
            f"the day's {cards} cards for {READERS} readers in {made / 1000:.0f} ms "
            f"({first[0].size / 1000:.0f} kB of HTML)"
        )
    return figures


def _times(name: str, times: float) -> Figure:
    return Figure(name, times, 10, "times as quick", more_is_better=True)


def _median(build: Callable[[int], bytes], rounds: int) -> float:
    """Microseconds a message: the median over readers of each one's quickest round.

    The quickest, because what else runs on the machine is not what is measured.
    """
    quickest = [float("inf")] * READERS
    for _ in range(rounds):
        for number in range(READERS):
            began = time.perf_counter()
            build(number)
            quickest[number] = min(quickest[number], time.perf_counter() - began)
    return statistics.median(quickest) * 1e6


def _standard(reader: Subscriber, mail: Rendered) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Paper Digest <digest@example.org>"
    message["To"] = reader.address
    message["Subject"] = mail.subject
    message["Message-ID"] = "<a@example.org>"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _letter(reader: Subscriber, body: Body | Rendered, links: DigestLinks) -> Letter:
    return Letter(
        sender_name="Paper Digest",
        sender_address="digest@example.org",
        to=reader.address,
        subject=body.subject,
        text=body.text,
        html=body.html,
        message_id="<kq7m2v1aaaaaa@example.org>",
        date=NOW,
        list_name="Paper Digest",
        list_id="main.example.org",
        reply_to="people@example.org",
        unsubscribe_url=links.unsubscribe,
        unsubscribe_mailto="mailto:people@example.org?subject=unsubscribe",
        feedback_id="1:main:digest:paperdigest",
        tag="d.kq7m2v1aaaaaa.abcdef",
    )


def _links(number: int) -> DigestLinks:
    at, token = "https://digest.example.org", f"{number:05}{'A' * 27}"
    ways = {way: f"{at}/{way[0]}/{token}" for way in ("manage", "pause", "unsubscribe")}
    return DigestLinks(**ways, browser=f"{at}/v/{token}", home=at, feedback=f"{at}/f/{token}")


def _reader(number: int, limit: int) -> Subscriber:
    """Readers who share a few wishes, as readers do."""
    wishes = ("experts", "unlearning\nagents", "experts\nrouting", "language", "audit")
    return Subscriber(
        f"reader{number}@example.org",
        profiles=(Profile(f"{wishes[number % len(wishes)]}\nof", limit=limit),),
        came_from="digest.example.org",
        confirmed_at=NOW - timedelta(days=40),
        created_at=NOW,
    )


def _selection(reader: Subscriber, papers: dict[int, Paper]) -> Selection:
    found = match(list(papers.values()), reader.profiles, now=NOW)
    since = NOW - timedelta(days=1)
    chosen = select(reader, papers, found, since=since, until=NOW, looked_at=213)
    assert len(chosen.picks) == len(papers)
    return Selection.unpack(replace(chosen).pack())


def _paper(number: int) -> Paper:
    def text(words: int, start: int) -> str:
        return " ".join(_WORDS[(start + n * 7) % len(_WORDS)] for n in range(words))

    title = text(9, number).title()
    sentences = (text(22, number * 3 + n).capitalize() for n in range(6))
    names: Sequence[str] = ("Ines Harrow", "Pavel Tomsa", "Yuki Arano", "Oda Brandl", "R. Venn")
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        f"{title} of Experts",
        authors=tuple(Author(name) for name in names[: 1 + number % 5]),
        abstract=". ".join(sentences) + ".",
        organization="Lindqvist Institute" if number % 2 else "",
        categories=("cs.LG", "cs.CL"),
        url=f"https://papers.example.org/abs/2611.{number:05}",
        pdf_url=f"https://papers.example.org/pdf/2611.{number:05}",
        code_url="https://github.com/example/regret" if number % 3 else "",
        discussion_url="https://papers.example.org/d/1",
        image_url="https://papers.example.org/figure.png",
        signals=Signals(upvotes=60 - number, comments=number % 9, stars=1_304),
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
        number=number,
        first_seen_at=NOW - timedelta(hours=3),
    )
