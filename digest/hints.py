"""What a spam filter or a mail program may dislike about a message, in words. Pure.

Hints, not a score: filters differ, and what they make of a sender's history nobody can see here.
"""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

BUDGET: Final = 90_000
"""Bytes of HTML a mail may have, decoded; Gmail cuts off at about 102 kB."""
_LONGEST_SUBJECT: Final = 78
_MOST_LINKS: Final = 150
_LINK_SHOWN: Final = 60
_SHOUTING: Final = re.compile(r"\b[A-Z]{5,}\b.*\b[A-Z]{5,}\b|!!|\$\$\$|100%")
_LOUD: Final = re.compile(r"(?i)\b(free|winner|act now|click here|urgent|guaranteed)\b")


def hints(message: bytes) -> list[str]:
    """One sentence for each thing that may count against the message; none is the best."""
    parsed = message_from_bytes(message, policy=policy.default)
    return [*_headers(parsed), *_bodies(parsed)]


def _headers(message: EmailMessage) -> Iterator[str]:
    subject = str(message["subject"] or "")
    if not subject:
        yield "It has no subject."
    if len(subject) > _LONGEST_SUBJECT:
        yield f"The subject has {len(subject)} characters; 78 is the most, and phones show 40."
    if _SHOUTING.search(subject) or _LOUD.search(subject):
        yield "The subject shouts or sells: filters count capitals, !! and words such as free."
    if not message["list-unsubscribe"]:
        yield "There is no List-Unsubscribe: Gmail and Yahoo want one of every newsletter."
    elif not message["list-unsubscribe-post"]:
        yield (
            "Leaving takes a mail: without an https DIGEST_PUBLIC_URL there is no one-click "
            "unsubscribe, which Gmail and Yahoo want from 5,000 mails a day."
        )
    sender = _domain(str(message["from"] or ""))
    for link in re.findall(r"<(https://[^>]+)>", str(message["list-unsubscribe"] or "")):
        host = urlsplit(link).hostname or ""
        if _organization(host) != _organization(sender):
            yield f"Mails come from {sender} and links lead to {host}: one domain looks better."
    if sender.endswith(("gmail.com", "yahoo.com", "outlook.com", "hotmail.com")):
        yield f"The sender is at {sender}, whose owner asks others to reject such mail (DMARC)."


def _bodies(message: EmailMessage) -> Iterator[str]:
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    text = plain.get_content() if plain else ""
    html = rich.get_content() if rich else ""
    if not text.strip():
        yield "There is no text part."
    size = len(html.encode())
    if size > BUDGET:
        yield f"The HTML has {size // 1000} kB; Gmail cuts off at about 102 kB."
    reader = _Links()
    reader.feed(html)
    if len(reader.links) > _MOST_LINKS:
        yield f"There are {len(reader.links)} links: fewer papers look less like spam."
    for link in reader.links:
        if link.startswith("http:"):
            yield f"A link is not encrypted: {_shown(link)}"
            break
    if reader.pictures and len(text) < 200 * reader.pictures:
        yield "There is much picture and little text."
    if "postal" not in text.lower() and not re.search(r"\d+ \w+", text.rsplit("-- \n", 1)[-1]):
        yield "The foot has no postal address, which many countries ask for: DIGEST_POSTAL_ADDRESS."


def _shown(link: str) -> str:
    return link if len(link) <= _LINK_SHOWN else f"{link[:_LINK_SHOWN]}…"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _domain(mailbox: str) -> str:
    return mailbox.rpartition("@")[2].strip(" >").lower()


def _organization(host: str) -> str:
    return ".".join(host.split(".")[-2:])
