"""What a schedule on own clips needs is looked at before its first job."""

import pytest
import yaml

from slowfast.apps.schedule_check import check_schedule
from slowfast.utils.errors import InputError

NAMES = ("data.yaml", "train_label.csv", "total_unlabel.csv", "test.csv")


@pytest.fixture
def root(tmp_path):
    """Lists of three classes whose videos are empty files."""
    rows = {"train_label": "a/1.mp4,0\nb/1.mp4,1\nc/1.mp4,2\n", "val_dry": "a/2.mp4,0\n"}
    rows |= {"total_unlabel": "x.mp4,-1\ny.mp4,-1\n", "test": "x.mp4,-1\n"}
    splits = {}
    for split, text in rows.items():
        (tmp_path / f"{split}.csv").write_text(text)
        splits[split] = [f"{split}.csv", "clips"]
        for row in text.splitlines():
            path = tmp_path / "clips" / row.split(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    data = {"PATH_PREFIX": str(tmp_path), "PATH_LABEL_SEPARATOR": ",", "CLASS_NAMES": ["a", "b", "c"], "SPLITS": splits}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"DATA": data, "MODEL": {"NUM_CLASSES": 3}}))
    return tmp_path


def check(root, rules=""):
    configs = ["configs/demo/models/sf32_k700.yaml", str(root / "data.yaml")]
    check_schedule(root, "data", NAMES, "make it", configs=configs, rules=rules)


def test_sound_lists_pass_with_rules_for_any_number_of_classes(root):
    check(root, "configs/real_small/vote.yaml")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("test.csv", None, "data/test.csv is missing; make it"),
        ("train_label.csv", "a/1.mp4,0\nb/1.mp4,1\n", "train_label.csv: the class 2 has no clip"),
        ("train_label.csv", "a/1.mp4,0\nb/1.mp4,7\n", "train_label.csv, row 2: the label 7 is none of 0 to 2"),
        ("total_unlabel.csv", "x.mp4,-1\nz.mp4,-1\n", "1 of 2 videos are not in .*clips, first 'z.mp4'"),
        ("total_unlabel.csv", "x.mp4,-1\nx.mp4,-1\n", "stands twice"),
        ("total_unlabel.csv", "", "the list is empty"),
        ("data.yaml", "MODEL: {NUM_CLASSES: 3, CLASSES: 4}", "CLASSES"),
    ],
)
def test_what_is_wrong_is_told(root, name, text, said):
    (root / name).unlink() if text is None else (root / name).write_text(text)
    with pytest.raises(InputError, match=said):
        check(root)


def test_everything_wrong_is_told_together_and_rules_of_other_classes_too(root):
    (root / "val_dry.csv").write_text("a/2.mp4,9\n")
    (root / "test.csv").write_text("none.mp4,-1\n")
    with pytest.raises(InputError, match="vote.yaml is for 11 classes, the lists have 3; .*label 9 .*; .*'none.mp4'"):
        check(root, "configs/demo/vote.yaml")
