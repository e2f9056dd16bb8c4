"""A confusion matrix as CSV and as a picture that stands alone."""

import csv
from xml.etree import ElementTree

import numpy as np

from slowfast.report import write_confusion
from slowfast.report.data import Curve
from slowfast.report.svg import curve_plot

NAMES = ['Drink, "tea"', "Jump & run", "<Pick>"]


def test_counts_and_picture(tmp_path):
    matrix_KK = np.array([[5, 1, 0], [0, 4, 2], [0, 0, 0]])
    table, picture = write_confusion(tmp_path / "testx8x56x1x1", matrix_KK, NAMES)
    assert [path.name for path in (table, picture)] == ["testx8x56x1x1_confusion.csv", "testx8x56x1x1_confusion.svg"]
    rows = list(csv.reader(table.open(newline="")))
    assert rows[0][1:] == NAMES == [row[0] for row in rows[1:]]
    assert [[int(count) for count in row[1:]] for row in rows[1:]] == matrix_KK.tolist()
    root = ElementTree.parse(picture).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "Jump & run labelled <Pick>: 2" in titles and len(titles) == 4


def test_curves_scale_to_their_values():
    plot = curve_plot(Curve("step", "loss <x>", {"a": [(0, 4.0), (1, 2.0)], "b": [(1, 3.0)]}), ["z", "a", "b"])
    assert "loss &lt;x&gt;" in plot and 'class="v1"' in plot and 'class="v2"' in plot
    assert '<polyline points="52.0,26.0 310.0,128.0"/>' in plot and '<polyline points="310.0,77.0"/>' in plot


def test_a_flat_curve_of_one_point_is_drawn():
    plot = curve_plot(Curve("step", "rate", {"a": [(2, 0.0)]}), ["a"])
    assert "nan" not in plot and "inf" not in plot
