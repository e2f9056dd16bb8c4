"""Every sample clip is read as its README row says, every damaged file gives frames or one clear sentence."""

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.video import BACKENDS, VideoError, open_video

ROW = re.compile(r"^\| (?P<file>\S+\.\w+) \|.*?\| (?P<size>\d+x\d+)(?: and \d+x\d+)? \| [\d.-]+ \| (?P<frames>\d+) \|")
ROTATED = {"made_people_rotate90.mp4", "rotated_90_dark.mp4", "rotation_tag_90.mov", "rotation_tag_270.mov"}
# Frames that are left of damaged files; files that are not here have to be refused.
PARTIAL = {
    "byte_flips_few.mp4": 140,
    "byte_flips_many.mp4": 106,
    "first_frame_damaged.mp4": 49,
    "frame_count_lies.avi": 164,
    "jpeg_renamed.mp4": 1,
    "middle_third_zeroed.mp4": 92,
    "starts_mid_gop.ts": 90,
    "truncated_half.avi": 77,
    "truncated_half.mkv": 150,
    "truncated_half_faststart.mp4": 55,
}
SILENT = {"byte_flips_few.mp4", "jpeg_renamed.mp4"}


def rows_of(shared: Path) -> list[tuple[str, str, int]]:
    text = (shared / "videos/README.md").read_text(encoding="utf-8")
    found = [ROW.match(line) for line in text.splitlines()]
    return [(match["file"], match["size"], int(match["frames"])) for match in found if match]


def test_all_sample_clips(shared):
    rows = rows_of(shared)
    assert len(rows) == 57
    for file, size, frames in rows:
        with open_video(shared / "videos" / file) as video:
            assert len(video) == frames, file
            clip = video.get_frames([frames - 1, 0, frames // 2, 0])
        width, height = map(int, size.split("x"))
        if file == "made_size_change.ts":
            width, height = 340, 256
        expected = (width, height) if file in ROTATED else (height, width)
        assert clip.shape == (4, *expected, 3) and clip.dtype == np.uint8, file
        assert np.array_equal(clip[1], clip[3]), file
        assert not video.problems, (file, video.problems)


def test_dark_clips(shared):
    for path in sorted((shared / "videos/dark").glob("*.mp4")):
        with open_video(path) as video:
            assert video.get_frames(range(len(video))).mean() < 45, path.name


@pytest.mark.parametrize("name", sorted(PARTIAL))
def test_partial_files(shared, name):
    with open_video(shared / "videos/broken" / name) as video:
        assert len(video) == PARTIAL[name]
        assert len(video.get_frames([0, PARTIAL[name] - 1])) == 2
        assert bool(video.problems) == (name not in SILENT), video.problems


def test_refused_files_name_file_and_reason(shared):
    refused = [path for path in sorted((shared / "videos/broken").iterdir()) if path.name not in PARTIAL]
    assert len(refused) == 11
    for path in refused:
        start = time.monotonic()
        with pytest.raises(VideoError) as caught:
            open_video(path)
        assert str(path) in str(caught.value) and len(caught.value.reason) > 10, path.name
        assert "\n" not in str(caught.value)
        assert time.monotonic() - start < 20
    reasons = {path.name: reason(path) for path in refused}
    assert "Git LFS" in reasons["lfs_pointer.mp4"]
    assert "zzzz" in reasons["unknown_codec.mp4"]
    assert "no video stream" in reasons["audio_only.mp4"]
    assert "web page" in reasons["html_page_renamed.mp4"]
    assert "text file" in reasons["text_renamed.mp4"]


def reason(path: Path) -> str:
    try:
        open_video(path)
    except VideoError as error:
        return error.reason
    raise AssertionError(f"{path} was read")


def test_rotation_turns_clockwise_like_other_players(shared):
    """A tag of 90 degrees and one of 270 turn in opposite directions; 180 mirrors both axes."""
    from slowfast.video.pyav import PyAVVideo

    for name, turns in (("rotation_tag_90.mov", 3), ("rotation_tag_180.mov", 2), ("rotation_tag_270.mov", 1)):
        video = PyAVVideo(shared / "videos" / name)
        stored = [frame.to_ndarray(format="rgb24") for frame in video._frames()]
        assert np.array_equal(video.get_frames([2])[0], np.rot90(stored[2], turns)), name


def test_frames_are_the_same_held_or_decoded_again(shared):
    from slowfast.video.pyav import PyAVVideo

    path = shared / "videos/eyemakeup_mpeg4_audio.avi"
    wanted = [0, 163, 5, 5, 80]
    assert np.array_equal(PyAVVideo(path).get_frames(wanted), PyAVVideo(path, hold_bytes=1 << 20).get_frames(wanted))


def test_indices_outside_are_refused(shared):
    video = open_video(shared / "videos/made_two_frames.mp4")
    for wanted in ([2], [-1]):
        with pytest.raises(IndexError, match="made_two_frames"):
            video.get_frames(wanted)
    assert video.get_frames([]).shape == (0, 256, 340, 3)


def test_decoding_time_is_bounded(shared):
    from slowfast.video.pyav import PyAVVideo

    with pytest.raises(VideoError, match="longer than 0 s"):
        len(PyAVVideo(shared / "videos/long_139s_10fps.mp4", timeout=0.0))


def test_error_survives_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(VideoError("a.mp4", "broken")))
    assert str(error) == "a.mp4: broken" and error.reason == "broken"


def test_tags_in_another_encoding_do_not_matter(tmp_path):
    import av

    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Zürich"
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    whole = path.read_bytes()
    assert whole.count("ü".encode()) == 1
    path.write_bytes(whole.replace("ü".encode(), b"\xfc!"))
    for backend in BACKENDS[:2]:
        with open_video(path, backend) as video:
            assert video.get_frames([0]).shape == (1, 32, 32, 3)


def test_frames_that_cannot_be_converted_are_a_fault_of_the_file(shared, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such pixel format")

    video = open_video(shared / "videos/made_two_frames.mp4")
    monkeypatch.setattr(video.picture, "_reformatter", SimpleNamespace(reformat=refuse))
    with pytest.raises(VideoError, match="made_two_frames.*converted.*no such pixel format"):
        video.get_frames([1])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux")
def test_reading_starts_no_threads(shared, repo):
    script = """
import os, sys
from slowfast.video import open_video
before = len(os.listdir("/proc/self/task"))
video = open_video(sys.argv[1])
video.get_frames([0, 5, 20])
print(len(os.listdir("/proc/self/task")) - before)
"""
    command = [sys.executable, "-c", script, str(shared / "videos/armwrestle_340x256.mp4")]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "0", done.stderr
