"""Reading what comes back: what is meant, whose it is, and nothing believed that is forged."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import returned
from hypothesis import given
from hypothesis import strategies as st

from digest.bounces import Ignored, Kind, Report
from digest.bounces.judging import ENOUGH, judge, score
from digest.bounces.mime import read
from digest.bounces.reading import report_in
from digest.tags import Tags

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ID: Final = "abcdefg234567"
TAGS: Final = Tags([b"0123456789abcdef0123456789abcdef"])
TAG: Final = TAGS.tag(ID)
FORGED: Final = Tags([b"somebody else's key, just as long"]).tag(ID)


def understood(text: str, tag: str = TAG) -> Report | Ignored:
    return report_in(returned.made(text, tag), TAGS, now=NOW)


@pytest.mark.parametrize(
    ("text", "kind", "address", "code", "enhanced"),
    [
        (returned.POSTFIX, Kind.HARD, "ada@example.net", 550, "5.1.1"),
        (returned.OPENSMTPD, Kind.HARD, "ada@example.net", 550, "5.1.1"),
        (returned.EXIM_OLD, Kind.HARD, "ada@example.net", 550, ""),
        (returned.QMAIL, Kind.HARD, "ada@example.net", None, "5.1.1"),
        (returned.EXCHANGE, Kind.HARD, "ada@example.net", 550, "5.4.1"),
        (returned.FULL, Kind.SOFT, "ada@example.net", 552, "5.2.2"),
        (returned.SPAM, Kind.BLOCKED, "ada@example.net", 554, "5.7.1"),
        (returned.DELAYED, Kind.DELAYED, "ada@example.net", 550, "4.4.1"),
        (returned.COMPLAINT, Kind.COMPLAINT, "redacted@example.net", None, ""),
        (returned.OPT_OUT, Kind.UNSUBSCRIBE, "redacted@example.net", None, ""),
    ],
    ids=[
        "postfix",
        "opensmtpd",
        "exim",
        "qmail",
        "exchange",
        "full",
        "spam",
        "delayed",
        "arf",
        "opt-out",
    ],
)
def test_what_mail_systems_return_is_understood(
    text: str, kind: Kind, address: str, code: int | None, enhanced: str
) -> None:
    report = understood(text)
    assert isinstance(report, Report), report
    assert (report.kind, report.public_id) == (kind, ID)
    assert (report.address, report.code, report.enhanced) == (address, code, enhanced)
    assert report.at <= NOW


def test_a_mail_that_asks_to_leave_is_understood() -> None:
    asked = returned.PERSON.replace("Re: 12 new papers", "UNSUBSCRIBE")
    report = understood(asked)
    assert isinstance(report, Report)
    assert (report.kind, report.public_id) == (Kind.UNSUBSCRIBE, ID)
    forged = understood(asked, FORGED)
    assert isinstance(forged, Ignored)
    assert forged.why.startswith("a wish to leave that carries no tag of ours")
    robot = asked.replace("Subject:", "Auto-Submitted: auto-replied\nSubject:")
    assert understood(robot) == Ignored("an automatic answer")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (returned.VACATION, "an automatic answer"),
        (returned.PERSON, "neither bounce nor complaint"),
        (returned.DELIVERED, "a notice of success"),
        (returned.NOT_SPAM, "a feedback report of type 'not-spam', which is no complaint"),
        ("", "neither bounce nor complaint"),
    ],
    ids=["vacation", "person", "success", "not-spam", "empty"],
)
def test_what_is_no_bounce_is_left_alone(text: str, why: str) -> None:
    assert understood(text) == Ignored(why)


@pytest.mark.parametrize(
    "text",
    [returned.POSTFIX, returned.EXIM_OLD, returned.QMAIL, returned.EXCHANGE, returned.COMPLAINT],
)
def test_a_report_without_a_valid_tag_is_ignored_and_says_so(text: str) -> None:
    for tag in (FORGED, ID + "a" * 16, "", TAG[:-1]):
        found = understood(text, tag)
        assert isinstance(found, Ignored)
        assert "that carries no tag of ours: forged" in found.why


def test_the_tag_is_found_in_the_envelope_alone_where_nothing_else_has_it() -> None:
    bare = returned.POSTFIX.replace("@TAG@", "")
    raw = returned.made(bare, "")
    assert isinstance(report_in(raw, TAGS, now=NOW), Ignored)
    report = report_in(raw, TAGS, now=NOW, recipient=f"bounces+{TAG.upper()}@example.org")
    assert isinstance(report, Report)


def test_the_tag_is_found_in_a_returned_mail_that_was_encoded() -> None:
    inner = base64.encodebytes(f"X-Digest-Tag: {TAG}\nSubject: x\n\nHello".encode()).decode()
    text = returned.EXCHANGE.replace("<bounces+@TAG@@example.org>", "x@example.org")
    head, _, _ = text.partition("Content-Type: message/rfc822")
    mail = (
        f"{head}Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}\n"
        "--f2c9a0e5-8d1b-4c11--\n"
    )
    assert isinstance(understood(mail, ""), Report)


def test_a_bounce_that_somebody_attached_to_a_mail_is_no_bounce() -> None:
    mail = (
        "From: Ada <ada@example.net>\nContent-Type: message/rfc822\nSubject: Fwd\n\n"
        + returned.POSTFIX
    )
    assert understood(mail) == Ignored("neither bounce nor complaint")


def test_what_a_stranger_wrote_becomes_one_printable_line() -> None:
    hostile = returned.POSTFIX.replace("User unknown", "User\x1b[31m unk\x00nown\x9b\u202e")
    report = understood(hostile)
    assert isinstance(report, Report)
    assert report.text.isprintable()
    assert report.text.startswith("<ada@example.net>: Recipient address rejected: User [31m unk")


def test_the_worst_of_several_recipients_counts() -> None:
    more = "\n\nFinal-Recipient: rfc822; b@example.net\nAction: failed\nStatus: 4.2.2\n\n--9F3A"
    report = understood(returned.POSTFIX.replace("\n\n--9F3A", more, 3))
    assert isinstance(report, Report)
    assert report.kind is Kind.HARD


def test_a_date_that_cannot_be_is_now() -> None:
    for date in ("Fri, 20 Nov 2099 06:01:12 +0000", "garbage", "Fri, 20 Nov 1999 06:01:12 +0000"):
        report = understood(returned.POSTFIX.replace("Fri, 20 Nov 2026 06:01:12 +0000", date))
        assert isinstance(report, Report)
        assert report.at == NOW


@pytest.mark.parametrize(
    ("enhanced", "code", "text", "kind"),
    [
        ("5.1.1", 550, "", Kind.HARD),
        ("5.1.10", 550, "RecipientNotFound", Kind.HARD),
        ("5.2.1", 550, "The email account that you tried to reach is disabled", Kind.HARD),
        ("", 554, "delivery error: This user doesn't have a yahoo.example account", Kind.HARD),
        ("5.0.0", 550, "User unknown", Kind.HARD),
        ("5.1.0", 550, "Address rejected", Kind.HARD),
        ("5.1.0", 550, "Sender rejected: SPF check failed", Kind.BLOCKED),
        ("5.2.2", 552, "", Kind.SOFT),
        ("5.1.1", 550, "mailbox is full", Kind.SOFT),
        ("4.2.1", 450, "receiving mail at a rate too high", Kind.SOFT),
        ("", 451, "greylisted", Kind.SOFT),
        ("5.4.4", None, "", Kind.SOFT),
        ("", 550, "No", Kind.SOFT),
        ("5.7.26", 550, "unauthenticated", Kind.BLOCKED),
        ("5.3.4", 552, "message too large", Kind.BLOCKED),
        ("5.6.0", 554, "", Kind.BLOCKED),
        ("5.1.8", 501, "bad sender", Kind.BLOCKED),
        ("", 554, "blocked, see https://example.net/spam", Kind.BLOCKED),
    ],
)
def test_a_code_says_what_is_the_address_s_fault(
    enhanced: str, code: int | None, text: str, kind: Kind
) -> None:
    assert judge(enhanced, code, text) is kind


def days_ago(*ages: float) -> list[datetime]:
    return [NOW - timedelta(days=age) for age in ages]


@pytest.mark.parametrize(
    ("hard", "soft", "enough"),
    [
        ([0], [], False),
        ([0, 1], [], True),
        ([0, 0.01, 0.1], [], False),  # one bad hour
        ([0, 29], [], True),
        ([0, 31], [], False),
        ([0, 31, 62], [], True),
        ([], range(8), False),
        ([], range(9), True),
        ([], range(0, 70, 7), False),
        ([0], [0, 1, 2], False),
        ([3], [0, 1, 2, 4], True),
    ],
)
def test_bounces_weigh_less_as_time_goes_by(
    hard: list[float], soft: list[float], *, enough: bool
) -> None:
    came = [(Kind.HARD, at) for at in days_ago(*hard)]
    came += [(Kind.SOFT, at) for at in days_ago(*soft)]
    assert (score(came, NOW) >= ENOUGH) is enough


def test_what_is_ours_to_mend_never_counts() -> None:
    came = [(kind, at) for kind in (Kind.BLOCKED, Kind.DELAYED) for at in days_ago(*range(99))]
    assert score(came, NOW) == 0


def nested(depth: int) -> str:
    opening = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth)
    )
    return f"From: MAILER-DAEMON@x\nSubject: failure notice\n{opening}\n@TAG@\n"


@pytest.mark.parametrize(
    "mail",
    [
        nested(1000),
        "Content-Type: message/rfc822\n\n" * 1000 + "@TAG@",
        f"X-Long: {'x' * 1_000_000}\n" + returned.POSTFIX,
        returned.POSTFIX + "y" * 30_000_000,
        "A: b\n" * 300_000 + "\n",
        "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 300_000,
        'Content-Type: multipart/mixed; boundary="' + "\\" * 100_000,
        "Content-Type: multipart/mixed; boundary=b\n\n" + "--bb\n" * 300_000,
        returned.POSTFIX.replace("charset=us-ascii", "charset=zip"),
        returned.POSTFIX.replace("charset=us-ascii", "charset=\x00\udcff"),
        returned.POSTFIX.replace("Status: 5.1.1", "Status: " + "5.1." * 400_000),
        returned.POSTFIX.replace("User unknown", "user " + "a " * 400_000),
        "Subject: failure notice\nFrom: <>\n\n" + "<" * 400_000,
        "\n" * 1_000_000,
        "\n \t" * 500_000,
    ],
    ids=[
        "nested", "messages", "long-header", "giant", "headers", "parts", "quote", "boundaries",
        "charset", "charset2", "status", "diagnostic", "brackets", "empty-lines", "blanks",
    ],
)  # fmt: skip
def test_a_hostile_mail_costs_little_and_breaks_nothing(mail: str) -> None:
    raw = mail.replace("@TAG@", TAG).encode("utf-8", "surrogateescape")
    found = report_in(raw, TAGS, now=NOW)
    assert isinstance(found, Ignored | Report)


@given(st.binary(max_size=600))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert isinstance(report_in(raw, TAGS, now=NOW), Ignored)


@given(
    st.lists(
        st.sampled_from(
            ["\n", "\n\n", "--b", "--", "Content-Type: multipart/report; boundary=b", " ",
             "Content-Type: message/delivery-status", "Action: failed", "Status: 5.1.1", "x", TAG]
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_pieces_of_a_bounce_are_read(pieces: list[str]) -> None:
    raw = "".join(pieces).encode()
    assert isinstance(report_in(raw, TAGS, now=NOW), Ignored | Report)
    assert sum(1 for _ in read(raw).walk()) <= 41
