import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from slowfast.demo import dataset
from slowfast.demo.dataset import ACTIONS, OTHER, balanced_labels, make_dataset, splits_of
from slowfast.utils.errors import InputError

SMALL = {"train": 11, "val_dry": 5, "dark_unlabel": 6, "arid": 11, "test": 7}


@pytest.fixture(scope="module", autouse=True)
def small():
    """Shrink every split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "splits_of", lambda mode, kind: tuple(map(shrink, splits_of(mode, kind))))
        yield


def shrink(split):
    return replace(split, clips=SMALL[split.name])


@pytest.fixture(scope="module")
def rendered(small, tmp_path_factory) -> Path:
    """A small finished set of seed 0, rendered once by one process; not to be changed."""
    root = tmp_path_factory.mktemp("rendered") / "data"
    make_dataset(root, seed=0, workers=1)
    return root


@pytest.fixture
def root(rendered, tmp_path) -> Path:
    """A copy of the rendered set."""
    return Path(copytree(rendered, tmp_path / "data"))


def rows(path: Path) -> list[list[str]]:
    with open(path, newline="") as handle:
        return list(csv.reader(handle))


def digest(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind, classes", [(ACTIONS, 11), (OTHER, 24)])
@pytest.mark.parametrize("mode", ["quick", "full"])
def test_counts_and_label_balance(mode, kind, classes):
    splits = {split.name: split for split in splits_of(mode, kind)}
    for split in splits.values():
        labels = balanced_labels(3, split, classes)
        counts = Counter(labels.tolist())
        assert len(labels) == split.clips and set(counts) == set(range(classes))
        assert max(counts.values()) - min(counts.values()) <= 1
    if kind == ACTIONS:
        assert splits["test"].clips >= 600
        assert [splits[name].dark for name in ("train", "val_dry", "dark_unlabel", "arid", "test")] == [0, 0, 1, 1, 1]
        quick = {split.name: split.clips for split in splits_of("quick", kind)}
        factor = {"quick": 1, "full": 2}[mode]
        assert splits["dark_unlabel"].clips == factor * quick["dark_unlabel"]


def test_a_first_demo_has_a_tenth_of_the_clips():
    first, quick = (sum(split.clips for split in splits_of(mode, ACTIONS)) for mode in ("first", "quick"))
    assert first == quick / 10 and all(split.clips >= 11 for split in splits_of("first", ACTIONS))


def test_layout_lists_and_hidden_labels(root):
    manifest = make_dataset(root, seed=0, workers=1)
    folders = {
        "train_label+val_dry.csv": "labeled_train/Train", "train_label.csv": "labeled_train/Train",
        "val_dry.csv": "dry_run/Validation", "dark_unlabel.csv": "dark_train/Train",
        "total_unlabel.csv": "dark_train/Train", "arid.csv": "dark_train/Train", "test.csv": "Test",
    }  # fmt: skip
    for name, folder in folders.items():
        for file, label in rows(root / name):
            assert (root / folder / file).is_file(), (name, file)
            hidden = name in ("dark_unlabel.csv", "total_unlabel.csv", "test.csv")
            assert int(label) == -1 if hidden else 0 <= int(label) <= 10
    assert rows(root / "train_label+val_dry.csv") == rows(root / "train_label.csv") + rows(root / "val_dry.csv")
    assert rows(root / "dark_unlabel.csv") == rows(root / "total_unlabel.csv")
    for shown, truth in (("test.csv", "test_truth.csv"), ("total_unlabel.csv", "total_unlabel_truth.csv")):
        assert [row[0] for row in rows(root / shown)] == [row[0] for row in rows(root / truth)]
        assert all(0 <= int(row[1]) <= 10 for row in rows(root / truth))
    assert rows(root / "test.csv")[0] == ["0.mp4", "-1"]
    assert all(file.split("/")[0] == manifest["classes"][int(label)] for file, label in rows(root / "arid.csv"))
    assert json.loads((root / "manifest.json").read_text()) == manifest
    assert not (root / "manifest.started.json").exists()


def test_bytes_depend_on_the_seed_only(root, tmp_path):
    make_dataset(tmp_path / "again", seed=0, workers=2)
    make_dataset(tmp_path / "other", seed=1, workers=1)
    first, again, other = digest(root), digest(tmp_path / "again"), digest(tmp_path / "other")
    assert first == again
    assert first["Test/0.mp4"] != other["Test/0.mp4"]


def test_finished_set_is_kept_and_an_interrupted_one_continued(root, monkeypatch):
    before = digest(root)
    asked = []
    monkeypatch.setattr(dataset, "write_jobs", lambda jobs, write=dataset.write_jobs: asked.extend(jobs) or write(jobs))
    make_dataset(root, seed=0, workers=1)
    assert asked == []
    (root / "manifest.json").rename(root / "manifest.started.json")
    (root / "Test/3.mp4").unlink()
    make_dataset(root, seed=0, workers=1)
    assert [Path(job.path).name for job in asked] == ["3.mp4"]
    assert digest(root) == before


def test_a_folder_with_other_parameters_is_refused_untouched(root, tmp_path, monkeypatch):
    before = digest(root)
    with pytest.raises(InputError, match="other parameters"):
        make_dataset(root, seed=1, workers=1)
    assert digest(root) == before
    larger = tuple(replace(split, clips=split.clips + 1) for split in dataset.splits_of("quick", ACTIONS))
    with monkeypatch.context() as patch, pytest.raises(InputError, match="other parameters"):
        patch.setattr(dataset, "splits_of", lambda mode, kind: larger)
        make_dataset(root, seed=0, workers=1)
    assert digest(root) == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        make_dataset(foreign, seed=0, workers=1)


def test_the_demo_does_not_go_on_with_other_clips(repo):
    work = repo / "output/demo/quick-seed987654321"
    (work / "data").mkdir(parents=True)
    try:
        (work / "data/manifest.json").write_text(json.dumps({"parameters": {"version": 1}}))
        command = [sys.executable, "tools/demo.py", "--seed", "987654321"]
        done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and "other parameters" in done.stderr and "remove it" in done.stderr
        assert [path.name for path in work.rglob("*")] == ["data", "manifest.json"]
    finally:
        shutil.rmtree(work)


def test_splits_do_not_share_clips(root):
    files = digest(root)
    clips = [data for name, data in files.items() if name.endswith(".mp4") and "Train/" not in name]
    assert len(set(clips)) == len(clips)
    light = {name for name in files if name.startswith("dry_run") and name.endswith(".mp4")}
    assert len(light) == SMALL["val_dry"]


def test_render_job_is_independent_of_other_jobs():
    job = dataset.ClipJob("", 0, "actions/test", 4, "Walk", night="camera")
    first = dataset.render_job(job)
    dataset.render_job(replace(job, index=5))
    np.testing.assert_array_equal(first, dataset.render_job(job))
