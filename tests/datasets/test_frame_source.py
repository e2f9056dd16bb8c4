import os
from pathlib import Path

import numpy as np
import pytest

from slowfast.datasets.frame_source import FrameSource, _load_stored
from slowfast.video import VideoError


def every_third(length: int) -> np.ndarray:
    return np.arange(0, length, 3)


def test_stored_clips_give_the_same_frames(clips, tmp_path):
    path = str(clips / "clip 2.mp4")
    expected, problems = FrameSource().read(path, every_third)
    assert expected.shape == (4, 48, 64, 3) and problems == ""
    source = FrameSource(cache_dir=tmp_path)
    for _ in range(2):
        assert np.array_equal(source.read(path, every_third)[0], expected)
    assert len(list(tmp_path.glob("*.npy"))) == 1


def test_a_changed_file_is_decoded_again(tmp_path, make_clip):
    path = tmp_path / "a.mp4"
    make_clip(path, 20)
    source = FrameSource(cache_dir=tmp_path / "store")
    assert len(source.read(str(path), lambda length: np.arange(length))[0]) == 12
    make_clip(path, 20, frames=5)
    assert len(source.read(str(path), lambda length: np.arange(length))[0]) == 5


def test_a_damaged_store_is_passed_over(clips, tmp_path):
    source = FrameSource(cache_dir=tmp_path)
    path = str(clips / "clip 1.mp4")
    expected = source.read(path, every_third)[0]
    (stored,) = tmp_path.glob("*.npy")
    whole = stored.read_bytes()
    damaged = [b"", b"\x93NUMPY broken", whole[:-1], whole + b"\0", whole.replace(b"|u1", b"|i1")]
    damaged += [whole.replace(b"(12, 48", b"(12, 46"), whole.replace(b"(12, 48, 64, 3)", b"(12, 48, 192,) ")]
    damaged += [
        whole.replace(b"'shape'", b"'shap\x00'"),
        whole.replace(b"{", b"(", 1),
        whole.replace(b"v\0", b"v\1", 1),
    ]
    for content in damaged:
        stored.write_bytes(content)
        assert _load_stored(stored) is None
        assert np.array_equal(source.read(path, every_third)[0], expected)
        assert stored.read_bytes() == whole, "stored again"


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2)])
def test_a_clip_that_leaves_the_store_is_decoded(clips, tmp_path, harm):
    source = FrameSource(cache_dir=tmp_path)
    path = str(clips / "clip 1.mp4")
    expected = source.read(path, every_third)[0]
    (stored,) = tmp_path.glob("*.npy")
    whole, asked = stored.read_bytes(), []

    def choose(length: int) -> np.ndarray:
        harm(stored)
        asked.append(length)
        return every_third(length)

    assert np.array_equal(source.read(path, choose)[0], expected) and len(asked) == 1, "a choice may be random"
    assert stored.read_bytes() == whole


def test_frames_that_are_not_there(clips, tmp_path):
    FrameSource(cache_dir=tmp_path).read(str(clips / "clip 1.mp4"), every_third)
    clip = _load_stored(next(tmp_path.glob("*.npy")))
    for index in (-1, len(clip)):
        with pytest.raises(IndexError, match=f"no frame {index} of {len(clip)}"):
            clip.frames(np.array([0, index]))


def test_a_store_that_cannot_be_written_ends_storing_only(clips, tmp_path):
    (tmp_path / "file").write_text("")
    source = FrameSource(cache_dir=tmp_path / "file" / "store")
    assert len(source.read(str(clips / "clip 0.mp4"), every_third)[0]) == 4
    assert source.cache_dir is None


def test_unreadable_files(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(VideoError):
        FrameSource(cache_dir=tmp_path / "store").read(str(tmp_path / "a.mp4"), every_third)


def test_a_clip_that_is_read_in_part_is_not_stored(shared, tmp_path):
    source = FrameSource(cache_dir=tmp_path)
    for _ in range(2):
        frames, problems = source.read(str(shared / "videos/broken/truncated_half.avi"), every_third)
        assert len(frames) == 26 and "164 frames" in problems
    assert not list(tmp_path.iterdir())
