"""Frames found by seeking are those found by decoding from the start, in every kind of file."""

import time

import av
import numpy as np
import pytest

from slowfast.video import VideoError
from slowfast.video.pyav import PyAVVideo

SAMPLES = (
    "armwrestle_340x256.mp4", "av1_640x360.mkv", "edit_list_discard_first.mp4", "eyemakeup_mpeg4_audio.avi",
    "four_frames.gif", "frames_out_of_order.mov", "hevc_10bit_bt2020.mp4", "hevc_128x128.mp4", "lowfps_6.mp4",
    "made_flv1.flv", "made_fragmented.mp4", "made_interlaced_mpeg2.mpg", "made_mjpeg.avi", "made_mpegts.ts",
    "made_one_frame.mp4", "made_people_rotate90.mp4", "made_raw_annexb.h264", "made_single_keyframe.mp4",
    "made_size_change.ts", "made_theora.ogv", "made_vfr.mp4", "made_wmv2.wmv", "multi_stream.mp4",
    "odd_321x241_vp9.mp4", "pancake_h264_audio.mkv", "start_time_8s.mp4", "vp8_720p.webm", "dark/Walk_1_1.mp4",
    "broken/starts_mid_gop.ts",
    "broken/truncated_half.avi", "broken/truncated_half_faststart.mp4", "broken/first_frame_damaged.mp4",
)  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_same_frames(shared, name):
    with (
        PyAVVideo(shared / "videos" / name, hold_bytes=1 << 33) as held,
        PyAVVideo(shared / "videos" / name, hold_bytes=0) as video,
    ):
        length = len(held)
        assert len(video) == length
        wanted = np.random.default_rng(0).integers(0, length, 5)
        assert np.array_equal(video.get_frames(wanted), held.get_frames(wanted))
        assert video.problems == held.problems


def write_gops(path, options, count=60):
    """Write a clip of frames with one level each, whose group of pictures is set by options."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": options})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    "options", ["keyint=8:bframes=3:open-gop=1", "keyint=10:intra-refresh=1", "keyint=6:bframes=0"]
)
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "ts"])
def test_open_groups_and_refreshed_ones(tmp_path, options, ending):
    path = tmp_path / f"clip.{ending}"
    write_gops(path, options)
    video = PyAVVideo(path, hold_bytes=0)
    for wanted in ([59], [0, 9, 41], [20, 21, 50]):
        levels = video.get_frames(wanted).mean(axis=(1, 2, 3))
        assert np.abs(levels - 4 * np.array(wanted)).max() < 3


def test_seeking_is_used_and_a_wrong_seek_is_mended(tmp_path, monkeypatch):
    path = tmp_path / "clip.mp4"
    write_gops(path, "keyint=10")
    video = PyAVVideo(path, hold_bytes=0)
    expected = PyAVVideo(path).get_frames([5, 33, 58])
    monkeypatch.setattr(
        video, "_scan", lambda needed: iter(()) if not needed else pytest.fail("decoded from the start")
    )
    len(video)
    assert np.array_equal(video.get_frames([5, 33, 58]), expected)
    monkeypatch.undo()
    video._index.stamps[50] += 1_000_000
    assert np.array_equal(video.get_frames([5, 33, 58]), expected), "a seek behind the end"
    video._index.places[video._index.stamps[33]] = 34
    assert np.array_equal(video.get_frames([5, 33, 58]), expected), "a frame is passed over"


def test_the_end_of_a_long_video_costs_less_than_all_of_it(shared):
    video = PyAVVideo(shared / "videos/long_139s_10fps.mp4", hold_bytes=0)
    start = time.process_time()
    length = len(video)
    counting = time.process_time() - start
    start = time.process_time()
    video.get_frames([length - 5, length - 1])
    assert time.process_time() - start < 0.3 * counting


def test_a_file_that_is_cut_while_it_is_open(tmp_path):
    path = tmp_path / "clip.ts"
    write_gops(path, "keyint=10")
    video = PyAVVideo(path, hold_bytes=0)
    length = len(video)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match="changed"):
        video.get_frames([0, length - 1])


@pytest.mark.parametrize("name", ["byte_flips_few.mp4", "byte_flips_many.mp4"])
def test_damaged_pictures_are_decoded_from_the_start(shared, name):
    """What FFmpeg paints over damage is its own affair, so that a seek would not give what decoding gave before."""
    video = PyAVVideo(shared / "videos/broken" / name, hold_bytes=0)
    length = len(video)
    assert video._index is None
    assert video.get_frames([0, length - 1]).shape == (2, 256, 340, 3)
