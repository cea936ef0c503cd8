"""One installation, put together from its settings: `open_app`, and the App everything takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from digest.errors import Problem, SettingsError
from digest.store import open_store
from digest.tags import Tags
from subscribers.links import Links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from digest.brand import Brand
    from digest.channels import Channel
    from digest.dkim import Signer
    from digest.render import Renderer
    from digest.settings import Settings
    from digest.sources import Entry
    from digest.sources.http import Polite
    from digest.store import Store
    from subscribers.synonyms import Thesaurus


@dataclass
class App:
    """One installation, open: its settings, its database, and how the rest is reached.

    `sleep` lets seconds pass between two questions to a source.
    """

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def links(self) -> Links:
        """The signed links of its mails."""
        return Links(self.settings.public_url, self.settings.secret_keys)

    @cached_property
    def tags(self) -> Tags:
        """What its mails carry so that a bounce can be matched."""
        return Tags(self.settings.secret_keys)

    @cached_property
    def renderer(self) -> Renderer:
        """Its templates, compiled."""
        from digest.render import Renderer  # noqa: PLC0415 -- slow, needed to send only

        return Renderer(brand_of(self.settings), self.settings.templates)

    @cached_property
    def synonyms(self) -> tuple[str, ...]:
        """The operator's own synonyms; raises SettingsError, naming the line that is wrong."""
        file = self.settings.synonyms
        if file is None:
            return ()
        from subscribers.synonyms import read_list  # noqa: PLC0415 -- needed to offer only

        try:
            return tuple(" = ".join(names) for names in read_list(file.read_text("utf-8")))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            wanted = f"{why}; write a line for each, as in MoE = mixture of experts"
            raise SettingsError([Problem("DIGEST_SYNONYMS", str(file), wanted)]) from error

    @cached_property
    def _names(self) -> Thesaurus:
        from subscribers.synonyms import thesaurus  # noqa: PLC0415 -- needed to offer only

        return thesaurus(self.synonyms)

    def thesaurus(self, own: Iterable[str] = ()) -> Thesaurus:
        """Every synonym to offer: ours, the operator's, and a reader's own."""
        from subscribers.synonyms import thesaurus  # noqa: PLC0415 -- the same

        own = tuple(own)
        return thesaurus(self.synonyms, own) if own else self._names

    def at(self, moment: datetime) -> str:
        """An instant as an operator is told it: "2026-11-20 07:00 Europe/Paris" (DIGEST_ZONE)."""
        zone = self.settings.zone
        return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"

    @cached_property
    def signer(self) -> Signer | None:
        """What signs its mails, where it does so itself; raises SigningError for a bad key."""
        settings = self.settings
        if not settings.dkim_key:
            return None
        from digest.dkim import Signer, read_keys  # noqa: PLC0415 -- needed to sign only

        return Signer(settings.dkim_domain, read_keys(settings.dkim_key, settings.dkim_selectors))

    @cached_property
    def channel(self) -> Channel:
        """What its mails go out through."""
        from digest.channels import channel  # noqa: PLC0415 -- needed to send only

        settings = self.settings
        return channel(
            settings.smtp_url,
            user=settings.smtp_user,
            password=settings.smtp_password,
            token_command=settings.smtp_token_command,
            hostname=settings.hostname,
            connections=settings.smtp_connections,
        )

    @cached_property
    def sources(self) -> list[Entry]:
        """Where its papers come from, as DIGEST_SOURCES names it."""
        from digest.sources import entries  # noqa: PLC0415 -- needed to ingest only

        return entries(self.settings.sources, self.settings.source_options)

    def polite(self) -> Polite:
        """The client its sources are asked with, contact and queues included."""
        from digest.sources.http import Polite  # noqa: PLC0415 -- imports httpx

        path = self.store.database.path
        queues = path.with_name(path.name + ".queues") if path else None
        return Polite(
            contact=self.settings.contact,
            home=self.settings.public_url,
            clock=_Clock(self),
            queues=queues,
        )

    def close(self) -> None:
        """Give the database back."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Clock:
    """An installation's time, as the client of its sources wants it."""

    def __init__(self, app: App) -> None:
        self._app = app

    def now(self) -> datetime:
        """The instant, aware and UTC."""
        return self._app.clock()

    def monotonic(self) -> float:
        """Seconds that never go back: how long a server really takes."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        self._app.sleep(seconds)


def brand_of(settings: Settings) -> Brand:
    """Who its mails are from, in words and colours."""
    from digest.brand import DARK, LIGHT, Brand, coloured  # noqa: PLC0415 -- needed to send only

    light, dark = coloured(LIGHT, DARK, settings.colours, settings.mark_colours)
    return Brand(
        name=settings.brand,
        sender=", ".join(filter(None, (settings.sender_name, settings.postal_address))),
        contact=settings.contact,
        sender_name=settings.sender_name,
        foot=settings.foot,
        thanks=settings.thanks,
        light=light,
        dark=dark,
    )


def utc_now() -> datetime:
    """The one clock of the program."""
    return datetime.now(UTC)


def open_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    create: bool = True,
    upgrade: bool = True,
) -> App:
    """Open an installation; its database is made, and upgraded, if need be and allowed.

    Raises StoreUnavailable as open_store() does.
    """
    store = open_store(settings.database_url, create=create, upgrade=upgrade, folder=Path.cwd())
    return App(settings, store, clock, sleep)
