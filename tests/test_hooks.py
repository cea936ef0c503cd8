"""What providers tell over HTTP: believed when signed and fresh, done once, and never more."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from fastapi import FastAPI
from loopback import Answer, Site, serving

from digest.app import App, open_app
from digest.bounces import Kind
from digest.bounces.signing import Sns, Unchecked, canonical
from digest.settings import load
from digest.sources import AnswerState, Pace
from digest.store.deliveries import Prepared
from digest.testing import Clock, FixtureServer, Reply, polite
from digest.web import create_app
from digest.web.hooks import hook_routes
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:bounces"
HOST: Final = "https://sns.eu-west-1.amazonaws.com"
PEM: Final = f"/SimpleNotificationService-{'a' * 32}.pem"
SECRET: Final = "0123456789abcdef0123456789abcdef"
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(*, ends: datetime = NOW + timedelta(days=100)) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


class Amazon:
    """Where Amazon's certificates lie: a real server on loopback, asked by our own client."""

    def __init__(self, server: FixtureServer) -> None:
        self.server = server
        self.asked: list[str] = []
        server.on(PEM, Reply(certificate()))

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        with polite(Clock(NOW)) as client:
            answer = client.get(url.replace(HOST, self.server.url), pace=Pace("amazon", 0.0))
        if answer.state is not AnswerState.OK:
            raise Unchecked(answer.reason)
        return answer.body


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with FixtureServer() as server:
        yield Amazon(server)


@pytest.fixture
def house(database_url: str) -> Iterator[App]:
    settings = load(
        {
            "DIGEST_DATABASE_URL": database_url,
            "DIGEST_SECRET_KEY": SECRET,
            "DIGEST_SES_TOPIC": TOPIC,
            "DIGEST_WEBHOOK_SECRET": SECRET,
        }
    )
    with open_app(settings, clock=lambda: NOW) as opened:
        fresh = Subscriber("ada@example.net").confirm(NOW)
        reader = opened.store.subscribers.add(fresh, NOW)
        one = Prepared(
            reader, "digest", "a", b"", NOW + timedelta(days=1), None, date(2026, 11, 20)
        )
        opened.store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=NOW)
        yield opened


@pytest.fixture
def site(house: App, amazon: Amazon) -> Iterator[Site]:
    web = FastAPI()
    web.include_router(hook_routes(house, sns=Sns(TOPIC, amazon.fetch)))
    with serving(web) as served:
        yield served


def tag(app: App) -> str:
    return app.tags.tag(app.store.deliveries.history()[0].public_id)


def status(app: App) -> Status:
    return app.store.subscribers.by_address("ada@example.net").status


def message(inside: Any, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A message of SNS as Amazon signs it."""
    made = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(inside),
        "Timestamp": "2026-11-20T11:59:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": HOST + PEM,
        **changed,
    }
    made = {name: value for name, value in made.items() if value is not None}
    algorithm = hashes.SHA1() if made["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303
    signature = KEY.sign(canonical(made), padding.PKCS1v15(), algorithm)
    return {**made, "Signature": base64.b64encode(signature).decode()}


def bounce(app: App, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    return {
        "notificationType": "Bounce",
        "bounce": {
            "feedbackId": "f-1",
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": "2026-11-20T11:58:00.000Z",
            "bouncedRecipients": [
                {
                    "emailAddress": "Ada <ada@example.net>",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }
            ],
            **changed,
        },
        "mail": {
            "source": f"bounces+{tag(app)}@example.org",
            "headers": [{"name": "X-Digest-Tag", "value": tag(app)}],
        },
    }


def complaint(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    return {
        "eventType": "Complaint",
        "complaint": {
            "feedbackId": "f-2",
            "complaintFeedbackType": "abuse",
            "userAgent": "Yahoo!-Mail-Feedback/2.0",
            "complainedRecipients": [{"emailAddress": "ada@example.net"}],
            **changed,
        },
        "mail": {"source": "digest@example.org"},
    }


def post(site: Site, told: Any) -> Answer:  # noqa: ANN401 -- JSON
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return site.ask("POST", "/hooks/ses", body, {"content-type": "text/plain; charset=UTF-8"})


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_that_amazon_signed_is_taken_once(
    house: App, site: Site, amazon: Amazon, version: str
) -> None:
    told = message(bounce(house), SignatureVersion=version)
    assert post(site, told).status == 204
    assert post(site, told).status == 204
    (one,) = house.store.suppressions.returned()
    assert (one.kind, one.via, one.code, one.enhanced) == (Kind.HARD, "ses", 550, "5.1.1")
    assert one.delivery == house.store.deliveries.history()[0].public_id
    assert one.at == datetime(2026, 11, 20, 11, 58, tzinfo=UTC)
    assert amazon.asked == [HOST + PEM]


def test_a_complaint_ends_the_subscription_by_address_alone(house: App, site: Site) -> None:
    assert post(site, message(complaint(), Subject=None)).status == 204
    assert status(house) is Status.UNSUBSCRIBED
    (one,) = house.store.suppressions.all()
    assert one.reason == "a complaint: abuse Yahoo!-Mail-Feedback/2.0"


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"bounceSubType": "MailboxFull", "bounceType": "Transient"}, Kind.SOFT),
        ({"bounceSubType": "ContentRejected", "bounceType": "Transient"}, Kind.BLOCKED),
        ({"bounceSubType": "OnAccountSuppressionList"}, Kind.HARD),
        ({"bouncedRecipients": [{"emailAddress": "ada@example.net"}]}, Kind.HARD),
        (
            {
                "bounceType": "Transient",
                "bouncedRecipients": [{"emailAddress": "ada@example.net"}],
            },
            Kind.SOFT,
        ),
    ],
)
def test_what_ses_calls_a_bounce_means(
    house: App, site: Site, changed: dict[str, Any], kind: Kind
) -> None:
    assert post(site, message(bounce(house, **changed))).status == 204
    assert [one.kind for one in house.store.suppressions.returned()] == [kind]


@pytest.mark.parametrize(
    "told",
    [
        {"notificationType": "Delivery", "delivery": {}},
        {"eventType": "Open"},
        complaint(complaintFeedbackType="not-spam"),
    ],
)
def test_what_is_no_bounce_or_complaint_is_taken_and_forgotten(
    house: App, site: Site, told: dict[str, Any]
) -> None:
    assert post(site, message(told)).status == 204
    assert house.store.suppressions.returned() == []


def test_what_ses_says_when_it_is_set_up_is_no_mistake(site: Site) -> None:
    said = "Successfully validated SNS topic for Amazon SES event publishing."
    assert post(site, message(None, Message=said)).status == 204


def test_no_message_is_believed_that_is_not_amazon_s_own(house: App, site: Site) -> None:
    told = message(complaint())
    for changed, why in (
        ({"Message": json.dumps(bounce(house))}, "its signature does not hold"),
        ({"Signature": "AAAA"}, "its signature does not hold"),
        ({"Signature": "no"}, "no time or no signature"),
        ({"Signature": 7}, "no time or no signature"),
        ({"SignatureVersion": "9"}, "a version nobody knows"),
        ({"TopicArn": TOPIC + "2"}, "no message of the topic"),
        ({"Type": "Else"}, "no message of the topic"),
        ({"Type": ["x"]}, "no message of the topic"),
        ({"Timestamp": "2026-11-18T11:59:00.000Z"}, "too old"),
        ({"Timestamp": "2026-11-20T11:59:00"}, "too old"),
    ):
        answer = post(site, {**told, **changed})
        assert answer.status in {400, 403}
        assert why in answer.text
    assert house.store.suppressions.returned() == []
    assert status(house) is Status.ACTIVE


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.evil.example" + PEM,
        "https://evil.example/?sns.eu-west-1.amazonaws.com" + PEM,
        "http://sns.eu-west-1.amazonaws.com" + PEM,
        "https://sns.eu-west-1.amazonaws.com:444" + PEM,
        "https://x@sns.eu-west-1.amazonaws.com" + PEM,
        "https://sns.us-east-1.amazonaws.com" + PEM,
        "https://s3.eu-west-1.amazonaws.com" + PEM,
        HOST + "/else.pem",
        HOST + PEM + "?x=1",
        "https://169.254.169.254" + PEM,
        "https://[sns.eu-west-1.amazonaws.com" + PEM,
        "",
    ],
)
def test_a_certificate_is_fetched_from_amazon_s_host_and_nowhere_else(
    house: App, site: Site, amazon: Amazon, url: str
) -> None:
    answer = post(site, message(complaint(), SigningCertURL=url))
    assert (answer.status, amazon.asked) == (403, [])
    assert "its certificate is not at sns.eu-west-1.amazonaws.com" in answer.text
    assert status(house) is Status.ACTIVE


def test_what_no_text_can_hold_was_signed_by_nobody(site: Site) -> None:
    answer = post(site, {**message(complaint()), "Message": "half a pair: \ud800"})
    assert (answer.status, answer.text) == (403, "Refused: its signature does not hold.\n")


def test_a_certificate_that_cannot_be_had_makes_amazon_try_again(
    house: App, site: Site, amazon: Amazon
) -> None:
    amazon.server.on(PEM, Reply(b"", 404))
    assert post(site, message(complaint())).status == 503
    again = post(site, message(complaint()))
    assert (again.status, len(amazon.asked)) == (503, 1)  # and asks Amazon no more often for it
    assert "a moment ago" in again.text
    house.clock = lambda: NOW + timedelta(seconds=11)
    amazon.server.on(PEM, Reply(certificate()))
    assert post(site, message(complaint())).status == 204


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (certificate(ends=NOW - timedelta(days=1)), "not valid now"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is none"),
        (b"<html>", "is none"),
    ],
)
def test_a_certificate_that_is_none_or_has_ended_proves_nothing(
    site: Site, amazon: Amazon, pem: bytes, why: str
) -> None:
    amazon.server.on(PEM, Reply(pem))
    answer = post(site, message(complaint()))
    assert answer.status == 403
    assert why in answer.text


def test_a_subscription_is_confirmed_only_where_it_leads_to_amazon(house: App, site: Site) -> None:
    told = message(
        {},
        Type="SubscriptionConfirmation",
        Token="t",
        SubscribeURL="https://evil.example/?Action=ConfirmSubscription",
    )
    answer = post(site, told)
    assert (answer.status, answer.text) == (
        403,
        "Refused: its SubscribeURL does not lead to SNS.\n",
    )
    assert house.store.suppressions.returned() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"[" * 100_000, b'{"Type": "Notification"}', b"\xff\xfe"],
)
def test_a_body_that_is_no_message_is_refused(site: Site, body: bytes) -> None:
    assert post(site, body).status in {400, 403}


@pytest.mark.parametrize(
    "inside",
    [
        {"notificationType": "Bounce"},
        {"notificationType": "Bounce", "bounce": []},
        {"notificationType": "Bounce", "bounce": {"feedbackId": "x"}},
        {"notificationType": "Bounce", "bounce": {"feedbackId": "x", "bouncedRecipients": [1]}},
        {"notificationType": "Complaint", "complaint": {"complainedRecipients": []}},
        [7],
    ],
)
def test_a_notification_that_lacks_something_says_what(site: Site, inside: Any) -> None:  # noqa: ANN401
    answer = post(site, message(inside))
    assert answer.status == 400
    assert re.match(r"The message (?:lacks|has no) ", answer.text)


def signed(body: bytes, *, at: datetime = NOW, name: str = "msg_1") -> dict[str, str]:
    """Headers as the Standard Webhooks have them."""
    stamp = str(int(at.timestamp()))
    mac = hmac.digest(SECRET.encode(), f"{name}.{stamp}.".encode() + body, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{'A' * 43}= v1,{base64.b64encode(mac).decode()}",
    }


def tell(site: Site, told: Any, **how: Any) -> Answer:  # noqa: ANN401 -- JSON
    body = json.dumps(told).encode()
    return site.ask("POST", "/hooks/mail", body, signed(body, **how))


def test_our_own_format_tells_of_everything_by_tag_by_message_and_by_address(
    house: App, site: Site
) -> None:
    delivery = house.store.deliveries.history()[0]
    told = {
        "events": [
            {"type": "bounce", "tag": tag(house), "status": "5.1.1", "code": 550, "text": "gone"},
            {"type": "soft_bounce", "message_id": delivery.message_id},
            {"type": "hard_bounce", "address": "bo@example.net", "at": "2026-11-19T00:00:00Z"},
            {"type": "delivered", "address": "bo@example.net"},
            {"type": "unsubscribe", "address": "ada@example.net", "id": "ev-9"},
        ]
    }
    assert tell(site, told).status == 204
    assert tell(site, told).status == 204
    came = {(one.kind, one.address) for one in house.store.suppressions.returned()}
    assert came == {
        (Kind.HARD, "ada@example.net"),
        (Kind.SOFT, "ada@example.net"),
        (Kind.HARD, "bo@example.net"),
        (Kind.UNSUBSCRIBE, "ada@example.net"),
    }
    assert len(house.store.suppressions.returned()) == 4
    assert status(house) is Status.UNSUBSCRIBED


def test_what_a_provider_passes_on_is_stored_as_printable_lines(house: App, site: Site) -> None:
    told = {
        "type": "bounce",
        "address": "ada@example.net\x00",
        "id": "ev\x00\x1b[2J",
        "text": "gone\x00\x1b]0;x\x07 for ever",
    }
    assert tell(site, told).status == 204
    (one,) = house.store.suppressions.returned()
    assert (one.address, one.text) == ("ada@example.net", "gone ]0;x for ever")


def test_the_same_event_under_another_message_is_the_same_event(house: App, site: Site) -> None:
    told = {"type": "complaint", "address": "ada@example.net", "id": "ev-1"}
    assert tell(site, told, name="msg_1").status == 204
    assert tell(site, told, name="msg_2").status == 204
    assert len(house.store.suppressions.returned()) == 1


def test_what_is_not_signed_or_not_fresh_is_refused(house: App, site: Site) -> None:
    told = {"type": "complaint", "address": "ada@example.net"}
    body = json.dumps(told).encode()
    good = signed(body)
    for headers in (
        {},
        {**good, "webhook-signature": "v1,AAAA"},
        {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        {**good, "webhook-id": "msg_2"},
        {**good, "webhook-timestamp": "soon"},
        signed(body, at=NOW - timedelta(minutes=6)),
        signed(body, at=NOW + timedelta(minutes=6)),
        signed(body + b" "),
    ):
        assert site.ask("POST", "/hooks/mail", body, headers).status == 403
    assert status(house) is Status.ACTIVE
    assert site.ask("POST", "/hooks/mail", body, good).status == 204


@pytest.mark.parametrize(
    ("told", "lacks"),
    [
        ([], "has no JSON object as its body"),
        ({}, 'lacks "type"'),
        ({"type": "bounce"}, 'lacks "tag", "message_id" or "address"'),
        ({"type": "bounce", "address": "nobody"}, 'lacks "tag", "message_id" or "address"'),
        ({"type": "bounce", "address": "a@b.example", "status": "gone"}, 'not like "5.1.1"'),
        ({"type": "bounce", "address": "a@b.example", "code": "550"}, "not like 550"),
        ({"events": [{"type": "open"}] * 1001}, "no list of at most 1000"),
        ({"events": "x"}, "no list of at most 1000"),
    ],
)
def test_a_message_that_lacks_something_says_what(site: Site, told: Any, lacks: str) -> None:  # noqa: ANN401
    answer = tell(site, told)
    assert answer.status == 400
    assert lacks in answer.text


def test_a_body_that_is_no_json_is_told_as_that(site: Site) -> None:
    answer = site.ask("POST", "/hooks/mail", b"hello", signed(b"hello"))
    assert (answer.status, answer.text) == (400, "The message is no JSON.\n")
    told = site.ask("POST", "/hooks/ses", b"hello")
    assert (told.status, told.text) == (400, "The message is no JSON.\n")


def test_hooks_are_there_only_where_they_are_set_up(tmp_path: Path) -> None:
    settings = load({"DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}"})
    with open_app(settings) as house, serving(create_app(house)) as site:
        assert site.ask("POST", "/hooks/ses", b"{}").status == 404
        assert site.ask("POST", "/hooks/mail", b"{}").status == 404


def test_a_body_over_the_limit_is_refused_by_the_whole_application(house: App) -> None:
    with serving(create_app(house)) as site:
        assert site.ask("POST", "/hooks/mail", b"x" * 200_000).status == 413
        assert site.ask("GET", "/hooks/mail").status == 405
        refused = site.ask("POST", "/hooks/mail", b"{}")
        assert (refused.status, refused.headers["content-type"]) == (
            403,
            "text/plain; charset=utf-8",
        )
