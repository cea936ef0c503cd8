"""Settings are read from an environment, and every mistake in them is told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest.errors import SettingsError
from digest.pace import Rate
from digest.settings import SETTINGS, Settings, load, mask_url
from digest.settings.values import OUR_SOURCES
from digest.sources import known

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "0123456789abcdef0123456789abcdef"


def problems(env: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(env)
    return [str(problem) for problem in caught.value.problems]


def only_problem(env: Mapping[str, str]) -> str:
    (problem,) = problems(env)
    return problem


def test_nothing_set_works_out_of_the_box() -> None:
    settings = load({})
    assert settings.database_url == "sqlite:///paper-digest.db"
    assert settings.smtp_url == "eml:outbox"
    assert settings.writes_files
    assert settings.sources == ("hf",)
    assert settings.contact == settings.sender_address
    assert settings.public_url == ""
    assert settings.secret_keys == ()


def test_other_variables_and_empty_values_are_none_of_ours() -> None:
    assert load({"PATH": "/bin", "DIGEST_NOTE": "  ", "digest_x": "1"}) == load({})


def test_every_setting_is_read() -> None:
    settings = load(
        {
            "DIGEST_DATABASE_URL": "postgres://u:pw@db/papers",
            "DIGEST_SMTP_URL": "smtp+starttls://relay.example.org:587?cafile=/etc/ca.pem",
            "DIGEST_SMTP_USER": "digest",
            "DIGEST_SMTP_PASSWORD": "s3cret",
            "DIGEST_SMTP_TOKEN_COMMAND": "oauth2-token --account digest",
            "DIGEST_SMTP_CONNECTIONS": "10",
            "DIGEST_PACE": "14/second, 2000/day",
            "DIGEST_DOMAIN_PACE": "Gmail.com 20/minute 500/hour, * 100/minute",
            "DIGEST_DKIM_KEY": "-----BEGIN PRIVATE KEY-----\\nMC4=\\n-----END PRIVATE KEY-----",
            "DIGEST_DKIM_SELECTOR": "d2026a, d2026e",
            "DIGEST_DKIM_DOMAIN": "mail.example.org",
            "DIGEST_ON_UNKNOWN": "resend",
            "DIGEST_HOSTNAME": "mx.example.org",
            "DIGEST_FROM": "Reading Group <digest@Example.ORG>",
            "DIGEST_CONTACT": "group@example.org",
            "DIGEST_BOUNCE_ADDRESS": "bounces+*@example.org",
            "DIGEST_BOUNCES_URL": "imaps://mail.example.org/Bounces",
            "DIGEST_BOUNCES_USER": "bounces",
            "DIGEST_BOUNCES_PASSWORD": "s3cret too",
            "DIGEST_BOUNCES_TOKEN_COMMAND": "oauth2-token --account bounces",
            "DIGEST_SES_TOPIC": "arn:aws:sns:eu-west-1:123456789012:bounces",
            "DIGEST_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "DIGEST_PUBLIC_URL": "https://example.org/digest/",
            "DIGEST_SECRET_KEY": SECRET,
            "DIGEST_SECRET_KEY_OLD": SECRET[::-1],
            "DIGEST_SOURCES": "hf, file:/srv/listings hf",
            "DIGEST_HF_URL": "http://127.0.0.1:9000/",
            "DIGEST_HF_KEY": "token",
            "DIGEST_ARXIV_OAI_URL": "https://mirror.example.org/",
            "DIGEST_LIST": "reading-group",
            "DIGEST_BRAND": "Reading Group",
            "DIGEST_POSTAL_ADDRESS": "1 Invented Street, Nowhere",
            "DIGEST_NOTE": "We meet on Friday.",
            "DIGEST_ZONE": "Europe/Paris",
            "DIGEST_HOST": "::1",
            "DIGEST_PORT": "8080",
            "DIGEST_SIGNUP": "domains: Uni.example, *.uni.example",
            "DIGEST_PROXIES": "10.0.0.0/24 192.0.2.7/32",
        }
    )
    assert settings == Settings(
        database_url="postgresql+psycopg://u:pw@db/papers",
        smtp_url="smtp+starttls://relay.example.org:587?cafile=/etc/ca.pem",
        smtp_user="digest",
        smtp_password="s3cret",
        smtp_token_command="oauth2-token --account digest",
        smtp_connections=10,
        relay_rates=(Rate(14, 1), Rate(2000, 86_400)),
        domain_rates={"gmail.com": (Rate(20, 60), Rate(500, 3600)), "*": (Rate(100, 60),)},
        on_unknown="resend",
        dkim_key="-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----",
        dkim_selectors=("d2026a", "d2026e"),
        dkim_domain="mail.example.org",
        hostname="mx.example.org",
        sender_name="Reading Group",
        sender_address="digest@example.org",
        contact="group@example.org",
        bounce_address="bounces+*@example.org",
        bounces_url="imaps://mail.example.org/Bounces",
        bounces_user="bounces",
        bounces_password="s3cret too",
        bounces_token_command="oauth2-token --account bounces",
        ses_topic="arn:aws:sns:eu-west-1:123456789012:bounces",
        webhook_secret=b"0123456789abcdef0123456789abcdef",
        public_url="https://example.org/digest",
        secret_keys=(SECRET.encode(), SECRET[::-1].encode()),
        sources=("hf", "file:/srv/listings"),
        source_options={
            "hf": "http://127.0.0.1:9000",
            "hf_key": "token",
            "arxiv_oai": "https://mirror.example.org",
        },
        list_name="reading-group",
        brand="Reading Group",
        postal_address="1 Invented Street, Nowhere",
        note="We meet on Friday.",
        zone="Europe/Paris",
        host="::1",
        port=8080,
        signup="domains:uni.example,*.uni.example",
        proxies=("10.0.0.0/24", "192.0.2.7"),
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("DIGEST_SIGNUP", "everybody", "open, domains:uni.example"),
        ("DIGEST_SIGNUP", "domains:", "open, domains:uni.example"),
        ("DIGEST_SIGNUP", "domains:uni", "'uni' is no domain"),
        ("DIGEST_SIGNUP", "domains:*", "'*' is no domain"),
        ("DIGEST_PROXIES", "10.0.0.1/24", "'10.0.0.1/24' is no address"),
        ("DIGEST_PROXIES", "*", "'*' is no address"),
    ],
)
def test_who_signs_up_and_whom_to_trust_is_said_clearly(key: str, value: str, said: str) -> None:
    problem = only_problem({key: value})
    assert problem.startswith(f"{key} is {value!r}")
    assert said in problem


def test_bounces_need_a_key_for_their_tags_and_a_login() -> None:
    key = {"DIGEST_SECRET_KEY": SECRET}
    for text in ("bounces+*@example.org", "*@bounces.example.org"):
        line = only_problem({"DIGEST_BOUNCE_ADDRESS": text})
        assert line.startswith(
            "DIGEST_SECRET_KEY is not set: set it to 32 random characters or more"
        )
    assert load({"DIGEST_BOUNCE_ADDRESS": "bounces@example.org"}).bounce_address
    line = only_problem({"DIGEST_BOUNCES_URL": "imaps://mail.example.org", **key})
    assert line.startswith("DIGEST_BOUNCES_USER is not set: set it, and")
    assert load({"DIGEST_BOUNCES_URL": "imaps://u:p@mail.example.org", **key}).bounces_url
    assert load({"DIGEST_BOUNCES_URL": "maildir:/var/mail/bounces", **key}).bounces_url


@pytest.mark.parametrize("secret", ["short", "a" * 40, "whsec_c2hvcnQ=", "whsec_!!!"])
def test_a_weak_webhook_secret_is_refused_and_not_shown(secret: str) -> None:
    line = only_problem({"DIGEST_WEBHOOK_SECRET": secret})
    assert line.startswith("DIGEST_WEBHOOK_SECRET is '***': ")


def test_every_problem_is_reported_at_once() -> None:
    found = problems(
        {
            "DIGEST_SMTP_URL": "gopher://relay",
            "DIGEST_ZONE": "Nowhere/Else",
            "DIGEST_PORT": "eighty",
            "DIGEST_TEMPLATES": "/no/such/folder",
        }
    )
    assert [line.split()[0] for line in found] == [
        "DIGEST_SMTP_URL",
        "DIGEST_ZONE",
        "DIGEST_TEMPLATES",
        "DIGEST_PORT",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DIGEST_DATABASE_URL", "mysql://db"),
        ("DIGEST_DATABASE_URL", "sqlite:paper.db"),
        ("DIGEST_SMTP_URL", "relay.example.org"),
        ("DIGEST_SMTP_URL", "eml:"),
        ("DIGEST_FROM", "Paper Digest"),
        ("DIGEST_FROM", "Digest <a@b>\r\nBcc: c@example.org"),
        ("DIGEST_FROM", "Digest <>"),
        ("DIGEST_CONTACT", "nobody at example"),
        ("DIGEST_PUBLIC_URL", "http://example.org"),
        ("DIGEST_PUBLIC_URL", "https://example.org/?a=1"),
        ("DIGEST_PUBLIC_URL", "https://name@example.org"),
        ("DIGEST_PUBLIC_URL", "https://exam ple.org"),
        ("DIGEST_SOURCES", "hf,http//x,,?"),
        ("DIGEST_HF_URL", "huggingface.co"),
        ("DIGEST_LIST", "Main List"),
        ("DIGEST_BRAND", "x" * 61),
        ("DIGEST_NOTE", "two\nlines"),
        ("DIGEST_ZONE", "../etc/passwd"),
        ("DIGEST_HOST", "a b"),
        ("DIGEST_PORT", "65536"),
        ("DIGEST_BOUNCE_ADDRESS", "**@example.org"),
        ("DIGEST_BOUNCE_ADDRESS", f"{'b' * 36}*@example.org"),
        ("DIGEST_BOUNCES_URL", "pop3://mail.example.org"),
        ("DIGEST_BOUNCES_URL", "maildir:"),
        ("DIGEST_SES_TOPIC", "arn:aws:s3:::bucket"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_would_be_right(key: str, value: str) -> None:
    env = {key: value, "DIGEST_SECRET_KEY": SECRET}
    line = only_problem(env)
    assert line.startswith(f"{key} is {value!r}: ")
    assert len(line.removeprefix(f"{key} is {value!r}: ")) > 10


def test_a_zone_that_is_nearly_right_is_guessed() -> None:
    assert only_problem({"DIGEST_ZONE": "europe/pariss"}).endswith("did you mean Europe/Paris?")


def test_an_unknown_key_is_reported_with_what_was_probably_meant() -> None:
    line = only_problem({"DIGEST_PUBIC_URL": "https://example.org"})
    assert line.endswith("there is no such setting; did you mean DIGEST_PUBLIC_URL?")
    assert "docs/configuration.md" in only_problem({"DIGEST_QQ": "1"})


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package is installed that registers a source of its own."""
    installed = tmp_path / "acme-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[paper_digest.sources]\nacme = acme:Acme\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_source_nobody_registered_is_told_with_all_other_problems() -> None:
    first, second = problems({"DIGEST_SOURCES": "hf,nope", "DIGEST_PORT": "x"})
    assert first.startswith("DIGEST_SOURCES is 'hf,nope': there is no source 'nope': known are arx")
    assert second.startswith("DIGEST_PORT is 'x'")


def test_every_source_of_ours_is_known_to_the_settings() -> None:
    ours = {name for name, place in known().items() if place.startswith("digest.")}
    assert ours == OUR_SOURCES


@pytest.mark.usefixtures("acme")
def test_what_begins_with_the_name_of_a_foreign_source_in_use_is_handed_to_it() -> None:
    env = {"DIGEST_ACME_URL": "https://acme.example.org/", "DIGEST_ACME_KEY": "token"}
    assert problems(env)[1].startswith("DIGEST_ACME_URL is '***': there is no such setting")
    settings = load({**env, "DIGEST_SOURCES": "acme:x"})
    assert settings.source_options == {"acme": "https://acme.example.org", "acme_key": "token"}
    wrong = {"DIGEST_ACME_URL": "acme", "DIGEST_SOURCES": "acme:x"}
    assert only_problem(wrong).startswith("DIGEST_ACME_URL is 'acme': set it to an http(s) address")


def test_a_public_url_needs_a_secret_key() -> None:
    line = only_problem({"DIGEST_PUBLIC_URL": "https://example.org"})
    assert line.startswith("DIGEST_SECRET_KEY is not set: set it to 32 random characters")


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1/x", "http://[::1]:80"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    assert load({"DIGEST_PUBLIC_URL": url, "DIGEST_SECRET_KEY": SECRET}).public_url == url


def test_a_relay_needs_a_sender_of_its_own() -> None:
    line = only_problem({"DIGEST_SMTP_URL": "smtps://relay.example.org"})
    assert line.startswith("DIGEST_FROM is not set: set it to who the mails come from")


def test_a_password_without_a_name_is_told() -> None:
    env = {
        "DIGEST_SMTP_URL": "smtps://relay.example.org",
        "DIGEST_FROM": "a@example.org",
        "DIGEST_SMTP_PASSWORD": "pw",
    }
    assert only_problem(env).startswith("DIGEST_SMTP_USER is not set")
    url = "smtps://me@relay.example.org"
    assert load({**env, "DIGEST_SMTP_URL": url}).smtp_password == "pw"


def test_a_secret_never_shows() -> None:
    lines = "\n".join(
        problems(
            {
                "DIGEST_SECRET_KEY": "changeme-unseen",
                "DIGEST_SMTP_PASSWRD": "unseen",
                "DIGEST_SMTP_URL": "smtp://me:unseen@relay:notaport",
                "DIGEST_DATABASE_URL": "mysql://me:unseen@db/x",
            }
        )
    )
    assert "unseen" not in lines
    settings = load(
        {
            "DIGEST_SMTP_URL": "smtp://me:unseen@127.0.0.1",
            "DIGEST_FROM": "a@example.org",
            "DIGEST_SECRET_KEY": "unseen" + SECRET,
            "DIGEST_SECRET_KEY_OLD": "unseen" + SECRET[::-1],
            "DIGEST_HF_KEY": "unseen",
        }
    )
    assert "unseen" not in repr(settings)
    assert mask_url("smtp://me:un@seen@h") == "smtp://me:***@h"


def test_one_character_repeated_is_no_secret() -> None:
    assert only_problem({"DIGEST_SECRET_KEY": "a" * 64}).startswith("DIGEST_SECRET_KEY is '***'")


def test_a_secret_can_live_in_a_file(tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text(SECRET + "\n", encoding="utf-8")
    assert load({"DIGEST_SECRET_KEY_FILE": str(kept)}).secret_keys == (SECRET.encode(),)
    assert load({"DIGEST_HF_KEY_FILE": str(kept)}).source_options == {"hf_key": SECRET}


def test_a_secret_file_that_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n", encoding="utf-8")
    missing = {"DIGEST_SECRET_KEY_FILE": str(tmp_path / "none")}
    with_url = {"DIGEST_PUBLIC_URL": "https://example.org"}
    assert "No such file" in only_problem({**missing, **with_url})
    assert "this one is empty" in only_problem({"DIGEST_SECRET_KEY_FILE": str(empty)})
    both = {"DIGEST_SECRET_KEY_FILE": str(empty), "DIGEST_SECRET_KEY": SECRET}
    assert "not both" in only_problem(both)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in only_problem({"DIGEST_SMTP_PASSWORD_FILE": str(binary)})


def test_what_is_no_secret_has_no_file(tmp_path: Path) -> None:
    assert "no such setting" in only_problem({"DIGEST_FROM_FILE": str(tmp_path)})


def test_every_default_is_a_value_its_setting_takes() -> None:
    given = {setting.key: setting.default for setting in SETTINGS if setting.default}
    assert load(given) == load({})
