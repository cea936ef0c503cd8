"""A real test mail of what a preview shows: marked, logged as a test, in nobody's ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from digest.channels import Outgoing
from digest.channels.alone import hang_up, send_alone
from digest.language import language
from digest.letters import letter, preview_links
from digest.mail import message_id, to_bytes
from digest.store.subscribers import new_public_id
from subscribers.subscriber import normalize_address

if TYPE_CHECKING:
    from digest.app import App
    from digest.channels import Reply
    from digest.preview import Preview


def send_test(app: App, shown: Preview, to: str) -> Reply:
    """Send what a preview shows to one address, now, and say what the relay said.

    The mail says that it is a test; its links are a preview's and act on nobody. Raises
    AddressError for an address that is none, RelayError when the relay is not to be had.
    """
    address, now = normalize_address(to), app.clock()
    public_id = new_public_id()
    mark = language(shown.reader.language).say("This is a test; it changes nobody’s digest.")
    selection = replace(shown.selection, kind="test", note=f"{mark} {shown.selection.note}".strip())
    reader = replace(shown.reader, address="", came_from="", name="")
    links = preview_links(app)
    rendered = app.renderer.fitted(reader, selection, shown.papers, links)[1]
    tag = app.tags.tag(public_id)
    message = letter(
        app,
        replace(reader, address=address),
        rendered,
        links,
        message_id=message_id(public_id, app.settings.hostname),
        date=now,
        tag=tag,
    )
    sender = app.tags.envelope(app.settings.bounce_address, public_id)
    outgoing = Outgoing(sender, address, to_bytes(message), envid=tag, dotless=True)
    logged = False

    def intend() -> None:
        nonlocal logged
        app.store.trials.begin(
            public_id,
            message.message_id,
            selection.pack(),
            channel=app.channel.name,
            list_name=app.settings.list_name,
            now=now,
        )
        logged = True

    connection = app.channel.open()
    try:
        reply = send_alone(connection, outgoing, intend)
    finally:
        hang_up(connection)
    if not logged:  # refused before the text: that is worth a line too
        intend()
    app.store.trials.settle(public_id, reply, app.clock())
    return reply
