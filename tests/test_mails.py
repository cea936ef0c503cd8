"""Every kind of mail: as it was last looked at, valid, inert, legible, and the same on the wire."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from email import message_from_bytes, policy
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from browser import CHROMIUM, FLAGS
from conftest import needs
from mail_samples import AT, Sample, samples
from mime_oracle import parse
from playwright.sync_api import sync_playwright

from digest.render import BUDGET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

GOLDEN: Final = Path(__file__).parent / "golden"
SAMPLES: Final = samples()
WIDTHS: Final = (320, 390, 700, 1200)
VOID: Final = {"br", "img", "meta", "hr", "link", "input"}
OURS: Final = (AT, "mailto:people@example.org")
PAPERS: Final = ("https://papers.example.org/", "https://github.com/example/")

# What mail programs do not show, or only some of them (caniemail.com, 2026), and who.
NOT_SHOWN: Final = {
    r"display:\s*(?:flex|grid)": "Outlook for Windows",
    r"position:\s*(?:absolute|fixed|sticky)": "Gmail, Outlook",
    r"float:": "Outlook for Windows",
    r"\bvar\(--": "Gmail, Outlook",
    r"\bcalc\(": "Outlook for Windows, Yahoo",
    r"url\(": "Outlook for Windows; and it asks a server",
    r"background-image": "Outlook for Windows",
    r"@import|@font-face": "Gmail, Outlook; and it asks a server",
    r"\bfont:": "Gmail's apps with accounts that are not Google's",
    r"(?:margin|padding)[\w-]*:[^;\"}]*-\d": "Gmail, Outlook",
    r"\d(?:rem|vw|vh)\b": "Outlook for Windows",
    r"<(?:script|iframe|object|embed|form|input|button|video|audio|svg|canvas|link)\b": "all",
    r"\son\w+=": "all",
    r"(?:src|href)=\"(?:data|javascript|cid|http):": "Gmail, Outlook",
    r"box-shadow|text-shadow|transform:|animation": "Gmail, Outlook",
}
LONGEST_STYLE: Final = 8_192
"""Characters of one style element that Gmail reads."""


def by_name(sample: Sample) -> str:
    return sample.name


every = pytest.mark.parametrize("sample", SAMPLES, ids=by_name)


@every
def test_a_mail_is_as_it_was_last_looked_at(sample: Sample) -> None:
    """After a change that is meant: GOLDEN=renew make test, look at the difference, commit it."""
    for end, text in ((".html", sample.rendered.html), (".txt", sample.rendered.text)):
        path = GOLDEN / f"{sample.name}{end}"
        if os.environ.get("GOLDEN") == "renew":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.read_text(encoding="utf-8") == text, f"{path.name} has changed"


class _Tree(HTMLParser):
    """The elements of a mail as its source says, strictly: what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shape: list[tuple[int, str]] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.attributes: list[tuple[str, list[str]]] = []
        self.tables: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        depth = sum(one != "tbody" for one in self.open)
        if tag != "tbody":
            self.shape.append((depth, tag))
        self.attributes.append((tag, [name for name, _ in attrs]))
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "img":
            self.pictures.append(given)
        if tag == "table":
            self.tables.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


def tree(html: str) -> _Tree:
    read = _Tree()
    # What stands in Outlook's conditional comments is markup for Outlook alone.
    shown = re.sub(r"<!--\[if !mso\]><!-->|<!--<!\[endif\]-->", "", html)
    read.feed(re.sub(r"<!--\[if.*?<!\[endif\]-->", "", shown, flags=re.DOTALL))
    assert not read.open
    return read


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs(CHROMIUM, "a browser", "apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


SHAPE: Final = """() => {
  const shape = [];
  const walk = (node, depth) => {
    for (const child of node.children) {
      const tag = child.tagName.toLowerCase();
      if (tag !== 'tbody') shape.push([depth, tag]);
      walk(child, depth + (tag !== 'tbody'));
    }
  };
  shape.push([0, 'html']);
  walk(document.documentElement, 1);
  return shape;
}"""


def test_a_browser_repairs_nothing_in_any_mail(browser: Browser) -> None:
    """The elements a browser makes of it are those that stand there: the HTML is valid."""
    page = browser.new_page(java_script_enabled=True)
    page.route("**/*", lambda route: route.abort())
    for sample in SAMPLES:
        page.set_content(sample.rendered.html, wait_until="domcontentloaded")
        made = [tuple(one) for one in page.evaluate(SHAPE)]
        assert made == tree(sample.rendered.html).shape, sample.name
        assert page.evaluate("document.compatMode") == "CSS1Compat"
    page.close()


@every
def test_every_mail_is_plain_valid_and_inert(sample: Sample) -> None:
    html = sample.rendered.html
    read = tree(html)
    assert len(html.encode()) <= BUDGET
    assert re.match(r"<!doctype html><html lang=\"\w\w\" dir=\"ltr\"", html)
    for tag, names in read.attributes:
        assert len(names) == len(set(names)), tag
    assert all(table.get("role") == "presentation" for table in read.tables)
    levels = [int(tag[1]) for _, tag in read.shape if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "{{" not in html.replace("{{ 7*7 }}", "")
    assert "<title></title>" not in html
    assert html.count("<!--[if") == html.count("<![endif]-->")


@every
def test_every_mail_uses_only_what_mail_programs_show(sample: Sample) -> None:
    source = re.sub(r"<!--\[if.*?<!\[endif\]-->", "", sample.rendered.html, flags=re.DOTALL)
    markup = re.sub(r">[^<]*<", "><", re.sub(r"<title>.*?</title>", "", source))
    styles = re.findall(r"<style[^>]*>(.*?)</style>", source, re.DOTALL)
    attributes = re.findall(r'style="([^"]*)"', markup)
    tags = re.sub(r'(?:aria-label|alt|title)="[^"]*"', "", markup)
    for pattern, who in NOT_SHOWN.items():
        for place in (*styles, *attributes, tags):
            found = re.search(pattern, place, re.IGNORECASE)
            assert not found, f"{found[0]!r} is not shown by {who}"
    assert all(len(style) < LONGEST_STYLE for style in styles)


@every
def test_nothing_in_any_mail_reports_that_it_was_opened(sample: Sample) -> None:
    read = tree(sample.rendered.html)
    assert len(read.pictures) <= 1
    for picture in read.pictures:
        assert picture["src"] == "https://papers.example.org/figures/1.png", "the paper's own"
        assert picture["alt"] == ""
        assert picture.get("height") is None
    for link in read.links:
        assert link.startswith((*OURS, *PAPERS)), link
        if link.startswith(PAPERS):
            assert "?" not in link, "a paper's link is the paper's own"
        assert not re.search(r"utm_|/click|/open|pixel|beacon", link, re.IGNORECASE)


@every
def test_the_text_part_is_a_mail_of_its_own(sample: Sample) -> None:
    lines = sample.rendered.text.split("\n")
    assert "-- " in lines
    for line in lines:
        assert line == "-- " or line == line.rstrip()
        words = line.split()
        assert len(line) <= 72 or len(words) <= 3 or "https://" in line, line
    assert "\n\n\n" not in sample.rendered.text
    links = {link for link in tree(sample.rendered.html).links if link.startswith(AT)}
    paths = {link.partition("?")[0] for link in links} - {AT}
    assert all(path in sample.rendered.text for path in paths)


@every
def test_two_parsers_read_the_same_message_back(sample: Sample) -> None:
    ours = parse(sample.message)
    theirs = message_from_bytes(sample.message, policy=policy.default)
    assert not theirs.defects
    assert list(ours.headers) == [name.lower() for name in theirs]
    assert ours.headers["subject"] == theirs["subject"] == sample.rendered.subject
    contents = [part.get_content().replace("\r\n", "\n") for part in theirs.iter_parts()]
    assert [kind for kind, _ in ours.parts] == ["text/plain", "text/html"]
    assert [text for _, text in ours.parts] == contents
    assert contents == [sample.rendered.text, sample.rendered.html]
    assert sample.message.isascii()
    assert max(map(len, sample.message.split(b"\r\n"))) <= 998


CONTRAST: Final = """() => {
  const parse = (colour) => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return found.length > 3 ? found : [...found, 1];
  };
  const light = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => 0.2126 * light(c[0]) + 0.7152 * light(c[1]) + 0.0722 * light(c[2]);
  const worst = [21, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || text === '·' || !element.checkVisibility() || element.closest('style')) continue;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) < 13.99) { worst[0] = 0; worst[1] = 'small: ' + text; continue; }
    let back = [255, 255, 255, 1];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) { back = colour; break; }
    }
    const pair = [luminance(parse(style.color)), luminance(back)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < worst[0]) { worst[0] = ratio; worst[1] = text.slice(0, 60); }
  }
  return worst;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_the_light_and_in_the_dark(browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.route("**/*", lambda route: route.abort())
    for sample in SAMPLES:
        page.set_content(sample.rendered.html, wait_until="domcontentloaded")
        ratio, text = page.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{sample.name}: {text!r} has {ratio:.2f}:1 in the {scheme}"
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_mail_scrolls_sideways(browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.route("**/*", lambda route: route.abort())
    for sample in SAMPLES:
        page.set_content(sample.rendered.html, wait_until="domcontentloaded")
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= width, f"{sample.name} is {wide} wide at {width}"
    page.close()


def test_links_are_high_enough_for_a_finger(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_content(next(one for one in SAMPLES if one.name == "full").rendered.html)
    heights = page.eval_on_selector_all(
        ".acts a", "all => all.map(a => a.getBoundingClientRect().height)"
    )
    assert len(heights) > 10
    assert min(heights) >= 44
    page.close()


def test_spamassassin_finds_little_in_any_mail(tmp_path: Path) -> None:
    needs(shutil.which("spamassassin"), "SpamAssassin", "apt-get install spamassassin")
    # All in one mailbox, because its rules take longer to read than the mails; in what order it
    # answers is its own affair.
    mailbox = b"".join(
        b"From sender Sat Nov 21 07:00:00 2026\nX-Sample: %s\n%s\n"
        % (sample.name.encode(), sample.message.replace(b"\r\n", b"\n"))
        for sample in SAMPLES
    )
    done = subprocess.run(
        ["spamassassin", "--local", "--test-mode", "--mbox"],
        input=mailbox,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    scores = {
        mail["X-Sample"]: float(mail["X-Spam-Status"].partition("score=")[2].split()[0])
        for mail in map(
            message_from_bytes, re.split(rb"^From .*\n", done.stdout, flags=re.MULTILINE)[1:]
        )
    }
    assert scores.keys() == {sample.name for sample in SAMPLES}, done.stderr
    print(scores)  # noqa: T201 -- the issue asks to see them
    assert max(scores.values()) < 1.0, scores


def test_an_organization_stands_before_its_authors_when_both_are_written_from_right_to_left(
    browser: Browser,
) -> None:
    """Without isolation the two make one run, whose last author stands where the first belongs."""
    html = next(one for one in SAMPLES if one.name == "full").rendered.html
    names = "\u0623\u062d\u0645\u062f \u0633\u0627\u0644\u0645"
    found = re.sub(
        r"Lindqvist Institute</strong> &#183; <([a-z]+)([^>]*)>[^<]*<",
        rf"{names}</strong> &#183; <\1\2>{names}, {names}<",
        html,
    )
    assert found != html
    page = browser.new_page(viewport={"width": 700, "height": 900})
    page.set_content(found)
    organization = page.locator(f"strong:text-is('{names}')").first.bounding_box()
    authors = page.locator(f"strong:text-is('{names}') + [dir]").first.bounding_box()
    page.close()
    assert organization
    assert authors
    assert organization["x"] + organization["width"] < authors["x"]
