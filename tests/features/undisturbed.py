"""Program of the test of killed runs: imports once, then forks runs and kills them at random moments.

usage: undisturbed.py VIDEOS OUTPUT KILLS SEED
"""

import os
import random
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


def main() -> None:
    """Run undisturbed, then kill runs, then let one finish; print how many were killed and what they had written."""
    torch.set_num_threads(1)
    videos, output, kills, rng = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    begin = time.monotonic()
    _, status = os.waitpid(start_run(videos, output / "whole"), 0)
    whole = time.monotonic() - begin
    killed, seen = 0, []
    for _ in range(kills):
        child = start_run(videos, output / "killed")
        time.sleep(rng.uniform(0.0, whole / 2))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        seen.append(len(list((output / "killed").rglob("*.npz"))))
    _, status = os.waitpid(start_run(videos, output / "killed"), 0)
    assert status == 0
    print(killed, *seen)


main()
