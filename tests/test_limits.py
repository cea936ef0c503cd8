"""How often one network, one inbox and one domain may ask for mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest.web.limits import (
    MAX_KEYS,
    SIGN_UP,
    Limit,
    Limits,
    counted_address,
    network_of,
    sign_up_keys,
)

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def test_a_key_is_used_up_and_comes_back_with_time() -> None:
    limits = Limits([Limit("network", 2, timedelta(hours=1))])
    key = [("network", "192.0.2.1")]
    assert [limits.refuses(key, NOW) for _ in range(4)] == ["", "", "network", "network"]
    assert limits.refuses(key, NOW + timedelta(minutes=59))
    assert not limits.refuses(key, NOW + timedelta(minutes=60))


def test_a_refused_request_is_counted_nowhere() -> None:
    limits = Limits(
        [Limit("network", 1, timedelta(hours=1)), Limit("domain", 2, timedelta(hours=1))]
    )
    here, there = ("network", "192.0.2.1"), ("network", "192.0.2.2")
    domain = ("domain", "example.org")
    assert not limits.refuses([here, domain], NOW)
    assert all(limits.refuses([here, domain], NOW) == "network" for _ in range(50))
    assert not limits.refuses([there, domain], NOW)


def test_a_flood_from_one_network_stops_nobody_else() -> None:
    limits = Limits(SIGN_UP)
    passed = sum(
        not limits.refuses(sign_up_keys(f"2001:db8::{number:x}", f"a{number}@example.org"), NOW)
        for number in range(1_000)
    )
    assert passed == 20
    assert not limits.refuses(sign_up_keys("198.51.100.7", "ada@example.org"), NOW)


def test_a_flood_from_one_neighbourhood_stops_nobody_else() -> None:
    limits = Limits(SIGN_UP)
    passed = sum(
        not limits.refuses(sign_up_keys(f"192.0.2.{n % 256}", f"a{n}@d{n}.example"), NOW)
        for n in range(1_000)
    )
    assert passed == 60
    assert not limits.refuses(sign_up_keys("198.51.100.7", "ada@example.org"), NOW)


def test_a_flood_from_everywhere_at_one_domain_stops_no_other_domain() -> None:
    limits = Limits(SIGN_UP)
    networks = [f"{n % 200 + 1}.{n // 200}.0.1" for n in range(1_000)]
    passed = sum(
        not limits.refuses(sign_up_keys(network, f"a{network}@example.org"), NOW)
        for network in networks
    )
    assert passed == 300
    assert not limits.refuses(sign_up_keys(networks[-1], "ada@uni.example"), NOW)


def test_a_flood_at_one_inbox_is_stopped_however_it_is_spelt() -> None:
    limits = Limits(SIGN_UP)
    spelt = ["ada.l@gmail.com", "a.d.a.l@gmail.com", "adal+x@googlemail.com", "ADAL@gmail.com"]
    refused = [limits.refuses(sign_up_keys(f"192.0.2.{n}", to), NOW) for n, to in enumerate(spelt)]
    assert refused == ["", "", "", "address"]


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("no address", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_network_is_an_ipv4_address_or_an_ipv6_64(client: str, network: str) -> None:
    assert network_of(client) == network


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("Ada@Example.org", "ada@example.org"),
        ("ada+papers@example.org", "ada@example.org"),
        ("a.d.a@example.org", "a.d.a@example.org"),
        ("+@example.org", "+@example.org"),
    ],
)
def test_spellings_of_one_inbox_are_counted_together(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_memory_is_bounded() -> None:
    limits = Limits([Limit("address", 1, timedelta(days=1))])
    for number in range(MAX_KEYS + 10):
        limits.refuses([("address", str(number))], NOW)
    assert not limits.refuses([("address", "0")], NOW), "the oldest was forgotten"
    assert limits.refuses([("address", str(MAX_KEYS))], NOW) == "address"
