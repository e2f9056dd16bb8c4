import numpy as np
import pytest

from slowfast.video import open_video
from slowfast.video.writer import write_h264


def test_frames_come_back(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (9, 6, 8, 3), dtype=np.uint8)
    frames_THWC = np.repeat(np.repeat(coarse, 8, 1), 8, 2)
    write_h264(tmp_path / "deep/a.mp4", iter(frames_THWC), fps=29.97, crf=1)
    with open_video(tmp_path / "deep/a.mp4") as video:
        assert len(video) == 9 and video.fps == pytest.approx(29.97, abs=0.01)
        difference = np.abs(video.get_frames(range(9)).astype(int) - frames_THWC)
    assert difference.mean() < 12, "the colour is stored at half the resolution"


def test_odd_sides_get_one_more_line(tmp_path):
    write_h264(tmp_path / "a.mp4", np.full((2, 33, 35, 3), 90, np.uint8), fps=5, crf=10)
    with open_video(tmp_path / "a.mp4") as video:
        assert video.get_frames([1]).shape == (1, 34, 36, 3)


def test_no_frames_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write_h264(tmp_path / "a.mp4", [], fps=5, crf=10)
    assert not list(tmp_path.iterdir())


def test_equal_frames_give_equal_bytes_wherever_they_lie(tmp_path):
    rng, written = np.random.default_rng(0), set()
    coarse = rng.integers(0, 256, (24, 8, 10, 3), dtype=np.uint8)
    frames_THWC = np.repeat(np.repeat(coarse, 8, 1), 8, 2) // 4
    for shift in range(6):
        memory = np.empty(frames_THWC.size + 64 * shift + 1, np.uint8)
        moved_THWC = memory[64 * shift + shift % 2 :][: frames_THWC.size].reshape(frames_THWC.shape)
        moved_THWC[:] = frames_THWC
        write_h264(tmp_path / "a.mp4", moved_THWC, fps=10, crf=23, preset="medium")
        written.add((tmp_path / "a.mp4").read_bytes())
    assert len(written) == 1
