"""A real browser for the pages, and what every page is held to: contrast, size, names, axe-core."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import needs
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
CHROMIUM: Final = shutil.which("chromium")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SMALLEST: Final = 14
ENOUGH: Final = 4.5

MEASURE: Final = r"""() => {
  // Every text node with what is painted behind it; translucent colours do not occur here.
  const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const rgba = numbers(getComputedStyle(at).backgroundColor);
      if (rgba.length === 3 || rgba[3] === 1) return rgba;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim().slice(0, 60);
    const parent = walk.currentNode.parentElement;
    const box = parent.getBoundingClientRect();
    const isShown = text && box.width > 1 && box.height > 1;
    if (!isShown || parent.closest(".skip, .unseen, .trap, script, noscript, option")) continue;
    const style = getComputedStyle(parent);
    const pair = [light(numbers(style.color)), light(behind(parent))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push({text, contrast, size: parseFloat(style.fontSize)});
  }
  return found;
}"""

UNNAMED: Final = """() => {
  const controls = document.querySelectorAll("input, select, textarea, button, a, iframe, meter");
  return [...controls].filter((at) => {
    if (at.type === "hidden" || at.closest("[aria-hidden=true]")) return false;
    const named = at.getAttribute("aria-label") || at.title || at.textContent.trim();
    return !(named || (at.labels && at.labels.length));
  }).map((at) => at.outerHTML);
}"""

SMALL: Final = """() => {
  const controls = document.querySelectorAll("button:not(.inline), select, input, textarea");
  return [...controls].filter((at) => {
    const target = ["checkbox", "radio"].includes(at.type) ? at.closest("label") : at;
    const box = target.getBoundingClientRect();
    return box.width > 1 && box.height < 44;
  }).map((at) => at.outerHTML);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs(CHROMIUM, "a browser", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, width: int = 390, scheme: Scheme = "light", *, script: bool = True
) -> Iterator[Page]:
    """A page of that width and scheme; whatever its console says is a failure."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said


def hold_to_the_rules(page: Page) -> None:
    """The page that is open can be read, used with a thumb and understood without eyes."""
    texts: list[dict[str, Any]] = page.evaluate(MEASURE)
    assert len(texts) > 3
    assert [text for text in texts if text["contrast"] < ENOUGH] == []
    assert [text for text in texts if text["size"] < SMALLEST] == []
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(SMALL) == []
    assert page.locator("h1").count() == 1
    assert page.locator("html[lang=en]").count() == 1
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page that is open: rule, and where."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]
