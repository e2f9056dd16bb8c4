"""Digests follow the content, not the path, the time or the place."""

import os
import shutil

import pytest

from slowfast.parents import ClipDigests, Input, input_of_clips, input_of_file, input_of_rows
from slowfast.parents import content as room


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, size in (("a.mp4", 10), ("b.mp4", 3_000_000), ("c.mp4", 0)):
        (folder / name).write_bytes(os.urandom(size))
    return folder


def digests(tmp_path, folder, names=("a.mp4", "b.mp4", "c.mp4")):
    return ClipDigests(tmp_path / "store").of([str(folder / name) for name in names])


def test_copies_and_touched_files_are_the_same(clips, tmp_path):
    before = digests(tmp_path, clips)
    assert len(set(before)) == 3
    shutil.copytree(clips, tmp_path / "moved")
    assert digests(tmp_path, tmp_path / "moved") == before
    os.utime(clips / "a.mp4", (1, 1))
    assert digests(tmp_path, clips) == before


@pytest.mark.parametrize("place", [0, 1_500_000, 2_999_999])
def test_another_content_is_another_digest(place, clips, tmp_path):
    before = digests(tmp_path, clips)
    with open(clips / "b.mp4", "r+b") as handle:
        handle.seek(place)
        byte = handle.read(1)
        handle.seek(place)
        handle.write(bytes([byte[0] ^ 1]))
    after = digests(tmp_path, clips)
    assert [old == new for old, new in zip(before, after)] == [True, False, True]


def test_a_clip_is_read_once(clips, tmp_path, monkeypatch):
    before = digests(tmp_path, clips)
    monkeypatch.setattr(room, "clip_digest", lambda *_: pytest.fail("read again"))
    assert digests(tmp_path, clips) == before


def test_a_clip_that_is_gone_is_missing(clips, tmp_path):
    assert digests(tmp_path, clips, ["a.mp4", "none.mp4"])[1] == "missing"


@pytest.mark.parametrize("text", ["", "[]", '{"a.mp4": 3, "b.mp4": [1]}', "{" * 50_000])
def test_a_damaged_store_is_done_without(text, clips, tmp_path):
    before = digests(tmp_path, clips)
    for store in (tmp_path / "store").iterdir():
        store.write_text(text)
    assert digests(tmp_path, clips) == before


def test_a_store_that_cannot_be_written_is_done_without(clips, tmp_path):
    (tmp_path / "store").write_text("a file, no folder")
    assert len(digests(tmp_path, clips)) == 3


def test_rows_are_told_apart():
    rows = [b"a 1", b"b 2", b"c 3"]
    first = input_of_rows(rows)
    assert first.rows == 3 and first == input_of_rows(iter(rows))
    assert first.first_difference(input_of_rows([b"a 1", b"b 3", b"c 3"])) == 2
    assert first.first_difference(input_of_rows(rows[:2])) == 3
    assert first.first_difference(Input(first.digest)) is None
    assert input_of_rows([b"ab", b"c"]).digest != input_of_rows([b"a", b"bc"]).digest
    assert input_of_clips(["1", "2"]).digest != input_of_clips(["2", "1"]).digest


def test_files(tmp_path):
    (tmp_path / "x").write_text("x")
    assert len(input_of_file(tmp_path / "x", round=2).digest) == 64
    assert input_of_file(tmp_path / "none").digest == "missing"


@pytest.mark.parametrize("plain", [None, 3, [], {}, {"digest": 4, "rows": "x", "marks": 2}])
def test_what_was_not_recorded_is_unknown(plain):
    assert Input.from_plain(plain) == Input("unknown")


def test_plain_types_and_back():
    item = input_of_rows([b"a"], round=3)
    assert Input.from_plain(item.as_plain()) == item


def test_a_folder_of_images_is_its_files(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "1.jpg").write_text("a")
    first = room.clip_digest(str(folder), 0)
    (folder / "2.jpg").write_text("a")
    second = room.clip_digest(str(folder), 0)
    (folder / "2.jpg").write_text("b")
    assert len({first, second, room.clip_digest(str(folder), 0)}) == 3
