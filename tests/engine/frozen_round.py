"""Time of a round of pseudo-labels: of a network that is trained, and of the same network as a frozen voter.

    python tests/engine/frozen_round.py [--width 384] [--depth 12] [--size 112] [--clips 32]

Renders light and dark clips, and trains the recipe of configs/real_small/exp_pseudo_stage1.yaml on them three times,
each in a process of its own from its start to the end of its tests: all of the network; a probe with the store of
features empty; a probe with the store filled. Prints JSON: wall-clock and processor seconds of each, and the shares.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from slowfast.demo.dataset import ACTIONS, ClipJob, motions_of, write_jobs

CLASSES = 4


def clips(root, count):
    """Render `count` light and as many dark clips and write their lists and a pseudo-label table."""
    motions = list(motions_of(ACTIONS))[:CLASSES]
    jobs = []
    for number in range(count):
        motion = motions[number % CLASSES]
        for place, dark in ((f"light/{motion}", False), ("dark", True)):
            path = root / place / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            jobs.append(ClipJob(str(path), 0, place.split("/")[0], number, motion, "camera" * dark))
    write_jobs(jobs)
    words = ["--light", root / "light", "--dark", root / "dark", "--test", root / "dark", "--output", root]
    timed([REPO / "tools/prepare_lists.py", *words, "--workers", 1])
    with open(root / "total_unlabel.csv", newline="") as handle:
        names = [row[0] for row in csv.reader(handle)]
    rows = [f"{name},{row % CLASSES},{','.join(['0.25'] * CLASSES)}\n" for row, name in enumerate(names)]
    (root / "stage1.csv").write_text("".join(rows))


def timed(command):
    """Run a Python command; return its wall-clock and processor seconds."""
    before, start = os.times(), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, command)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("width", 384), ("depth", 12), ("size", 112), ("clips", 32)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        clips(root, args.clips)
        words = [REPO / "tools/run_net.py"]
        for name in ("demo/base", root / "data", "real_small/exp_pseudo_stage1"):
            words += ["--cfg", f"{name}.yaml" if isinstance(name, Path) else REPO / f"configs/{name}.yaml"]
        words += ["MODEL.ARCH", "videomae", "DATA.SUBTRACT_TEMPORAL_MEAN", 0, "DATA.PSEUDO_CSV", "stage1.csv"]
        words += [
            "VIDEOMAE.EMBED_DIM",
            args.width,
            "VIDEOMAE.DEPTH",
            args.depth,
            "VIDEOMAE.NUM_HEADS",
            args.width // 64,
        ]
        words += ["DATA.TRAIN_CROP_SIZE", args.size, "DATA.TEST_CROP_SIZE", args.size]
        frozen = ["TRAIN.PROBE", "True", "DATA.FEATURE_CACHE", root / "features"]
        runs = {"trained": [], "frozen, store empty": frozen, "frozen, store filled": frozen}
        times = {name: timed([*words, "OUTPUT_DIR", root / name, *more]) for name, more in runs.items()}
    report = {name: {"seconds": round(wall, 1), "processor": round(used, 1)} for name, (wall, used) in times.items()}
    shares = {f"share of {kind}": times["frozen, store filled"][at] / times["trained"][at]
              for at, kind in enumerate(("seconds", "processor"))}  # fmt: skip
    print(json.dumps(report | {name: round(share, 4) for name, share in shares.items()}, indent=1))


if __name__ == "__main__":
    main()
