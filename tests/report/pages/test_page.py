import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from perdure.report.charts.palette import DARK, LIGHT
from perdure.report.pages.audit import build_audit_page
from perdure.report.pages.page import Page, Section, render
from perdure.report.pieces import Facts, Prose


class Elements(HTMLParser):
    """Lists the elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def html(audit):
    return render(build_audit_page(audit))


def luminance(code: str) -> float:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_page_points_to_nothing_outside(html):
    for _, attrs in Elements(html).found:
        for name in ("src", "srcset", "href"):
            assert attrs.get(name, "data:").startswith("data:")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_image_says_what_it_shows(html):
    images = Elements(html).named("img")
    assert len(images) > 5
    assert all(image["alt"] for image in images)


def test_plotly_comes_once_and_only_with_a_plot(html):
    assert html.count("plotly.js v") == 1
    plain = render(Page("title", "", "", (Section("text", (Prose(("only text",)),)),)))
    assert "<script" not in plain
    assert len(plain) < 20_000


def test_the_policy_allows_exactly_the_scripts_of_the_page(html):
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    policy = Elements(html).named("meta")[1]["content"]
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert len(hashes) == 2
    assert policy.startswith("default-src 'none'")


def test_hostile_text_makes_no_element(html, hostile):
    plain, attacked = Elements(html), Elements(render(build_audit_page(hostile)))
    assert [tag for tag, _ in attacked.found] == [tag for tag, _ in plain.found]
    assert not any(name.startswith("on") for _, attrs in attacked.found for name in attrs)


def test_facts_are_flat_and_escaped():
    html = render(Page("t", "", "", (Section("s", (Facts({"a": {"<b>": [1, None]}}),)),)))
    assert "<dt>a.&lt;b&gt;</dt><dd>[1, null]</dd>" in html


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "good", "warning", "bad"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_is_readable_on_its_ground(palette, ink, ground):
    dim, bright = sorted((luminance(getattr(palette, ink)), luminance(getattr(palette, ground))))
    assert (bright + 0.05) / (dim + 0.05) >= 4.5  # level AA of the web accessibility guidelines
