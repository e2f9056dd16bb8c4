"""Times come from the stamps of the file: pauses, whole milliseconds, rates that fall."""

import numpy as np
import pytest

from slowfast.video import open_video
from slowfast.video.stream import ASSUMED_FPS, Clock, StreamedVideo, resample

BURST = np.arange(50) / 25
PAUSED = np.concatenate([BURST, 41.2 + BURST, 100 + BURST])


def read(path, fps: float) -> list:
    """The frames of a file at another rate."""
    video = StreamedVideo(path)
    return list(resample(video.frames(), fps, video.fps or ASSUMED_FPS, video.tick))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "ts", "flv"])
def test_a_pause_of_the_camera_shifts_nothing(making, tmp_path, ending):
    codec = "libvpx" if ending == "webm" else "libx264"
    images = [np.full((48, 64, 3), number, np.uint8) for number in range(len(PAUSED))]
    path = making.write(tmp_path / f"a.{ending}", images, PAUSED, codec=codec, options={"bf": "0"})
    stream = StreamedVideo(path)
    times = [frame.time for frame in stream.frames()]
    assert times == pytest.approx(PAUSED, abs=0.002)
    assert not stream.problems and not open_video(path).problems
    frames = read(path, 25)
    assert len(frames) == pytest.approx(102 * 25, abs=10)
    shown = {number: frames[number].rgb().mean() for number in (10, 60, 1030 + 10, 2500 + 10)}
    assert [round(level / 10) for level in shown.values()] == [1, 5, 6, 11]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
def test_avi_fills_pauses_with_empty_frames(making, tmp_path, codec):
    images = making.noise(len(PAUSED), 48, 64)
    path = making.write(
        tmp_path / "a.avi", images, PAUSED, codec=codec, unit=making.Fraction(1, 25), options={"bf": "0"}
    )
    stream = StreamedVideo(path)
    times = [frame.time for frame in stream.frames()]
    assert not stream.problems and times[-1] == pytest.approx(PAUSED[-1], abs=0.1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    list((stream := StreamedVideo(path)).frames())
    assert "the header claims" in stream.problems


def test_a_pause_before_the_last_frame_is_no_loss(making, tmp_path):
    """Muxers give the last frame the length of the step before it, which Matroska's header alone says."""
    source = making.write(tmp_path / "a.mp4", making.noise(51), [*BURST, 15.0], options={"bf": "0"})
    path = making.drop_packets(source, tmp_path / "b.mkv", set(), last=13.0)
    list((stream := StreamedVideo(path)).frames())
    assert stream.claimed_seconds == pytest.approx(28, abs=0.1) and stream.problems == ""
    path = making.write(tmp_path / "c.mkv", making.noise(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    list((stream := StreamedVideo(path)).frames())
    assert "header claims 4.0 s" in stream.problems


@pytest.mark.parametrize("ending", ["mkv", "webm", "mp4", "flv"])
@pytest.mark.parametrize(("rate", "fps"), [(30, 30), (30, 15), (30, 60), (60, 30), (25, 25), (24, 24)])
def test_whole_milliseconds_are_no_other_rate(making, tmp_path, ending, rate, fps):
    codec = "libvpx" if ending == "webm" else "libx264"
    images = [np.full((32, 32, 3), 3 * number, np.uint8) for number in range(60)]
    path = making.write(tmp_path / f"a.{ending}", images, codec=codec, rate=rate, options={"bf": "0"})
    numbers = [round(frame.rgb().mean() / 3) for frame in read(path, fps)]
    expected = (np.arange(60 * fps // rate) * rate // fps).tolist()
    assert np.abs(np.array(numbers[: len(expected)]) - expected).max() <= (1 if codec == "libvpx" else 0)
    assert len(numbers) == len(expected)


@pytest.mark.parametrize(
    ("claimed", "stamps", "expected"),
    [
        (50.0, [0.0, 0.1, 40.0, 40.1], [0, 0.1, 40.0, 40.1]),
        (50.0, [0.0, 0.1, 500.0, 500.1], [0, 0.1, 0.2, 0.3]),
        (19000.0, [0.0, 0.1, 9000.0, 18000.1], [0, 0.1, 9000.0, 18000.1]),
        (0.0, [0.0, 0.1, 500.0, 500.1], [0, 0.1, 500.0, 500.1]),
        (0.0, [0.0, 0.1, 95000.0, 95000.1], [0, 0.1, 0.2, 0.3]),
        (50.0, [0.0, 0.1, 40.0, 0.2, 0.3], [0, 0.1, 40.0, 40.1, 40.2]),
        (50.0, [0.0, 0.1, 40.0, None, 0.3], [0, 0.1, 40.0, 40.1, 40.2]),
    ],
)
def test_pauses_and_faults_of_the_clock(claimed, stamps, expected):
    clock = Clock(10.0, claimed)
    assert [clock.time_of(stamp) for stamp in stamps] == pytest.approx(expected)


def test_a_falling_rate_keeps_its_times(making, tmp_path):
    stamps = np.concatenate([np.arange(60) / 30, 2 + np.arange(60) / 10])
    path = making.write(tmp_path / "a.mp4", making.noise(120), stamps, options={"bf": "0"})
    assert [frame.time for frame in StreamedVideo(path).frames()] == pytest.approx(stamps, abs=0.002)
    assert len(read(path, 10)) == pytest.approx(80, abs=1)


@pytest.mark.parametrize(
    ("ending", "options"),
    [("flv", {}), ("mkv", {"live": "1"}), ("mp4", {"movflags": "frag_keyframe+empty_moov"}), ("ts", {})],
)
def test_files_without_rate_or_end(making, tmp_path, ending, options):
    """Recorders that write as they go: the header has no end, FFmpeg's rate is the unit of the timestamps."""
    source = making.write(tmp_path / "a.mkv", making.noise(60, 32, 32), rate=30, options={"bf": "0"})
    path = making.drop_packets(source, tmp_path / f"b.{ending}", set(), options)
    expected, frames = open_video(source).get_frames(range(60)), read(path, 30)
    assert StreamedVideo(path).fps < 31
    np.testing.assert_array_equal(np.stack([frame.rgb() for frame in frames]), expected)
    paused = making.write(tmp_path / "c.mkv", making.noise(150, 32, 32), PAUSED, options={"bf": "0"})
    path = making.drop_packets(paused, tmp_path / f"d.{ending}", set(), options)
    stream = StreamedVideo(path)
    assert [frame.time for frame in stream.frames()] == pytest.approx(PAUSED, abs=0.002) and not stream.problems
