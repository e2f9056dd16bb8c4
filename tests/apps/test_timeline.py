"""Class scores over time: places of windows and segments, tables, the picture, the command."""

import csv
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from slowfast.apps import timeline
from slowfast.apps.timeline import Timeline, read_timeline
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.report.timeline import Segment, timeline_svg
from slowfast.utils.errors import InputError

from ..engine.tiny import CONFIG, write_clip
from ..video.making import write

CFG = load_config(CONFIG)
NAMES = ["dark", "bright"]


class Brightness:
    """Stands for a network: the share of bright pixels in a region is the probability of the second class."""

    device = torch.device("cpu")

    def __init__(self, rows=slice(None)):
        self.rows, self.clips = rows, 0

    def __call__(self, clips_BCTHW):
        self.clips += len(clips_BCTHW)
        bright_B = (clips_BCTHW[..., self.rows, :] > 0).float().mean((1, 2, 3, 4)).numpy()
        return np.stack([1 - bright_B, bright_B], 1)


def scores(path, scorer=None, window=0.5, stride=0.0):
    """The scores of a file as it is."""
    return read_timeline(CFG, scorer or Brightness(), path, window=window, stride=stride, gamma=1.0)


def changing(path, change, stamps, **how):
    """A clip that is black before a second and white from it on."""
    images = [np.full((48, 64, 3), 255 * (stamp >= change), np.uint8) for stamp in stamps]
    return write(path, images, stamps, **how)


@pytest.mark.parametrize("kind", ["constant", "slow_then_fast", "pause"])
def test_a_change_is_found_within_a_window_by_the_clock(tmp_path, kind):
    stamps = {
        "constant": np.arange(100) / 25,
        "slow_then_fast": np.concatenate([np.arange(10) / 5, 2 + np.arange(60) / 30]),
        "pause": np.concatenate([np.arange(25) / 25, 3 + np.arange(25) / 25]),
    }[kind]
    path = changing(tmp_path / "a.mkv", 2.4 if kind != "pause" else 3.0, stamps)
    found = scores(path)
    first, second = found.segments(NAMES, 0.5, 0.0)
    change = 2.4 if kind != "pause" else 3.0
    assert (first.label, second.label) == ("dark", "bright") and first.end == second.start
    assert first.end == pytest.approx(change, abs=0.25) and first.start == 0.0
    assert second.end == pytest.approx(stamps[-1], abs=0.3)


def test_rotation_is_applied(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32] = 255  # bright on the left; turned by a quarter: above or below
    turned = write(tmp_path / "a.mp4", [image] * 25, matrix=(0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
    upper, lower = (scores(turned, Brightness(rows)).probs_NK[:, 1] for rows in (slice(16), slice(16, 32)))
    assert abs(upper - lower).min() > 0.9


def test_windows_are_frames_times_rate_by_default_and_each_frame_once(tmp_path):
    path = changing(tmp_path / "a.mp4", 9, np.arange(80) / 25)
    cfg, scorer = load_config(CONFIG, ["DATA.SAMPLING_RATE", "5"]), Brightness()
    found = read_timeline(cfg, scorer, path, window=0.0, stride=0.0, gamma=1.0)
    np.testing.assert_allclose(found.spans_N2[:, 0], np.arange(7) * 0.4, atol=1e-6)  # 4 frames, 5 apart, at 25
    np.testing.assert_allclose(np.diff(found.spans_N2), 0.8)
    assert scorer.clips == 7 and found.stride == pytest.approx(0.4)
    np.testing.assert_allclose(found.edges, [0, *(0.2 + 0.4 * np.arange(1, 7)), 3.2])
    short = scores(path, window=60.0)
    assert short.spans_N2.shape == (1, 2) and short.segments(NAMES, 0.5, 0)[0].label == "dark"


def test_segments_are_runs_above_a_threshold_and_not_too_short():
    probs_NK = np.array([[0.9, 0.1], [0.7, 0.3], [0.55, 0.45], [0.2, 0.8], [0.9, 0.1], [0.9, 0.1]])
    spans_N2 = np.stack([np.arange(6), np.arange(6) + 2], 1)
    line = Timeline(spans_N2, probs_NK, 1.0, "")
    assert line.edges.tolist() == [0, 1.5, 2.5, 3.5, 4.5, 5.5, 7]
    found = line.segments(NAMES, 0.6, 0.0)
    assert [(part.label, part.start, part.end) for part in found] == [
        ("dark", 0, 2.5), ("bright", 3.5, 4.5), ("dark", 4.5, 7)
    ]  # fmt: skip
    assert found[0].score == pytest.approx(0.8)
    assert [part.label for part in line.segments(NAMES, 0.6, 1.5)] == ["dark", "dark"]
    assert line.segments(NAMES, 0.99, 0.0) == []


def test_the_picture_is_well_formed_and_names_are_text():
    probs_NK = np.random.default_rng(0).dirichlet(np.ones(9), 3000)
    names = ["<b>\x1b[1m&", *"bcdefghi"]
    text = timeline_svg("<i>\udcff.mp4", np.arange(3001) / 2, probs_NK, names, [Segment(0, 9, names[0], 0.5)])
    root = ElementTree.fromstring(text.encode("utf-8", "backslashreplace"))
    lines = [node for node in root.iter() if node.tag.endswith("polyline")]
    assert len(lines) == 6 and all(len(line.get("points").split()) == 800 for line in lines)
    titles = [node.text for node in root.iter() if node.tag.endswith("title")]
    assert "<b>\\x1b[1m&: 0.0 to 9.0 s, 50 %" in titles


def test_scores_that_are_not_finite_are_refused(tmp_path):
    write_clip(tmp_path / "a.mp4", 0, 0)
    model = build_model(CFG)
    with torch.no_grad():
        model.head.weight *= 1e38
        model.norm.weight *= 1e20
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match="NaN or infinite"):
        timeline.write_timelines(CFG, tmp_path / "weights.pth", [tmp_path / "a.mp4"], tmp_path / "out")


def test_command(repo, server, tmp_path):
    for name in ("<a>.mp4", "deep/b.mp4"):
        write_clip(tmp_path / "clips" / name, 0, 0)
    (tmp_path / "clips/broken.mp4").write_bytes(b"\0\1\2\3" * 40)
    torch.save(build_model(CFG).state_dict(), tmp_path / "weights.pth")
    words = ["clips", "--cfg", CONFIG, "--checkpoint", "weights.pth", "--timeline", "out", "--window", "0.4"]
    log = tmp_path / "log.txt"

    def run(*more):
        return server.wait(server.command(log, repo / "tools/predict.py", [*words, *more], tmp_path))

    assert run("--threshold", "0") == 0, log.read_text()
    text = log.read_text()
    assert "broken.mp4\n  cannot be read" in text and "light, mean grey" in text and "  0.0 to " in text
    made = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert made == {f"{name}{end}" for name in ("<a>.mp4", "deep/b.mp4") for end in (".csv", "_segments.csv", ".svg")}
    rows = list(csv.reader((tmp_path / "out/deep/b.mp4.csv").open()))
    assert rows[0] == ["start_s", "end_s", *map(str, range(11))] and rows[1][:2] == ["0.000", "0.400"]
    assert len(rows) == 5 and all(sum(map(float, row[2:])) == pytest.approx(1, abs=1e-4) for row in rows[1:])
    assert "<a>" not in (tmp_path / "out/<a>.mp4.svg").read_text()
    assert run("--stride", "nan") == 2 and "no number above 0" in log.read_text()
