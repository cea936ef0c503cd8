"""Operators' templates: what check finds, what the sandbox stops, what a brand changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest.app import brand_of
from digest.brand import DARK, LIGHT, Brand, contrast
from digest.errors import SettingsError, TemplateError
from digest.render import Renderer
from digest.settings import load
from digest.templating.parts import PARTS, templates_dir
from digest.templating.proof import check
from digest.templating.sandbox import Sandbox, run
from digest.templating.specimens import specimens

if TYPE_CHECKING:
    from pathlib import Path

RICH, POOR = specimens()


def overlay(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "email"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return tmp_path


def says(tmp_path: Path, **files: str) -> str:
    return "\n".join(map(str, check(overlay(tmp_path, **files))))


def test_ours_are_well() -> None:
    assert check(None) == []


def test_every_part_there_is_a_file_for_and_nothing_else_lies_there() -> None:
    assert {path.name for path in (templates_dir() / "email").iterdir()} == set(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_copy_of_any_part_is_well_and_changes_nothing(tmp_path: Path, name: str) -> None:
    text = (templates_dir() / "email" / name).read_text(encoding="utf-8")
    folder = overlay(tmp_path, **{name.replace(".", "_"): text})
    renderer = Renderer(Brand(), folder)
    assert renderer.parts[name].own
    one = (RICH.reader, RICH.selection, RICH.papers, RICH.links)
    assert renderer.fitted(*one) == Renderer(Brand()).fitted(*one)
    assert not renderer.troubles


@pytest.mark.parametrize(
    ("name", "text", "finding"),
    [
        (
            "digest_mjml",
            "<mj-section>\n<mj-colum></mj-colum></mj-section>",
            ":2: MJML has no <mj-colum>",
        ),
        (
            "digest_mjml",
            '<mj-section paddin="3px"></mj-section>',
            "no attribute paddin: did you mean",
        ),
        ("digest_mjml", "<mj-section>\n<mj-column>\n</mj-section>", "is never closed"),
        (
            "card_html",
            "<h3>{{ one.titel }}</h3>",
            ":1: there is no one.titel here: did you mean title?",
        ),
        ("card_html", "\n\n{{ somebody }}", ":3: there is no somebody here"),
        (
            "card_html",
            "{% for a in one.places %}{{ a.words }}{% endfor %}",
            "there is no a.words here",
        ),
        ("card_html", "{% if one %}\n{{ one.title }\n", "card.html:"),
        ("card_html", "{% include 'other' %}", "a part of a mail has no include"),
        ("card_html", '<img src="https://x.example.org/a.png">', "has no alt text"),
        ("card_html", '<a href="http://x.example.org/">x</a>', "only https and mailto are safe"),
        ("card_html", "<script>1</script>", "<script> does nothing in a mail"),
        ("card_html", "<mj-text>x</mj-text>", "HTML already: MJML is compiled before it"),
        (
            "card_html",
            '<p style="color:#CCCCCC">{{ one.title }}</p>',
            "#CCCCCC on #FFFFFF is 1.6:1",
        ),
        ("card_html", "{{ one.title * 3 }}", "* is for numbers only"),
        ("card_html", "{{ one.title.upper() }}", "upper"),
        ("cards_html", "x", "did you mean card.html?"),
        ("digest_mjml", "<mjml><mj-body>[[lead]]</mj-body></mjml>", "[[each]], [[interest]]"),
    ],
)
def test_check_finds_it_and_says_where(tmp_path: Path, name: str, text: str, finding: str) -> None:
    assert finding in says(tmp_path, **{name: text})


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in 'ab' %}{% endfor %}{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        (
            "{% macro f(n) %}{% for a in n %}{{ f(n) }}{{ f(n) }}{% endfor %}{% endmacro %}"
            "{{ f('abcdefgh') }}"
        ),
        "{% set a %}xxxxxxxx{% endset %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a %}xxxxxxxx{% endset %}"
        + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40
        + "{{ a }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 'x' | replace('x', 'xxxxxxxxxx') | replace('x', 'xxxxxxxxxx') }}"
        + "{{ 'x' ~ ('aaaaaaaaaa' | replace('a', 'aaaaaaaaaa')) }}" * 20_000,
        "{{ 9 ** 9 ** 9 }}",
        "{{ say.__globals__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
    ],
)
def test_a_greedy_or_curious_template_is_stopped(text: str) -> None:
    sandbox = Sandbox(html=True)
    values = Renderer(Brand()).common("en")
    with pytest.raises(TemplateError):
        run(sandbox.compiled(text, "card.html"), values)


def test_whatever_an_operator_writes_a_run_goes_on_with_ours(tmp_path: Path) -> None:
    one = (RICH.reader, RICH.selection, RICH.papers, RICH.links)
    ours = Renderer(Brand()).fitted(*one)
    for text in ("{{ nobody }}", "{% for a in one.places %}", "{{ 'x' * 9999999999 }}"):
        renderer = Renderer(Brand(), overlay(tmp_path, card_html=text))
        assert renderer.fitted(*one) == ours
        assert "card.html" in renderer.troubles


def test_escaping_cannot_be_switched_off(tmp_path: Path) -> None:
    for text in ("{% autoescape false %}x{% endautoescape %}", "{{ one.title | safe }}"):
        assert says(tmp_path, card_html=text)


def test_an_empty_part_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = overlay(tmp_path, masthead_html="", foot_html="{# nothing #}")
    html = (
        Renderer(Brand(), folder)
        .fitted(RICH.reader, RICH.selection, RICH.papers, RICH.links)[1]
        .html
    )
    assert "[[" not in html
    assert "Unsubscribe" not in html


def test_one_part_is_the_operators_and_the_rest_stays_ours(tmp_path: Path) -> None:
    folder = overlay(tmp_path, compact_html="<h3>{{ one.number }}: {{ one.title }}</h3>")
    one = (RICH.reader, RICH.selection, RICH.papers, RICH.links)
    html = Renderer(Brand(), folder).fitted(*one)[1].html
    assert "<h3>9: " in html
    assert 'class="full"' in html


class TestBrand:
    def settings(self, **more: str) -> Brand:
        return brand_of(load({f"DIGEST_{key}": value for key, value in more.items()}))

    def test_name_colours_foot_and_thanks_need_no_template(self) -> None:
        brand = self.settings(
            BRAND="Trent Papers",
            COLOURS="#7A1F5C #F5A3D4",
            MARK_COLOURS="#D8F0D0 #23401C",
            FOOT="Room 4 is <open>.",
            THANKS="Thanks to the library for the server.",
            POSTAL_ADDRESS="12 Mill Lane",
        )
        one = (RICH.reader, RICH.selection, RICH.papers, RICH.links)
        mail = Renderer(brand).fitted(*one)[1]
        for said in (
            "Room 4 is &lt;open&gt;.",
            "Thanks to the library",
            "12 Mill Lane",
            ">Papers<",
        ):
            assert said in mail.html
        assert "#7A1F5C" in mail.html
        assert "#F5A3D4" in mail.html
        assert "#23401C" in mail.html
        assert "Room 4 is <open>." in mail.text
        assert LIGHT.link not in mail.html
        assert check(None, brand) == []

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("COLOURS", "#CCCCCC #93C3F5"),
            ("COLOURS", "#154C86 #222222"),
            ("MARK_COLOURS", "#333333 #4B4011"),
            ("COLOURS", "blue"),
        ],
    )
    def test_colours_nobody_could_read_are_refused(self, key: str, value: str) -> None:
        with pytest.raises(SettingsError, match=key):
            self.settings(**{key: value})

    def test_our_own_colours_can_be_read(self) -> None:
        for scheme in (LIGHT, DARK):
            for ink in (scheme.ink, scheme.body, scheme.link):
                assert contrast(ink, scheme.mark) >= 4.5
            for ink in (scheme.ink, scheme.body, scheme.quiet, scheme.link):
                assert contrast(ink, scheme.page) >= 4.5
                assert contrast(ink, scheme.note) >= 4.5
            assert contrast(scheme.press, scheme.link) >= 4.5
        assert round(contrast("#000000", "#FFFFFF"), 2) == 21
