"""Signed links: what opens, what does not, and what a link cannot be turned into."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import LinkError
from subscribers.links import Links, Purpose

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
READER = "mfrggzdfmztwq"
LINKS = Links("https://digest.example.org", [b"first key"])

public_ids = st.binary(min_size=8, max_size=8).map(
    lambda raw: base64.b32encode(raw).decode().rstrip("=").lower()
)


@given(public_ids, st.sampled_from(Purpose), st.booleans())
def test_a_link_opens_to_the_id_it_was_made_for(
    public_id: str, purpose: Purpose, with_expiry: bool
) -> None:
    expires = NOW + timedelta(hours=1)
    never = purpose is Purpose.UNSUBSCRIBE or not with_expiry
    token = LINKS.token(purpose, public_id, expires=None if never else expires)
    assert LINKS.open(purpose, token, now=NOW) == public_id


def test_a_link_is_short_and_names_nobody() -> None:
    url = LINKS.url(Purpose.MANAGE, READER)
    assert url.startswith("https://digest.example.org/m/")
    assert len(url.rpartition("/")[2]) == 32
    assert READER not in url


def test_the_public_url_may_have_a_path() -> None:
    links = Links("https://uni.example/digest/", [b"k"])
    assert links.url(Purpose.PAUSE, READER).startswith("https://uni.example/digest/p/")


def test_without_a_public_url_there_are_no_links_and_no_key_is_needed() -> None:
    links = Links("", [])
    assert links.url(Purpose.MANAGE, READER) == ""
    with pytest.raises(LinkError):
        links.open(Purpose.MANAGE, LINKS.token(Purpose.MANAGE, READER), now=NOW)
    with pytest.raises(ValueError, match="need a key"):
        links.token(Purpose.MANAGE, READER)


@pytest.mark.parametrize(
    ("made", "opened"), list(itertools.permutations(Purpose, 2)), ids="-as-".join
)
def test_a_link_for_one_purpose_does_nothing_else(made: Purpose, opened: Purpose) -> None:
    with pytest.raises(LinkError, match="not complete or was changed"):
        LINKS.open(opened, LINKS.token(made, READER), now=NOW)


def test_every_changed_character_is_noticed() -> None:
    token = LINKS.token(Purpose.MANAGE, READER, expires=NOW + timedelta(days=1))
    for place, other in itertools.product(range(len(token)), "Aa0_-"):
        changed = token[:place] + other + token[place + 1 :]
        if changed != token:
            with pytest.raises(LinkError):
                LINKS.open(Purpose.MANAGE, changed, now=NOW)


@given(st.text(max_size=60))
def test_no_text_opens_by_chance_or_breaks_anything(text: str) -> None:
    with pytest.raises(LinkError):
        LINKS.open(Purpose.MANAGE, text, now=NOW)


def test_an_expiry_cannot_be_cut_off() -> None:
    token = LINKS.token(Purpose.CONFIRM, READER, expires=NOW + timedelta(days=1))
    raw = base64.urlsafe_b64decode(token + "==")
    shorter = base64.urlsafe_b64encode(raw[:8] + raw[12:]).decode().rstrip("=")
    with pytest.raises(LinkError):
        LINKS.open(Purpose.CONFIRM, shorter, now=NOW)


def test_a_link_ends_at_its_second_and_says_when() -> None:
    token = LINKS.token(Purpose.CONFIRM, READER, expires=NOW)
    assert LINKS.open(Purpose.CONFIRM, token, now=NOW - timedelta(seconds=1)) == READER
    with pytest.raises(LinkError, match="good until 20 November 2026, 06:00 UTC"):
        LINKS.open(Purpose.CONFIRM, token, now=NOW)


def test_an_unsubscribe_link_never_ends() -> None:
    token = LINKS.token(Purpose.UNSUBSCRIBE, READER)
    far = NOW + timedelta(days=365 * 80)
    assert LINKS.open(Purpose.UNSUBSCRIBE, token, now=far) == READER
    with pytest.raises(ValueError, match="never expires"):
        LINKS.token(Purpose.UNSUBSCRIBE, READER, expires=NOW)


def test_the_first_key_signs_and_the_old_ones_still_open() -> None:
    old = Links("", [b"old"]).token(Purpose.MANAGE, READER)
    rotated = Links("", [b"new", b"old"])
    assert rotated.open(Purpose.MANAGE, old, now=NOW) == READER
    assert rotated.token(Purpose.MANAGE, READER) == Links("", [b"new"]).token(
        Purpose.MANAGE, READER
    )
    with pytest.raises(LinkError):
        Links("", [b"new"]).open(Purpose.MANAGE, old, now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "short",
        READER.upper(),
        READER + "a",
        *(f"mfrggzdfmztw{one}" for one in "018-_ b٣é\n"),  # b sets the bit that is spare
        "mfrgg_dfmztwq",
    ],
)
def test_only_public_ids_are_signed(wrong: str) -> None:
    with pytest.raises(ValueError, match="no public id"):
        LINKS.token(Purpose.MANAGE, wrong)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_of_a_preview_is_as_long_as_a_real_one_opens_nothing_and_says_so(
    purpose: Purpose,
) -> None:
    url = LINKS.preview(purpose)
    assert len(url) == len(LINKS.url(purpose, READER))
    assert url.rpartition("/")[0] == LINKS.url(purpose, READER).rpartition("/")[0]
    with pytest.raises(LinkError, match="This link is from a preview"):
        LINKS.open(purpose, url.rpartition("/")[2], now=NOW)
    assert Links("", []).preview(purpose) == ""


@pytest.mark.parametrize("keys", [[], [b""], [b"good", b""]])
def test_an_empty_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="need a key"):
        Links("https://digest.example.org", keys)
