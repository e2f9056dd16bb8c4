"""Small clips that every browser plays."""

import av
import numpy as np
import pytest

from slowfast.apps.films import write_film
from slowfast.transforms.gamma import gamma_table
from slowfast.video import VideoError
from slowfast.video.writer import write_h264


def read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = (stream.codec_context.name, stream.codec_context.pix_fmt, float(stream.average_rate))
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return facts, np.stack(frames), len(container.streams)


def boxes(path) -> list[bytes]:
    """Return the kinds of an MP4's outermost boxes in order."""
    data, kinds, place = path.read_bytes(), [], 0
    while place < len(data):
        kinds.append(data[place + 4 : place + 8])
        place += int.from_bytes(data[place : place + 4], "big")
    return kinds


@pytest.fixture
def dark(tmp_path):
    """A dark clip with odd sides: a field that stays, 40 frames at 20 per second."""
    frames_THWC = np.full((40, 45, 91, 3), 12, np.uint8)
    write_h264(tmp_path / "dark.mp4", frames_THWC, fps=20, crf=1)
    return tmp_path / "dark.mp4"


def test_a_film_is_h264_with_its_index_first_and_no_sound(dark, tmp_path):
    write_film(dark, tmp_path / "film.mp4", 0.25)
    facts, frames_THWC, streams = read(tmp_path / "film.mp4")
    assert facts == ("h264", "yuv420p", 12.0) and frames_THWC.shape == (24, 120, 320, 3) and streams == 1
    kinds = boxes(tmp_path / "film.mp4")
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_the_left_half_is_as_recorded_the_right_one_after_gamma(dark, tmp_path):
    write_film(dark, tmp_path / "film.mp4", 0.25, frames=5, size=(80, 60))
    frame_HWC = read(tmp_path / "film.mp4")[1][2].astype(int)
    assert frame_HWC.shape == (60, 160, 3)
    assert abs(frame_HWC[30, 40] - 12).max() <= 4
    assert abs(frame_HWC[30, 120] - int(gamma_table(0.25)[12])).max() <= 6
    assert frame_HWC[2, 40].max() <= 4  # the field is wider than high: black above and below


def test_a_damaged_clip_is_named(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"\0" * 500)
    with pytest.raises(VideoError, match="bad.mp4"):
        write_film(tmp_path / "bad.mp4", tmp_path / "film.mp4", 0.25)
    assert not (tmp_path / "film.mp4").exists()
