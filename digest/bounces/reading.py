"""From a returned mail to a Report: RFC 3464, RFC 5965 and what others write. Pure.

A tag of ours makes a report; a mail without one is somebody's word only, and ignored. What the
report says is read from its fields, never from running text, where it has any.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from digest.bounces import Ignored, Kind, Report, line
from digest.bounces.judging import judge
from digest.bounces.mime import fields_of, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.bounces.mime import Part
    from digest.tags import Tags

_MOST_GROUPS: Final = 50
_OLDEST: Final = timedelta(days=60)
_LONGEST: Final = 300
_LONGEST_WORDS: Final = 8000
_TO_US: Final = (
    "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to",
    "x-rcpt-to", "to",
)  # fmt: skip
_STATUS: Final = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE: Final = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")
_CODES: Final = re.compile(r"^[45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3} )?")
_SUBJECT: Final = re.compile(
    r"undeliver|failure notice|returned mail|mail delivery (?:failed|system|failure)"
    r"|delivery (?:status notification|failure|has failed|notification|report|incomplete)"
    r"|could not be delivered|non.?delivery|nicht zugestellt|unzustellbar|non remis|не доставлено",
    re.IGNORECASE,
)
_COPY: Final = re.compile(r"(?im)^-{2,} ?(?:this is a copy|original|below this line)")
_DAEMON: Final = re.compile(r"(?i)mailer-daemon|postmaster|mail delivery (?:sub)?system|<>")
_COMPLAINTS: Final = ("abuse", "fraud", "virus", "miscategorized", "other")
_FORGED: Final = "forged, about somebody else's mail, or tagged under another DIGEST_SECRET_KEY"
_NAMES: Final = {
    Kind.HARD: "a hard bounce",
    Kind.SOFT: "a soft bounce",
    Kind.BLOCKED: "a bounce",
    Kind.DELAYED: "a notice of delay",
    Kind.COMPLAINT: "a complaint",
    Kind.UNSUBSCRIBE: "a wish to leave",
}
_RANK: Final = (Kind.HARD, Kind.BLOCKED, Kind.SOFT, Kind.DELAYED)


def report_in(raw: bytes, tags: Tags, *, now: datetime, recipient: str = "") -> Report | Ignored:
    """What a mail reports, or why it is nothing to act on. Never raises.

    `recipient` is the envelope recipient, where the pipe that brought the mail knows it.
    """
    mail = read(raw)
    found = _complaint(mail) or _status(mail) or _old_style(mail) or _leaving(mail)
    if found is None:
        return Ignored(_nothing(mail))
    if isinstance(found, Ignored):
        return found
    kind, address, enhanced, code, text = found
    public_id = _whose(mail, tags, recipient)
    if public_id is None:
        return Ignored(f"{_NAMES[kind]} that carries no tag of ours: {_FORGED}")
    return Report(
        kind,
        _when(mail, now),
        "mail",
        public_id,
        address,
        code,
        enhanced,
        _CODES.sub("", line(text)),
    )


_Found = tuple[Kind, str, str, int | None, str]


def _complaint(mail: Part) -> _Found | Ignored | None:
    """A complaint in the abuse reporting format (RFC 5965)."""
    for part in mail.outer():
        if part.kind != "message/feedback-report":
            continue
        fields = fields_of(part.text.strip("\n"))
        said = fields.get("feedback-type", ["other"])[0].lower()
        address = _address(fields.get("original-rcpt-to", [""])[0])
        agent = fields.get("user-agent", [""])[0]
        if said.startswith("opt-out"):
            return Kind.UNSUBSCRIBE, address, "", None, f"{said} at {agent}"
        if said not in _COMPLAINTS:
            return Ignored(f"a feedback report of type {said[:40]!r}, which is no complaint")
        return Kind.COMPLAINT, address, "", None, f"{said} reported by {agent}".removesuffix(" by ")
    return None


def _status(mail: Part) -> _Found | Ignored | None:
    """A delivery status notification (RFC 3464, RFC 6533): the worst of its recipients."""
    for part in mail.outer():
        if part.kind not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        groups = re.split(r"\n[ \t]*\n", part.text.strip("\n"), maxsplit=_MOST_GROUPS)
        words = _words(mail)
        found = [
            one for one in (_recipient(group, words) for group in groups[:_MOST_GROUPS]) if one
        ]
        if not found:
            return Ignored("a notice of success")
        return min(found, key=lambda one: _RANK.index(one[0]))
    return None


def _recipient(group: str, words: str) -> _Found | None:
    """One recipient of a notification; None for the message's own fields and for success."""
    fields = fields_of(group)
    action = fields.get("action", [""])[0].lower()
    if action not in {"failed", "delayed"}:
        return None
    address = _address(
        fields.get("original-recipient", [""])[0] or fields.get("final-recipient", [""])[0]
    )
    text = fields.get("diagnostic-code", [""])[0].partition(";")[2].strip()
    text = (text or _said_of(address, words))[:_LONGEST]
    status = _STATUS.search(fields.get("status", [""])[0])
    # Some write 5.0.0 and put what the other side really said behind it.
    inner = _STATUS.search(text)
    if inner and (status is None or status[0].endswith(".0.0")):
        status = inner
    said = _CODE.search(text)
    enhanced, code = status[0] if status else "", int(said[1]) if said else None
    return judge(enhanced, code, text, action), address, enhanced, code, text


def _said_of(address: str, words: str) -> str:
    """What OpenSMTPD has in place of a Diagnostic-Code: in words, behind the address."""
    behind = f"{address}: "
    lines = (one for one in words.split("\n") if address and one.startswith(behind))
    return next(lines, "").removeprefix(behind)


def _old_style(mail: Part) -> _Found | None:
    """A bounce in words alone: qmail, old Exim, Exchange and their like.

    Only what a mail system sent counts, and only the part before the returned mail.
    """
    failed = mail.get("x-failed-recipients")
    of_daemon = _DAEMON.search(mail.get("from")) or mail.get("return-path") == "<>"
    if not failed and not (of_daemon and _SUBJECT.search(mail.get("subject"))):
        return None
    words = _COPY.split(_words(mail), maxsplit=1)[0]
    status, code = _STATUS.search(words), _CODE.search(words)
    number = int(code[1]) if code else None
    named = re.search(r"<([^\s<>@]{1,64}@[^\s<>@]{1,190})>:?", words)
    address = _address(failed.partition(",")[0]) or (named[1] if named else "")
    line = next((one for one in words.split("\n") if code and code[0] in one), "")
    enhanced = status[0] if status else ""
    return judge(enhanced, number, line or words), address, enhanced, number, line


def _words(mail: Part) -> str:
    """What a mail says to people, its beginning."""
    text = next((one.text for one in mail.outer() if one.kind == "text/plain"), "")
    return text[:_LONGEST_WORDS]


def _leaving(mail: Part) -> _Found | None:
    """A mail that asks to leave, as the mailto: of List-Unsubscribe makes it (RFC 2369 3.2)."""
    automatic = mail.get("auto-submitted").lower() not in {"", "no"}
    if automatic or mail.get("subject").strip().lower() != "unsubscribe":
        return None
    return Kind.UNSUBSCRIBE, _address(mail.get("from")), "", None, "asked by mail"


def _whose(mail: Part, tags: Tags, recipient: str) -> str | None:
    """The delivery whose tag the mail carries: in its envelope, its report or what it returns."""
    for text in _places(mail, recipient):
        public_id = tags.find(text)
        if public_id is not None:
            return public_id
    return None


def _places(mail: Part, recipient: str) -> Iterator[str]:
    yield recipient
    for name in _TO_US:
        yield from mail.fields.get(name, ())
    for part in mail.walk():
        if part is not mail:
            yield "\n".join(value for values in part.fields.values() for value in values)
        if not part.parts:
            yield part.text


def _when(mail: Part, now: datetime) -> datetime:
    """When it happened, as the mail's date has it; a date that cannot be is now."""
    try:
        said = parsedate_to_datetime(mail.get("date")[:100])
    except (ValueError, OverflowError, TypeError):
        return now
    at = (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    return at if now - _OLDEST <= at <= now else now


def _nothing(mail: Part) -> str:
    automatic = mail.get("auto-submitted").lower()
    if automatic.startswith("auto-replied") or mail.get("x-autoreply"):
        return "an automatic answer"
    return "neither bounce nor complaint"


def _address(text: str) -> str:
    """The address of "rfc822; name@host", of <name@host>, or as it stands."""
    return text.rpartition(";")[2].strip().strip("<>")[:320]
