"""The benchmark of the data path: what it counts, and that it leaves everything as it was."""

import subprocess
import sys
import time

import pytest

from slowfast.apps.benchmark import data as benchmark
from slowfast.apps.benchmark.data import STAGES, StageClock, data_table, measure_data, settings_of, stage_clock
from slowfast.datasets import views
from slowfast.demo.large_clips import HEIGHT, WIDTH, make_large_clips
from slowfast.video import open_video


def work(seconds: float) -> None:
    """Keep the processor busy for some time of its own."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_nested_stages_count_once():
    clock = StageClock()
    inner = clock.timed("gamma", lambda: work(0.03))

    def outer() -> str:
        work(0.01)
        inner()
        return "done"

    start = time.process_time()
    assert clock.timed("resize", outer)() == "done"
    time.sleep(0.05)
    clock.switch()
    total = time.process_time() - start
    assert clock.seconds["gamma"] >= 0.03 and 0.01 <= clock.seconds["resize"] < 0.03, "waiting does not count"
    assert sum(clock.seconds.values()) == pytest.approx(total, abs=1e-3)


def test_a_stage_that_fails_is_left():
    clock = StageClock()
    with pytest.raises(ZeroDivisionError):
        clock.timed("decode", lambda: 1 // 0)()
    work(0.01)
    clock.switch()
    assert clock.seconds["rest"] >= 0.01 > clock.seconds["decode"]


def test_functions_are_put_back():
    before = [getattr(place, name) for _, place, name in benchmark._PLACES]
    with pytest.raises(RuntimeError), stage_clock():
        assert views.apply_gamma is not before[3]
        raise RuntimeError
    assert [getattr(place, name) for _, place, name in benchmark._PLACES] == before


@pytest.mark.parametrize("crops_first", [True, False])
def test_every_stage_of_both_loaders_is_seen(cfg, clips, tmp_path, crops_first):
    cfg.AUG.ENABLE, cfg.AUG.RE_PROB, cfg.DATA.GAMMA.TEST = True, 1.0, 0.5
    cfg.AUG.AA_TYPE = "rand-m7-n4-mstd0.5-inc1-p1"
    cfg.DATA.TRAIN_JITTER_SCALES_RELATIVE = [0.5, 1.0] if crops_first else []
    cfg.merge_from_list(settings_of(tmp_path, sorted(clips.glob("*.mp4"))))
    ways = measure_data(cfg, repeats=2)
    assert [way.clips for way in ways] == [0, 7, 63, 14] and all(len(way.seconds) == 2 for way in ways)
    for way in ways:
        assert sum(way.stages.values()) == pytest.approx(sum(way.seconds))
    seen = [{stage for stage, seconds in way.stages.items() if seconds > 0} for way in ways]
    assert seen[0] == {"rest"} and seen[1] == seen[2] == set(STAGES) - {"augment"} and seen[3] == set(STAGES)
    table = data_table(ways, 7).splitlines()
    assert len(table) == 6 and len({line.count("|") for line in table}) == 1
    assert "| 1.00x |" in table[2] and "3 views x 3 crops" in table[4]


def test_large_clips_depend_on_their_number_only(tmp_path):
    first = make_large_clips(tmp_path / "a", 2, seed=3)
    second = make_large_clips(tmp_path / "b", 1, seed=3)
    assert first[0].read_bytes() == second[0].read_bytes() != first[1].read_bytes()
    with open_video(first[0]) as video:
        assert 60 <= len(video) <= 80 and video.get_frames([0]).shape == (1, HEIGHT, WIDTH, 3)
        assert video.get_frames(range(len(video))).mean() < 45
    stamp = first[0].stat().st_mtime_ns
    assert make_large_clips(tmp_path / "a", 2, seed=3) == first and first[0].stat().st_mtime_ns == stamp


def test_command(repo, clips):
    command = [sys.executable, str(repo / "tools/benchmark.py"), "--data", "--clips", str(clips), "--repeats", "1"]
    small = ["DATA.NUM_FRAMES", "4", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_CROP_SIZE", "32"]
    done = subprocess.run([*command, *small], capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.startswith("7 videos, clips of 4 frames of 32 pixels, pyav") and "3 views x 3 crops" in done.stdout
    )
