"""The open pool of a finished demo: strangers, joined predictions, what a selection holds, the table."""

import os

import numpy as np
import pytest

from slowfast.demo import open_pool
from slowfast.demo.open_pool import Kept
from slowfast.demo.results import VOTERS
from slowfast.ensemble.predictions import Predictions, concatenate, save_predictions
from slowfast.utils.errors import InputError


def predictions(names, labels, known=-1):
    """Sure predictions of these labels."""
    scores = 4.0 * np.eye(3)[labels] + 0.01 * np.arange(len(labels))[:, None] * np.eye(3)[labels]
    return Predictions(scores, np.broadcast_to(known, len(labels)).copy(), list(names), "logits", 1)


def test_strangers_are_dark_clips_that_depend_on_the_seed(tmp_path):
    table = open_pool.render_strangers(tmp_path, 3, 2)
    assert table.read_text() == "stranger0.mp4,-1\nstranger1.mp4,-1\n"
    first = (tmp_path / "strangers" / "stranger0.mp4").read_bytes()
    open_pool.render_strangers(tmp_path / "again", 3, 1)
    open_pool.render_strangers(tmp_path / "other", 4, 1)
    again, other = ((tmp_path / name / "strangers" / "stranger0.mp4").read_bytes() for name in ("again", "other"))
    assert first == again != other


def test_joined_predictions_keep_their_order():
    joined = concatenate([predictions(["a", "b"], [0, 1]), predictions(["c"], [2])])
    assert joined.video_names == ["a", "b", "c"] and joined.video_preds.argmax(1).tolist() == [0, 1, 2]
    assert joined.video_labels.tolist() == [-1] * 3 and joined.score_kind == "logits"


def test_what_half_of_a_pool_holds_is_counted_with_the_truth(tmp_path):
    """Of 40 clips 20 are labelled right, 4 wrong and 16 belong to no class; 20 of them are kept."""
    labels = np.arange(40) % 3
    names = [f"{row}.mp4" for row in range(40)]
    truth = {name: int(label) for name, label in zip(names[:20], labels)}
    truth |= {name: int(label + 1) % 3 for name, label in zip(names[20:24], labels[20:])}
    (tmp_path / "data").mkdir()
    rows = "".join(f"{name},{label}\n" for name, label in truth.items())
    (tmp_path / "data" / "total_unlabel_truth.csv").write_text(rows)
    paths = []
    for voter in VOTERS:
        paths.append(tmp_path / f"{voter}.pkl")
        save_predictions(paths[-1], predictions(names, labels))
        light = tmp_path / "exp_adapt_bn" / voter / open_pool.LIGHT
        light.parent.mkdir(parents=True)
        save_predictions(light, predictions([f"l{row}" for row in range(30)], np.arange(30) % 3, np.arange(30) % 3))
    found = open_pool.keep_half(tmp_path, tmp_path, paths, [], dict(os.environ))
    kept = [row.split(",")[0] for row in (tmp_path / "kept.csv").read_text().split()]
    assert len(kept) == 20 and found.strangers == 5 * len([name for name in kept if name not in truth]) > 0
    assert found.right == 5 * len([name for name in kept if name in names[:20]]) > 0


def test_a_folder_without_adapted_networks_is_refused(tmp_path):
    with pytest.raises(InputError, match="no adapted networks"):
        open_pool.measure(tmp_path, [0.2], {})


def test_the_table_has_the_mean_and_every_demo():
    one = {"open 0": Kept(12, 80), "closed 0": Kept(0, 92), "open 0.2": Kept(9, 82), "closed 0.2": Kept(0, 91)}
    two = {**one, "open 0.2": Kept(11, 84)}
    assert open_pool.table([one, two], [0.2]).splitlines()[2:] == [
        "| nothing | 12.0 (12.0, 12.0) | 80.0 (80.0, 80.0) | 92.0 (92.0, 92.0) |",
        "| 0.2 | 10.0 (9.0, 11.0) | 83.0 (82.0, 84.0) | 91.0 (91.0, 91.0) |",
    ]
