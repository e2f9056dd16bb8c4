"""Several labels a clip, from lists to answers: a tiny run that learns to see two things at once."""

import itertools
import json
import sys

import numpy as np
import pytest

from slowfast.apps.score import score
from slowfast.config import load_config
from slowfast.datasets.sources import read_again
from slowfast.demo.encoding import write_h264
from slowfast.engine.launch import run_experiment
from slowfast.ensemble.predictions import load_predictions
from slowfast.parents import read_record
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.scores import mean_average_precision
from tests.engine.tiny import CONFIG

CLASSES = 4
SHOWN = [labels for count in range(4) for labels in itertools.combinations(range(CLASSES), count)]
BCE = {
    "MODEL.LOSS_FUNC": "bce", "MODEL.NUM_CLASSES": CLASSES, "TEST.SCORE": "probs", "MIXUP.ENABLE": False,
    "AUG.ENABLE": False, "AUG.NUM_SAMPLE": 1, "DATA.RANDOM_FLIP": False, "BN.USE_PRECISE_STATS": False,
    "UNIFORMER.DROP_DEPTH_RATE": 0.0, "SOLVER.MAX_EPOCH": 8, "SOLVER.BASE_LR": 0.01, "TRAIN.BATCH_SIZE": 8,
    "TRAIN.EVAL_SPLITS": ["val"], "TEST.DATA_SELECT": "test", "TEST.ALSO": ["pool:1x1"],
    "DATA.CLASS_NAMES": ["up", "down", "left", "right"],
}  # fmt: skip


def write_shown(path, labels, seed):
    """Write 8 frames of 32 x 32 pixels of noise in which every label is a bright quarter."""
    frames_THWC = np.random.default_rng(seed).integers(20, 90, (8, 32, 32, 3), dtype=np.uint8)
    for label in labels:
        top, left = 16 * (label // 2), 16 * (label % 2)
        frames_THWC[:, top + 3 : top + 13, left + 3 : left + 13] = 230
    write_h264(path, frames_THWC, fps=8, crf=20)


def rows_of(name, rounds, seed):
    """Return (file, labels) of the clips of a list."""
    return [(f"{name}{number}.mp4", labels) for number, labels in enumerate(SHOWN * rounds)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Lists and clips whose labels are all combinations of up to three of four classes."""
    root = tmp_path_factory.mktemp("several")
    for place, (name, rounds) in enumerate((("train", 4), ("val", 1), ("test", 2), ("pool", 1))):
        rows = rows_of(name, rounds, place)
        for number, (file, labels) in enumerate(rows):
            write_shown(root / file, labels, 1000 * place + number)
        text = {file: "|".join(map(str, labels)) or "none" for file, labels in rows}
        known = {file: "-1" if name == "pool" else label for file, label in text.items()}
        (root / f"{name}.csv").write_text("".join(f"{file},{label}\n" for file, label in known.items()))
    return root


def settings(root, output, **changed):
    """Return the overrides of a run."""
    splits = {f"DATA.SPLITS.{name}": [f"{name}.csv", "."] for name in ("val", "test", "pool")}
    all_keys = {
        **BCE, **splits, "DATA.SPLITS.train_label": ["train.csv", "."], "DATA.PATH_PREFIX": root, "OUTPUT_DIR": output,
        **changed,
    }  # fmt: skip
    return [str(part) for pair in all_keys.items() for part in pair]


@pytest.fixture(scope="module")
def trained(root):
    """The folder of a run."""
    run_experiment(load_config(CONFIG, settings(root, root / "out")))
    return root / "out"


def test_a_run_learns_two_labels_at_once(root, trained):
    predictions = load_predictions(trained / "testx4x32x2x1.pkl", several=True)
    shares_NK = predictions.video_preds / predictions.num_views
    truth_NK = np.array([[k in labels for k in range(CLASSES)] for _, labels in rows_of("test", 2, 0)], np.float32)
    np.testing.assert_array_equal(predictions.video_targets, truth_NK)
    assert predictions.score_kind == "probs" and predictions.num_views == 2
    assert shares_NK.min() >= 0 and shares_NK.max() <= 1
    mean, classes = mean_average_precision(shares_NK, truth_NK)
    print(f"mAP {mean:.1f} %, {(((shares_NK > 0.5) == truth_NK).all(1)).mean():.3f} of the clips wholly right")
    assert classes == CLASSES and mean > 90, "chance is about 47 %"
    both_N = truth_NK.sum(1) == 2
    found_N = ((shares_NK > 0.5) == truth_NK).all(1)
    assert found_N[both_N].mean() > 0.5, "both labels and no other: chance is 1 of 16"
