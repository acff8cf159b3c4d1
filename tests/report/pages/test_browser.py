"""A page as a reader meets it: opened from disk in a real browser."""

import json
import shutil

import pytest

from perdure.audit.path import PathReport
from perdure.audit.reproduction import Reproduction
from perdure.report.pages.audit import build_audit_page
from perdure.report.pages.page import render
from perdure.report.pages.paths import build_paths_page
from perdure.report.pages.reproduction import build_reproduction_page
from tests.report.conftest import HOSTILE, of_images, of_texts, picture
from tests.report.third import paths, reproduction

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --allow-file-access-from-files"
)

VARIED = """
const canvas = document.createElement("canvas");
return [...document.images].map((image) => {
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const words = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return image.naturalWidth > 0 && words.some((word) => word !== words[0]);
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module", params=["LSTM", HOSTILE], ids=["plain", "hostile"])
def page(browser, request, tmp_path_factory):
    return _open_page(browser, picture(request.param), tmp_path_factory.mktemp("page") / "index.html")


def _open_page(browser, audit, path):
    return _show_page(browser, build_audit_page(audit), path)


def _show_page(browser, page, path):
    path.write_text(render(page), encoding="utf-8")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    return browser


def test_the_console_is_silent_and_the_network_unused(page):
    assert page.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert urls
    assert {address.partition(":")[0] for address in urls} <= {"file", "data"}


def test_every_picture_has_pixels(page):
    varied = page.execute_script(VARIED)
    assert len(varied) > 5
    assert all(varied)


def test_the_curve_can_be_unfolded_on_a_logarithmic_axis(page):
    unfold = "const fold = document.querySelector('.folds details'); fold.open = true; return fold.textContent"
    assert "logarithmic" in page.execute_script(unfold)
    assert page.execute_script("return document.querySelector('.folds details img').clientWidth") > 100


def test_hostile_text_is_shown_and_never_run(page):
    assert page.execute_script("return window.hit") is None
    heading = page.execute_script("return document.querySelector('h1').textContent")
    assert heading in ("LSTM", HOSTILE)


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_scrolls_sideways(page, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    sizes = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    needed, given = page.execute_script(sizes)
    assert needed <= given


@pytest.mark.parametrize("words", ["Well, not bad!", HOSTILE])
def test_words_are_shown_in_colour_and_never_run(browser, words, tmp_path):
    page = _open_page(browser, of_texts(words=words), tmp_path / "text.html")
    result = page.execute_script(
        "return [...document.querySelectorAll('.token')].map(one => "
        "[one.textContent, getComputedStyle(one).backgroundColor, getComputedStyle(one).textDecorationLine])"
    )
    assert [text for text, _, _ in result] == [words[:1], words[1:2], words[2:]] * 2
    assert len({colour for _, colour, _ in result}) == 3
    assert [line for _, _, line in result[:3]] == ["none", "underline", "none"]
    assert page.execute_script("return document.querySelector('.sentence p').textContent") == words
    assert page.execute_script("return window.hit") is None
    assert page.get_log("browser") == []


def test_images_have_pixels_and_an_outline(browser, tmp_path):
    page = _open_page(browser, of_images(), tmp_path / "images.html")
    assert page.get_log("browser") == []
    assert all(page.execute_script(VARIED))
    assert page.execute_script("return document.querySelectorAll('.map svg path').length") == 4


THIRD = {
    "retrained": lambda name: build_reproduction_page(
        Reproduction.from_dict(*reproduction(runs=3, methods=(name,), samples=30, types=(name, "b"), name=name))
    ),
    "paths": lambda name: build_paths_page(
        PathReport.from_dict(*paths(kinds=("linear", "valley"), methods=(name,), points=5, types=(name, "b")))
    ),
}


@pytest.fixture(scope="module", params=[(page, name) for page in THIRD for name in ("attention", HOSTILE)], ids=str)
def third(browser, request, tmp_path_factory):
    kind, name = request.param
    return _show_page(browser, THIRD[kind](name), tmp_path_factory.mktemp("third") / "index.html")


def test_pages_across_runs_are_silent_and_run_nothing(third):
    assert third.get_log("browser") == []
    assert third.execute_script("return window.hit") is None
    assert all(third.execute_script(VARIED))


@pytest.mark.parametrize("width", [400, 1200])
def test_pages_across_runs_do_not_scroll_sideways_even_unfolded(third, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    third.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    third.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    sizes = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    needed, given = third.execute_script(sizes)
    assert needed <= given


def test_paper_shows_what_is_folded(third):
    """Paper does not unfold: printed, a page with folds is as long as one without."""
    third.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    long = "return document.documentElement.scrollHeight"
    unfold = "document.querySelectorAll('details').forEach((one) => { one.open = arguments[0]; })"
    heights = []
    for state in (False, True):
        third.execute_script(unfold, state)
        heights.append(third.execute_script(long))
    third.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
    assert heights[0] == heights[1]


def test_curves_and_digits_are_drawn(third):
    boxes = third.execute_script(
        "return [...document.querySelectorAll('.charts path:not(.grid), .matrix text')].map((one) => "
        "one.getBoundingClientRect().width > 0 || one.closest('details') !== null)"
    )
    assert boxes
    assert all(boxes)
