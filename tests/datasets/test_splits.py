import json
from pathlib import Path

import pytest

from slowfast.config import get_cfg
from slowfast.datasets.splits import check_role, kind_of_clips, remarks, resolve_split
from slowfast.lists.records import read_list
from slowfast.utils.errors import InputError


def test_golden_splits(golden):
    facts = json.loads((golden / "data/facts.json").read_text())["splits"]
    splits = get_cfg().DATA.SPLITS
    for name, fact in facts.items():
        split = resolve_split(name, splits, Path("/root"), "pseudo/stage1.csv")
        expected = "pseudo/stage1.csv" if fact["csv"] == "DATA.PSEUDO_CSV" else fact["csv"]
        folder = fact["video_folder"]
        folder = folder["ug2"] if isinstance(folder, dict) else folder
        assert (split.list_path, split.folder) == (Path("/root") / expected, Path("/root") / folder)


def test_refusals():
    splits = get_cfg().DATA.SPLITS
    with pytest.raises(InputError, match="'vall' is unknown, DATA.SPLITS has train_label"):
        resolve_split("vall", splits, Path("/root"))
    with pytest.raises(InputError, match="DATA.PSEUDO_CSV"):
        resolve_split("train_pseudo_label", splits, Path("/root"))
    with pytest.raises(InputError, match="role"):
        check_role("dark")
    assert check_role("VAL_DARK") == "val_dark"


def test_lists_that_can_run_but_say_little(tmp_path):
    def read(name, text):
        (tmp_path / name).write_text(text)
        return read_list(tmp_path / name, "x", separator=",", num_classes=3, labelled=False, check_files=False)

    train, own = read("t.csv", "a.mp4,1\nb.mp4,1\nc.mp4,1\n"), read("o.csv", "d.mp4,0\n./a.mp4,1\ne.mp4,2\n")
    one, same = remarks(train, {"val_dry": train, "own": own})
    assert "t.csv: all 3 clips have the class 1" in one
    assert "3 of 3 clips of the split val_dry are trained on" in same
    assert list(remarks(read("u.csv", "a.mp4,1\nb.mp4,0\n"), {"own": own})) == []


def test_an_accuracy_says_on_which_clips_it_was_taken():
    splits = {
        "train_label": ["train.csv", "light", "light"], "val_dry": ["train.csv", "light", "light"],
        "mine": ["own.csv", "light", "light"], "arid": ["arid.csv", "dark"],
    }  # fmt: skip
    kinds = [kind_of_clips(name, splits) for name in (*splits, "unknown")]
    assert kinds == ["training clips", "training clips", "light clips", "dark clips", "dark clips"]
