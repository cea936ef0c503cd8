"""Our signatures, held against another's verifier; and the keys and records they need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder import Recorder
from test_wire import LETTER, TEXTS

from digest.channels import Outgoing
from digest.channels.alone import hang_up, send_alone
from digest.dkim import Key, Signer, new_key, read_keys, zone_line
from digest.errors import SigningError
from digest.mail import to_bytes
from digest.smtp.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

RSA, SMALL = new_key("d2026r"), new_key("d2026e", small=True)
SIGNER = Signer("example.org", [RSA, SMALL])
ROOT = Path(__file__).parent.parent


def records(*keys: Key) -> Callable[..., bytes | None]:
    """A DNS that knows these keys."""
    known = {f"{key.selector}._domainkey.example.org.": key.record for key in keys}

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        del timeout
        found = known.get(name.decode())
        return found.encode() if found else None

    return ask


def verified(message: bytes, number: int = 0) -> bool:
    reader: Any = dkim.DKIM(message)
    try:
        return bool(reader.verify(number, dnsfunc=records(RSA, SMALL)))
    except dkim.ValidationError:
        return False


def test_anothers_verifier_believes_both_signatures() -> None:
    message = SIGNER.sign(to_bytes(LETTER), LETTER.date)
    assert message.count(b"DKIM-Signature:") == 2
    assert verified(message, 0)
    assert verified(message, 1)


@given(TEXTS, TEXTS)
def test_whatever_the_mail_says_its_signature_holds(subject: str, text: str) -> None:
    letter = replace(LETTER, subject=subject, text=text, html=text)
    assert verified(Signer("example.org", [SMALL]).sign(to_bytes(letter), letter.date))


@given(st.binary().map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_any_body_is_signed_as_it_is(body: bytes) -> None:
    message = b"From: a@example.org\r\nSubject:  two \r\n\tlines\r\n\r\n" + body
    assert verified(Signer("example.org", [SMALL]).sign(message, LETTER.date))


def test_one_click_is_under_the_signature() -> None:
    message = SIGNER.sign(to_bytes(LETTER), LETTER.date)
    for said in re.findall(rb"\r\n h=(.*?);", message, re.DOTALL):
        names = re.sub(rb"\s", b"", said).split(b":")
        assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(names)
        assert names.count(b"from") == names.count(b"subject") == 2, "none can be added"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Fist"),
        (b"Good morning", b"Good evening"),
        (b"To: ada@", b"To: bob@"),
        (b"\r\nSubject:", b"\r\nSubject: Free money\r\nSubject:"),
    ],
)
def test_a_changed_mail_is_not_believed(old: bytes, new: bytes) -> None:
    message = SIGNER.sign(to_bytes(LETTER), LETTER.date)
    assert old in message
    assert not verified(message.replace(old, new, 1))


def test_a_retry_is_the_same_to_the_byte() -> None:
    raw = to_bytes(LETTER)
    assert SIGNER.sign(raw, LETTER.date) == SIGNER.sign(raw, LETTER.date)


def test_lines_are_short_and_seven_bit() -> None:
    head = SIGNER.sign(to_bytes(LETTER), LETTER.date).partition(b"\r\nDate:")[0]
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_a_signature_survives_the_way_through_a_relay() -> None:
    dotted = replace(LETTER, text="one\n.\n..two\n.three\n")
    message = SIGNER.sign(to_bytes(dotted), LETTER.date)
    with Recorder() as relay:
        connection = Relay(relay.url).open()
        outgoing = Outgoing("digest@example.org", "ada@example.org", message)
        send_alone(connection, outgoing, lambda: None)
        hang_up(connection)
    assert relay.messages == [message]
    assert verified(relay.messages[0])


def test_keys_come_back_from_their_file_in_order() -> None:
    found = read_keys(RSA.pem + SMALL.pem, ("a", "b"))
    assert [key.record for key in found] == [RSA.record, SMALL.record]
    assert [key.selector for key in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "selectors", "why"),
    [
        (RSA.pem, ("a", "b"), "holds 1 keys and DIGEST_DKIM_SELECTOR names 2"),
        (RSA.pem.replace("M", "N"), ("a",), "cannot be read"),
        (RSA.pem[:400], ("a",), "holds 0 keys"),
    ],
)
def test_a_key_that_is_none_is_named_and_not_shown(
    text: str, selectors: tuple[str, ...], why: str
) -> None:
    with pytest.raises(SigningError, match=why) as raised:
        read_keys(text, selectors)
    assert "BEGIN" not in str(raised.value)


def test_a_record_is_in_strings_that_fit() -> None:
    line = zone_line(RSA, "example.org")
    assert line.startswith("d2026r._domainkey.example.org. IN TXT ( ")
    strings = re.findall(r'"([^"]*)"', line)
    assert max(map(len, strings)) <= 255
    assert "".join(strings) == RSA.record


def test_a_new_key_signs_what_is_sent_with_what_the_command_says(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if "DIGEST_" not in key}
    environment |= {"PYTHONPATH": str(ROOT), "DIGEST_FROM": "digest@example.org"}

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "digest", "dkim", *words],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    made = run("new", "--selector", "d1")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "dkim-d1.pem").stat().st_mode & 0o777 == 0o600
    set_to = dict(re.findall(r"(?m)^(DIGEST_\w+)=(.*)$", made.stdout))
    shown = run("show", **set_to)
    assert shown.stdout.strip() in made.stdout
    again = run("new", "--selector", "d1")
    assert (again.returncode, again.stderr) == (
        1,
        "dkim-d1.pem is there already: choose another --selector or --out\n",
    )
