"""Who makes messages: in the sender itself, or in processes beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest.channels import Outgoing
    from digest.store.deliveries import Delivery


class Builder(Protocol):
    """Makes messages of deliveries."""

    def prepare(self, batch: Sequence[Delivery]) -> None:
        """Read what a batch needs, at once; called before any of it is built."""
        ...

    def build(self, delivery: Delivery) -> Outgoing:
        """The message of one delivery; safe to be called from several threads."""
        ...


Made: TypeAlias = "tuple[Delivery, Outgoing | None]"
"""A delivery and its message; None where it is still to be made."""


class Workshop(Protocol):
    """Makes messages in processes of its own."""

    def take(
        self, batch: Sequence[Delivery], ready: Callable[[Sequence[Made]], None]
    ) -> Sequence[Delivery]:
        """Begin to make the messages of a batch; the result are those it does not take.

        `ready` is called with every other one, in parts, from any thread.
        """
        ...
