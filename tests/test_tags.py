"""Tags of deliveries: made, found again in whatever a relay returns, and never forged."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.store.subscribers import new_public_id
from digest.tags import Tags

KEY: Final = b"0123456789abcdef0123456789abcdef"
ID: Final = "abcdefg234567"
TAGS: Final = Tags([KEY])


def test_a_tag_is_found_wherever_a_relay_puts_it() -> None:
    tag = TAGS.tag(ID)
    assert len(tag) == 29
    for text in (
        f"bounces+{tag}@example.org",
        f"Original-Envelope-Id: {tag}",
        f"X-Digest-Tag: {tag.upper()}\r\nSubject: x",
        f"rfc822; bounces+{tag}@example.org",
        f"<{tag}@bounces.example.org>",
        f"bounces-{tag}-x=y@example.org",
        f"{'a' * 29} and {tag}",
    ):
        assert TAGS.find(text) == ID


def test_every_tag_of_ours_is_found_and_none_of_another_key() -> None:
    ids = [new_public_id() for _ in range(200)]
    assert [TAGS.find(TAGS.tag(one)) for one in ids] == ids
    stranger = Tags([b"another key of thirty-two bytes!"])
    assert {stranger.find(TAGS.tag(one)) for one in ids} == {None}


@given(st.integers(0, 28), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_tag_with_one_letter_changed_is_nobodys(place: int, letter: str) -> None:
    tag = TAGS.tag(ID)
    changed = tag[:place] + letter + tag[place + 1 :]
    assert TAGS.find(changed) == (ID if changed == tag else None)


def test_a_tag_inside_a_longer_word_is_none() -> None:
    tag = TAGS.tag(ID)
    assert TAGS.find(f"{tag}a") is None
    assert TAGS.find(f"9{tag}") is None


def test_the_old_key_still_opens_and_the_new_one_signs() -> None:
    new = Tags([b"a key that replaces the first one", KEY])
    assert new.find(TAGS.tag(ID)) == ID
    assert new.tag(ID) != TAGS.tag(ID)
    assert TAGS.find(new.tag(ID)) is None


def test_a_million_things_that_look_like_tags_cost_a_bounded_effort() -> None:
    hostile = " ".join(["a" * 29] * 100_000)
    assert TAGS.find(f"{hostile} {TAGS.tag(ID)}") is None
    assert TAGS.find(f"{TAGS.tag(ID)} {hostile}") == ID


@pytest.mark.parametrize(
    ("address", "signed", "unsigned"),
    [
        ("bounces+*@example.org", "bounces+{}@example.org", "bounces@example.org"),
        ("*@bounces.example.org", "{}@bounces.example.org", "bounces@bounces.example.org"),
        ("digest@example.org", "digest@example.org", "digest@example.org"),
    ],
)
def test_the_envelope_sender_carries_the_tag_where_the_mark_stands(
    address: str, signed: str, unsigned: str
) -> None:
    assert TAGS.envelope(address, ID) == signed.format(TAGS.tag(ID))
    assert Tags([]).envelope(address, ID) == unsigned


def test_without_a_key_there_are_no_tags() -> None:
    assert not Tags([])
    assert not Tags([]).tag(ID)
    assert Tags([]).find(TAGS.tag(ID)) is None
