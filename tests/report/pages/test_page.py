from html.parser import HTMLParser

import numpy as np
import pytest

from perdure.core.batch import Text
from perdure.report.charts.palette import DARK, LIGHT
from perdure.report.pages.audit import build_audit_page
from perdure.report.pages.page import Page, Section, render
from perdure.report.pages.samples import build_samples
from perdure.report.pieces import Facts, Prose


class Elements(HTMLParser):
    """Lists the elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def list_attributes(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(audit):
    return render(build_audit_page(audit))


def luminance(code: str) -> float:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_page_points_to_nothing_outside(html):
    for _, attrs in Elements(html).elements:
        for name in ("src", "srcset", "href"):
            assert attrs.get(name, "data:").startswith("data:")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_image_has_a_description(html):
    images = Elements(html).list_attributes("img")
    assert len(images) > 5
    assert all(image["alt"] for image in images)


def test_a_page_has_no_script_and_its_policy_allows_none(html):
    assert "<script" not in html
    policy = Elements(html).list_attributes("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_a_page_of_text_is_small():
    plain = render(Page("title", "", "", (Section("text", (Prose(("only text",)),)),)))
    assert len(plain) < 20_000


@pytest.mark.parametrize("kind", ["images", "texts", "series"])
def test_a_page_can_be_sent_whatever_the_panel(kind, audit):
    """Noise is the worst case of compression: nine methods for six samples stay below 3 MB."""
    draw = np.random.default_rng(0)
    shape = {"images": (224, 224), "texts": (1500,), "series": (500, 60)}[kind]
    inputs = draw.random((6, 3, *shape) if kind == "images" else (6, *shape))
    maps = {f"method {i}": draw.normal(size=(6, *shape)) for i in range(9)}
    spans = tuple((6 * i, 6 * i + 5) for i in range(1500))
    texts = (Text("wordy " * 1500, spans),) * 6 if kind == "texts" else ()
    piece = build_samples(inputs, maps, None, ("title",) * 6, texts)
    html = render(Page("t", "", "", (Section("s", (piece,)),)))
    assert len(html) < 2_200_000
    assert html.count("method 8") >= 6


def test_hostile_text_makes_no_element(html, hostile):
    plain, attacked = Elements(html), Elements(render(build_audit_page(hostile)))
    assert [tag for tag, _ in attacked.elements] == [tag for tag, _ in plain.elements]
    assert not any(name.startswith("on") for _, attrs in attacked.elements for name in attrs)


def test_facts_are_flat_and_escaped():
    html = render(Page("t", "", "", (Section("s", (Facts({"a": {"<b>": [1, None]}}),)),)))
    assert "<dt>a.&lt;b&gt;</dt><dd>[1, null]</dd>" in html


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "good", "warning", "bad"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_is_readable_on_its_ground(palette, ink, ground):
    dim, bright = sorted((luminance(getattr(palette, ink)), luminance(getattr(palette, ground))))
    assert (bright + 0.05) / (dim + 0.05) >= 4.5  # level AA of the web accessibility guidelines
