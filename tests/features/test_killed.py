"""Runs killed at random moments leave what an undisturbed run leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("undisturbed.py")


def kill_runs(helpers, tmp_path, kills: int, videos: int) -> None:
    """Kill `kills` runs over `videos` videos, then compare."""
    for number in range(videos):
        helpers.write_video(tmp_path / "in" / f"user_{number % 3}" / f"Dash_{number}.mp4", 40 + 7 * number, seed=number)
    command = [sys.executable, PROGRAM, tmp_path / "in", tmp_path / "out", str(kills), "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= kills / 2, "too few runs were at work when they were killed"
    whole = helpers.contents(tmp_path / "out/whole")
    assert len(whole) == videos + 2, "features.csv and features.json"
    assert helpers.contents(tmp_path / "out/killed") == whole


def test_three_kills(helpers, tmp_path):
    kill_runs(helpers, tmp_path, 3, 6)


@pytest.mark.slow
def test_twenty_kills(helpers, tmp_path):
    kill_runs(helpers, tmp_path, 20, 24)
