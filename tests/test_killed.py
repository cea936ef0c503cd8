"""A sender that dies: nothing is lost, and nothing comes twice that was not written down before.

Real processes, ended by SIGKILL at an exact stage of the dialogue, or at instants of a seed.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder
from senders import (
    Killer,
    Senders,
    between_dot_and_answer,
    freeze,
    preloaded,
    states,
    unknowns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.store import Store

STAGES = ("connect", "ehlo", "mail", "rcpt", "data", "dot", "replied")


@pytest.fixture(scope="module")
def senders() -> Iterator[Senders]:
    with preloaded() as opened:
        yield opened


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "body"])
def test_a_kill_before_the_dot_leaves_no_duplicate_and_no_unknown(
    store: Store, senders: Senders, stage: str
) -> None:
    frozen = freeze(store, 3)
    killer = Killer(stage, 1)
    # Longer than what lies in the system's buffers: the body is still being written.
    size = 8_000_000 if stage == "body" else 100
    with Recorder(seen=killer) as relay:
        first = senders.start(store, relay.url, size=size)
        killer.aim(first)
        assert senders.wait(first) == -9
        assert relay.dots == []
        assert between_dot_and_answer(store) == 0

        second = senders.run(store, relay.url, size=size)

        assert sorted(relay.replied) == sorted(frozen), second.said
        assert set(states(store).values()) == {"accepted"}
        assert unknowns(store) == set()


def test_a_kill_behind_the_dot_leaves_one_unknown_that_is_not_sent_again(
    store: Store, senders: Senders
) -> None:
    frozen = freeze(store, 3)
    killer = Killer("dot", 1)
    with Recorder(seen=killer) as relay:
        first = senders.start(store, relay.url)
        killer.aim(first)
        assert senders.wait(first) == -9
        assert between_dot_and_answer(store) == 1

        senders.run(store, relay.url)

        (lost,) = unknowns(store)
        assert lost == relay.dots[0]
        assert states(store)[lost] == "unknown"
        assert sorted(relay.dots) == sorted(frozen)


def test_a_kill_between_the_answer_and_its_commit_leaves_the_same(
    store: Store, senders: Senders
) -> None:
    frozen = freeze(store, 1)
    holding, release = threading.Event(), threading.Event()

    def lock_out() -> None:
        """Hold the delivery's row, so that the answer cannot be written down."""
        with store.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET relay = relay")
            holding.set()
            release.wait(60)

    def seen(stage: str, _: object) -> None:
        if stage == "dot":
            locking.start()
            holding.wait(60)
        elif stage == "replied":
            killer(stage, _)

    locking = threading.Thread(target=lock_out)
    killer = Killer("replied", 1)
    with Recorder(seen=seen) as relay:
        victim = senders.start(store, relay.url)
        killer.aim(victim)
        assert senders.wait(victim) == -9
        release.set()
        locking.join(60)
        assert relay.replied == list(frozen)

        senders.run(store, relay.url)

        assert states(store) == dict.fromkeys(frozen, "unknown")
        assert relay.dots == list(frozen)


@pytest.mark.parametrize("policy", ["resend", "drop"])
def test_an_unknown_is_sent_again_or_let_go_of_as_the_policy_has_it(
    store: Store, senders: Senders, policy: str
) -> None:
    frozen = freeze(store, 2)
    killer = Killer("dot", 1)
    with Recorder(seen=killer) as relay:
        first = senders.start(store, relay.url)
        killer.aim(first)
        assert senders.wait(first) == -9

        senders.run(store, relay.url, on_unknown=policy)

        (lost,) = unknowns(store)
        assert relay.twice == ({lost} if policy == "resend" else set())
        assert states(store)[lost] == ("accepted" if policy == "resend" else "dropped")
        assert set(relay.dots) == frozen


def kills(store: Store, senders: Senders, times: int, policy: str, seed: int) -> None:
    """Kill senders at instants of a seed until it was so many times; then let one finish."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable is what is wanted
    connections = 4
    frozen = freeze(store, times * 8)
    with Recorder() as relay:
        for _ in range(times):
            stage = chance.choice(STAGES)
            # A sender opens its second connection after its first message, and so on.
            killer = Killer(stage, chance.randint(1, 2 if stage in {"connect", "ehlo"} else 12))
            relay.seen = killer
            sender = senders.start(
                store, relay.url, connections=connections, on_unknown=policy, size=2000
            )
            killer.aim(sender)
            assert senders.wait(sender) == -9, "everything was sent: freeze more"
            assert between_dot_and_answer(store) <= connections
        relay.seen = lambda *_: None
        for _ in range(2):
            senders.run(store, relay.url, connections=connections, on_unknown=policy)
    lost = unknowns(store)
    assert relay.twice <= lost
    assert set(states(store).values()) <= {"accepted", "unknown"}
    if policy == "resend":
        assert set(relay.dots) == frozen
    else:
        held = {address for address, state in states(store).items() if state == "unknown"}
        assert relay.twice == set()
        assert set(relay.dots) | held == frozen
        assert held == lost


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "seed"), [("hold", 1), ("resend", 2)])
def test_a_hundred_kills_at_any_instant_lose_nothing(
    store: Store, senders: Senders, policy: str, seed: int
) -> None:
    kills(store, senders, 100 if store.database.is_sqlite else 20, policy, seed)


@pytest.mark.soak
@pytest.mark.parametrize(("policy", "seed"), [("hold", 11), ("resend", 12)])
def test_a_thousand_kills_at_any_instant_lose_nothing(
    store: Store, senders: Senders, policy: str, seed: int
) -> None:
    kills(store, senders, 1000, policy, seed)
