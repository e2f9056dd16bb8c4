"""tools/predict.py --stream: windows as they come, those that a slow network drops, ends of all kinds."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch

from slowfast.apps.sliding import Slide
from slowfast.apps.stream import Windows, answer_windows, predict_stream
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.video import VideoError
from slowfast.video.live import open_source

from ..engine.tiny import CONFIG, write_clip
from ..video.making import write
from ..video.network import send
from ..video.sources import serving
from .test_timeline import NAMES, Brightness, scores

CFG = load_config(CONFIG)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Four seconds of MPEG-TS: black, from 2 s on white."""
    images = [np.full((48, 64, 3), 255 * (number >= 50), np.uint8) for number in range(100)]
    return write(tmp_path_factory.mktemp("stream") / "a.ts", images, options={"g": "10"})


def answers(source, capsys, scorer=None, stride=0.25, patience=2.0):
    """The lines of a source, and what is said besides."""
    slide = partial(Slide, CFG, window=0.5, stride=stride, gamma=1.0)
    windows = Windows(lambda: open_source(str(source), patience), slide)
    try:
        answer_windows(windows, scorer or Brightness(), NAMES)
    finally:
        told = capsys.readouterr()
    return [json.loads(line) for line in told.out.splitlines()], told.err


def test_a_file_is_answered_whole_like_its_timeline(clip, capsys):
    lines, told = answers(clip, capsys)
    line = scores(clip, window=0.5, stride=0.25)
    np.testing.assert_allclose([[row["start_s"], row["end_s"]] for row in lines], line.spans_N2, atol=1e-3)
    np.testing.assert_allclose([row["score"] for row in lines], line.probs_NK.max(1), atol=1e-6)
    assert [row["label"] for row in lines[:3] + lines[-3:]] == ["dark"] * 3 + ["bright"] * 3
    assert "0 dropped" in told and f"{len(lines)} windows" in told
    assert set(lines[0]) == {"start_s", "end_s", "label", "score", "ms", "delay_s", "dropped"}


def test_a_stride_beyond_the_window_leaves_frames_out(clip, capsys):
    lines, _ = answers(clip, capsys, stride=1.5)
    assert [row["start_s"] for row in lines] == [0.0, 1.5, 3.0]


class Slow(Brightness):
    """A network that takes its time."""

    def __call__(self, clips_BCTHW):
        time.sleep(0.4)
        return super().__call__(clips_BCTHW)


def test_a_slow_network_drops_windows_of_a_live_source_only(clip, capsys):
    with serving(clip.read_bytes(), seconds=2.0) as address:
        lines, told = answers(address, capsys, Slow())
    dropped = sum(row["dropped"] for row in lines)
    assert dropped > 3 and f"{dropped} dropped" in told and lines[-1]["label"] == "bright"
    assert [row["start_s"] for row in lines] == sorted({row["start_s"] for row in lines})
    assert min(row["delay_s"] for row in lines) >= 0.4 and max(row["delay_s"] for row in lines) < 3
    data = clip.read_bytes()
    lines, _ = answers(clip, capsys, Slow(), stride=0.5)
    assert len(lines) == 8 and not any(row["dropped"] for row in lines)
    with serving(data, length=len(data)) as address:  # what the web gives at once is live, unless it says its length
        assert answers(address, capsys)[0][-1]["label"] == "bright"


def test_frames_that_are_held_stay_few(clip):
    windows = Windows(lambda: open_source(str(clip)), partial(Slide, CFG, window=0.4, stride=0.2, gamma=1.0))
    most = 0
    while windows.next() is not None:
        time.sleep(0.01)
        most = max(most, len(windows._held))
    assert 0 < most <= 6 and not windows._thread.is_alive()


def test_a_broadcast_on_the_network_is_read(clip, capsys):
    port = 20000 + os.getpid() % 20000

    sender = threading.Timer(0.7, send, (clip, f"udp://127.0.0.1:{port}", "mpegts"))
    sender.start()
    with pytest.raises(VideoError, match=r"broke off after [34]\.\d s \(no data came in time\)"):
        answers(f"udp://127.0.0.1:{port}", capsys)
    sender.join()


def test_sources_that_never_begin(capsys):
    with serving(b"", silent=True) as address, pytest.raises(VideoError, match="no data came in time"):
        answers(address, capsys, patience=0.3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of the tiny network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(build_model(CFG).state_dict(), path)
    return path


def test_a_stream_is_no_pool(weights, tmp_path, capsys):
    adapting = load_config(CONFIG, ["TEST.ADAPT", "recentre"])
    for number in range(2):
        write_clip(tmp_path / f"pool/{number}.mp4", number, number)
    source = str(tmp_path / "pool/0.mp4")
    with pytest.raises(InputError, match="no pool to adapt to"):
        predict_stream(adapting, weights, source)
    predict_stream(adapting, weights, source, pool=[tmp_path / "pool"])
    assert json.loads(capsys.readouterr().out.splitlines()[0])["label"] in map(str, range(11))


def test_command_and_interruption(repo, server, weights, clip, tmp_path):
    words = ["--cfg", CONFIG, "--checkpoint", weights, "--stream"]
    log = tmp_path / "log.txt"

    def start(*more):
        log.unlink(missing_ok=True)
        return server.command(log, repo / "tools/predict.py", [*words, *more], tmp_path)

    assert server.wait(start(clip, tmp_path)) == 2 and "without videos" in log.read_text()
    with serving(clip.read_bytes(), seconds=30) as address:
        pid = start(address, "--window", "0.2")
        end = time.monotonic() + 60
        while "start_s" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(pid, signal.SIGINT)
        assert server.wait(pid, 30) == 130
    text = log.read_text()
    assert '"start_s": ' in text and "interrupted" in text and "Traceback" not in text and " dropped" in text


@pytest.mark.slow
def test_a_closed_pipe_ends_it_quietly(repo, weights, clip):
    command = [sys.executable, repo / "tools/predict.py", "--cfg", CONFIG, "--checkpoint", weights, "--stream", clip]
    with subprocess.Popen(
        [*map(str, command), "--window", "0.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert b"start_s" in run.stdout.readline()
        run.stdout.close()
        assert run.wait(60) == 0 and b"Traceback" not in run.stderr.read()
