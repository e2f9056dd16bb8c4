"""The report in a real browser."""

import re
import time

import pytest

from slowfast.apps.report.make import Options, make_report

from ..browser import Browser, overflow, start_browser
from .schedule import CLASSES, HOSTILE, make_schedule

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium():
    with start_browser() as chromium:
        yield chromium


@pytest.fixture
def browser(chromium):
    browser = Browser(chromium)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory, chromium):
    """A page with its clips inside, and one with its clips beside it."""
    root = tmp_path_factory.mktemp("pages") / "run"
    make_schedule(root)
    truth = [root / "data" / "truth.csv"]
    make_report([root], root / "inside.html", Options(truth=truth, clips=30))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("slowfast.apps.report.make.EMBEDDED", 3)
        make_report([root], root / "beside.html", Options(truth=truth, clips=30))
    return {name: f"file://{root}/{name}.html" for name in ("inside", "beside")}


def shown(page) -> int:
    return int(page.text_content("#count").split()[0])


@pytest.mark.parametrize("name", ["inside", "beside"])
def test_clips_play_without_a_gesture(browser, pages, name):
    page = browser.open(f"{pages[name]}#films")
    page.wait_for_timeout(1500)  # no script is run before, for that would count as a gesture
    assert page.evaluate("Math.max(...[...document.querySelectorAll('video')].map(video => video.currentTime)) > 0.1")
    assert page.eval_on_selector("#cards video", "video => video.muted && video.error === null")
    assert all(address.startswith(("file:", "data:")) for address in browser.asked)
    assert browser.errors == []


def test_filters(browser, pages):
    page = browser.open(pages["inside"])
    assert shown(page) == 30 and page.locator("#cards article").count() == 24
    page.click("#forward")
    assert page.locator("#cards article").count() == 6
    page.select_option("#kind", "gone")
    assert shown(page) == 2 and "does not exist" in page.text_content("#cards")
    page.select_option("#kind", "all")
    counts = []
    for index in range(len(CLASSES)):
        page.select_option("#class", str(index))
        counts.append(shown(page))
    assert sum(counts) == 30
    page.select_option("#class", "-1")
    page.fill("#from", "80")
    sure = shown(page)
    page.select_option("#voter", "0")
    assert 0 < sure < 30 and shown(page) != sure
    page.fill("#from", "0")
    page.fill("#search", "onerror")
    assert shown(page) == 1 and HOSTILE in page.text_content("#cards")


@pytest.mark.parametrize("width", [1280, 390])
def test_it_reads_well_at_any_width_and_aloud(browser, pages, width):
    page = browser.open(pages["inside"], width)
    assert overflow(page) <= 0
    tree = page.locator("body").aria_snapshot()
    assert not re.search(r"- (button|combobox|textbox|spinbutton)\s*$", tree, re.M)
    for words in ('combobox "class"', 'spinbutton "confidence from, %"', 'img "Confusion matrix', 'heading "Clips"'):
        assert words in tree


def test_ten_thousand_clips_are_usable_in_two_seconds(browser, tmp_path):
    make_schedule(tmp_path / "run", clips=10_000, videos=False)
    start = time.monotonic()
    make_report([tmp_path / "run"], tmp_path / "r.html", Options(clips=0))
    assert time.monotonic() - start < 60
    start = time.monotonic()
    page = browser.open(f"file://{tmp_path}/r.html")
    assert shown(page) == 10_000 and time.monotonic() - start < 2
