"""How the text of a setting becomes its value.

Each reader raises ValueError for a text that it does not take; as a WantedError where there is
more to say about this very text than what its setting takes.
"""

from __future__ import annotations

import base64
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from digest.brand import DARK, LEAST_CONTRAST, LIGHT, contrast

if TYPE_CHECKING:
    from collections.abc import Callable

OUR_SOURCES: Final = frozenset(
    {"arxiv", "biorxiv", "crossref", "feed", "file", "hf", "medrxiv", "openalex"}
    | {"openreview", "pubmed"}
)
SOURCE_GROUP: Final = "paper_digest.sources"
"""The entry-point group in which other packages register sources."""
SHORTEST_SECRET: Final = 32
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")
_ADDRESS: Final = re.compile(
    r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
_MAILBOX: Final = re.compile(
    r"\"?(?P<name>[^\"<>\x00-\x1f\x7f]*?)\"?\s*<(?P<in>[^<>]*)>"
    r"|(?P<bare>\S+)"
)
ON_UNKNOWN: Final = re.compile(r"hold|resend|drop")
LIST: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
ARCHIVE: Final = re.compile(r"public|closed")
_SOURCE: Final = re.compile(r"[a-z][a-z0-9_]*(?::\S+)?")
TOPIC: Final = re.compile(r"arn:aws[\w-]{0,10}:sns:[a-z0-9-]{1,30}:\d{12}:[\w-]{1,256}(?:\.fifo)?")
HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]+\]?")


def split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """A URL of one of these schemes with a host that can be one; ValueError otherwise."""
    parts = urlsplit(text)
    _ = parts.port
    if parts.scheme not in schemes or not parts.hostname or not HOST.fullmatch(parts.hostname):
        raise ValueError
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError
    return parts


class WantedError(ValueError):
    """What to do about this very value, where there is more to say than usual."""


def http_url(text: str) -> str:
    """A base address: http(s), nothing behind the path, no slash at its end."""
    parts = split(text, ("http", "https"))
    if parts.query or parts.fragment:
        raise ValueError
    return text.rstrip("/")


def public_url(text: str) -> str:
    """The address readers reach us at: https, or http on this very machine."""
    parts = split(text, ("http", "https"))
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(parts.hostname or ""):
        raise WantedError(
            "set it to an https address (http is for this machine only): without it, links could "
            "be read on the way"
        )
    if parts.query or parts.fragment or parts.username:
        raise WantedError(
            "set it to an address without ?, # or a name in it, as in https://example.org/digest"
        )
    return text.rstrip("/")


def database_url(text: str) -> str:
    """A database SQLAlchemy can open; PostgreSQL always through psycopg."""
    scheme, colon, rest = text.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return text
    if colon and scheme in {"postgres", "postgresql", "postgresql+psycopg"} and rest:
        return f"postgresql+psycopg://{rest}"
    raise ValueError


def smtp_url(text: str) -> str:
    """The URL of a relay, or of several; or eml: and a folder."""
    if text.startswith("eml:"):
        if not text.removeprefix("eml:"):
            raise WantedError("set it to eml: and a folder, as in eml:outbox")
        return text
    for one in re.split(r"[\s,]+", text.strip(" ,")):
        parts = split(one, ("smtp", "smtp+starttls", "smtps"))
        if parts.path not in {"", "/"} or parts.fragment:
            raise ValueError
    return text.strip(" ,")


def sender(text: str) -> tuple[str, str]:
    """Name (may be empty) and address of `Name <address>` or of a bare address."""
    found = _MAILBOX.fullmatch(text)
    if not found:
        raise ValueError
    return (found["name"] or "").strip(), address(found["in"] or found["bare"] or "")


def address(text: str) -> str:
    """An address with its domain in lower case."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def bounce_address(text: str) -> str:
    """An address whose local part may hold one * (and leaves room for a tag of 29 characters)."""
    local, _, _ = text.rpartition("@")
    if local.count("*") > 1 or len(local) > 64 - 29:
        raise ValueError
    return address(text)


def mailbox_url(text: str) -> str:
    """A mailbox over IMAP, or maildir: and a folder."""
    if text.startswith("maildir:"):
        if not text.removeprefix("maildir:"):
            raise WantedError("set it to maildir: and a folder, as in maildir:/var/mail/bounces")
        return text
    parts = split(text, ("imap", "imap+starttls", "imaps"))
    if parts.fragment or not text.isascii():
        raise ValueError
    return text


def webhook_secret(text: str) -> bytes:
    """The key of a secret as the Standard Webhooks have it (whsec_ and base64), or as it stands."""
    if not text.startswith("whsec_"):
        return secret_key(text)
    key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    if len(key) < 24:  # noqa: PLR2004 -- the least that their specification allows
        raise ValueError
    return key


def secret_key(text: str) -> bytes:
    """A key that nobody guesses, as bytes."""
    if len(text) < SHORTEST_SECRET or len(set(text)) < 8:  # noqa: PLR2004 -- "aaaa..." is no secret
        raise ValueError
    return text.encode("utf-8", "surrogateescape")


def sources(text: str) -> tuple[str, ...]:
    """Names of sources, each once."""
    names = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip(" ,"))))
    for name in names:
        if not _SOURCE.fullmatch(name):
            raise WantedError(
                f"{name!r} is no source: write names with commas between, as in hf,file:listings"
            )
    unknown = [name for name in (one.partition(":")[0] for one in names) if name not in OUR_SOURCES]
    if unknown:
        from importlib.metadata import entry_points  # noqa: PLC0415 -- slow, and only for others'

        known = OUR_SOURCES | {point.name for point in entry_points(group=SOURCE_GROUP)}
        for name in unknown:
            if name not in known:
                listed = ", ".join(sorted(known))
                raise WantedError(f"there is no source {name!r}: known are {listed}")
    return names


def signup(text: str) -> str:
    """Who may sign up: open, invite, closed, or domains: and names with commas between."""
    word, colon, names = text.lower().partition(":")
    if not colon and word in {"open", "invite", "closed"}:
        return word
    domains = tuple(dict.fromkeys(name for name in re.split(r"[\s,]+", names) if name))
    if word != "domains" or not domains:
        raise ValueError
    for domain in domains:
        if not HOST.fullmatch(domain.removeprefix("*.")) or "." not in domain:
            raise WantedError(
                f"{domain!r} is no domain: write domains:uni.example, or domains:*.uni.example "
                "for all that are below it"
            )
    return f"domains:{','.join(domains)}"


def proxies(text: str) -> tuple[str, ...]:
    """Addresses and networks, each once, as ipaddress writes them."""
    from ipaddress import ip_network  # noqa: PLC0415 -- only where one is set

    found = []
    for piece in filter(None, re.split(r"[\s,]+", text)):
        try:
            network = ip_network(piece)
        except ValueError:
            raise WantedError(
                f"{piece!r} is no address: write 127.0.0.1, or a network as 10.0.0.0/24"
            ) from None
        is_one = network.num_addresses == 1
        found.append(str(network.network_address) if is_one else str(network))
    return tuple(dict.fromkeys(found))


def zone(text: str) -> str:
    """The name of a zone in the IANA database."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 -- only where a zone is set

    try:
        return ZoneInfo(text).key
    except (OSError, ValueError):
        raise ValueError from None
    except KeyError:  # ZoneInfoNotFoundError
        from zoneinfo import available_timezones  # noqa: PLC0415 -- slow, and only for the hint

        names = {name.casefold(): name for name in available_timezones()}
        close = get_close_matches(text.casefold(), names, n=1, cutoff=0.6)
        hint = f"; did you mean {names[close[0]]}?" if close else ""
        raise WantedError(
            f"set it to a zone of the IANA database, as in Europe/Paris{hint}"
        ) from None


def matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    """A reader of texts that match the pattern as a whole."""

    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError
        return text

    return read


def line(longest: int) -> Callable[[str], str]:
    """A reader of one printable line of at most so many characters."""

    def read(text: str) -> str:
        if len(text) > longest or not text.isprintable():
            raise ValueError
        return text

    return read


def pem(text: str) -> str:
    r"""Private keys as PEM; in one line, their line ends may be written as \n."""
    text = text.replace("\\n", "\n")
    if not re.match(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s", text):
        raise ValueError
    return text


def selectors(text: str) -> tuple[str, ...]:
    """Names with commas between, each one that can stand in the DNS."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(map(LIST.fullmatch, names)) or len(set(names)) < len(names):
        raise ValueError
    return names


def number(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers between two, both allowed."""

    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return read


def link_colours(text: str) -> tuple[str, str]:
    """The colours of links and buttons, in the light and in the dark; both must be legible."""
    light, dark = _two_colours(text)
    for colour, scheme, name in ((light, LIGHT, "light"), (dark, DARK, "dark")):
        for background in (scheme.page, scheme.mark, scheme.note):
            _legible(colour, background, name)
        _legible(scheme.press, colour, name)
    return light, dark


def mark_colours(text: str) -> tuple[str, str]:
    """The colours behind a reader's own words; what stands on them must be legible."""
    light, dark = _two_colours(text)
    for colour, scheme, name in ((light, LIGHT, "light"), (dark, DARK, "dark")):
        for ink in (scheme.ink, scheme.body, scheme.link):
            _legible(ink, colour, name)
    return light, dark


def _two_colours(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"(#[0-9A-Fa-f]{6})[ ,]+(#[0-9A-Fa-f]{6})", text)
    if not found:
        raise ValueError
    return found[1].upper(), found[2].upper()


def _legible(colour: str, background: str, scheme: str) -> None:
    ratio = contrast(colour, background)
    if ratio < LEAST_CONTRAST:
        raise WantedError(
            f"set it to colours that can be read: {colour} on {background} in the {scheme} is "
            f"{ratio:.1f}:1, and {LEAST_CONTRAST}:1 is the least"
        )


def language(text: str) -> str:
    """The code of a language, as de; what there are no words in reads as English."""
    if not re.fullmatch(r"[a-z]{2,3}(?:-[A-Za-z]{2})?", text):
        raise ValueError
    return text


def folder(text: str) -> Path:
    """A folder that is there."""
    path = Path(text).expanduser()
    if not path.is_dir():
        raise ValueError
    return path


def file(text: str) -> Path:
    """A file that is there."""
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError
    return path


def port(text: str) -> int:
    """A port, 0 for one that is free."""
    port = int(text)
    if not 0 <= port < 65536:  # noqa: PLR2004 -- 16 bits
        raise ValueError
    return port
