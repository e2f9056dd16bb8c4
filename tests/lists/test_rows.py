"""One row means the same to training, selection, vote and all tools."""

import argparse

import pytest

from slowfast.lists.records import read_list
from slowfast.lists.rows import add_separator_argument, find_separator, parse_labels, parse_row, quoted
from slowfast.lists.tables import read_names
from slowfast.utils.errors import InputError


@pytest.mark.parametrize(
    ("row", "separator", "name", "label"),
    [
        ("a b.mp4 3", " ", "a b.mp4", 3), ("a b.mp4,3", ",", "a b.mp4", 3),
        ("kick, hard.mp4 3", " ", "kick, hard.mp4", 3),
        ("a,1,b.mp4,-1", ",", "a,1,b.mp4", -1), ("clip 1 3", " ", "clip 1", 3),
        ("cam 2020 11 05 3", " ", "cam 2020 11 05", 3),
        ("a;b.mp4;2", ";", "a;b.mp4", 2), ("a.mp4\t4", "\t", "a.mp4", 4), ("x 1 2 3 4", " ", "x 1 2 3", 4),
        ('"x, 1, 2",5', ",", "x, 1, 2", 5), ("./a.mp4,1", ",", "./a.mp4", 1),
    ],
)  # fmt: skip
def test_training_and_tools_read_one_row_alike(row, separator, name, label, tmp_path):
    path = tmp_path / "l.csv"
    path.write_text(f"{row}\n")
    (record,) = read_list(path, "x", separator=separator, num_classes=11, labelled=False, check_files=False)
    assert (record.name, record.label) == (name, label)
    for known in (separator, None):
        names, labels = read_names(path, known)
        assert (names, labels.tolist()) == ([name], [label])


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
def test_probabilities_with_and_without_the_number_of_classes(separator):
    row = separator.join(["a b.mp4", "1", "0.25", "0.75"])
    assert parse_row(row, separator) == parse_row(row, separator, 2) == ("a b.mp4", 1, [0.25, 0.75])
    assert parse_row(separator.join(["clip", "5", "1", "0.2", "0.8"]), separator)[:2] == (f"clip{separator}5", 1)


def test_the_separator_is_found_from_many_rows(tmp_path):
    (tmp_path / "l.csv").write_text("odd, one 3\n" + "a b.mp4 1\n" * 3)
    assert find_separator(tmp_path / "l.csv") == " "
    (tmp_path / "m.csv").write_text("a b.mp4\nc d.mp4\n")
    assert read_names(tmp_path / "m.csv")[0] == ["a b.mp4", "c d.mp4"], "names only"


def test_labels_that_no_number_can_hold():
    with pytest.raises(ValueError, match="whole number"):
        parse_row("a.mp4,99999999999999999999", ",")


def test_words_for_separators():
    parser = argparse.ArgumentParser()
    add_separator_argument(parser)
    given = [parser.parse_args(["--separator", word]).separator for word in ("tab", "\\t", "space", ";", " ")]
    assert given == ["\t", "\t", " ", ";", " "] and parser.parse_args([]).separator is None


@pytest.mark.parametrize("name", ["a", " a", "a,b", 'a"b', '"a"', " ", "ü\u2028x"])
def test_quoted_names_come_back(name):
    assert parse_row(f"{quoted(name)},1,0.5,0.5", ",")[0] == name


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
def test_several_labels_of_a_row(separator, tmp_path):
    assert parse_labels(f"a b.mp4{separator}3|7", separator) == ("a b.mp4", (3, 7), None)
    assert parse_labels(f"a b.mp4{separator}3", separator, 9) == ("a b.mp4", (3,), None)
    assert parse_labels(f"a b.mp4{separator}none", separator) == ("a b.mp4", (), None)
    for wrong in ("3|", "|3", "3|x", "3||7", "None"):
        with pytest.raises(ValueError, match="whole number"):
            parse_labels(f"a.mp4{separator}{wrong}", separator)
    for several in ("3|7", "none"):
        with pytest.raises(ValueError, match="one label is needed here.*MODEL.LOSS_FUNC bce"):
            parse_row(f"a.mp4{separator}{several}", separator)
    (tmp_path / "l.csv").write_text(f"a.mp4{separator}3|7\nb.mp4{separator}none\n")
    assert find_separator(tmp_path / "l.csv") == separator
    with pytest.raises(InputError, match=r"l.csv, line 1: has the labels 3\|7"):
        read_names(tmp_path / "l.csv")
    names, first = read_names(tmp_path / "l.csv", several=True)
    assert (names, first.tolist()) == (["a.mp4", "b.mp4"], [3, -1]), "what looks at clips only"


def test_records_of_several_labels(tmp_path):
    (tmp_path / "l.csv").write_text("a.mp4,2|0\nb.mp4,none\nc.mp4,-1\nd.mp4,1\n")
    how = {"separator": ",", "num_classes": 3, "check_files": False, "several": True}
    records = read_list(tmp_path / "l.csv", "x", labelled=False, **how)
    assert [record.label for record in records] == [2, -1, -1, 1]
    shown = [None if record.probs is None else record.probs.tolist() for record in records]
    assert shown == [[1, 0, 1], [0, 0, 0], None, [0, 1, 0]]
    with pytest.raises(InputError, match="row 3 .* has no label") as error:
        read_list(tmp_path / "l.csv", "x", labelled=True, **how)
    assert "row 2" not in str(error.value), "none of the classes is a label"
