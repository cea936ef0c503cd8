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

from digest.errors import Problem, SettingsError
from digest.settings.table import BASE_URL, BY_KEY, SETTINGS, Setting
from digest.settings.values import SHORTEST_SECRET, WantedError, http_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.pace import Rate

PREFIX: Final = "DIGEST_"
MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Settings:
    """How one installation is set up; `secret_keys` are newest first, the first one signs.

    `source_options` is what `digest.sources.load` takes: base URLs by source ("hf"), anything
    else by source and name ("hf_key", "arxiv_api"). `public_url` has no slash at its end and is
    empty where nobody can reach this installation; `host` and `port` are where `serve` listens;
    `signup` is open, invite, closed or domains:NAME,NAME.
    """

    database_url: str = field(repr=False)
    smtp_url: str = field(repr=False)
    sender_name: str
    sender_address: str
    contact: str
    smtp_user: str | None = field(default=None, repr=False)
    smtp_password: str | None = field(default=None, repr=False)
    smtp_token_command: str | None = field(default=None, repr=False)
    smtp_connections: int = 4
    relay_rates: tuple[Rate, ...] = ()
    domain_rates: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    on_unknown: str = "hold"
    dkim_key: str = field(default="", repr=False)
    dkim_selectors: tuple[str, ...] = ("digest",)
    dkim_domain: str = ""
    bounce_address: str = ""
    bounces_url: str = field(default="", repr=False)
    bounces_user: str | None = field(default=None, repr=False)
    bounces_password: str | None = field(default=None, repr=False)
    bounces_token_command: str | None = field(default=None, repr=False)
    ses_topic: str = ""
    webhook_secret: bytes = field(default=b"", repr=False)
    hostname: str = "localhost"
    public_url: str = ""
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    sources: tuple[str, ...] = ("hf",)
    source_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    list_name: str = "main"
    brand: str = "Paper Digest"
    postal_address: str = ""
    note: str = ""
    colours: tuple[str, ...] = ()
    mark_colours: tuple[str, ...] = ()
    foot: str = ""
    thanks: str = ""
    language: str = "en"
    zone: str = "UTC"
    templates: Path | None = None
    synonyms: Path | None = None
    archive: str = "public"
    host: str = "127.0.0.1"
    port: int = 8000
    signup: str = "open"
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    @property
    def archive_is_public(self) -> bool:
        """Whether anybody may read the papers on the pages of `serve`."""
        return self.archive == "public"

    @property
    def writes_files(self) -> bool:
        """Whether mails become files in a folder instead of going to a relay."""
        return self.smtp_url.startswith("eml:")

    @property
    def channel(self) -> str:
        """The channel that deliveries are written down for: "eml" or "smtp"."""
        return "eml" if self.writes_files else "smtp"


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings out of an environment; raises SettingsError with every problem."""
    problems: list[Problem] = []
    texts = _texts(env, problems)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = texts.get(setting.key, setting.default)
        value = _read(setting, text) if text else None
        if isinstance(value, Problem):
            problems.append(value)
        else:
            values[setting.key] = value
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
        smtp_token_command=values["DIGEST_SMTP_TOKEN_COMMAND"],
        smtp_connections=values["DIGEST_SMTP_CONNECTIONS"],
        relay_rates=values["DIGEST_PACE"] or (),
        domain_rates=values["DIGEST_DOMAIN_PACE"] or {},
        on_unknown=values["DIGEST_ON_UNKNOWN"],
        dkim_key=values["DIGEST_DKIM_KEY"] or "",
        dkim_selectors=values["DIGEST_DKIM_SELECTOR"],
        dkim_domain=values["DIGEST_DKIM_DOMAIN"] or address.rpartition("@")[2],
        bounce_address=values["DIGEST_BOUNCE_ADDRESS"] or address,
        bounces_url=values["DIGEST_BOUNCES_URL"] or "",
        bounces_user=values["DIGEST_BOUNCES_USER"],
        bounces_password=values["DIGEST_BOUNCES_PASSWORD"],
        bounces_token_command=values["DIGEST_BOUNCES_TOKEN_COMMAND"],
        ses_topic=values["DIGEST_SES_TOPIC"] or "",
        webhook_secret=values["DIGEST_WEBHOOK_SECRET"] or b"",
        public_url=values["DIGEST_PUBLIC_URL"] or "",
        secret_keys=tuple(key for key in keys if key),
        sources=sources,
        source_options=options,
        list_name=values["DIGEST_LIST"],
        brand=values["DIGEST_BRAND"],
        postal_address=values["DIGEST_POSTAL_ADDRESS"] or "",
        note=values["DIGEST_NOTE"] or "",
        colours=values["DIGEST_COLOURS"] or (),
        mark_colours=values["DIGEST_MARK_COLOURS"] or (),
        foot=values["DIGEST_FOOT"] or "",
        thanks=values["DIGEST_THANKS"] or "",
        language=values["DIGEST_LANGUAGE"],
        zone=values["DIGEST_ZONE"],
        templates=values["DIGEST_TEMPLATES"],
        synonyms=values["DIGEST_SYNONYMS"],
        archive=values["DIGEST_ARCHIVE"],
        host=values["DIGEST_HOST"],
        port=values["DIGEST_PORT"],
        signup=values["DIGEST_SIGNUP"],
        proxies=values["DIGEST_PROXIES"],
    )


def check(key: str, text: str) -> Problem | None:
    """What is wrong with this text for one of our settings, seen by itself."""
    value = _read(BY_KEY[key], text) if text else None
    return value if isinstance(value, Problem) else None


def _read(setting: Setting, text: str) -> Any | Problem:  # noqa: ANN401 -- as the setting has it
    try:
        return setting.read(text)
    except ValueError as error:
        shown = MASK if setting.secret else mask_url(text)
        own = str(error) if isinstance(error, WantedError) else ""
        return Problem(setting.key, shown, own or f"set it to {setting.wanted}")


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
                Problem(
                    file_key,
                    path,
                    f"set it to a file that can be read and holds the secret ({why})",
                )
            )
        else:
            if not texts[key]:
                problems.append(
                    Problem(
                        file_key, path, "set it to a file that holds the secret (this one is empty)"
                    )
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
            options[_option(key)] = http_url(texts[key]) if key.endswith("_URL") else texts[key]
        except ValueError:
            problems.append(Problem(key, mask_url(texts[key]), f"set it to {BASE_URL}"))
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
            f"set it to {SHORTEST_SECRET} random characters or more, because DIGEST_PUBLIC_URL is "
            "set and links to it are signed (openssl rand -hex 32)"
        )
        problems.append(Problem("DIGEST_SECRET_KEY", None, wanted))
    tagged = [
        key
        for key in ("DIGEST_BOUNCE_ADDRESS", "DIGEST_BOUNCES_URL")
        if values.get(key) and (key != "DIGEST_BOUNCE_ADDRESS" or "*" in values[key])
    ]
    if tagged and not public and "DIGEST_SECRET_KEY" not in texts:
        wanted = (
            f"set it to {SHORTEST_SECRET} random characters or more, because {tagged[0]} is set "
            "and bounces are matched by tags it signs (openssl rand -hex 32)"
        )
        problems.append(Problem("DIGEST_SECRET_KEY", None, wanted))
    if not relay.startswith("eml:") and "DIGEST_FROM" not in texts:
        wanted = (
            "set it to who the mails come from, because DIGEST_SMTP_URL is a relay: "
            "a name and an address, as in Paper Digest <digest@example.org>"
        )
        problems.append(Problem("DIGEST_FROM", None, wanted))
    if "DIGEST_SMTP_PASSWORD" in texts and "DIGEST_SMTP_USER" not in texts and "@" not in relay:
        wanted = "set it to the name that goes with DIGEST_SMTP_PASSWORD"
        problems.append(Problem("DIGEST_SMTP_USER", None, wanted))
    if "DIGEST_SMTP_TOKEN_COMMAND" in texts and "DIGEST_SMTP_USER" not in texts:
        wanted = "set it to the account that DIGEST_SMTP_TOKEN_COMMAND prints tokens for"
        problems.append(Problem("DIGEST_SMTP_USER", None, wanted))
    mailbox = values.get("DIGEST_BOUNCES_URL") or ""
    if (
        mailbox.startswith("imap")
        and "@" not in mailbox
        and not (
            "DIGEST_BOUNCES_USER" in texts
            and {"DIGEST_BOUNCES_PASSWORD", "DIGEST_BOUNCES_TOKEN_COMMAND"} & set(texts)
        )
    ):
        wanted = (
            "set it, and DIGEST_BOUNCES_PASSWORD, to name and password of the mailbox, because "
            "DIGEST_BOUNCES_URL has none in it"
        )
        problems.append(Problem("DIGEST_BOUNCES_USER", None, wanted))
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


def mask_url(url: str) -> str:
    """The URL without its password, fit to be shown."""
    return re.sub(r"(//[^/@:\s]*):[^/\s]*@", rf"\1:{MASK}@", url)


__all__ = [
    "BY_KEY",
    "MASK",
    "PREFIX",
    "SETTINGS",
    "Setting",
    "Settings",
    "check",
    "load",
    "mask_url",
]
