"""Sources that are no files: what comes from them, and what is said when nothing does."""

import io
import os
import socket
import threading
import time

import numpy as np
import pytest
from PIL import Image

from slowfast.utils.errors import InputError
from slowfast.video import VideoError
from slowfast.video.live import open_source
from slowfast.video.writer import write_h264

from . import network
from .making import noise, write
from .sources import serving


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two seconds as MPEG-TS, and as MP4 with its index first."""
    folder = tmp_path_factory.mktemp("sources")
    first = write(folder / "a.ts", noise(50))
    write_h264(folder / "a.mp4", noise(50), fps=25, crf=23, faststart=True)
    return first, folder / "a.mp4"


@pytest.mark.parametrize("kind", [0, 1])
def test_an_address_gives_the_frames_of_its_file(clips, kind):
    data = clips[kind].read_bytes()
    with serving(data, length=len(data)) as address:
        times, images = zip(*((frame.time, frame.rgb()) for frame in open_source(address).frames()))
    expected = list(open_source(str(clips[kind])).frames())
    np.testing.assert_allclose(times, [frame.time for frame in expected])
    assert len(images) == 50 and all(np.array_equal(image, frame.rgb()) for image, frame in zip(images, expected))


def test_a_camera_that_sends_picture_after_picture_has_the_clock_of_arrival():
    parts = []
    for level in range(40):
        image = io.BytesIO()
        Image.fromarray(np.full((48, 64, 3), 6 * level, np.uint8)).save(image, "JPEG")
        data = image.getvalue()
        parts.append(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data))
    with serving(b"".join(parts), seconds=3.0, kind="multipart/x-mixed-replace; boundary=frame") as address:
        video = open_source(address)
        times = [frame.time for frame in video.frames()]
    assert video.live and len(times) == 40 and times == sorted(times)
    assert 2.0 < times[-1] < 4.5  # at the 25 a second that FFmpeg supposes it would be 1.6


def test_what_has_no_duration_is_live(clips):
    with serving(clips[0].read_bytes()) as address:
        assert open_source(address).live
    assert not open_source(str(clips[0])).live


def test_a_source_that_breaks_off_says_so(clips):
    data = clips[0].read_bytes()
    with serving(data[: len(data) // 2], length=len(data)) as address:
        video = open_source(address, patience=1.0)
        assert 5 < len(list(video.frames())) < 45
    assert video.broken or video.problems


def test_sources_that_never_begin_are_one_sentence(clips):
    with serving(b"", silent=True) as address:
        since = time.monotonic()
        with pytest.raises(VideoError, match="no data came in time"):
            open_source(address, patience=0.5)
        assert time.monotonic() - since < 5
    with serving(b"") as address, pytest.raises(VideoError, match="404"):
        open_source(address.replace("clip", "none"))
    with serving(b"no video at all" * 100) as address, pytest.raises(VideoError, match="no video comes from there"):
        open_source(address)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(VideoError, match="refused") as caught:
            open_source(f"http://me:secret@127.0.0.1:{free.getsockname()[1]}/clip")
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)


def test_kinds_of_sources(tmp_path):
    with pytest.raises(InputError, match="file:// is not supported"):
        open_source("file:///etc/passwd")
    with pytest.raises(VideoError, match="no video comes from there"):
        open_source("/dev/null")
    with pytest.raises(VideoError, match="does not exist"):
        open_source(str(tmp_path / "none.mp4"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VideoError, match="no regular file"):
        open_source(str(tmp_path / "pipe"))


def test_a_play_list_opens_no_file_of_this_machine(clips):
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{clips[0]}\n#EXT-X-ENDLIST\n".encode()
    with serving(text, length=len(text)) as address, pytest.raises(VideoError):
        open_source(f"{address}.m3u8", patience=2.0)


@pytest.fixture(scope="module")
def rising(tmp_path_factory):
    """Four seconds as MPEG-TS whose brightness tells the number of the frame."""
    images = [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(100)]
    return write(tmp_path_factory.mktemp("rising") / "a.ts", images, options={"g": "10"})


def shown(address, patience=3.0):
    """Return a source that has been read to its end, and the brightness of its frames."""
    video = open_source(address, patience)
    return video, [frame.rgb().mean() / 2 for frame in video.frames()]


def is_rising(levels, least, last):
    """Whether at least so many frames came, in order, up to frame `last` or later."""
    return len(levels) >= least and levels[-1] > last and bool((np.diff(levels) >= 0).all())


def test_a_connection_that_gives_bytes_is_read_to_its_end(rising):
    with network.tcp(rising, pause=0.005) as port:
        video, levels = shown(f"tcp://127.0.0.1:{port}")
    assert video.live and not video.broken and len(levels) == 100 and is_rising(levels, 100, 97)


def test_a_camera_that_speaks_rtsp(rising):
    with network.camera(rising) as port:
        video, levels = shown(f"rtsp://me:secret@127.0.0.1:{port}/live")
    assert video.live and not video.broken and is_rising(levels, 80, 85) and "secret" not in str(video.path)
    for status, told in (("401 Unauthorized", "401"), ("404 Not Found", "404")):
        with network.camera(rising, status) as port, pytest.raises(VideoError, match=told) as caught:
            shown(f"rtsp://me:secret@127.0.0.1:{port}/live")
        assert "secret" not in str(caught.value)


def test_a_broadcast_in_rtp(rising):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"rtp://127.0.0.1:{free.getsockname()[1]}"
    sender = threading.Timer(0.7, network.send, (rising, address, "rtp_mpegts"))
    sender.start()
    video, levels = shown(address, patience=2.0)
    sender.join()
    assert video.live and video.broken == "no data came in time" and is_rising(levels, 60, 80)


def test_what_is_silent_or_not_there():
    silent = network.answering(lambda caller: caller.recv(1) and time.sleep(1.0))
    with silent as port, pytest.raises(VideoError, match="no video comes from there"):
        open_source(f"rtsp://127.0.0.1:{port}/live", patience=0.3)
    with pytest.raises(VideoError, match="no data came in time"):
        open_source("udp://127.0.0.1:0", patience=0.3)
    with pytest.raises(VideoError, match="no video comes from there"):
        open_source("rtsp://nowhere.invalid/live", patience=2.0)
    with pytest.raises(VideoError, match="does not exist"):
        open_source("/dev/video-that-is-not-there")
