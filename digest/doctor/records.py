"""What the DNS says of the domains mails come from: SPF, DMARC, DKIM, MX and PTR.

The rules are those of the large mailbox providers since 2024: SPF and DKIM, DMARC aligned with
From, and a name that leads back (PTR) for the sending address.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from digest.doctor import Finding, failed, ok, warning
from digest.doctor.names import Names, Unanswered
from digest.doctor.spf import look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest.dkim import Key, Signer
    from digest.settings import Settings

_SHORTEST_KEY: Final = 1024
_GOOD_KEY: Final = 2048
_MOST_LABELS: Final = 8
_OFFLINE: Final = "Ask again when the network is back, or name another server with --dns."
_PLACEHOLDERS: Final = ("example.org", "example.com", "example.net", "localhost")


def look_at_records(
    settings: Settings,
    *,
    signer: Signer | None = None,
    dns: str = "",
    address: str = "",
    selector: str = "",
) -> list[Finding]:
    """Every record of the domains of From and of the envelope.

    `signer` is what signs mails here, if anything does. `dns` is a server to ask instead of the
    system's, `address` where mails leave from, `selector` the name of the relay's DKIM key.
    """
    domain = settings.sender_address.rpartition("@")[2]
    bounce = settings.bounce_address.rpartition("@")[2] or domain
    if settings.writes_files:
        return []
    if domain in _PLACEHOLDERS:
        advice = "Set DIGEST_FROM to an address of a domain of yours."
        return [warning("DNS", f"{domain} is nobody's: nothing to look up", advice)]
    try:
        names = Names(dns)
        unknown = [one for one in dict.fromkeys((domain, bounce)) if not _is_known(names, one)]
    except Unanswered as error:
        return [warning("DNS", str(error), _OFFLINE)]
    if unknown:
        return [
            failed(
                "DNS", f"nothing at all is known of {unknown[0]}",
                "Register the domain; or, if it is this network that does not know, ask another "
                "server with --dns.",
            )
        ]  # fmt: skip
    found: list[Finding] = []
    checks: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        ("SPF", lambda: [_spf(names, bounce, address)]),
        ("DKIM", lambda: _dkim(names, domain, selector, signer)),
        ("DMARC", lambda: [_dmarc(names, domain)]),
        ("alignment", lambda: [_alignment(names, domain, bounce, signer)]),
        ("MX", lambda: [_mx(names, one) for one in dict.fromkeys((bounce, _of(settings.contact)))]),
        ("PTR", lambda: [_ptr(names, address)] if address else [_no_address()]),
    ]
    for topic, check in checks:
        try:
            found += check()
        except Unanswered as error:
            found.append(warning(topic, str(error), _OFFLINE))
    return found


def organisation(names: Names, domain: str) -> str:
    """The domain whose DMARC record holds for this one: itself, or the nearest above with one.

    RFC 9989 walks up the tree; the top level is never asked.
    """
    labels = domain.lower().split(".")[-_MOST_LABELS:]
    for start in range(len(labels) - 1):
        above = ".".join(labels[start:])
        if _dmarc_records(names, above):
            return above
    return ""


def aligned(names: Names, one: str, other: str) -> bool:
    """Whether two domains are of one organisation (relaxed alignment)."""
    one, other = one.lower(), other.lower()
    if one == other or one.endswith(f".{other}") or other.endswith(f".{one}"):
        return True
    first = organisation(names, one)
    return bool(first) and first == organisation(names, other)


def _is_known(names: Names, domain: str) -> bool:
    """Whether the DNS has any record of a domain or of one above it, top levels aside."""
    labels = domain.split(".")
    return any(
        look(".".join(labels[start:]))
        for start in range(max(1, len(labels) - 1))
        for look in (names.mx, names.txt, names.addresses, names.servers)
    )


def _of(address: str) -> str:
    return address.rpartition("@")[2]


def _spf(names: Names, domain: str, address: str) -> Finding:
    spf = look_up(names, domain, address)
    if not spf.record and not spf.problem:
        return failed(
            "SPF", f"{domain}, the envelope's domain, has none",
            f'Publish at {domain}: TXT "v=spf1 include:YOUR-RELAY ~all"; your mail provider says '
            "what to include (for a relay of your own: ip4:ADDRESS).",
        )  # fmt: skip
    if spf.problem:
        told = f"{domain}: {spf.problem}" + (f" ({spf.record[:120]})" if spf.record else "")
        return failed("SPF", told, "Mend that record.")
    if address and spf.result != "pass":
        return failed(
            "SPF", f"{domain} does not let {address} send ({spf.result}): {spf.record[:120]}",
            f"Add {'ip6' if ':' in address else 'ip4'}:{address} to it.",
        )  # fmt: skip
    told = f"{domain}: {spf.record[:120]} ({spf.lookups} of 10 look-ups)"
    if spf.ends in {"pass", "neutral"}:
        return warning("SPF", f"{told}; anybody may send as it", "End it with ~all or -all.")
    return ok("SPF", told + (f"; {address} passes" if address else ""))


def _dmarc_records(names: Names, domain: str) -> list[str]:
    texts = names.txt(f"_dmarc.{domain}")
    return [text for text in texts if re.match(r"v=DMARC1\s*(?:;|$)", text)]


def _dmarc(names: Names, domain: str) -> Finding:
    above = organisation(names, domain)
    if not above:
        return failed(
            "DMARC", f"{domain} has none: large providers want one of who sends to many",
            f'Publish at _dmarc.{domain}: TXT "v=DMARC1; p=none; rua=mailto:YOU@{domain}".',
        )  # fmt: skip
    records = _dmarc_records(names, above)
    if len(records) > 1:
        return failed("DMARC", f"{above} has several: none of them counts", "Keep one of them.")
    policy = re.search(r";\s*p\s*=\s*(\w+)", records[0])
    if not policy or policy[1].lower() not in {"none", "quarantine", "reject"}:
        return failed(
            "DMARC", f"{above} has no policy: {records[0][:120]}",
            "Add p=none, p=quarantine or p=reject behind v=DMARC1.",
        )  # fmt: skip
    return ok("DMARC", f"{above}: {records[0][:120]}")


def _alignment(names: Names, domain: str, bounce: str, signer: Signer | None) -> Finding:
    told = f"From is {domain}, the envelope {bounce}"
    if signer is not None:
        told += f", the signature {signer.domain}"
        if aligned(names, domain, signer.domain):
            return ok("alignment", told)
    if aligned(names, domain, bounce):
        return ok("alignment", told)
    return warning(
        "alignment", f"{told}: SPF alone does not make DMARC pass",
        f"Sign with DKIM as {domain}, or let DIGEST_BOUNCE_ADDRESS be of {domain} or below it.",
    )  # fmt: skip


def _dkim(names: Names, domain: str, selector: str, signer: Signer | None) -> list[Finding]:
    if signer is not None:
        return [_published(names, signer.domain, key) for key in signer.keys]
    if not selector:
        return [
            warning(
                "DKIM", "we do not sign (DIGEST_DKIM_KEY); which key the relay signs with is not "
                "known here",
                "Say --selector NAME, or --mail FILE with a digest that arrived: the NAME is s= in "
                "its DKIM-Signature. Or sign here: `paper-digest dkim new`.",
            )
        ]  # fmt: skip
    return [_record(names, domain, selector)[0]]


def _published(names: Names, domain: str, key: Key) -> Finding:
    """Whether the public half of a key of ours is where receivers look for it."""
    finding, tags = _record(names, domain, key.selector)
    ours = key.record.rpartition("p=")[2]
    if tags.get("p") not in {None, "", ours}:
        return failed(
            "DKIM", f"{key.selector}._domainkey.{domain} holds another key than DIGEST_DKIM_KEY",
            "Publish what `paper-digest dkim show` prints, or set the key that belongs to it.",
        )  # fmt: skip
    return finding


def _record(names: Names, domain: str, selector: str) -> tuple[Finding, dict[str, str]]:
    """What is at a selector, and its tags."""
    place = f"{selector}._domainkey.{domain}"
    records = [text for text in names.txt(place) if "p=" in text]
    if not records:
        lacking = failed(
            "DKIM", f"there is no key at {place}", "Publish the key's TXT record there."
        )
        return lacking, {}
    tags = dict(re.findall(r"(?:^|;)\s*(\w+)\s*=\s*([^;]*)", records[0]))
    tags["p"] = "".join(tags.get("p", "").split())
    return _key(place, tags["p"], tags.get("k", "rsa").strip().lower()), tags


def _key(place: str, given: str, kind: str) -> Finding:
    if not given:
        return failed("DKIM", f"the key at {place} was revoked", "Sign with another selector.")
    try:
        raw = base64.b64decode(given, validate=True)
        if kind == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(raw)  # RFC 8463 4: the key alone
            return ok("DKIM", f"{place}: an Ed25519 key")
        key = load_der_public_key(raw)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return failed("DKIM", f"the key at {place} cannot be read", "Publish it anew, whole.")
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _SHORTEST_KEY:
        return failed("DKIM", f"the key at {place} is too weak", "Make one of RSA with 2048 bits.")
    told = f"{place}: RSA with {key.key_size} bits"
    if key.key_size < _GOOD_KEY:
        return warning("DKIM", told, "Change to 2048 bits.")
    return ok("DKIM", told)


def _mx(names: Names, domain: str) -> Finding:
    hosts = names.mx(domain)
    if hosts == [""]:
        return failed("MX", f"{domain} says it takes no mail", "Then bounces and answers are lost.")
    if not hosts and not names.addresses(domain):
        return failed(
            "MX", f"{domain} takes no mail: bounces and answers are lost",
            f"Publish an MX record at {domain}, or use addresses of a domain that has one.",
        )  # fmt: skip
    dead = [host for host in hosts[:5] if not names.addresses(host)]
    if dead:
        return failed("MX", f"{domain} names {dead[0]}, which has no address", "Mend that record.")
    return ok("MX", f"{domain}: {', '.join(hosts[:3]) or 'no MX, its own address takes mail'}")


def _ptr(names: Names, address: str) -> Finding:
    hosts = names.names_of(address)
    if not hosts:
        return failed(
            "PTR", f"{address} has no name: large providers refuse mail from it",
            "Whoever gives you that address sets its PTR record.",
        )  # fmt: skip
    same = ipaddress.ip_address(address)
    for host in hosts[:5]:
        if any(ipaddress.ip_address(one) == same for one in names.addresses(host)):
            return ok("PTR", f"{address} is {host}, and {host} is {address}")
    return failed(
        "PTR", f"{address} is {hosts[0]}, but that name does not lead back",
        f"Publish an address record for {hosts[0]}, or change the PTR record.",
    )  # fmt: skip


def _no_address() -> Finding:
    return warning(
        "PTR", "where mails leave from is not known here",
        "With a relay of your own, say --address IP; a provider sees to it itself.",
    )  # fmt: skip
