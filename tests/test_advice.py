"""What relays really say is turned into what to do about it."""

from __future__ import annotations

import pytest

from digest.advice import advise


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("535-5.7.8 Username and Password not accepted. For more information, go to", "password"),
        ("534-5.7.9 Application-specific password required.", "app password"),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "no longer"),
        ("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "Name or password is wrong"),
        ("530 5.7.0 Must issue a STARTTLS command first.", "smtp+starttls://"),
        ("530 5.7.0 Authentication Required.", "wants a login"),
        ("STARTTLS extension not supported by server.", "smtps://"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "port 587"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "?cafile=",
        ),
        (
            "certificate verify failed: Hostname mismatch, certificate is not valid for 'relay'.",
            "another name",
        ),
        ("relay:25 cannot be reached: Name or service not known", "No host"),
        ("relay:25 cannot be reached: Connection refused", "Nothing listens"),
        ("timed out", "block port 25"),
        ("relay:25 lets us in and takes no message again and again: timed out", "firewall"),
        ("relay:25 answers nothing to whole messages: timed out", "Its log, or whoever"),
        ("Connection unexpectedly closed", "hung up"),
        ("554 5.7.1 <a@example.org>: Relay access denied", "log in"),
        ("553 5.7.1 <x@example.org>: Sender address rejected: not owned by user y", "DIGEST_FROM"),
        ("550-5.7.26 This mail has been blocked because the sender is unauthenticated", "SPF"),
        ("550 5.7.1 Service unavailable; client host blocked using Spamhaus", "not trusted"),
        ("SMTP AUTH extension not supported by server.", "takes no login at this port"),
        ("relay:587 did not take the name and password (535 no): check", "Name or password"),
        ("relay:587 did not take the name and token (535 5.7.8 no): check", "another account"),
        ("relay:587 cannot do what the URL asks for: it takes no tokens (AUTH XOAUTH2)", "leave"),
        ("DIGEST_SMTP_TOKEN_COMMAND gives no token: it ended with 3", "by hand"),
        ("421 4.7.0 Try again later", "patience"),
        ("550 5.1.1 <nobody@example.org>: User unknown", "Nobody has the address"),
        ("599 something nobody has seen", "mail provider"),
    ],
)
def test_a_reply_becomes_advice(said: str, word: str) -> None:
    assert word in advise(said)
