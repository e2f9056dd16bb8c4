"""One pass over a video: the frames of the reader, times that never go back, resampling."""

import numpy as np
import pytest

from slowfast.video import VideoError, open_video
from slowfast.video.stream import Clock, StreamedFrame, StreamedVideo, resample

FILES = [
    "eyemakeup_mpeg4_audio.avi", "made_people_rotate90.mp4", "made_vfr.mp4", "made_size_change.ts",
    "made_raw_annexb.h264", "people_23_frames.gif", "edit_list_discard_first.mp4", "broken/truncated_half.avi",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_frames_are_those_of_the_reader(name, shared):
    stream, video = StreamedVideo(shared / "videos" / name), open_video(shared / "videos" / name)
    frames = list(stream.frames())
    assert len(frames) == len(video)
    assert stream.fps == video.fps
    times = [frame.time for frame in frames]
    assert times[0] == 0 and times == sorted(times)
    assert times[-1] == pytest.approx((len(frames) - 1) / video.fps, rel=0.05)
    chosen = [0, 1, len(frames) // 2, len(frames) - 1]
    np.testing.assert_array_equal(np.stack([frames[index].rgb() for index in chosen]), video.get_frames(chosen))


def test_problems_are_known_after_the_pass(shared):
    stream = StreamedVideo(shared / "videos/broken/byte_flips_many.mp4")
    count = sum(1 for _ in stream.frames())
    assert count and str(count) in stream.problems


@pytest.mark.parametrize("name", ["empty.mp4", "audio_only.mp4", "text_renamed.mp4", "no_such_file.mp4"])
def test_what_is_no_video_is_refused(name, shared):
    with pytest.raises(VideoError, match=name):
        list(StreamedVideo(shared / "videos/broken" / name).frames())


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([3.0, 3.1, 3.25, 3.3], [0, 0.1, 0.25, 0.3]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([0.0, 0.2, 0.1, 0.3, 0.5], [0, 0.2, 0.2, 0.3, 0.4]),
        ([0.0, None, 0.2], [0, 0.1, 0.2]),
    ],
)
def test_clock(stamps, expected):
    clock = Clock(10.0)
    assert [clock.time_of(stamp) for stamp in stamps] == pytest.approx(expected)


def numbered(times):
    """Frames that give their number."""
    return (StreamedFrame(time, lambda number=number: number) for number, time in enumerate(times))


@pytest.mark.parametrize(
    ("times", "fps", "source", "expected"),
    [
        (np.arange(9) / 30, 15, 30, [0, 2, 4, 6, 8]),
        (np.arange(4) / 10, 20, 10, [0, 0, 1, 1, 2, 2, 3, 3]),
        (np.arange(6) / 30, 30, 30, [0, 1, 2, 3, 4, 5]),
        (np.arange(10) / 28, 14, 28, [0, 2, 4, 6, 8]),
        ([0, 0.1, 0.4, 0.5], 10, 10, [0, 1, 1, 1, 2, 3]),
        ([0.0], 5, 25, [0]),
        ([], 5, 25, []),
    ],
)
def test_resampling_shows_what_is_on_show(times, fps, source, expected):
    frames = list(resample(numbered(times), fps, source))
    assert [frame.rgb() for frame in frames] == expected
    assert [frame.time for frame in frames] == pytest.approx(np.arange(len(expected)) / fps)


def test_repeated_frames_share_their_conversion():
    first, second, *_ = resample(numbered([0, 0.1]), 20, 10)
    assert first.rgb is second.rgb
