"""What providers tell in JSON: Amazon SES inside SNS, and our own format for everybody else. Pure.

Whoever calls these has checked the signature; so an address is believed here without a tag.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from digest.bounces import Kind, Report, line
from digest.bounces.judging import judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from digest.tags import Tags

MOST_EVENTS: Final = 1000
_LONGEST: Final = 300
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_CODE: Final = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")
_PUBLIC_ID: Final = re.compile(r"<?([a-z2-7]{13})@")
_OF_SES: Final = {
    "MailboxFull": Kind.SOFT,
    "MessageTooLarge": Kind.BLOCKED,
    "ContentRejected": Kind.BLOCKED,
    "AttachmentRejected": Kind.BLOCKED,
    "NoEmail": Kind.HARD,
    "Suppressed": Kind.HARD,
    "OnAccountSuppressionList": Kind.HARD,
}
_KINDS: Final = {
    "hard_bounce": Kind.HARD,
    "soft_bounce": Kind.SOFT,
    "complaint": Kind.COMPLAINT,
    "unsubscribe": Kind.UNSUBSCRIBE,
}


class Misshapen(ValueError):
    """A message that is not what it should be; says so in a phrase: "lacks its type"."""


def ses_reports(told: Any, tags: Tags, now: datetime) -> list[Report]:  # noqa: ANN401 -- JSON
    """The reports of an SES notification or event; none for deliveries, opens and the like.

    `told` is the JSON inside "Message". Raises Misshapen.
    """
    event = _object(told, "notification")
    what = str(event.get("notificationType") or event.get("eventType") or "")
    if what not in {"Bounce", "Complaint"}:
        return []
    body = _object(event.get(what.lower()), f'"{what.lower()}"')
    mail = event.get("mail")
    public_id = tags.find("\n".join(_ses_places(mail if isinstance(mail, dict) else {}))) or ""
    at = _instant(body.get("timestamp"), now)
    feedback = _text(body.get("feedbackId"))
    if not feedback:
        raise Misshapen('lacks "feedbackId"')
    reports = []
    for one in _list(body, "bouncedRecipients" if what == "Bounce" else "complainedRecipients"):
        recipient = _object(one, "recipient")
        address = _address(recipient.get("emailAddress"))
        kind, code, enhanced, text = (
            _ses_bounce(body, recipient) if what == "Bounce" else _ses_complaint(body)
        )
        if kind is not None and address:
            event_id = f"{feedback}:{address.casefold()}"
            reports.append(
                Report(kind, at, "ses", public_id, address, code, enhanced, text, event_id)
            )
    return reports


def own_reports(told: Any, tags: Tags, now: datetime, *, message: str) -> list[Report]:  # noqa: ANN401 -- JSON
    """The reports of a body in our own format: docs/bounces.md. Raises Misshapen.

    `message` is the id of the webhook message, which an event without one of its own takes.
    """
    body = _object(told, "body")
    events = _list(body, "events") if "events" in body else [body]
    return [
        report
        for place, one in enumerate(events)
        if (report := _own(_object(one, "event"), tags, now, f"{message}:{place}"))
    ]


def _own(event: Mapping[str, Any], tags: Tags, now: datetime, otherwise: str) -> Report | None:
    what = str(event.get("type") or "")
    if not what:
        raise Misshapen('lacks "type"')
    status, text = str(event.get("status") or ""), _text(event.get("text"))
    if status and not _STATUS.fullmatch(status):
        raise Misshapen('has a "status" that is not like "5.1.1"')
    code = event.get("code")
    if code is not None and (not isinstance(code, int) or not 200 <= code < 600):  # noqa: PLR2004 -- SMTP's
        raise Misshapen('has a "code" that is not like 550')
    kind = judge(status, code, text) if what == "bounce" else _KINDS.get(what)
    if kind is None:
        return None  # delivered, opened and whatever else a provider tells
    named = _PUBLIC_ID.match(str(event.get("message_id") or ""))
    public_id = tags.find(str(event.get("tag") or "")[:_LONGEST]) or (named[1] if named else "")
    address = _address(event.get("address"))
    if not public_id and not address:
        raise Misshapen('lacks "tag", "message_id" or "address"')
    own = _text(event.get("id"))
    return Report(
        kind,
        _instant(event.get("at"), now),
        "webhook",
        public_id,
        address,
        code,
        status,
        text,
        own or otherwise,
    )


def _ses_bounce(
    body: Mapping[str, Any], recipient: Mapping[str, Any]
) -> tuple[Kind | None, int | None, str, str]:
    said = _text(recipient.get("diagnosticCode")).removeprefix("smtp;").strip()
    found, code = _STATUS.fullmatch(str(recipient.get("status") or "")), _CODE.search(said)
    enhanced, number = found[0] if found else "", int(code[1]) if code else None
    sub = str(body.get("bounceSubType") or "")
    kind = _OF_SES.get(sub) or judge(enhanced, number, said)
    if kind is Kind.SOFT and body.get("bounceType") == "Permanent" and sub not in _OF_SES:
        kind = Kind.HARD
    text = said or " ".join(filter(None, (str(body.get("bounceType") or ""), sub)))
    return kind, number, enhanced, text[:_LONGEST]


def _ses_complaint(body: Mapping[str, Any]) -> tuple[Kind | None, int | None, str, str]:
    what = str(body.get("complaintFeedbackType") or "abuse")
    if what in {"not-spam", "auth-failure"}:
        return None, None, "", ""
    return Kind.COMPLAINT, None, "", line(f"{what} {body.get('userAgent') or ''}")


def _ses_places(mail: Mapping[str, Any]) -> Iterator[str]:
    """Where SES shows our tag: the envelope sender, and headers where it is told to add them."""
    yield str(mail.get("source") or "")[:_LONGEST]
    headers = mail.get("headers")
    for header in headers[:200] if isinstance(headers, list) else ():
        if isinstance(header, dict):
            yield str(header.get("value") or "")[:_LONGEST]


def _object(value: Any, what: str) -> Mapping[str, Any]:  # noqa: ANN401 -- JSON
    if not isinstance(value, dict):
        raise Misshapen(f"has no JSON object as its {what}")
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if not isinstance(value, list) or len(value) > MOST_EVENTS:
        raise Misshapen(f'has no list of at most {MOST_EVENTS} as "{name}"')
    return value


def _text(value: Any) -> str:  # noqa: ANN401 -- JSON
    return line(str(value or ""))


def _address(value: Any) -> str:  # noqa: ANN401 -- JSON
    text = line(str(value or ""), 1000)
    inner = re.fullmatch(r"[^<>]*<([^<>]+)>", text)
    address = inner[1] if inner else text
    return address if "@" in address and len(address) <= 320 else ""  # noqa: PLR2004 -- RFC 5321


def _instant(value: Any, now: datetime) -> datetime:  # noqa: ANN401 -- JSON
    """The instant as told; now where there is none or it lies ahead."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return now
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(at.astimezone(UTC), now)
