"""From a token in an address to the reader it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from digest.errors import LinkError, NotFound

if TYPE_CHECKING:
    from digest.app import App
    from subscribers.links import Purpose
    from subscribers.subscriber import Subscriber


GONE: Final = "It belongs to a subscription that does not exist any more."
"""Said of a link that is ours and leads to nobody; `paper-digest doctor` knows us by it."""


def reader_of(app: App, purpose: Purpose, token: str) -> Subscriber:
    """The reader a link was made for; LinkError when it is wrong, ended or outlived its reader."""
    public_id = app.links.open(purpose, token, now=app.clock())
    try:
        return app.store.subscribers.by_public_id(public_id)
    except NotFound as error:
        raise LinkError(GONE) from error
