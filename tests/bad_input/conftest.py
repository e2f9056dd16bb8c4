"""A data set of a few tiny clips, an experiment on it, and a way to run the commands on both."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from slowfast.demo.encoding import write_h264

CONFIG = """
NUM_GPUS: 0
NUM_THREADS: 1
MODEL: {ARCH: uniformer, NUM_CLASSES: 2}
UNIFORMER: {EMBED_DIM: [8, 8, 16, 16], DEPTH: [1, 1, 1, 1], HEAD_DIM: 8}
DATA:
  PATH_LABEL_SEPARATOR: ","
  NUM_FRAMES: 4
  TRAIN_CROP_SIZE: 32
  TEST_CROP_SIZE: 32
  TRAIN_JITTER_SCALES: [32, 32]
  SPLITS:
    train_label: [light.csv, light]
    val_dry: [val.csv, light]
    total_unlabel: [pool.csv, dark]
    train_pseudo_label: ["", dark]
DATA_LOADER: {NUM_WORKERS: 0}
SOLVER: {MAX_EPOCH: 1}
TRAIN: {DATASET: ug2_sparse, BATCH_SIZE: 2, EVAL_SPLITS: [val_dry]}
TEST: {DATASET: ug2_sparse, DATA_SELECT: total_unlabel, NUM_ENSEMBLE_VIEWS: 1, NUM_SPATIAL_CROPS: 1}
"""
# What an earlier run left in the output folder.
EARLIER = ("best.pyth", "metrics.jsonl", "config.yaml.resolved", "total_unlabelx4x32x1x1.pkl")


@dataclass
class Done:
    """A finished command: exit status and what it said besides log lines."""

    code: int
    said: str


@dataclass
class Experiment:
    """Paths of a tiny experiment."""

    repo: Path
    home: Path
    server: object

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def out(self) -> Path:
        return self.home / "out"

    def tool(self, script: str, *arguments: object) -> Done:
        """Run a command of the repository in another directory."""
        env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, str(self.repo / script), *map(str, arguments)],
            cwd=self.home, env=env, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        return Done(done.returncode, said(done.stderr))

    def arguments(self, *opts: object) -> tuple:
        """The arguments of `tools/run_net.py` for the experiment."""
        return ("--cfg", self.home / "tiny.yaml", "OUTPUT_DIR", self.out, "DATA.PATH_PREFIX", self.data, *opts)

    def train(self, *opts: object) -> Done:
        """Run `tools/run_net.py` on the experiment, in a process that has torch loaded already."""
        log = self.home.with_name(f"{self.home.name}.log")
        log.unlink(missing_ok=True)
        script = self.repo / "tools/run_net.py"
        code = self.server.wait(self.server.command(log, script, self.arguments(*opts), self.home))
        return Done(code, said(log.read_text()))

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file of data and output."""
        return {str(path): path.read_bytes() for path in sorted(self.home.rglob("*")) if path.is_file()}


def said(text: str) -> str:
    """What a command said besides log lines."""
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("["))


def write_clips(folder: Path, names: list[str]) -> None:
    """Write clips of eight frames of noise."""
    rng = np.random.default_rng(0)
    for name in names:
        write_h264(folder / name, rng.integers(0, 255, (8, 32, 32, 3), dtype=np.uint8), fps=8, crf=30)


@pytest.fixture
def experiment(repo, tmp_path, server) -> Experiment:
    made = Experiment(repo, tmp_path, server)
    names = [f"{number}.mp4" for number in range(4)]
    write_clips(made.data / "light", names)
    write_clips(made.data / "dark", names[:3])
    (made.data / "light.csv").write_text("".join(f"{name},{number % 2}\n" for number, name in enumerate(names)))
    (made.data / "val.csv").write_text("0.mp4,0\n1.mp4,1\n")
    (made.data / "pool.csv").write_text("".join(f"{name},-1\n" for name in names[:3]))
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    made.out.mkdir()
    for name in EARLIER:
        (made.out / name).write_text(f"{name} of an earlier run\n")
    return made
