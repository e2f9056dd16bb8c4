"""Lists as users write them: handled, or refused in one sentence with row numbers."""

import tracemalloc
import unicodedata

import numpy as np
import pytest

from slowfast.lists.records import read_list
from slowfast.lists.tables import write_table
from slowfast.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "videos"
    (folder / "Drink").mkdir(parents=True)
    for name in ("a.mp4", "-b.mp4", "c d.mp4", "e,f.mp4", "ü 走.mp4", "Drink/a.mp4", "0.mp4"):
        (folder / name).write_bytes(b"x")
    return folder


def read(folder, text, *, separator=",", num_classes=3, labelled=True, **options):
    path = folder.parent / "list.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_list(path, folder, separator=separator, num_classes=num_classes, labelled=labelled, **options)


def refusal(folder, text, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text, **options)
    message = str(caught.value)
    assert "\n" not in message and "list.csv" in message
    return message


def test_names_that_need_care(folder):
    text = "a.mp4,0\n-b.mp4,1\nc d.mp4,2\ne,f.mp4,0\nü 走.mp4,1\nDrink/a.mp4,2\n"
    records = read(folder, text)
    assert [record.name for record in records] == [
        "a.mp4", "-b.mp4", "c d.mp4", "e,f.mp4", "ü 走.mp4", "Drink/a.mp4"
    ]  # fmt: skip
    assert [record.label for record in records] == [0, 1, 2, 0, 1, 2]
    assert [record.row for record in records] == list(range(6))
    assert records[5].path == str(folder / "Drink/a.mp4") and records[0].probs is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_rows_and_byte_order_mark(folder, end):
    text = b"\xef\xbb\xbf" + f"a.mp4,0{end}{end}0.mp4, 1{end} {end}{end}".encode()
    assert [(record.name, record.label) for record in read(folder, text)] == [("a.mp4", 0), ("0.mp4", 1)]


@pytest.mark.parametrize("separator", [" ", "\t", ";"])
def test_other_separators(folder, separator):
    text = f"a.mp4{separator}1\nc d.mp4{separator}2"
    assert [record.label for record in read(folder, text, separator=separator)] == [1, 2]


def test_pseudo_labels(folder):
    records = read(folder, "a.mp4,1,0.1,0.7,0.15\ne,f.mp4,0,0.9,0.05,5e-2\n0.mp4,2\n")
    assert records[0].probs.dtype == np.float32 and records[0].probs.tolist() == pytest.approx([0.1, 0.7, 0.15])
    assert records[1].name == "e,f.mp4" and records[1].label == 0
    assert records[2].probs is None
    assert "negative or no number" in refusal(folder, "a.mp4,1,0.1,nan,0.15\n")


def test_names_in_quotes(folder):
    """A table written by the pseudo-label tools quotes names that hold a comma or a quote."""
    (folder / 'x"y.mp4').write_bytes(b"x")
    write_table(
        folder.parent / "table.csv", ["e,f.mp4", 'x"y.mp4', "a.mp4"], np.array([0, 1, 2]), np.full((3, 3), 0.25)
    )
    written = (folder.parent / "table.csv").read_text()
    assert written.startswith('"e,f.mp4",0,0.25')
    records = read(folder, written)
    assert [(record.name, record.label) for record in records] == [("e,f.mp4", 0), ('x"y.mp4', 1), ("a.mp4", 2)]
    assert [record.name for record in read(folder, '"e,f.mp4",1\n')] == ["e,f.mp4"]


def test_unlabelled_rows(folder):
    assert read(folder, "a.mp4,-1\n", labelled=False)[0].label == -1
    message = refusal(folder, "a.mp4,0\n0.mp4,-1\n")
    assert "row 2" in message and "no label (-1)" in message


@pytest.mark.parametrize("label", ["3", "-2", "99"])
def test_labels_outside_the_classes(folder, label):
    message = refusal(folder, f"a.mp4,0\n\n0.mp4,{label}\n", labelled=False)
    assert "row 3" in message and "MODEL.NUM_CLASSES 3" in message


def test_header_line(folder):
    message = refusal(folder, "name,label\na.mp4,0\n")
    assert "row 1" in message and "header" in message


def test_labels_that_are_no_numbers(folder):
    for label in ("x", "", "1.0", "１"):
        assert "row 1" in refusal(folder, f"a.mp4,{label}\n")


def test_wrong_separator_names_the_right_one(folder):
    message = refusal(folder, "a.mp4,0\n", separator=" ")
    assert "row 1" in message and "DATA.PATH_LABEL_SEPARATOR ','" in message


def test_names_without_label(folder):
    assert "row 2" in refusal(folder, "a.mp4,0\n0.mp4\n")


def test_duplicate_rows(folder):
    message = refusal(folder, "a.mp4,0\n0.mp4,1\na.mp4,0\n")
    assert "row 3 repeats 'a.mp4' of row 1" in message


@pytest.mark.parametrize("name", ["/etc/a.mp4", "../a.mp4", "Drink/../../a.mp4"])
def test_names_outside_the_folder(folder, name):
    message = refusal(folder, f"{name},0\n")
    assert "row 1" in message and "DATA.ALLOW_OUTSIDE" in message


def test_names_outside_when_allowed(folder, tmp_path):
    (tmp_path / "other.mp4").write_bytes(b"x")
    records = read(folder, f"{tmp_path}/other.mp4,0\n../other.mp4,1\n", allow_outside=True)
    assert records[0].path == str(tmp_path / "other.mp4")


def test_missing_videos_are_reported_together(folder):
    rows = "".join(f"gone{number}.mp4,0\n" for number in range(8))
    message = refusal(folder, "a.mp4,0\n" + rows + "Nowhere/a.mp4,1\n")
    assert "9 of 10 videos are missing" in message
    assert "row 2" in message and "gone0.mp4" in message and "and 4 more" in message
    assert read(folder, "gone.mp4,0\n", check_files=False)[0].name == "gone.mp4"


def test_every_wrong_row_is_named(folder):
    message = refusal(folder, "a.mp4,9\nc d.mp4\n/x.mp4,0\n")
    assert all(f"row {number}" in message for number in (1, 2, 3))


def test_lists_that_are_not_there(folder, tmp_path):
    with pytest.raises(InputError, match="prepare_lists"):
        read_list(tmp_path / "none.csv", folder, separator=",", num_classes=3, labelled=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_list(tmp_path, folder, separator=",", num_classes=3, labelled=True)
    assert "empty" in refusal(folder, "\n\r\n")
    assert "UTF-8" in refusal(folder, b"a\xff.mp4,0\n")


def test_missing_folder(tmp_path):
    assert "nowhere" in refusal(tmp_path / "nowhere", "a.mp4,0\n")


def test_zero_bytes_in_names(folder):
    assert "zero byte" in refusal(folder, "a\0.mp4,0\n")


def test_published_lists(shared):
    """The lists of the challenge are read whole: rows, classes, care for odd names."""
    counts = {
        "train_label+val_dry.csv": 2955, "val_dry.csv": 330, "arid.csv": 6207, "dark_unlabel.csv": 3088,
        "total_unlabel.csv": 9295, "test.csv": 3103, "pseudo/stage1.csv": 4484, "pseudo/stage4.csv": 9295,
    }  # fmt: skip
    for name, rows in counts.items():
        records = read_list(
            shared / "ug2" / name, "x", separator=",", num_classes=11, labelled=False, check_files=False
        )
        assert len(records) == rows and len({record.name for record in records}) == rows
        assert all((record.probs is not None) == name.startswith("pseudo") for record in records)


def test_one_video_under_two_names(folder):
    message = refusal(folder, "a.mp4,0\n0.mp4,1\n./a.mp4,2\nDrink/../a.mp4,1\n")
    assert "row 3 repeats as './a.mp4' the video 'a.mp4' of row 1" in message and "row 4 repeats" in message


def test_records_are_made_when_asked_for(folder):
    records = read(folder, "a.mp4,0\n\n0.mp4,1\n")
    assert len(records) == 2 and records[-1] == records[1] and records[1].row == 1
    assert records.names() == ["a.mp4", "0.mp4"] and records.labels_N.tolist() == [0, 1] and records.line(1) == 3
    with pytest.raises(IndexError):
        records[2]


def test_probabilities_that_are_all_zero(folder):
    assert "row 2" in refusal(folder, "a.mp4,1,0.1,0.7,0.2\n0.mp4,0,0,0.0,0\n")


def test_memory_of_a_long_list(folder):
    text = "".join(f"Drink/{number:07d}.mp4,{number % 3}\n" for number in range(60_000))
    path = folder.parent / "long.csv"
    path.write_text(text)
    tracemalloc.start()
    records = read_list(path, folder, separator=",", num_classes=3, labelled=True, check_files=False)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(records) == 60_000 and kept < 2 * len(text) and peak < 3 * len(text)


def test_names_that_are_spelt_otherwise_on_this_disk(tmp_path):
    """Lists from other systems: the other Unicode form, backslashes between folders."""
    composed, apart = (unicodedata.normalize(form, "Café ü") for form in ("NFC", "NFD"))
    (tmp_path / "deep").mkdir()
    for name in (f"{apart}.mp4", "deep/b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "l.csv").write_text(f"{composed}.mp4,0\ndeep\\b.mp4,1\nc.mp4,1\n", encoding="utf-8")
    records = read_list(tmp_path / "l.csv", tmp_path, separator=",", num_classes=2, labelled=True)
    assert records.names() == [f"{composed}.mp4", "deep\\b.mp4", "c.mp4"]
    paths = [str(tmp_path / name) for name in (f"{apart}.mp4", "deep/b.mp4", "c.mp4")]
    assert records.paths() == paths == [record.path for record in records]
    for again in ("deep/b.mp4", f"{apart}.mp4", ".\\c.mp4"):
        (tmp_path / "l.csv").write_text(f"{composed}.mp4,0\ndeep\\b.mp4,1\nc.mp4,1\n{again},1\n", encoding="utf-8")
        with pytest.raises(InputError, match="row 4 repeats as .* the video"):
            read_list(tmp_path / "l.csv", tmp_path, separator=",", num_classes=2, labelled=True)
