"""Program of the test of killed runs: imports once, then forks runs and kills them at random moments.

usage: undisturbed.py VIDEOS OUTPUT KILLS SEED
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from helpers import extract


def start_run(videos: Path, output: Path) -> int:
    """Fork a process that extracts; return its number."""
    child = os.fork()
    if child == 0:
        os.setsid()
        extract(videos, output, "FEATURES.BATCH_SIZE", 2)
        os._exit(0)
    return child


def finished(folder: Path) -> int:
    """Return how many videos have features."""
    return len(list(folder.rglob("*.npz")))


def kill_at_random(videos: Path, output: Path, rng: random.Random, seconds: float) -> bool:
    """Start a run and kill it after 0 or 1 more videos and up to `seconds`; return whether it was still at work."""
    target = finished(output) + rng.randrange(2)
    child = start_run(videos, output)
    while finished(output) < target and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.001)
    time.sleep(rng.uniform(0.0, seconds))
    try:
        os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    except (ProcessLookupError, ChildProcessError):
        return False


def main() -> None:
    """Run undisturbed, then kill runs, then let one finish; print how many were at work when they were killed."""
    torch.set_num_threads(1)
    videos, output, kills, rng = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    begin = time.monotonic()
    os.waitpid(start_run(videos, output / "whole"), 0)
    total = finished(output / "whole")
    seconds = (time.monotonic() - begin) / total
    killed = 0
    for _ in range(kills):
        if finished(output / "killed") == total:
            shutil.rmtree(output / "killed")
        killed += kill_at_random(videos, output / "killed", rng, seconds)
    _, status = os.waitpid(start_run(videos, output / "killed"), 0)
    assert status == 0
    print(killed)


main()
