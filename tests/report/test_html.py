"""The page: self-contained, well-formed, every figure on it."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from slowfast.report import ClipExample, LadderRow, PseudoRound, ReportData, StepResult, write_report
from slowfast.report.data import STEPS, Guess
from slowfast.report.images import film_strip

NAMES = ["Drink", "Jump & run", "<Pick>"]
VOID = {"meta", "br", "img", "link", "input"}


@pytest.fixture
def data() -> ReportData:
    """A small report with every section."""
    ladder = [
        LadderRow(step.name, model, 1, 1, 20.0 + 4 * index + order)
        for index, step in enumerate(STEPS)
        for order, model in enumerate(("net_a", "net_b", "mean", "vote"))
    ]
    matrix = np.array([[5, 1, 0], [0, 4, 2], [0, 0, 0]])
    per_class = np.array([83.3, 66.7, np.nan])
    frames = np.full((4, 6, 8, 3), 3, np.uint8)
    return ReportData(
        title="Demo <1>",
        class_names=NAMES,
        ladder=ladder,
        steps=[StepResult("gamma", per_class, matrix)],
        rounds=[PseudoRound(stage, 30 * stage, 120, 90.0 - stage, per_class, per_class) for stage in (1, 2)],
        clips=[ClipExample("7.mp4", 1, frames, frames * 40, Guess(2, 0.31), Guess(1, 0.87))],
        seconds={"data": 41.0, "adapt_bn-net_a": 20.0, "adapt_bn-net_b": 30.0, "wall": 75.0},
        settings={"seed": "0"},
    )


@pytest.fixture
def page(data, tmp_path) -> str:
    """The text of its page."""
    write_report(tmp_path / "report.html", data)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


class Checker(HTMLParser):
    """Collects unbalanced tags, the addresses a browser would load, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.errors, self.addresses, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, text):
        self.text.append(text)


def test_tags_are_balanced(page):
    checker = Checker()
    checker.feed(page)
    assert (checker.errors, checker.open) == ([], [])


def test_nothing_is_loaded_from_elsewhere(page):
    checker = Checker()
    checker.feed(page)
    assert all(address.startswith("#") for address in checker.addresses)
    assert all(address.startswith("data:image/png;base64,") for address in re.findall(r"url\(([^)]*)\)", page))
    for word in ("http:", "https:", "//cdn", "@import", "<script"):
        assert word not in page


def test_every_section_and_figure_is_there(page, data):
    checker = Checker()
    checker.feed(page)
    text = " ".join(checker.text)
    for title in ("The ladder", "Pseudo-labels", "Class by class", "Clips", "Time", "Settings"):
        assert f"<h2>{title}</h2>" in page
    for row in data.ladder:
        assert f"{row.top1:.1f}" in text
    for step in STEPS:
        assert step.title in text and step.text in text
    for figure in ("25.0", "50.0", "89.0", "88.0", "1:15", "0:50", "Jump & run", "<Pick>", "7.mp4"):
        assert figure in text


def test_guess_is_marked_right_or_wrong(page):
    assert '<dd class="no">&lt;Pick&gt; 31 % &#10007;</dd>' in page
    assert '<dd class="ok">Jump &amp; run 87 % &#10003;</dd>' in page


def test_names_are_escaped(page):
    assert "<Pick>" not in page and "<title>Demo &lt;1&gt;</title>" in page


def test_confusion_cells_name_their_counts(page):
    for title in (
        "Drink labelled Drink: 5",
        "Drink labelled Jump &amp; run: 1",
        "Jump &amp; run labelled &lt;Pick&gt;: 2",
    ):
        assert page.count(f"<title>{title}</title>") == 1
    assert len(re.findall(r"<title>[^<]* labelled [^<]*: \d+</title>", page)) == 4


def test_plot_heights_follow_the_figures(page):
    """A dot of the ladder lies where its accuracy belongs: 100 % at 22, 0 % at 322 pixels."""
    found = re.search(r'cy="([\d.]+)" r="3.5"><title>net_a, Source only: 20.0 %', page)
    assert float(found[1]) == pytest.approx(22 + 300 * 0.8)


def test_light_and_dark(page):
    assert "prefers-color-scheme: dark" in page and "prefers-reduced-motion" in page


def test_sections_without_content_are_left_out(tmp_path):
    write_report(tmp_path / "r.html", ReportData("Small", NAMES, [LadderRow("gamma", "vote", 1, 1, 50.0)]))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h2>The ladder</h2>" in page
    for title in ("Pseudo-labels", "Class by class", "Clips", "Time", "Settings"):
        assert f"<h2>{title}</h2>" not in page


def test_images_are_the_frames(page):
    first = re.search(r"url\(data:image/png;base64,([^)]*)\)", page)[1]
    image = Image.open(io.BytesIO(base64.b64decode(first)))
    assert image.size == (4 * 120, 90) and image.getpixel((0, 0)) == (3, 3, 3)


def test_film_strip_keeps_the_order_of_frames():
    frames = np.stack([np.full((10, 20, 3), level, np.uint8) for level in (0, 100, 200)])
    strip = film_strip(frames, height=30)
    assert strip.size == (180, 30)
    assert [strip.getpixel((30 + 60 * index, 15))[0] for index in range(3)] == [0, 100, 200]
