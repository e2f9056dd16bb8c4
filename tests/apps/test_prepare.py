"""tools/prepare_lists.py: lists from class folders, checked; the published lists from the published layout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slowfast.apps.prepare import prepare, prepare_ug2, remarks
from slowfast.config import load_config
from slowfast.datasets.loader import build_dataset, build_loader
from slowfast.lists.records import read_list
from slowfast.utils.errors import InputError


@pytest.fixture
def folders(tmp_path, clips):
    """Light clips of three classes, dark clips in odd places, one damaged."""
    for number, place in enumerate(("light/run/2.mp4", "light/run/10.mp4", "light/sit/a b.mp4", "light/wave/x.mp4",
                                    "dark/7.mp4", "dark/deep/er/ü.mp4", "val/sit/1.mp4")):  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).symlink_to(clips / f"clip {number}.mp4")
    (tmp_path / "dark/broken.mp4").write_bytes(b"\0\1\2\3" * 30)
    (tmp_path / "dark/notes.txt").write_text("x")
    return tmp_path


def test_lists_and_configuration(folders, repo):
    output = folders / "out"
    done = prepare(output, folders / "light", folders / "dark", val=folders / "val", workers=1)
    assert (output / "train_label.csv").read_text() == "run/2.mp4,0\nrun/10.mp4,0\nsit/a b.mp4,1\nwave/x.mp4,2\n"
    assert (output / "total_unlabel.csv").read_text() == "7.mp4,-1\ndeep/er/ü.mp4,-1\n"
    assert (output / "val_dry.csv").read_text() == "sit/1.mp4,1\n"
    assert [name for name, _ in done["total_unlabel"].left_out] == ["broken.mp4"]
    model = repo / "configs/demo/models/uniformer_b32_k600.yaml"
    cfg = load_config([model, output / "data.yaml"])
    assert list(cfg.DATA.CLASS_NAMES) == ["run", "sit", "wave"] and cfg.MODEL.NUM_CLASSES == 3
    assert list(cfg.TRAIN.EVAL_SPLITS) == ["val_dry"] and 0.1 <= cfg.DATA.GAMMA.TEST <= 1.0
    for split, role, rows in (("train_label", "source", 4), ("train_unlabel", "bn", 2), ("val_dry", "val_bright", 1),
                              ("test", "test", 2)):  # fmt: skip
        dataset = build_dataset(cfg, split, role, train=role in ("source", "bn"))
        assert len(dataset) == rows and dataset[0].frames is not None


def test_large_networks_take_a_recipe_below(folders, repo):
    """The command of DATASET.md for a GPU."""
    prepare(folders / "out", folders / "light", folders / "dark", check=False)
    published = repo / "configs/nightcrawler"
    for model in published.glob("models/*.yaml"):
        cfg = load_config([model, published / "recipes/adapt_bn.yaml", folders / "out/data.yaml"])
        assert (cfg.DATA.NUM_FRAMES, cfg.MODEL.NUM_CLASSES, cfg.BN.USE_PRECISE_STATS) == (32, 3, True)
        assert Path(cfg.DATA.PATH_PREFIX) == folders / "out"


def test_dark_validation_comes_last(folders):
    prepare(folders / "out", folders / "light", folders / "dark", dark_val=folders / "val", test=folders / "val",
            check=False)  # fmt: skip
    assert remarks(prepare(folders / "out", folders / "light", folders / "dark", dark_val=folders / "val",
                           test=folders / "val", check=False))[0] == "classes: 0 = run, 1 = sit, 2 = wave"  # fmt: skip
    text = yaml.safe_load((folders / "out/data.yaml").read_text())
    assert text["TRAIN"]["EVAL_SPLITS"] == ["arid"]
    assert text["DATA"]["SPLITS"]["arid"][2] == "dark"
    assert text["DATA"]["SPLITS"]["test"] == ["test.csv", str(folders / "val")]
    assert "broken.mp4,-1" in (folders / "out/total_unlabel.csv").read_text()


def test_small_pools_numbered_classes_and_no_check(tmp_path, clips, repo):
    """12 light and 2 dark clips; class folders 1, 2, 10 are classes 0, 1, 2; no gamma is made up."""
    for number in range(14):
        place = tmp_path / (f"light/{(1, 2, 10)[number % 3]}" if number < 12 else "dark") / f"{number}.mp4"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(clips / f"clip {number % 7}.mp4")
    tool = [sys.executable, str(repo / "tools/prepare_lists.py"), "--light", "light", "--dark", "dark", "--output", "o"]
    done = subprocess.run([*tool, "--no-check"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "classes: 0 = 1, 1 = 2, 2 = 10\n" in done.stdout and "gamma of dark clips: not measured" in done.stdout
    assert "batch size: 2" in done.stdout
    text = yaml.safe_load((tmp_path / "o/data.yaml").read_text())
    assert "GAMMA" not in text["DATA"] and text["DATA"]["CLASS_NAMES"] == ["1", "2", "10"]
    assert "light" in text["DATA"]["SPLITS"]["arid"], "without dark validation clips it stands for light ones"
    model, step = repo / "configs/demo/models/uniformer_b32_k600.yaml", repo / "configs/real_small/exp_adapt_bn.yaml"
    cfg = load_config([model, tmp_path / "o/data.yaml", step])
    for split, role in (("train_label", "source"), ("train_unlabel", "bn")):
        assert len(build_loader(cfg, split, role, train=True, num_workers=0)) >= 1
    checked = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "gamma of dark clips: 0." in checked.stdout or "gamma of dark clips: 1 (off)" in checked.stdout
    assert "GAMMA" in (tmp_path / "o/data.yaml").read_text()


def test_one_dark_clip_cannot_be_mixed(folders, repo):
    (folders / "one").mkdir()
    (folders / "dark/7.mp4").rename(folders / "one/7.mp4")
    prepare(folders / "out", folders / "light", folders / "one", check=False)
    cfg = load_config([repo / "configs/demo/models/uniformer_b32_k600.yaml", folders / "out/data.yaml"])
    assert (cfg.TRAIN.BATCH_SIZE, cfg.MIXUP.ENABLE, cfg.MODEL.LOSS_FUNC) == (1, False, "cross_entropy")


def test_refusals(folders, tmp_path):
    light, dark = folders / "light", folders / "dark"
    with pytest.raises(InputError, match="does not exist"):
        prepare(folders / "out", folders / "none", dark)
    with pytest.raises(InputError, match="two or more class folders"):
        prepare(folders / "out", folders / "val", dark)
    with pytest.raises(InputError, match="none of the class folders run, sit, wave"):
        prepare(folders / "out", light, dark, val=dark, check=False)
    (light / "empty").mkdir()
    with pytest.raises(InputError, match="'empty' has no readable clip"):
        prepare(folders / "out", light, dark, check=False)
    with pytest.raises(InputError, match="no video files"):
        prepare(folders / "out", light, light / "empty", check=False)
    assert not (folders / "out").exists()


def test_command(folders, repo):
    tool = str(repo / "tools/prepare_lists.py")
    done = subprocess.run(
        [sys.executable, tool, "--light", "light", "--dark", "dark", "--output", "out"],
        cwd=folders, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "left out: broken.mp4" in done.stdout and "4 clips" in done.stdout
    wrong = subprocess.run([sys.executable, tool, "--light", "light"], cwd=folders, capture_output=True, text=True)
    assert wrong.returncode == 2 and "--dark" in wrong.stderr and "Traceback" not in wrong.stderr


@pytest.fixture(scope="module")
def ug2_root(shared, tmp_path_factory):
    """The layout of the downloads with empty files under the published names."""
    root = tmp_path_factory.mktemp("ug2")
    layout = {
        "train_label+val_dry.csv": "labeled_train/Train", "val_dry.csv": "dry_run/Validation",
        "dark_unlabel.csv": "dark_train/Train", "arid.csv": "dark_train/Train", "test.csv": "Test",
    }  # fmt: skip
    for name, folder in layout.items():
        for row in (shared / "ug2" / name).read_text().splitlines():
            path = root / folder / row.rpartition(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def test_published_lists_are_reproduced(shared, ug2_root):
    published = shared / "ug2"
    counts = prepare_ug2(ug2_root, [published / "train_label+val_dry.csv", published / "arid.csv"])
    assert counts["total_unlabel.csv"] == 9295
    for name in ("train_label+val_dry.csv", "val_dry.csv", "dark_unlabel.csv", "arid.csv", "total_unlabel.csv",
                 "test.csv"):  # fmt: skip
        assert (ug2_root / name).read_bytes() == (published / name).read_bytes(), name


def test_what_names_tell_without_lists(shared, ug2_root):
    with pytest.raises(InputError, match="--labels"):
        prepare_ug2(ug2_root)
    (ug2_root / "labeled_train").rename(ug2_root / "later")
    prepare_ug2(ug2_root)
    for name in ("arid.csv", "dark_unlabel.csv", "test.csv", "total_unlabel.csv"):
        published = (shared / "ug2" / name).read_text().splitlines()
        assert sorted((ug2_root / name).read_text().splitlines()) == sorted(published), name
    assert (ug2_root / "test.csv").read_text().startswith("0.mp4,-1\n1.mp4,-1\n2.mp4,-1\n")


def test_hmdb_names_tell_their_class(shared, tmp_path):
    rows = [row.rpartition(",") for row in (shared / "ug2/train_label+val_dry.csv").read_text().splitlines()]
    hmdb = [(name, label) for name, _, label in rows if "_np" in name]
    assert len(hmdb) == 1100
    for name, _ in hmdb:
        (tmp_path / "labeled_train/Train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "labeled_train/Train" / name).touch()
    prepare_ug2(tmp_path)
    written = (tmp_path / "train_label+val_dry.csv").read_text().splitlines()
    assert sorted(written) == sorted(f"{name},{label}" for name, label in hmdb)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="none of labeled_train/Train"):
        prepare_ug2(tmp_path)


def test_names_that_no_list_can_hold_are_left_out(folders, clips):
    for name in (" first.mp4", "two\nlines.mp4", '"quoted.mp4'):
        (folders / "dark" / name).symlink_to(clips / "clip 0.mp4")
    os.symlink(clips / "clip 0.mp4", os.fsencode(folders) + b"/dark/\xff.mp4")
    done = prepare(folders / "out", folders / "light", folders / "dark", check=False)["total_unlabel"]
    assert sorted(name for name, _ in done.left_out) == [" first.mp4", "two\nlines.mp4", "\ufffd.mp4"]
    assert all("rename" in reason for _, reason in done.left_out)
    assert [name for name, _ in done.rows] == ["7.mp4", '"quoted.mp4', "broken.mp4", "deep/er/ü.mp4"]
    records = read_list(
        folders / "out/total_unlabel.csv", folders / "dark", separator=",", num_classes=3, labelled=False
    )
    assert [record.name for record in records] == [name for name, _ in done.rows]


def test_a_part_of_the_light_clips_is_held_out(tmp_path, clips, repo):
    for label in ("run", "sit"):
        for group in range(1, 11):
            place = tmp_path / f"light/{label}/{label}_g{group:02d}_01.mp4"
            place.parent.mkdir(parents=True, exist_ok=True)
            for clip in (1, 2):
                (place.parent / f"{label}_g{group:02d}_{clip:02d}.mp4").symlink_to(clips / "clip 0.mp4")
    (tmp_path / "dark").mkdir()
    for number in range(3):
        (tmp_path / f"dark/{number}.mp4").symlink_to(clips / "clip 1.mp4")
    folders = prepare(tmp_path / "out", tmp_path / "light", tmp_path / "dark", check=False)
    train, val = ([name for name, _ in folders[split].rows] for split in ("train_label", "val_dry"))
    assert len(train) == 36 and len(val) == 4 and len({name.split("_")[1] for name in val}) == 1
    assert not {name.split("_")[1] for name in val} & {name.split("_")[1] for name in train}
    said = remarks(folders)[-1]
    assert said.startswith("held out: 4 of 40 light clips, 1 groups") and "nothing is trained on them" in said
    cfg = load_config([repo / "configs/demo/models/uniformer_b32_k600.yaml", tmp_path / "out/data.yaml"])
    assert cfg.DATA.SPLITS.val_dry == ["val_dry.csv", str(tmp_path / "light"), "light"]
    assert cfg.TRAIN.CHOOSE_EPOCH == "last" and (tmp_path / "out/test.csv").read_text().count(",-1\n") == 3


def test_too_few_light_clips_to_hold_any_out(folders):
    said = remarks(prepare(folders / "out", folders / "light", folders / "dark", check=False))[-1]
    assert said.startswith("no clip is held out") and "training clips" in said


def test_a_folder_that_no_configuration_can_name_is_told(folders):
    place = folders / os.fsdecode(b"no\xe9")
    (folders / "light").rename(place)
    with pytest.raises(InputError, match=r"no\\xe9: a configuration cannot name what is no UTF-8"):
        prepare(folders / "out", place, folders / "dark", check=False)
