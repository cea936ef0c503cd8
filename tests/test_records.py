"""What the DNS says of a sender, asked of a real server: found, judged, and told what to do."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from nameserver import NameServer

from digest.dkim import Signer, new_key
from digest.doctor import Finding, Health
from digest.doctor.names import Names, Unanswered
from digest.doctor.records import aligned, look_at_records
from digest.doctor.spf import look_up
from digest.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from digest.settings import Settings

Records = dict[tuple[str, str], "Sequence[str]"]


def rsa_key(bits: int) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    raw = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(raw).decode()


def ed_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return base64.b64encode(key.public_bytes_raw()).decode()


GOOD_KEY: Final = rsa_key(2048)
GOOD: Final[Records] = {
    ("uni.test", "TXT"): ["a-site=1", "v=spf1 ip4:192.0.2.0/24 include:mx.test -all"],
    ("mx.test", "TXT"): ["v=spf1 ip6:2001:db8::/32 ~all"],
    ("_dmarc.uni.test", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:x@uni.test"],
    ("d1._domainkey.uni.test", "TXT"): [f"v=DKIM1; k=rsa; p={GOOD_KEY}"],
    ("uni.test", "MX"): ["20 b.uni.test.", "10 a.uni.test."],
    ("a.uni.test", "A"): ["192.0.2.7"],
    ("b.uni.test", "AAAA"): ["2001:db8::7"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["a.uni.test."],
}  # fmt: skip


def settings(sender: str = "digest@uni.test", bounce: str = "") -> Settings:
    loaded = load(
        {
            "DIGEST_FROM": sender,
            "DIGEST_SMTP_URL": "smtp://127.0.0.1:25",
            "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
        }
    )
    return replace(loaded, bounce_address=bounce or sender)


def looked(
    records: Mapping[tuple[str, str], Sequence[str]],
    *,
    bounce: str = "",
    address: str = "192.0.2.7",
    selector: str = "d1",
) -> dict[str, Finding]:
    with NameServer({**records, ("relay.test", "NS"): ["ns.relay.test."]}) as server:
        found = look_at_records(
            settings(bounce=bounce), dns=server.place, address=address, selector=selector
        )
    return {finding.topic: finding for finding in found}


def changed(**records: Sequence[str] | None) -> Records:
    """The good records with some changed: NAME__KIND, with "_" for "." where it must be."""
    names = {
        "spf": ("uni.test", "TXT"),
        "inner": ("mx.test", "TXT"),
        "dmarc": ("_dmarc.uni.test", "TXT"),
        "dkim": ("d1._domainkey.uni.test", "TXT"),
        "mx": ("uni.test", "MX"),
        "a": ("a.uni.test", "A"),
        "ptr": ("7.2.0.192.in-addr.arpa", "PTR"),
    }
    made = dict(GOOD)
    for name, texts in records.items():
        made.pop(names[name])
        if texts is not None:
            made[names[name]] = texts
    return made


def test_a_sender_whose_records_are_right_is_told_so() -> None:
    found = looked(GOOD)
    assert {topic: one.health for topic, one in found.items()} == dict.fromkeys(
        ("SPF", "DKIM", "DMARC", "alignment", "MX", "PTR"), Health.OK
    )
    assert "192.0.2.7 passes" in found["SPF"].seen
    assert found["MX"].seen == "uni.test: a.uni.test, b.uni.test"
    assert found["DKIM"].seen == "d1._domainkey.uni.test: RSA with 2048 bits"
    assert not any(one.advice for one in found.values())


@pytest.mark.parametrize(
    ("records", "topic", "health", "said"),
    [
        (changed(spf=None), "SPF", Health.FAILED, "uni.test, the envelope's domain, has none"),
        (changed(spf=["v=spf1 -all"]), "SPF", Health.FAILED, "does not let 192.0.2.7 send (fail)"),
        (changed(spf=["v=spf1 -all", "v=spf1 ~all"]), "SPF", Health.FAILED, "several records"),
        (changed(spf=["v=spf1 ip4:192.0.2.7 +all"]), "SPF", Health.WARNING, "anybody may send"),
        (changed(spf=["v=spf1 ip4:192.0.2.7"]), "SPF", Health.WARNING, "anybody may send"),
        (changed(spf=["v=spf1 ipv4:1.2.3.4 -all"]), "SPF", Health.FAILED, "is no mechanism"),
        (changed(spf=["v=spf1 ip4:300.1.1.1 -all"]), "SPF", Health.FAILED, "has no address"),
        (changed(inner=None), "SPF", Health.FAILED, "mx.test, which it includes, has no record"),
        (
            changed(inner=["v=spf1 include:uni.test -all"]),
            "SPF",
            Health.FAILED,
            "includes uni.test again and again",
        ),
        (
            changed(spf=[f"v=spf1 ip4:192.0.2.7 {'a:a.uni.test ' * 11}-all"]),
            "SPF",
            Health.FAILED,
            "needs 11 look-ups, and receivers stop at 10",
        ),
        (changed(dmarc=None), "DMARC", Health.FAILED, "uni.test has none"),
        (changed(dmarc=["v=DMARC1"]), "DMARC", Health.FAILED, "has no policy"),
        (changed(dmarc=["v=DMARC1; p=maybe"]), "DMARC", Health.FAILED, "has no policy"),
        (changed(dmarc=["v=DMARC1; p=none"] * 2), "DMARC", Health.OK, "p=none"),
        (
            changed(dmarc=["v=DMARC1; p=none", "v=DMARC1; p=reject"]),
            "DMARC",
            Health.FAILED,
            "uni.test has several",
        ),
        (changed(dkim=None), "DKIM", Health.FAILED, "no key at d1._domainkey.uni.test"),
        (changed(dkim=["v=DKIM1; p="]), "DKIM", Health.FAILED, "was revoked"),
        (changed(dkim=["v=DKIM1; p=AAAA"]), "DKIM", Health.FAILED, "cannot be read"),
        (changed(dkim=[f"p={rsa_key(1024)}"]), "DKIM", Health.WARNING, "RSA with 1024 bits"),
        (changed(dkim=[f"k=ed25519; p={ed_key()}"]), "DKIM", Health.OK, "an Ed25519 key"),
        (changed(dkim=["k=ed25519; p=AAAA"]), "DKIM", Health.FAILED, "cannot be read"),
        (changed(mx=["0 ."]), "MX", Health.FAILED, "says it takes no mail"),
        (changed(mx=None), "MX", Health.FAILED, "bounces and answers are lost"),
        (changed(mx=["10 gone.uni.test."]), "MX", Health.FAILED, "which has no address"),
        (changed(ptr=None), "PTR", Health.FAILED, "192.0.2.7 has no name"),
        (changed(ptr=["b.uni.test."]), "PTR", Health.FAILED, "that name does not lead back"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(
    records: Records, topic: str, health: Health, said: str
) -> None:
    found = looked(records)[topic]
    assert found.health is health
    assert said in found.seen
    assert bool(found.advice) == (health is not Health.OK)


@pytest.mark.parametrize(
    ("record", "address", "result", "lookups"),
    [
        ("v=spf1 a -all", "192.0.2.1", "pass", 1),
        ("v=spf1 a/24 -all", "192.0.2.99", "pass", 1),
        ("v=spf1 a:h.test/30//64 -all", "192.0.2.3", "pass", 1),
        ("v=spf1 a:h.test//64 -all", "2001:db8::9", "pass", 1),
        ("v=spf1 mx -all", "192.0.2.7", "pass", 1),
        ("v=spf1 mx:other.test ~all", "192.0.2.7", "softfail", 1),
        ("v=spf1 ?ip4:192.0.2.1 -all", "192.0.2.1", "neutral", 0),
        ("v=spf1 include:fail.test ip4:192.0.2.1 -all", "192.0.2.1", "pass", 1),
        ("v=spf1 redirect=pass.test", "192.0.2.1", "pass", 1),
        ("v=spf1 redirect=pass.test -all", "192.0.2.1", "fail", 0),
        ("v=spf1 exists:%{i}.x.test ptr exp=why.test -all", "192.0.2.1", "fail", 2),
        ("V=SPF1 IP4:192.0.2.1 -ALL", "192.0.2.1", "pass", 0),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass", 0),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", "fail", 0),
        ("v=spf1", "192.0.2.1", "neutral", 0),
    ],
)
def test_an_address_gets_what_rfc_7208_gives_it(
    record: str, address: str, result: str, lookups: int
) -> None:
    records: Records = {
        ("d.test", "TXT"): [record],
        ("d.test", "A"): ["192.0.2.1"],
        ("d.test", "MX"): ["10 m.test."],
        ("m.test", "A"): ["192.0.2.7"],
        ("h.test", "A"): ["192.0.2.1"],
        ("h.test", "AAAA"): ["2001:db8::1"],
        ("fail.test", "TXT"): ["v=spf1 -all"],
        ("pass.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    }
    with NameServer(records) as server:
        spf = look_up(Names(server.place), "d.test", address)
    assert (spf.problem, spf.result, spf.lookups) == ("", result, lookups)


def test_a_record_that_multiplies_is_given_up_early() -> None:
    records: Records = {
        (f"s{level}.test", "TXT"): [
            "v=spf1 " + " ".join([f"include:s{level + 1}.test"] * 9) + " -all"
        ]
        for level in range(8)
    }
    records["s8.test", "TXT"] = ["v=spf1 -all"]
    with NameServer(records) as server:
        spf = look_up(Names(server.place), "s0.test")
        assert len(server.asked) < 50
    assert "look-ups, and receivers stop at 10" in spf.problem


def test_domains_of_one_organisation_are_aligned() -> None:
    records: Records = {("_dmarc.uni.test", "TXT"): ["v=DMARC1; p=none"]}
    with NameServer(records) as server:
        names = Names(server.place)
        assert aligned(names, "uni.test", "UNI.test")
        assert aligned(names, "uni.test", "bounce.uni.test")
        assert aligned(names, "digest.uni.test", "bounce.uni.test")
        assert not aligned(names, "digest.uni.test", "relay.test")
        assert not aligned(names, "digest.other.test", "bounce.other.test")
    found = looked(GOOD, bounce="b+*@relay.test")["alignment"]
    assert found.health is Health.WARNING
    assert found.seen == (
        "From is uni.test, the envelope relay.test: SPF alone does not make DMARC pass"
    )


def test_a_record_of_the_domain_above_holds_below() -> None:
    records: Records = {
        ("_dmarc.uni.test", "TXT"): ["v=DMARC1; p=reject"],
        ("uni.test", "NS"): ["ns.uni.test."],
    }
    with NameServer(records) as server:
        found = look_at_records(settings("digest@lab.uni.test"), dns=server.place)
    dmarc = next(one for one in found if one.topic == "DMARC")
    assert (dmarc.health, dmarc.seen) == (Health.OK, "uni.test: v=DMARC1; p=reject")


def test_the_published_key_must_be_the_one_that_signs_here() -> None:
    ours, other = new_key("d1"), new_key("d2", small=True)
    records = changed(dkim=[ours.record])
    records["d2._domainkey.uni.test", "TXT"] = [new_key("d2", small=True).record]
    records["relay.test", "NS"] = ["ns.relay.test."]
    with NameServer(records) as server:
        found = look_at_records(
            settings(bounce="b@relay.test"),
            signer=Signer("uni.test", (ours, other)),
            dns=server.place,
        )
    first, second = [one for one in found if one.topic == "DKIM"]
    assert first.health is Health.OK
    assert second.health is Health.FAILED
    assert "d2._domainkey.uni.test holds another key than DIGEST_DKIM_KEY" in second.seen
    alignment = next(one for one in found if one.topic == "alignment")
    assert alignment.health is Health.OK
    assert alignment.seen.endswith("the envelope relay.test, the signature uni.test")


def test_a_long_key_comes_over_tcp() -> None:
    records = changed(dkim=["v=DKIM1; k=rsa; n=" + "x" * 1500 + f"; p={GOOD_KEY}"])
    assert looked(records)["DKIM"].health is Health.OK


def test_a_server_that_is_silent_is_a_warning_and_no_verdict() -> None:
    said = r"no DNS answer about slow\.test"
    with NameServer({}, silent=["slow.test"]) as server, pytest.raises(Unanswered, match=said):
        Names(server.place, seconds=0.2).txt("slow.test")
    with NameServer({}) as gone:
        place = gone.place
    with pytest.raises(Unanswered):
        Names(place, seconds=0.2).txt("uni.test")


def test_a_domain_that_nobody_knows_is_one_line_and_not_six() -> None:
    (found,) = looked({}).values()
    assert (found.topic, found.health) == ("DNS", Health.FAILED)
    assert found.seen == "nothing at all is known of uni.test"
    assert "--dns" in found.advice


def test_without_an_address_or_a_selector_it_says_how_to_give_one() -> None:
    found = looked(GOOD, address="", selector="")
    assert "--address" in found["PTR"].advice
    assert "--selector" in found["DKIM"].advice
    assert found["SPF"].health is Health.OK


def test_an_invented_sender_is_not_looked_up() -> None:
    found = look_at_records(settings("digest@example.org"), dns="127.0.0.1:1")
    assert [one.health for one in found] == [Health.WARNING]
    assert "Set DIGEST_FROM" in found[0].advice
