"""Lists of mmaction2 and rawframes (format: mmaction2 1.2.0): refused where mmaction2 would be wrong in silence."""

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options, Segment
from slowfast.apps.formats.mmaction2 import write_rawframes, write_videos
from slowfast.utils.errors import InputError


def test_videos(put, read):
    """No header, numbers from 0, a missing label is -1; empty lines are passed over."""
    export = read("mmaction2", put("train.txt", "some/path/a.mp4 0\nb.mp4 2\n\nc.mp4\nd.mp4 -1\n"))
    assert export.clips == [Clip("some/path/a.mp4", (0,)), Clip("b.mp4", (2,)), Clip("c.mp4"), Clip("d.mp4")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a.mp4  0", "two delimiters"),
        ("a.mp4\t0", "--delimiter tab"),
        ("night walk.mp4 0", "--delimiter for names with blanks"),
        ("folder 12 0", "--from rawframes"),
        ("a.mp4 walk", "whole numbers"),
    ],
)
def test_rows_that_mmaction2_takes_wrongly(put, read, row, told):
    with pytest.raises(InputError, match=r"row 2 .*" + told):
        read("mmaction2", put("train.txt", f"x.mp4 1\n{row}\n"))


def test_delimiter_and_several_labels_are_said(put, read):
    assert read("mmaction2", put("a.txt", "a b.mp4,3\n"), delimiter=",").clips == [Clip("a b.mp4", (3,))]
    assert read("mmaction2", put("t.txt", "a.mp4\t3\n"), delimiter="\t").clips == [Clip("a.mp4", (3,))]
    assert read("mmaction2", put("m.txt", "a.mp4 0 2\n"), multi_class=True).clips == [Clip("a.mp4", (0, 2))]


def test_rawframes(put, read):
    """Any white space; total_frames is a count; -1 or nothing is no label."""
    export = read("rawframes", put("train.txt", "walk/a  12\t3\nb 5\n"))
    assert export.clips == [Clip("walk/a", (3,)), Clip("b")]


def test_offset_is_frames_skipped(put, read):
    """The first file of `folder 10 5 1` is number 11, in our count from 0 frame 10."""
    path = put("train.txt", "a 10 5 1\n")
    with pytest.raises(InputError, match="--with-offset .* or --multi-class"):
        read("rawframes", path)
    assert read("rawframes", path, with_offset=True).clips == [Clip("a", (1,), Segment(10, 14, "frames"))]
    assert read("rawframes", path, multi_class=True).clips == [Clip("a", (5, 1))]


def test_a_list_of_videos_is_not_taken_for_frames(put, read):
    with pytest.raises(InputError, match="--from mmaction2"):
        read("rawframes", put("train.txt", "a.mp4 0\n"))
    with pytest.raises(InputError, match="at least one frame"):
        read("rawframes", put("train.txt", "a 0 0\n"))


def test_counts_are_compared_with_the_folder(put, read, tmp_path):
    for number in range(1, 6):
        put(f"frames/a/img_{number:05d}.jpg", "")
    options = {"videos": tmp_path / "frames"}
    assert read("rawframes", put("w.txt", "a 5 1\n"), **options).clips == [Clip("a", (1,))]
    assert read("rawframes", put("p.txt", "a 3 1\n"), **options).clips == [Clip("a", (1,), Segment(0, 2, "frames"))]
    assert read("rawframes", put("o.txt", "a 0 5 1\n"), with_offset=True, **options).clips == [Clip("a", (1,))]


def test_round_trip_of_videos(read, tmp_path):
    clips = [
        Clip("a.mp4", ("Walk",), None, "train"),
        Clip("b.mp4", (), None, "train"),
        Clip("c.mp4", ("Wave",), None, "val"),
    ]
    scored = [*clips, Clip("d.mp4", ("Wave",), None, "val", 0.5)]
    several = [
        *scored,
        Clip("e.mp4", ("Walk", "Wave"), None, "val"),
        Clip("a.mp4", ("Walk",), Segment(0, 1, "seconds")),
    ]
    lost = write_videos(tmp_path / "out", Export(several, ("Walk", "Wave")), Options())
    assert {text: count for text, count in lost.items() if count} == {
        "scores of labels": 1,
        "clips with several labels, left out (--multi-class holds them)": 1,
        "segments (the list holds whole clips), left out": 1,
    }
    assert (tmp_path / "out/label_map.txt").read_text() == "Walk\nWave\n"
    back = read("mmaction2", tmp_path / "out", classes=("Walk", "Wave"))
    assert back.clips == [
        Clip("a.mp4", (0,), None, "train"),
        Clip("b.mp4", (), None, "train"),
        Clip("c.mp4", (1,), None, "val"),
        Clip("d.mp4", (1,), None, "val"),
    ]
    with pytest.raises(InputError, match="--delimiter"):
        write_videos(tmp_path / "o", Export([Clip("a b.mp4", ("Walk",))], ("Walk",)), Options())


def test_round_trip_of_frames(put, read, tmp_path):
    for number in range(1, 6):
        put(f"frames/a/img_{number:05d}.jpg", "")
    options = Options(videos=tmp_path / "frames", with_offset=True)
    clips = [Clip("a", ("Walk",)), Clip("a", ("Wave",), Segment(1, 3, "frames")), Clip("b.mp4", ("Walk",))]
    lost = write_rawframes(tmp_path / "out", Export(clips, ("Walk", "Wave")), options)
    assert (tmp_path / "out/list.txt").read_text() == "a 0 5 0\na 1 3 1\n"
    assert sum(lost.values()) == 1
    back = read("rawframes", tmp_path / "out", videos=tmp_path / "frames", with_offset=True)
    assert back.clips == [Clip("a", (0,)), Clip("a", (1,), Segment(1, 3, "frames"))]
    with pytest.raises(InputError, match="--videos"):
        write_rawframes(tmp_path / "out", Export(clips, ("Walk", "Wave")), Options())
