"""What a mail that arrived shows: who signed it, and whether the one-click headers are signed.

RFC 8058 section 4 wants List-Unsubscribe and List-Unsubscribe-Post under the DKIM signature;
several signers leave the second out by default, and the one click then never appears.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from digest.bounces.mime import fields_of, said
from digest.doctor import Finding, failed, ok, warning

if TYPE_CHECKING:
    from pathlib import Path

    from digest.app import App

ONE_CLICK: Final = ("list-unsubscribe", "list-unsubscribe-post")
_MOST: Final = 200_000
_HEADERS: Final = "signed headers"


def selectors(path: Path, domain: str) -> list[str]:
    """The names of the keys that signed a mail for a domain."""
    return [tags["s"] for tags in _signatures(_fields(path)) if _of(tags, domain) and "s" in tags]


def look_at_signature(app: App, path: Path | None) -> list[Finding]:
    """Whether the one-click headers are signed: in a digest that arrived, or in one we sign here.

    `path` is the mail as the mail program saves its source; None where there is none.
    """
    domain = app.settings.sender_address.rpartition("@")[2]
    if path is not None:
        fields = _fields(path)
        return _judged(fields, str(path), domain) or _received(fields, path, domain)
    if app.signer is None:
        return [
            warning(
                _HEADERS, "whether the one-click headers are signed shows only in a mail",
                "Save a digest that arrived (its source, with all headers) and say --mail FILE.",
            )
        ]  # fmt: skip
    signed = app.signer.sign(_sample(app), app.clock())
    fields = fields_of(said(signed.replace(b"\r\n", b"\n").partition(b"\n\n")[0]))
    wrong = _judged(fields, "a mail signed here", domain)
    return wrong or [ok(_HEADERS, f"we sign both one-click headers as {app.signer.domain}")]


def _sample(app: App) -> bytes:
    """A mail like ours, with every header it can have."""
    from digest.mail import Letter, to_bytes  # noqa: PLC0415 -- needed where we sign ourselves

    settings = app.settings
    return to_bytes(
        Letter(
            sender_name=settings.sender_name,
            sender_address=settings.sender_address,
            to=settings.contact,
            subject="A sample",
            text="A sample.\n",
            html="<p>A sample.</p>\n",
            message_id=f"<sample@{settings.hostname}>",
            date=app.clock(),
            list_id=f"{settings.list_name}.{settings.hostname}",
            unsubscribe_url="https://example.org/u/sample",
        )
    )


def _judged(fields: dict[str, list[str]], what: str, domain: str) -> list[Finding]:
    """What is wrong with the signatures of a mail, or nothing."""
    ours = [tags for tags in _signatures(fields) if _of(tags, domain)]
    if "list-unsubscribe" not in fields:
        return [failed(_HEADERS, f"{what} has no List-Unsubscribe", "Is it a digest of ours?")]
    if not ours:
        signed = ", ".join(tags.get("d", "?") for tags in _signatures(fields)) or "nobody"
        return [
            failed(
                _HEADERS, f"{what} is signed by {signed}, not by {domain}",
                f"Let what sends sign as {domain} (`paper-digest dkim new`), or DMARC rests on SPF "
                "alone.",
            )
        ]  # fmt: skip
    wanted = [name for name in ONE_CLICK if name in fields]
    lacking = [name for name in wanted if not any(name in _signed(tags) for tags in ours)]
    if lacking:
        return [
            failed(
                _HEADERS, f"{', '.join(lacking)} is in {what} and not under its signature",
                "Add it to the headers that the signer signs (opendkim: SignHeaders; rspamd: "
                "sign_headers), or no provider offers the one click.",
            )
        ]  # fmt: skip
    if "list-unsubscribe-post" not in fields:
        told = f"{what} has no List-Unsubscribe-Post"
        return [warning(_HEADERS, told, "One click needs an https DIGEST_PUBLIC_URL.")]
    return []


def _received(fields: dict[str, list[str]], path: Path, domain: str) -> list[Finding]:
    """What whoever received a mail says of it."""
    signer = next(tags["d"] for tags in _signatures(fields) if _of(tags, domain))
    found = [ok(_HEADERS, f"both one-click headers are signed by {signer}")]
    results = " ".join(fields.get("authentication-results", ()))
    for method in ("spf", "dkim", "dmarc"):
        verdict = re.search(rf"\b{method}=(\w+)", results)
        if verdict and verdict[1] not in {"pass", "none", "neutral"}:
            told = f"whoever received {path} says {method}={verdict[1]}"
            found.append(failed(_HEADERS, told, f"See the line {method.upper()} here."))
    return found


def _fields(path: Path) -> dict[str, list[str]]:
    with path.open("rb") as file:
        head = file.read(_MOST).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return fields_of(said(head))


def _signatures(fields: dict[str, list[str]]) -> list[dict[str, str]]:
    """The tags of each DKIM-Signature (RFC 6376 3.5)."""
    return [
        dict(re.findall(r"(?:^|;)\s*(\w+)\s*=\s*([^;]*?)\s*(?=;|$)", text))
        for text in fields.get("dkim-signature", ())
    ]


def _of(tags: dict[str, str], domain: str) -> bool:
    """Whether a signature is of the domain or of one above or below it."""
    signer = tags.get("d", "").lower()
    ours = domain.lower()
    return bool(signer) and (
        signer == ours or signer.endswith(f".{ours}") or ours.endswith(f".{signer}")
    )


def _signed(tags: dict[str, str]) -> set[str]:
    return {name.strip().lower() for name in tags.get("h", "").split(":")}
