"""What to do about what a mail relay says: its replies and failures, turned into advice.

Replies are RFC 5321 codes with RFC 3463 enhanced codes and words of the relay's own; the words
are matched because relays agree on codes far less than on what they mean.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class _Rule(NamedTuple):
    said: str
    advice: str


# The first that fits is said, so what is special stands before what is general.
_ADVICE: Final = (
    _Rule(
        r"answers nothing to whole messages",
        "Its log, or whoever runs it, knows what became of them.",
    ),
    _Rule(
        r"lets us in and takes no message",
        "The relay, or what stands before it (a firewall, a virus scanner), breaks off: see its "
        "log, or use another port or relay.",
    ),
    _Rule(
        r"TOKEN_COMMAND (?:gives no token|cannot be run)",
        "Run that command by hand as the user that runs Paper Digest: it has to end well and print "
        "one line, a token.",
    ),
    _Rule(
        r"takes no tokens",
        "This relay wants a password: set DIGEST_SMTP_PASSWORD and leave DIGEST_SMTP_TOKEN_COMMAND "
        "away.",
    ),
    _Rule(
        r"did not take the name and token",
        "The token may be of another account, or without the right to send mail: run the command "
        "of DIGEST_SMTP_TOKEN_COMMAND by hand, as the user that runs Paper Digest.",
    ),
    _Rule(
        r"application-specific|app(?:lication)? password|InvalidSecondFactor|5\.7\.9",
        "This account wants an app password, not the one you log in with: make one in the "
        "account's security settings and put it into DIGEST_SMTP_PASSWORD.",
    ),
    _Rule(
        r"basic authentication is disabled|5\.7\.139|SmtpClientAuthentication is disabled",
        "This provider no longer takes passwords from programs: ask its administrator to allow "
        "authenticated SMTP, or use a relay that does.",
    ),
    _Rule(
        r"(?:^|[\s(])53[45]\b|5\.7\.8|authentication (?:failed|unsuccessful)|bad credentials",
        "Name or password is wrong: check DIGEST_SMTP_USER and DIGEST_SMTP_PASSWORD. Many "
        "providers want the whole address as the name, and an app password.",
    ),
    _Rule(
        r"must issue a STARTTLS|STARTTLS (?:first|required)|encryption (?:needed|required)",
        "The relay wants TLS: write smtp+starttls:// instead of smtp:// in DIGEST_SMTP_URL.",
    ),
    _Rule(
        r"STARTTLS (?:extension )?(?:is )?not (?:supported|offered)|does not offer STARTTLS",
        "The relay offers no STARTTLS at this port: try smtps:// (usually port 465), or "
        "smtp:// if the relay is on this machine.",
    ),
    _Rule(
        r"AUTH extension not supported|no suitable authentication",
        "The relay takes no login at this port: most do at 587 with smtp+starttls:// or at 465 "
        "with smtps://; one on this machine may want none, then leave DIGEST_SMTP_USER away.",
    ),
    _Rule(
        r"WRONG_VERSION_NUMBER|wrong version number|RECORD_LAYER_FAILURE|record layer failure",
        "The port does not speak TLS from the start: port 587 wants smtp+starttls://, "
        "port 465 wants smtps://.",
    ),
    _Rule(
        r"certificate has expired|certificate is not yet valid",
        "Whoever runs the relay has to renew its certificate; or this machine's clock is wrong.",
    ),
    _Rule(
        r"hostname mismatch|not valid for",
        "The certificate is for another name: write the name it was made for into DIGEST_SMTP_URL.",
    ),
    _Rule(
        r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|self.signed|cannot be verified",
        "The relay's certificate is signed by nobody this machine knows: add "
        "?cafile=/path/to/ca.pem to DIGEST_SMTP_URL.",
    ),
    _Rule(
        r"name or service not known|nodename nor servname|getaddrinfo|no address associated|"
        r"name resolution",
        "No host has that name, or this machine has no network: check the host in DIGEST_SMTP_URL.",
    ),
    _Rule(
        r"connection refused",
        "Nothing listens there: check host and port in DIGEST_SMTP_URL (usual ports: 587 for "
        "smtp+starttls://, 465 for smtps://, 25 for smtp://).",
    ),
    _Rule(
        r"timed out|timeout|unreachable|no route",
        "Nothing answers there. Many networks block port 25: try port 587 with "
        "smtp+starttls://, or 465 with smtps://.",
    ),
    _Rule(
        r"connection (?:unexpectedly )?closed|connection reset|unexpected EOF|EOF occurred",
        "The relay hung up without a word: the port may want TLS (smtps:// on 465), or the "
        "relay does not take mail from this network.",
    ),
    _Rule(
        r"relay(?:ing)? (?:access )?(?:denied|not permitted)|unable to relay|5\.7\.54",
        "The relay sends only for those who log in: set DIGEST_SMTP_USER and DIGEST_SMTP_PASSWORD.",
    ),
    _Rule(
        r"(?:^|[\s(])530\b|authentication (?:is )?required|5\.7\.0\b.*auth|AUTH required",
        "The relay wants a login: set DIGEST_SMTP_USER and DIGEST_SMTP_PASSWORD.",
    ),
    _Rule(
        r"sender address rejected|not owned by user|send ?as ?denied|5\.7\.60|(?:^|[\s(])553\b|"
        r"not allowed to send|sender .*not (?:verified|authorized)",
        "The relay does not let this login send as DIGEST_FROM: use an address that belongs "
        "to the login, or have DIGEST_FROM verified there.",
    ),
    _Rule(
        r"SPF|DKIM|DMARC|5\.7\.2[0-9]",
        "The mail is not vouched for: publish SPF and DKIM for the domain of DIGEST_FROM, as "
        "your mail provider describes it.",
    ),
    _Rule(
        r"blocked|blacklist|blocklist|spamhaus|reputation|5\.7\.1\b",
        "This machine or sender is not trusted there: send through your provider's relay "
        "instead of directly.",
    ),
    _Rule(
        r"\bquota|too many|\brate\b|\blimit|4\.7\.28|(?:^|[\s(])(?:421|45[0-2])\b",
        "The relay asks for patience: the next run tries again.",
    ),
    _Rule(
        r"user unknown|no such user|does not exist|5\.1\.1",
        "Nobody has the address the test went to: check it.",
    ),
)
_OTHERWISE: Final = (
    "Check DIGEST_SMTP_URL, DIGEST_SMTP_USER and DIGEST_SMTP_PASSWORD with what your mail provider "
    "says about sending by SMTP."
)


def advise(said: str) -> str:
    """What to do about a relay's reply ("535 5.7.8 ...") or about why there was none."""
    fitting = (rule.advice for rule in _ADVICE if re.search(rule.said, said, re.IGNORECASE))
    return next(fitting, _OTHERWISE)
