"""Every kind of change against features: what it touches is made again or refused by name, and nothing else."""

import os
import shutil
import socket

import pytest
import torch

from slowfast.config import load_config
from slowfast.engine.checkpoint import save_checkpoint
from slowfast.models import build_model


def save_weights(helpers, path, seed, **more):
    torch.manual_seed(seed)
    save_checkpoint(path, {"model_state": build_model(load_config(helpers.TINY)).state_dict(), **more})


@pytest.fixture
def place(helpers, clips, tool, tmp_path):
    """A folder with videos, weights and features; `place.call` makes them again."""
    folder = tmp_path / "place"
    shutil.copytree(clips / "user_1", folder / "videos/user_1")
    save_weights(helpers, folder / "best.pyth", 7)
    assert call(tool, helpers, folder) == 0
    return folder


def call(tool, helpers, folder, *opts):
    weights = next(folder.glob("*.pyth"))
    words = ["--cfg", helpers.TINY, "--checkpoint", weights, "--video-dir", folder / "videos"]
    return tool("extract_features", *words, "--output-dir", folder / "out", *opts)


def other_weights(helpers, folder):
    save_weights(helpers, folder / "best.pyth", 8)


def resaved(helpers, folder):
    (folder / "best.pyth").unlink()
    save_weights(helpers, folder / "elsewhere.pyth", 7, epoch=3)


def added(helpers, folder):
    helpers.write_video(folder / "videos/user_1/Top_1.mp4", 30, seed=5)


def replaced(helpers, folder):
    helpers.write_video(folder / "videos/user_1/Rear_1.mp4", 41, seed=9)


def other_order(helpers, folder):
    (folder / "videos").rename(folder / "before")
    (folder / "videos/user_1").mkdir(parents=True)
    for path in sorted((folder / "before/user_1").iterdir(), reverse=True):
        shutil.copy(path, folder / "videos/user_1")


def touch(helpers, folder):
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


EVERY = {f"user_1/{name}_1.npz" for name in ("Dash", "Rear", "Right")}
CHANGES = {
    "coverage": (None, ("DATA.PSEUDO_CSV", "pseudo/stage2.csv"), set(), ""),
    "rate": (None, ("SOLVER.BASE_LR", "0.5"), set(), ""),
    "seed": (None, ("RNG_SEED", "7"), set(), ""),
    "label": (None, ("DATA.CLASS_NAMES", str([f"class {number}" for number in range(16)])), EVERY, ""),
    "list row": (added, (), {"user_1/Top_1.npz"}, ""),
    "clip content": (replaced, (), {"user_1/Rear_1.npz"}, ""),
    "clip order": (other_order, (), set(), ""),
    "starting weights": (other_weights, (), set(), "other settings (weights "),
    "gamma": (None, ("DATA.GAMMA.TEST", "0.5"), set(), "other settings (gamma "),
    "voter weight": (lambda helpers, folder: (folder / "rules.yaml").write_text("weights: [0.6]\n"), (), set(), ""),
    "key without effect": (None, ("LOG_PERIOD", "3", "DATA_LOADER.NUM_WORKERS", "1"), set(), ""),
    "path": (resaved, (), set(), ""),  # each call is in another folder
    "time": (touch, (), set(), ""),
    "host": (None, (), set(), ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_touches(name, place, helpers, tool, tmp_path, monkeypatch, capsys):
    change, opts, touched, said = CHANGES[name]
    folder = tmp_path / "elsewhere"
    shutil.copytree(place, folder)
    if change is not None:
        change(helpers, folder)
    if name == "host":
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.npz")}
    assert len(before) == 3
    assert call(tool, helpers, folder, *opts) == (2 if said else 0)
    assert said in capsys.readouterr().err
    made = {path for path in (folder / "out").rglob("*.npz") if path.stat().st_mtime_ns != before.get(path)}
    assert {path.relative_to(folder / "out").as_posix() for path in made} == touched
    kept = {name: data for name, data in helpers.contents(folder / "out").items() if name.endswith(".npz")}
    shutil.rmtree(folder / "out")
    assert call(tool, helpers, folder, *opts) == 0
    fresh = {name: data for name, data in helpers.contents(folder / "out").items() if name.endswith(".npz")}
    assert (kept == fresh) == (not said), "as from nothing, unless it was refused"
