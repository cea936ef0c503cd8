"""docs/pictures, taken of the demo in a real browser: `python tests/pictures.py` writes them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args
from urllib.parse import quote

from browser import CHROMIUM, FLAGS, Scheme
from loopback import serving
from playwright.sync_api import sync_playwright

from digest.demo import SAMPLE, played
from digest.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

PICTURES: Final = Path(__file__).parent.parent / "docs" / "pictures"
SIZE: Final[ViewportSize] = {"width": 760, "height": 980}
PUBLIC: Final = "https://papers.example.org"
KEYWORDS: Final = "mixture of experts\nunlearning -image\nunlerning"


def take(folder: Path) -> None:
    """A mail, and the page where one signs up, in the light and in the dark."""
    shutil.copytree(SAMPLE / "figures", folder / "mails" / "figures")
    with (
        played(folder, PUBLIC) as app,
        serving(create_app(app)) as pages,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for scheme in get_args(Scheme):
            page = chromium.new_page(viewport=SIZE, color_scheme=scheme)
            page.goto((folder / "mails" / "ada.html").as_uri())
            _keep(page, f"mail-{scheme}")
            page.goto(f"{pages.url}/?q={quote(KEYWORDS)}")
            _keep(page, f"page-{scheme}")
        chromium.close()


def _keep(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        take(Path(place))
