"""Real clips in the layout of configs/real_small: a few of each class, and of the dark pool."""

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class RealData:
    """A data root of links to real clips."""

    repo: Path
    root: Path

    def tool(self, *command: object, expect: int = 0) -> str:
        """Run a command of the repository from another directory; return what it said."""
        env = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [str(word) for word in command], cwd=self.root, env=env, capture_output=True, text=True, timeout=3000
        )
        said = done.stdout + done.stderr
        assert done.returncode == expect, said[-3000:]
        return said

    def python(self, script: str, *arguments: object, expect: int = 0) -> str:
        return self.tool(sys.executable, self.repo / script, *arguments, expect=expect)

    def names(self, name: str) -> list[str]:
        return [row.rsplit(",", 1)[0] for row in (self.root / name).read_text().splitlines()]


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def make_root(root: Path, shared: Path, per_class: int, dark: int) -> None:
    """Link `per_class` clips of every class from either place, and `dark` dark ones.

    The held-out clips stand in the pool as they are: what is tested is the road, not darkness.
    """
    counts: dict[tuple[str, str], int] = {}
    with open(shared / "realset" / "labels.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            part = "light" if int(row["person"].removeprefix("seq")) <= 10 else "val"
            counts[part, row["label"]] = counts.get((part, row["label"]), 0) + 1
            if counts[part, row["label"]] > per_class:
                continue
            clip, name = shared / "realset" / "videos" / row["name"], f"{row['label']}/{row['name']}"
            link(clip, root / part / name)
            if part == "val":
                link(clip, root / "dark" / "held_out" / name)
    for path in sorted((shared / "realset_dark").rglob("*.mp4"))[:dark]:
        link(path, root / "dark" / path.name)


@pytest.fixture
def real(repo, shared, tmp_path) -> RealData:
    if not (shared / "realset_dark").is_dir():
        pytest.skip("the real clips are not beside the reference data")
    root = tmp_path / "data"
    make_root(root, shared, per_class=2, dark=12)
    made = RealData(repo, root)
    folders = {"light": "light", "val": "val", "dark": "dark", "dark-val": "dark/held_out", "test": "dark/held_out"}
    words = [word for name, folder in folders.items() for word in (f"--{name}", root / folder)]
    made.python("tools/prepare_lists.py", *words, "--output", root, "--workers", 1)
    return made
