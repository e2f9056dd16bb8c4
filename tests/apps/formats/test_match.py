"""Names of exports and the files that are there."""

from collections import Counter

import pytest

from slowfast.apps.formats.clip import Clip, Segment, link_clip
from slowfast.apps.formats.match import Files, name_of_url, resolve, split_times
from slowfast.utils.errors import InputError

FILES = ("walk/a.mp4", "walk/night walk 01.mp4", "wave/a.mp4", "wave/c.mp4", "x/r_000002_000004.mp4", "deep/v1.2")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("walk/a.mp4", "walk/a.mp4"),
        ("./wave/../walk/a.mp4", "walk/a.mp4"),
        ("/home/someone/data/wave/a.mp4", "wave/a.mp4"),
        ("walk\\a.mp4", "walk/a.mp4"),
        ("c.mp4", "wave/c.mp4"),
        ("c", "wave/c.mp4"),
        ("wave/c", "wave/c.mp4"),
        ("v1.2", "deep/v1.2"),
        ("/data/upload/1/bd496a50-night_walk_01.mp4", "walk/night walk 01.mp4"),
        ("night_walk_01.mp4", "walk/night walk 01.mp4"),
        ("/data/upload/1/BD496A50-night_walk_01.mp4", None),
        ("/data/upload/1/bd496a5-c.mp4", None),
        ("/data/upload/1/bd496a50-c.mp4", "wave/c.mp4"),
        ("/elsewhere/c.mp4", "wave/c.mp4"),
        ("run/c.mp4", None),
        ("run/c", None),
        ("other.mp4", None),
    ],
)
def test_find(name, found):
    assert Files(FILES).find(Clip(name)) == ([found] if found else [])


def test_a_name_that_begins_like_a_prefix():
    """A file of that very name wins over the one without eight digits in front."""
    files = Files(["a.mp4", "0123abcd-a.mp4"])
    assert files.find(Clip("0123abcd-a.mp4")) == ["0123abcd-a.mp4"]
    assert files.find(Clip("89ab0123-a.mp4")) == ["a.mp4"]


def test_subsets_tell_files_apart():
    files = Files(["train/a.mp4", "val/a.mp4"])
    assert files.find(Clip("a.mp4", subset="val")) == ["val/a.mp4"]
    assert files.find(Clip("a.mp4")) == ["train/a.mp4", "val/a.mp4"]


def test_seconds_in_a_name():
    assert split_times("r_000002_000004") == ("r", Segment(2, 4, "seconds"))
    assert split_times("r_2_4") == ("r_2_4", None)
    assert Files(FILES).find(Clip("r", (), Segment(2, 4, "seconds"))) == ["x/r_000002_000004.mp4"]
    assert Files(FILES).find(Clip("r", (), Segment(4, 6, "seconds"))) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/data/local-files/?d=clips/sub%20dir/b.mp4", "clips/sub dir/b.mp4"),
        ("https://example.org/videos/b%20c.mp4?token=1", "videos/b c.mp4"),
        ("s3://bucket/walk/b.mp4", "walk/b.mp4"),
        ("/data/upload/1/bd496a50-b.mp4", "/data/upload/1/bd496a50-b.mp4"),
        ("50% done.mp4", "50% done.mp4"),
        ("what?.mp4", "what?.mp4"),
    ],
)
def test_addresses(text, name):
    assert name_of_url(text) == name


def test_missing_ambiguous_and_left_over_clips_are_told():
    told: Counter[str] = Counter()
    clips = [Clip("c.mp4"), Clip("a.mp4"), Clip("gone.mp4"), Clip("lost.mp4"), Clip("/x/night walk 01.mp4")]
    assert [name for name, _ in resolve(clips, Files(FILES), told)] == ["wave/c.mp4", "walk/night walk 01.mp4"]
    assert told == {
        "rows whose clip is not there (gone.mp4, lost.mp4)": 2,
        "rows that fit several clips, left out (a.mp4)": 1,
        "clips found by their file name alone, in another folder (/x/night walk 01.mp4)": 1,
        "clips that have no row (x/r_000002_000004.mp4, deep/v1.2)": 2,
    }


def test_links(tmp_path):
    """Hard where the disk can, symbolic for folders of images; made once, and never over another file."""
    (tmp_path / "a.mp4").write_text("a")
    (tmp_path / "frames").mkdir()
    for _ in range(2):
        link_clip(tmp_path / "out/a.mp4", tmp_path / "a.mp4")
        link_clip(tmp_path / "out/frames", tmp_path / "frames")
    assert (tmp_path / "a.mp4").stat().st_nlink == 2 and (tmp_path / "out/frames").is_symlink()
    (tmp_path / "b.mp4").touch()
    with pytest.raises(InputError, match="is there already"):
        link_clip(tmp_path / "out/a.mp4", tmp_path / "b.mp4")
