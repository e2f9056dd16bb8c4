"""Runs the command-line tools in this process and writes small inputs for them."""

import pickle
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

VOTERS = ("ssv2", "uni", "mvit", "sf")


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def run_tool(repo, monkeypatch, capsys):
    """Call a script of the repository and return exit status, stdout and stderr."""

    def run(script: str, *arguments) -> Result:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        monkeypatch.setattr(sys, "path", list(sys.path))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(repo / script), run_name="__main__")
        captured = capsys.readouterr()
        return Result(stop.value.code, captured.out, captured.err)

    return run


def write_pkl(path: Path, preds, **extra) -> Path:
    """Write a prediction file as plain Python would: two keys and whatever else is given."""
    preds = np.asarray(preds)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"video_preds": preds, "video_labels": np.full(len(preds), -1), **extra}
    path.write_bytes(pickle.dumps(content))
    return path


def write_list(path: Path, names, labels=None) -> Path:
    labels = [-1] * len(names) if labels is None else labels
    path.write_text("".join(f"{name},{label}\n" for name, label in zip(names, labels)))
    return path


@pytest.fixture
def golden_inputs(golden, tmp_path):
    """Write the golden voters of `pseudo/<name>.npz`; return the arguments of a stage tool and the arrays."""

    def make(name: str, with_names: bool = False):
        arrays = dict(np.load(golden / "pseudo" / f"{name}.npz"))
        names = arrays["ids"].tolist()
        arguments = ["--list", write_list(tmp_path / "list.csv", names)]
        order = np.random.default_rng(0).permutation(len(names)) if with_names else np.arange(len(names))
        for voter in VOTERS:
            extra = {"video_names": [names[row] for row in order]} if with_names else {}
            arguments += [f"--{voter}", write_pkl(tmp_path / f"{voter}.pkl", arrays[voter][order], **extra)]
        return arguments, arrays

    return make


def read_rows(text: str) -> tuple[list[list[str]], np.ndarray]:
    """Split a pseudo-label table into names with labels, and probabilities."""
    rows = [line.split(",") for line in text.splitlines()]
    return [row[:2] for row in rows], np.array([row[2:] for row in rows], dtype=float)


@pytest.fixture
def kit():
    """The helpers of this file, for tests (which cannot import it)."""
    return SimpleNamespace(VOTERS=VOTERS, write_pkl=write_pkl, write_list=write_list, read_rows=read_rows)
