"""Settings: one table of what can be set, and the one function that reads it.

Every key begins with DIGEST_; a secret can also be named by a file, in KEY_FILE. An empty value
is the same as none. `load` reports every problem at once and never shows a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from digest.errors import Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "DIGEST_"
MASK: Final = "***"
SHORTEST_SECRET: Final = 32
LONGEST_NOTE: Final = 500
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
_LIST: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SOURCE: Final = re.compile(r"[a-z][a-z0-9_]*(?::\S+)?")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]+\]?")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one installation is set up; `secret_keys` are newest first, the first one signs.

    `source_options` is what `digest.sources.load` takes: base URLs by source ("hf"), anything
    else by source and name ("hf_key", "arxiv_api"). `public_url` has no slash at its end and is
    empty where nobody can reach this installation; `host` and `port` are where `serve` listens.
    """

    database_url: str = field(repr=False)
    smtp_url: str = field(repr=False)
    sender_name: str
    sender_address: str
    contact: str
    smtp_user: str | None = field(default=None, repr=False)
    smtp_password: str | None = field(default=None, repr=False)
    hostname: str = "localhost"
    public_url: str = ""
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    sources: tuple[str, ...] = ("hf",)
    source_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    list_name: str = "main"
    brand: str = "Paper Digest"
    postal_address: str = ""
    note: str = ""
    zone: str = "UTC"
    templates: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def writes_files(self) -> bool:
        """Whether mails become files in a folder instead of going to a relay."""
        return self.smtp_url.startswith("eml:")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: what it takes (`wanted`, as an error says it), its default as text, its reader.

    `of_source` marks what is handed to the source whose name stands behind DIGEST_.
    `read` turns the text into the value and raises ValueError for what it does not take.
    """

    key: str
    help: str
    wanted: str
    read: Callable[[str], Any]
    default: str = ""
    secret: bool = False
    of_source: bool = False


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings out of an environment; raises SettingsError with every problem."""
    problems: list[Problem] = []
    texts = _texts(env, problems)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = texts.get(setting.key, setting.default)
        try:
            values[setting.key] = setting.read(text) if text else None
        except ValueError as error:
            shown = MASK if setting.secret else mask_url(text)
            wanted = str(error) if isinstance(error, _WantedError) else setting.wanted
            problems.append(Problem(setting.key, shown, wanted))
    sources = values.get("DIGEST_SOURCES") or ()
    foreign = _foreign(texts, sources)
    options = _source_options(texts, values, foreign, problems)
    unread = {problem.key.removesuffix("_FILE") for problem in problems}
    problems += [problem for problem in _missing(values, texts) if problem.key not in unread]
    problems += _unknown(texts, foreign)
    if problems:
        raise SettingsError(problems)
    name, address = values["DIGEST_FROM"]
    keys = (values["DIGEST_SECRET_KEY"], values["DIGEST_SECRET_KEY_OLD"])
    return Settings(
        database_url=values["DIGEST_DATABASE_URL"],
        smtp_url=values["DIGEST_SMTP_URL"],
        smtp_user=values["DIGEST_SMTP_USER"],
        smtp_password=values["DIGEST_SMTP_PASSWORD"],
        hostname=values["DIGEST_HOSTNAME"] or address.rpartition("@")[2],
        sender_name=name or values["DIGEST_BRAND"],
        sender_address=address,
        contact=values["DIGEST_CONTACT"] or address,
        public_url=values["DIGEST_PUBLIC_URL"] or "",
        secret_keys=tuple(key for key in keys if key),
        sources=sources,
        source_options=options,
        list_name=values["DIGEST_LIST"],
        brand=values["DIGEST_BRAND"],
        postal_address=values["DIGEST_POSTAL_ADDRESS"] or "",
        note=values["DIGEST_NOTE"] or "",
        zone=values["DIGEST_ZONE"],
        templates=values["DIGEST_TEMPLATES"],
        host=values["DIGEST_HOST"],
        port=values["DIGEST_PORT"],
    )


def mask_url(url: str) -> str:
    """The URL without its password, fit to be shown."""
    return re.sub(r"(//[^/@:\s]*):[^/\s]*@", rf"\1:{MASK}@", url)


def _texts(env: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """Every DIGEST_ key that is set, with the contents of the files that secrets are kept in."""
    texts = {
        key: text.strip() for key, text in env.items() if key.startswith(PREFIX) and text.strip()
    }
    for file_key in [key for key in texts if key.endswith("_FILE")]:
        key = file_key.removesuffix("_FILE")
        if not _is_secret(key):
            continue
        path = texts.pop(file_key)
        if key in texts:
            problems.append(Problem(file_key, path, f"set either this or {key}, not both"))
            continue
        try:
            texts[key] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            problems.append(
                Problem(file_key, path, f"a file that can be read and holds the secret ({why})")
            )
        else:
            if not texts[key]:
                problems.append(
                    Problem(file_key, path, "a file that holds the secret (it is empty)")
                )
    return texts


def _is_secret(key: str) -> bool:
    setting = BY_KEY.get(key)
    return setting.secret if setting else key.endswith("_KEY")


def _source_options(
    texts: Mapping[str, str],
    values: Mapping[str, Any],
    foreign: frozenset[str],
    problems: list[Problem],
) -> dict[str, str]:
    """What is set for single sources, by the names that `digest.sources.load` gives it."""
    options: dict[str, str] = {
        _option(setting.key): values[setting.key]
        for setting in SETTINGS
        if setting.of_source and values.get(setting.key)
    }
    for key in sorted(foreign):
        try:
            options[_option(key)] = _http_url(texts[key]) if key.endswith("_URL") else texts[key]
        except ValueError:
            problems.append(Problem(key, mask_url(texts[key]), _BASE_URL))
    return options


def _option(key: str) -> str:
    return key.removeprefix(PREFIX).removesuffix("_URL").lower()


def _foreign(texts: Mapping[str, str], sources: tuple[str, ...]) -> frozenset[str]:
    """Keys of sources in use that are not ours: DIGEST_NAME_ANYTHING is theirs to understand."""
    ours = {setting.key.split("_")[1] for setting in SETTINGS if setting.of_source}
    names = {source.partition(":")[0].upper() for source in sources} - ours
    starts = tuple(f"{PREFIX}{name}_" for name in names)
    return frozenset(key for key in texts if starts and key.startswith(starts))


def _missing(values: Mapping[str, Any], texts: Mapping[str, str]) -> list[Problem]:
    """What is needed only because something else is set."""
    problems = []
    public, relay = values.get("DIGEST_PUBLIC_URL"), values.get("DIGEST_SMTP_URL") or "eml:"
    if public and "DIGEST_SECRET_KEY" not in texts:
        wanted = (
            f"{SHORTEST_SECRET} random characters or more, because DIGEST_PUBLIC_URL is set and "
            "links to it are signed (openssl rand -hex 32)"
        )
        problems.append(Problem("DIGEST_SECRET_KEY", None, wanted))
    if not relay.startswith("eml:") and "DIGEST_FROM" not in texts:
        wanted = (
            "who the mails come from, because DIGEST_SMTP_URL is a relay: "
            "a name and an address, as in Paper Digest <digest@example.org>"
        )
        problems.append(Problem("DIGEST_FROM", None, wanted))
    if "DIGEST_SMTP_PASSWORD" in texts and "DIGEST_SMTP_USER" not in texts and "@" not in relay:
        wanted = "the name that goes with DIGEST_SMTP_PASSWORD"
        problems.append(Problem("DIGEST_SMTP_USER", None, wanted))
    return problems


def _unknown(texts: Mapping[str, str], foreign: frozenset[str]) -> list[Problem]:
    known = sorted([*BY_KEY, *(f"{key}_FILE" for key in BY_KEY if _is_secret(key))])
    problems = []
    for key in sorted(set(texts) - set(known) - foreign):
        close = get_close_matches(key, known, n=1, cutoff=0.75)
        hint = f"did you mean {close[0]}?" if close else "remove it, or see docs/configuration.md"
        # What is meant for a secret may stand under a misspelt key.
        problems.append(Problem(key, MASK, f"there is no such setting; {hint}"))
    return problems


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """A URL of one of these schemes with a host that can be one; ValueError otherwise."""
    parts = urlsplit(text)
    _ = parts.port
    if parts.scheme not in schemes or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise ValueError
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError
    return parts


class _WantedError(ValueError):
    """What would be right for this very value, where there is more to say than usual."""


def _http_url(text: str) -> str:
    parts = _split(text, ("http", "https"))
    if parts.query or parts.fragment:
        raise ValueError
    return text.rstrip("/")


def _public_url(text: str) -> str:
    parts = _split(text, ("http", "https"))
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(parts.hostname or ""):
        raise _WantedError(
            "https (http is only for this machine): without it, links could be read on the way"
        )
    if parts.query or parts.fragment or parts.username:
        raise _WantedError(
            "an address without ?, # or a name in it, as in https://example.org/digest"
        )
    return text.rstrip("/")


def _database_url(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return text
    if colon and scheme in {"postgres", "postgresql", "postgresql+psycopg"} and rest:
        return f"postgresql+psycopg://{rest}"
    raise ValueError


def _smtp_url(text: str) -> str:
    if text.startswith("eml:"):
        if not text.removeprefix("eml:"):
            raise _WantedError("eml: and a folder, as in eml:outbox")
        return text
    parts = _split(text, ("smtp", "smtp+starttls", "smtps"))
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError
    return text


def _sender(text: str) -> tuple[str, str]:
    found = _MAILBOX.fullmatch(text)
    address = (found["in"] or found["bare"] or "") if found else ""
    return (found["name"] or "" if found else "").strip(), _address(address)


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _secret_key(text: str) -> bytes:
    if len(text) < SHORTEST_SECRET or len(set(text)) < 8:  # noqa: PLR2004 -- "aaaa..." is no secret
        raise ValueError
    return text.encode("utf-8", "surrogateescape")


def _sources(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip(" ,"))))
    for name in names:
        if not _SOURCE.fullmatch(name):
            raise _WantedError(
                f"{name!r} is no source: write names with commas between, as in hf,file:listings"
            )
    return names


def _zone(text: str) -> str:
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
        raise _WantedError(f"a zone of the IANA database, as in Europe/Paris{hint}") from None


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError
        return text

    return read


def _line(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest or not text.isprintable():
            raise ValueError
        return text

    return read


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise ValueError
    return path


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:  # noqa: PLR2004 -- 16 bits
        raise ValueError
    return port


_BASE_URL: Final = "an http(s) address without ? or #, as in https://mirror.example.org"
_SECRET: Final = f"{SHORTEST_SECRET} random characters or more (openssl rand -hex 32)"

SETTINGS: Final = (
    Setting(
        "DIGEST_DATABASE_URL",
        "Where readers, papers and the log of deliveries are kept.",
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        _database_url,
        default="sqlite:///paper-digest.db",
    ),
    Setting(
        "DIGEST_SMTP_URL",
        "The relay that mails go to, or eml: and a folder that they are written into.",
        "smtps://HOST, smtp+starttls://HOST:587, smtp://HOST:25 (no TLS) or eml:FOLDER",
        _smtp_url,
        default="eml:outbox",
    ),
    Setting(
        "DIGEST_SMTP_USER",
        "The name to log in with at the relay; over one in DIGEST_SMTP_URL.",
        "a name in one line",
        _line(320),
    ),
    Setting(
        "DIGEST_SMTP_PASSWORD",
        "The password that goes with it; over one in DIGEST_SMTP_URL.",
        "a password in one line",
        _line(4096),
        secret=True,
    ),
    Setting(
        "DIGEST_HOSTNAME",
        "What this machine calls itself to the relay; without it, the domain of DIGEST_FROM.",
        "the name of a host, as in digest.example.org",
        _matching(_HOST),
    ),
    Setting(
        "DIGEST_FROM",
        "Who the mails come from. Needed as soon as DIGEST_SMTP_URL is a relay.",
        "a name and an address, as in Paper Digest <digest@example.org>",
        _sender,
        default="Paper Digest <digest@example.org>",
    ),
    Setting(
        "DIGEST_CONTACT",
        "Where answers go and who to ask; without it, the address of DIGEST_FROM.",
        "an address, as in digest@example.org",
        _address,
    ),
    Setting(
        "DIGEST_PUBLIC_URL",
        "Where readers reach `paper-digest serve`; it may have a path. Without it mails have no "
        "links to settings, and one leaves by writing to DIGEST_CONTACT.",
        "an https address, as in https://example.org/digest",
        _public_url,
    ),
    Setting(
        "DIGEST_SECRET_KEY",
        "Signs the links in mails. Needed with DIGEST_PUBLIC_URL.",
        _SECRET,
        _secret_key,
        secret=True,
    ),
    Setting(
        "DIGEST_SECRET_KEY_OLD",
        "The key before this one: links that it signed go on working.",
        _SECRET,
        _secret_key,
        secret=True,
    ),
    Setting(
        "DIGEST_SOURCES",
        "Where papers come from, with commas between.",
        "names of sources with commas between, as in hf,file:listings",
        _sources,
        default="hf",
    ),
    Setting(
        "DIGEST_LIST",
        "The name of the list in List-Id and in the database. It stays what it was at first: "
        "another name is another list.",
        "up to 40 lower-case letters, digits and hyphens, as in main",
        _matching(_LIST),
        default="main",
    ),
    Setting(
        "DIGEST_BRAND",
        "What the program is called in mails and on pages.",
        "a name of at most 60 characters",
        _line(60),
        default="Paper Digest",
    ),
    Setting(
        "DIGEST_POSTAL_ADDRESS",
        "The sender's postal address at the foot of every mail; many countries ask for one.",
        "an address in one line of at most 200 characters",
        _line(200),
    ),
    Setting(
        "DIGEST_NOTE",
        "A note of the day, put into every digest.",
        f"one line of at most {LONGEST_NOTE} characters",
        _line(LONGEST_NOTE),
    ),
    Setting(
        "DIGEST_ZONE",
        "The time zone of readers who are added without one.",
        "a zone of the IANA database, as in Europe/Paris",
        _zone,
        default="UTC",
    ),
    Setting(
        "DIGEST_TEMPLATES",
        "A folder of templates of your own, laid over ours.",
        "a folder that is there",
        _folder,
    ),
    Setting(
        "DIGEST_HOST",
        "The address `paper-digest serve` listens on.",
        "an address of this machine, as in 127.0.0.1 or 0.0.0.0",
        _matching(_HOST),
        default="127.0.0.1",
    ),
    Setting(
        "DIGEST_PORT",
        "The port it listens on.",
        "a port, as in 8000",
        _port,
        default="8000",
    ),
    Setting(
        "DIGEST_HF_URL",
        "Where Daily Papers are asked for, if not at https://huggingface.co.",
        _BASE_URL,
        _http_url,
        of_source=True,
    ),
    Setting(
        "DIGEST_HF_KEY",
        "A token of Hugging Face, which raises its limits; reading needs none.",
        "a token in one line",
        _line(4096),
        secret=True,
        of_source=True,
    ),
    Setting(
        "DIGEST_ARXIV_URL",
        "One base address for all of arXiv's services, for instance a mirror.",
        _BASE_URL,
        _http_url,
        of_source=True,
    ),
    Setting(
        "DIGEST_ARXIV_API",
        "Where arXiv's query API is, if not at https://export.arxiv.org.",
        _BASE_URL,
        _http_url,
        of_source=True,
    ),
    Setting(
        "DIGEST_ARXIV_OAI",
        "Where arXiv's OAI-PMH is, if not at https://oaipmh.arxiv.org.",
        _BASE_URL,
        _http_url,
        of_source=True,
    ),
)
BY_KEY: Final[Mapping[str, Setting]] = {setting.key: setting for setting in SETTINGS}
