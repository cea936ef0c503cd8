"""The table of settings: every key, what it is for, what it takes, its default, its reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from digest.pace import domain_rates, rates
from digest.settings import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_NOTE: Final = 500


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: what it takes (`wanted`, as an error says it), its default as text, its reader.

    `of_source` marks what is handed to the source whose name stands behind DIGEST_.
    `read` turns the text into the value and raises ValueError for what it does not take.
    """

    key: str
    help: str
    wanted: str
    read: Callable[[str], Any]
    default: str = ""
    secret: bool = False
    of_source: bool = False


BASE_URL: Final = "an http(s) address without ? or #, as in https://mirror.example.org"
_SECRET: Final = f"{values.SHORTEST_SECRET} random characters or more (openssl rand -hex 32)"


def _base_url(name: str, what: str, usual: str) -> Setting:
    about = f"Where {what} asked, if not at {usual}."
    return Setting(f"DIGEST_{name}_URL", about, BASE_URL, values.http_url, of_source=True)


def _key(name: str, about: str) -> Setting:
    return Setting(
        f"DIGEST_{name}_KEY",
        about,
        "a token in one line",
        values.line(4096),
        secret=True,
        of_source=True,
    )


SETTINGS: Final = (
    Setting(
        "DIGEST_DATABASE_URL",
        "Where readers, papers and the log of deliveries are kept.",
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        values.database_url,
        default="sqlite:///paper-digest.db",
    ),
    Setting(
        "DIGEST_SMTP_URL",
        "The relay that mails go to, or eml: and a folder that they are written into. Of several "
        "relays with blanks between, the first that can be reached is used.",
        "smtps://HOST, smtp+starttls://HOST:587, smtp://HOST:25 (no TLS) or eml:FOLDER",
        values.smtp_url,
        default="eml:outbox",
    ),
    Setting(
        "DIGEST_SMTP_USER",
        "The name to log in with at the relay; over one in DIGEST_SMTP_URL.",
        "a name in one line",
        values.line(320),
    ),
    Setting(
        "DIGEST_SMTP_PASSWORD",
        "The password that goes with it; over one in DIGEST_SMTP_URL.",
        "a password in one line",
        values.line(4096),
        secret=True,
    ),
    Setting(
        "DIGEST_SMTP_TOKEN_COMMAND",
        "A command that prints a token, for relays that want one instead of a password (XOAUTH2).",
        "a command in one line, as in oauth2-token --account digest",
        values.line(1000),
    ),
    Setting(
        "DIGEST_SMTP_CONNECTIONS",
        "How many connections to the relay at most; fewer are used while it asks for fewer.",
        "a number from 1 to 100",
        values.number(1, 100),
        default="4",
    ),
    Setting(
        "DIGEST_PACE",
        "How many mails a relay is given at most, in any second, minute, hour or day.",
        "numbers per second, minute, hour or day, as in 14/second, 2000/day",
        rates,
    ),
    Setting(
        "DIGEST_DOMAIN_PACE",
        "The same for the domains that readers have their addresses at; * is any other domain.",
        "domains and numbers, as in gmail.com 20/minute, * 100/minute",
        domain_rates,
    ),
    Setting(
        "DIGEST_DKIM_KEY",
        "Signs the mails (DKIM); leave it away where the relay does. Best kept in a file: "
        "`paper-digest dkim new` makes it.",
        "a private key in PEM, or several",
        values.pem,
        secret=True,
    ),
    Setting(
        "DIGEST_DKIM_SELECTOR",
        "The name its public half stands under in the DNS; of several keys, with commas between.",
        "lower-case letters, digits and hyphens, as in d2026a",
        values.selectors,
        default="digest",
    ),
    Setting(
        "DIGEST_DKIM_DOMAIN",
        "The domain that signs; without it, the domain of DIGEST_FROM.",
        "a domain, as in example.org",
        values.matching(values.HOST),
    ),
    Setting(
        "DIGEST_ON_UNKNOWN",
        "What to do about a mail when the line broke after it was handed over: hold it and show "
        "it, resend it (somebody may get it twice) or drop it (its papers are offered again).",
        "hold, resend or drop",
        values.matching(values.ON_UNKNOWN),
        default="hold",
    ),
    Setting(
        "DIGEST_HOSTNAME",
        "What this machine calls itself to the relay; without it, the domain of DIGEST_FROM.",
        "the name of a host, as in digest.example.org",
        values.matching(values.HOST),
    ),
    Setting(
        "DIGEST_FROM",
        "Who the mails come from. Needed as soon as DIGEST_SMTP_URL is a relay.",
        "a name and an address, as in Paper Digest <digest@example.org>",
        values.sender,
        default="Paper Digest <digest@example.org>",
    ),
    Setting(
        "DIGEST_CONTACT",
        "Where answers go and who to ask; without it, the address of DIGEST_FROM.",
        "an address, as in digest@example.org",
        values.address,
    ),
    Setting(
        "DIGEST_BOUNCE_ADDRESS",
        "Where relays return what cannot be delivered; * is where the tag of each mail goes. "
        "Without it, the address of DIGEST_FROM.",
        "an address with a * before its @, as in bounces+*@digest.example.org",
        values.bounce_address,
    ),
    Setting(
        "DIGEST_BOUNCES_URL",
        "The mailbox that what cannot be delivered comes back to; `run` and `serve` read it.",
        "imaps://HOST/FOLDER, imap+starttls://HOST/FOLDER or maildir:FOLDER",
        values.mailbox_url,
    ),
    Setting(
        "DIGEST_BOUNCES_USER",
        "The name to log in with at that mailbox; over one in DIGEST_BOUNCES_URL.",
        "a name in one line",
        values.line(320),
    ),
    Setting(
        "DIGEST_BOUNCES_PASSWORD",
        "The password that goes with it; over one in DIGEST_BOUNCES_URL.",
        "a password in one line",
        values.line(4096),
        secret=True,
    ),
    Setting(
        "DIGEST_BOUNCES_TOKEN_COMMAND",
        "A command that prints a token, for mailboxes that want one instead of a password "
        "(XOAUTH2).",
        "a command in one line, as in oauth2-token --account bounces",
        values.line(1000),
    ),
    Setting(
        "DIGEST_SES_TOPIC",
        "The SNS topic that Amazon SES tells bounces and complaints to, at /hooks/ses.",
        "the ARN of a topic, as in arn:aws:sns:eu-west-1:123456789012:bounces",
        values.matching(values.TOPIC),
    ),
    Setting(
        "DIGEST_WEBHOOK_SECRET",
        "Signs what others tell of bounces and complaints, at /hooks/mail.",
        f"{_SECRET}, or one that begins with whsec_",
        values.webhook_secret,
        secret=True,
    ),
    Setting(
        "DIGEST_PUBLIC_URL",
        "Where readers reach `paper-digest serve`; it may have a path. Without it mails have no "
        "links to settings, and one leaves by writing to DIGEST_CONTACT.",
        "an https address, or an http one of this machine, as in https://example.org/digest",
        values.public_url,
    ),
    Setting(
        "DIGEST_SECRET_KEY",
        "Signs the links in mails. Needed with DIGEST_PUBLIC_URL.",
        _SECRET,
        values.secret_key,
        secret=True,
    ),
    Setting(
        "DIGEST_SECRET_KEY_OLD",
        "The key before this one: links that it signed go on working.",
        _SECRET,
        values.secret_key,
        secret=True,
    ),
    Setting(
        "DIGEST_SOURCES",
        "Where papers come from, with commas between.",
        "names of sources with commas between, as in hf,file:listings",
        values.sources,
        default="hf",
    ),
    Setting(
        "DIGEST_LIST",
        "The name of the list in List-Id and in the database. It stays what it was at first: "
        "another name is another list.",
        "up to 40 lower-case letters, digits and hyphens, as in main",
        values.matching(values.LIST),
        default="main",
    ),
    Setting(
        "DIGEST_BRAND",
        "What the program is called in mails and on pages.",
        "a name of at most 60 characters",
        values.line(60),
        default="Paper Digest",
    ),
    Setting(
        "DIGEST_POSTAL_ADDRESS",
        "The sender's postal address at the foot of every mail; many countries ask for one.",
        "an address in one line of at most 200 characters",
        values.line(200),
    ),
    Setting(
        "DIGEST_NOTE",
        "A note of the day, put into every digest.",
        f"one line of at most {LONGEST_NOTE} characters",
        values.line(LONGEST_NOTE),
    ),
    Setting(
        "DIGEST_COLOURS",
        "The colours of links and buttons in mails, in the light and in the dark.",
        "two colours, as in #154C86 #93C3F5",
        values.link_colours,
    ),
    Setting(
        "DIGEST_MARK_COLOURS",
        "The colours behind a reader's own words in mails, in the light and in the dark.",
        "two colours, as in #FFEFA6 #4B4011",
        values.mark_colours,
    ),
    Setting(
        "DIGEST_FOOT",
        "A line of your own at the foot of every mail.",
        "one line of at most 300 characters",
        values.line(300),
    ),
    Setting(
        "DIGEST_THANKS",
        "Whom every mail thanks at its foot, such as who pays for the server.",
        "one line of at most 300 characters",
        values.line(300),
    ),
    Setting(
        "DIGEST_LANGUAGE",
        "The language of readers who are added without one.",
        "the code of a language, as en or de",
        values.language,
        default="en",
    ),
    Setting(
        "DIGEST_ZONE",
        "The time zone of readers who are added without one, and of the hours that commands tell.",
        "a zone of the IANA database, as in Europe/Paris",
        values.zone,
        default="UTC",
    ),
    Setting(
        "DIGEST_TEMPLATES",
        "A folder of templates of your own, laid over ours.",
        "a folder that is there",
        values.folder,
    ),
    Setting(
        "DIGEST_SYNONYMS",
        "A file of synonyms of your own, one line for each: MoE = mixture of experts.",
        "a file that is there",
        values.file,
    ),
    Setting(
        "DIGEST_ARCHIVE",
        "Whether anybody may read the papers on these pages, search them and subscribe to feeds.",
        "public or closed",
        values.matching(values.ARCHIVE),
        default="public",
    ),
    Setting(
        "DIGEST_HOST",
        "The address `paper-digest serve` listens on.",
        "an address of this machine, as in 127.0.0.1 or 0.0.0.0",
        values.matching(values.HOST),
        default="127.0.0.1",
    ),
    Setting(
        "DIGEST_PORT",
        "The port it listens on.",
        "a port, as in 8000",
        values.port,
        default="8000",
    ),
    Setting(
        "DIGEST_SIGNUP",
        "Who may sign up on the page: everybody, who has an address at a domain, who was invited, "
        "or nobody.",
        "open, domains:uni.example (more with commas between), invite or closed",
        values.signup,
        default="open",
    ),
    Setting(
        "DIGEST_PROXIES",
        "The web servers before this one whose word on a visitor's address is taken.",
        "addresses or networks with commas between, as in 127.0.0.1,10.0.0.0/24",
        values.proxies,
        default="127.0.0.1,::1",
    ),
    _base_url("HF", "Daily Papers are", "https://huggingface.co"),
    _key("HF", "A token of Hugging Face, which raises its limits; reading needs none."),
    _base_url("ARXIV", "all of arXiv is", "its own addresses"),
    _base_url("ARXIV_API", "arXiv's query API is", "https://export.arxiv.org"),
    _base_url("ARXIV_OAI", "arXiv's OAI-PMH is", "https://oaipmh.arxiv.org"),
    _base_url("BIORXIV", "bioRxiv is", "https://api.biorxiv.org"),
    _base_url("MEDRXIV", "medRxiv is", "https://api.biorxiv.org"),
    _base_url("PUBMED", "PubMed is", "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"),
    _key("PUBMED", "An NCBI API key, which allows ten questions a second instead of three."),
    _base_url("OPENALEX", "OpenAlex is", "https://api.openalex.org"),
    _key("OPENALEX", "An API key of OpenAlex."),
    _base_url("CROSSREF", "Crossref is", "https://api.crossref.org"),
    _base_url("OPENREVIEW", "OpenReview is", "https://api2.openreview.net"),
    _key("OPENREVIEW", "A token of OpenReview, which answers nobody without one."),
)
BY_KEY: Final[Mapping[str, Setting]] = {setting.key: setting for setting in SETTINGS}
