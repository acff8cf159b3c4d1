"""The explorer as a reader meets it: served on loopback to a real browser."""

import shutil
import threading
from itertools import product

import pytest

from perdure.view.app import Explorer, make_app
from perdure.view.parts import check_folder
from perdure.view.serve import open_socket
from tests.report.conftest import HOSTILE
from tests.view.folders import write_folder

pytestmark = pytest.mark.browser

FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"

BLANK = "return [...document.images].filter((image) => image.naturalWidth === 0).length"


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
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def wait_for(browser, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    script = f"return {condition} && document.readyState === 'complete'"
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(script))


@pytest.fixture
def serve_folder():
    uvicorn = pytest.importorskip("uvicorn")
    running = []

    def start(folder):
        explorer, listener = Explorer(check_folder(folder)), open_socket()
        explorer.start(20)
        settings = uvicorn.Config(make_app(explorer), log_level="critical", lifespan="off")
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread, explorer, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread, explorer, listener in running:
        server.should_exit = True
        thread.join()
        explorer.close()
        listener.close()


@pytest.mark.parametrize("kind", ["series", "images", "texts"])
@pytest.mark.parametrize("name", ["lstm", HOSTILE], ids=["plain", "hostile"])
def test_a_reader_sorts_opens_a_sample_and_the_next_one(browser, serve_folder, tmp_path, kind, name):
    ids = tuple(f"{name} {i}" for i in range(60))
    given = {"ids": ids, "models": (name, "b"), "classes": (name, "b"), "features": (name, "b", "c"), "words": name}
    write_folder(tmp_path / "run", kind, rows=60, **given)
    browser.get(serve_folder(tmp_path / "run"))
    browser.find_element("link text", "confidence").click()
    wait_for(browser, "location.search.includes('sort=confidence')")
    column = "return [...document.querySelectorAll('tbody tr')].map((row) => Number(row.cells[5].textContent))"
    shown = browser.execute_script(column)
    assert len(shown) == 50
    assert shown == sorted(shown, reverse=True)
    first = browser.find_element("css selector", "tbody th a")
    wanted = first.text
    first.click()
    wait_for(browser, "location.pathname === '/sample'")
    assert browser.find_element("css selector", "h1").text == wanted
    assert len(browser.find_elements("css selector", ".panel, .sentence")) >= 4
    assert browser.execute_script(BLANK) == 0
    browser.find_element("css selector", "a[rel=next]").click()
    wait_for(browser, "location.search.includes('at=1')")
    assert "2 of 120" in browser.find_element("css selector", ".pages").text
    assert browser.execute_script("return window.hit") is None
    assert browser.get_log("browser") == []


def test_a_form_filters_and_narrow_windows_do_not_scroll_sideways(browser, serve_folder, tmp_path):
    write_folder(tmp_path / "run", rows=60, methods=("gradient", "saliency", "random", "lime", "occlusion"))
    address = serve_folder(tmp_path / "run")
    browser.get(address)
    browser.execute_script("document.querySelector('select[name=correct]').value = 'wrong'")
    browser.find_element("css selector", "button").click()
    wait_for(browser, "location.search.includes('correct=wrong')")
    assert "12 of 60 rows" in browser.find_element("css selector", ".subtitle").text
    for place, width in product(("/", "/sample?at=1"), (400, 1200)):
        browser.get(address + place)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        sizes = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
        needed, available = browser.execute_script(sizes)
        assert needed <= available
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
