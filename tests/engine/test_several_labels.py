"""Several labels a clip, from lists to answers: a tiny run that learns to see two things at once."""

import itertools
import json
import re
import sys

import numpy as np
import pytest

from slowfast.apps.cam import GradCam
from slowfast.apps.predict import load_predictor
from slowfast.apps.score import score
from slowfast.apps.sliding import Scorer
from slowfast.apps.timeline import read_timeline
from slowfast.config import load_config
from slowfast.datasets.loader import build_file_loader
from slowfast.datasets.sources import read_again
from slowfast.demo.encoding import write_h264
from slowfast.engine.launch import process_setup, run_experiment
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


def rows_of(name, rounds):
    """Return (file, labels) of the clips of a list."""
    return [(f"{name}{number}.mp4", labels) for number, labels in enumerate(SHOWN * rounds)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Lists and clips whose labels are all combinations of up to three of four classes."""
    root = tmp_path_factory.mktemp("several")
    for place, (name, rounds) in enumerate((("train", 4), ("val", 1), ("test", 2), ("pool", 1))):
        rows = rows_of(name, rounds)
        for number, (file, labels) in enumerate(rows):
            write_shown(root / file, labels, 1000 * place + number)
        text = {file: "|".join(map(str, labels)) or "none" for file, labels in rows}
        known = {file: "-1" if name == "pool" else label for file, label in text.items()}
        (root / f"{name}.csv").write_text("".join(f"{file},{label}\n" for file, label in known.items()))
    return root


def settings(root, output, **changed):
    """Return the overrides of a run."""
    splits = {f"DATA.SPLITS.{name}": [f"{name}.csv", ".", "light"] for name in ("val", "test", "pool")}
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
    truth_NK = np.array([[k in labels for k in range(CLASSES)] for _, labels in rows_of("test", 2)], np.float32)
    np.testing.assert_array_equal(predictions.video_targets, truth_NK)
    assert predictions.score_kind == "probs" and predictions.num_views == 2
    assert shares_NK.min() >= 0 and shares_NK.max() <= 1
    mean, classes = mean_average_precision(shares_NK, truth_NK)
    assert classes == CLASSES and mean > 90, "chance is about 47 %"
    both_N = truth_NK.sum(1) == 2
    found_N = ((shares_NK > 0.5) == truth_NK).all(1)
    assert found_N[both_N].mean() > 0.5, "both labels and no other: chance is 1 of 16"


def test_every_evaluation_is_on_record(trained):
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    evaluated = [record for record in records if record["_type"] == "val_epoch"]
    assert len(evaluated) == BCE["SOLVER.MAX_EPOCH"] and evaluated[-1]["map"] > 90
    assert all(record["map"] == pytest.approx(100 - record["map_err"]) for record in evaluated)
    assert evaluated[-1]["min_map_err"] == min(record["map_err"] for record in evaluated)
    assert not any("top1_err" in record for record in evaluated)
    assert {"loss", "top1_err"} <= records[0].keys()


def test_what_has_several_labels_is_recorded_and_nothing_else_takes_it_for_one(trained, root):
    pool = load_predictions(trained / "poolx4x32x1x1.pkl", several=True)
    assert np.isnan(pool.video_targets).all() and not pool.known.any()
    with pytest.raises(InputError, match="several labels"):
        load_predictions(trained / "testx4x32x2x1.pkl")
    assert not list(trained.glob("*confusion*")), "a clip of two classes is not taken for one of them"
    made_of, places = read_record(trained / "best.pyth")
    assert (
        made_of.inputs["list train_label"]
        == read_again("train_label", places["lists"]["train_label"])["list train_label"]
    )


def test_predictions_are_scored_against_a_list(trained, root, tmp_path):
    file = trained / "testx4x32x2x1.pkl"
    stored = load_predictions(file, several=True)
    of_test = mean_average_precision(stored.video_preds, stored.video_targets)[0]
    assert score([file], root / "test.csv") == {str(file): pytest.approx(of_test)}
    rows = (root / "test.csv").read_text().splitlines(keepends=True)
    (tmp_path / "half.tsv").write_text("".join(rows[:15]).replace(",", "\t"))
    half = mean_average_precision(stored.video_preds[:15], stored.video_targets[:15])[0]
    assert score([file], tmp_path / "half.tsv") == {str(file): pytest.approx(half)}
    (tmp_path / "nothing.csv").write_text("test0.mp4,-1\nelsewhere.mp4,1|2\n")
    with pytest.raises(InputError, match="none of its 30 videos"):
        score([file], tmp_path / "nothing.csv")


def test_predict_lists_the_classes_over_the_threshold(trained, root, tmp_path, monkeypatch, capsys):
    shown = {"both.mp4": (0, 3), "one.mp4": (2,), "nothing.mp4": ()}
    for number, (name, labels) in enumerate(shown.items()):
        write_shown(tmp_path / "clips" / name, labels, 9000 + number)
    words = ["predict.py", tmp_path / "clips", "--cfg", trained / "config.yaml.resolved", "--checkpoint",
             trained / "best.pyth", "--json", tmp_path / "answers.json", "--gamma", "1"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    from tools import predict

    assert predict.main() == cli.EXIT_OK
    text = capsys.readouterr().out
    found = json.loads((tmp_path / "answers.json").read_text())
    answers = {one["video"]: [entry["class"] for entry in one["answers"]] for one in found}
    assert sorted(answers["both.mp4"]) == ["right", "up"] and answers["one.mp4"] == ["left"]
    assert answers["nothing.mp4"] == [] and "no class reaches 50 %" in text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("train0.mp4,1|4", "row 1 ('train0.mp4,1|4') has the label 4, MODEL.NUM_CLASSES 4 allows 0 to 3"),
        ("train0.mp4,1|1", "names a label twice"), ("train0.mp4,1|", "whole number"), ("train0.mp4,0|-1", "no label"),
        ("train0.mp4,-1", "has no label"), ("train0.mp4,0,1,0,1,0", "write its labels as 3|7"),
    ],
)  # fmt: skip
def test_wrong_rows_are_named(root, tmp_path, row, told):
    (root / "odd.csv").write_text(f"{row}\n")
    changed = {"DATA.SPLITS.train_label": ["odd.csv", "."]}
    with pytest.raises(InputError, match=f"odd.csv.*{re.escape(told)}"):
        run_experiment(load_config(CONFIG, settings(root, tmp_path / "out", **changed)))
    assert not (tmp_path / "out").exists()


def test_several_labels_without_the_key(root, tmp_path):
    one = {"MODEL.LOSS_FUNC": "cross_entropy", "TEST.SCORE": "logits"}
    with pytest.raises(InputError, match=r"train.csv: row 1 .* has the labels none.*MODEL.LOSS_FUNC bce"):
        run_experiment(load_config(CONFIG, settings(root, tmp_path / "out", **one)))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"TEST.SCORE": "logits"}, "set TEST.SCORE probs"), ({"MIXUP.ENABLE": True}, "MIXUP.ENABLE needs"),
        ({"DATA.PSEUDO_CSV": "pseudo.csv"}, "trains without pseudo_label"),
        ({"TRAIN.METHOD": "mean_teacher"}, "trains without mean_teacher"), ({"TEST.ADAPT": "tent"}, "without tent"),
        ({"TEST.ALSO": ["pool:1x1::pool:sar"]}, "without sar"), ({"TRAIN.LABELLED_BALANCED": True}, "BALANCED"),
        ({"TRAIN.CLASS_WEIGHTS": [1.0, 1.0, 1.0, 2.0]}, "CLASS_WEIGHTS"),
    ],
)  # fmt: skip
def test_what_takes_a_clip_to_have_one_label_is_refused(root, tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        load_config(CONFIG, settings(root, tmp_path / "out", **changed))


@pytest.mark.parametrize("name", ["batchnorm", "recentre"])
def test_adaptations_that_go_with_several_labels(root, trained, tmp_path, name):
    adapting = {
        "TRAIN.ENABLE": False, "TEST.CHECKPOINT_FILE_PATH": trained / "best.pyth", "TEST.ADAPT": name,
        "TEST.ADAPT_SPLIT": "pool", "TEST.ALSO": [],
    }  # fmt: skip
    run_experiment(load_config(CONFIG, settings(root, tmp_path / "out", **adapting)))
    (path,) = (tmp_path / "out").glob("test*.pkl")
    adapted = load_predictions(path, several=True)
    before = load_predictions(trained / "testx4x32x2x1.pkl", several=True)
    assert not np.array_equal(adapted.video_preds, before.video_preds)
    assert mean_average_precision(adapted.video_preds, adapted.video_targets)[0] > 70


def test_adapters(root, tmp_path):
    pytest.importorskip("peft")
    few = {"LORA.RANK": 2, "SOLVER.MAX_EPOCH": 1, "TEST.ALSO": []}
    run_experiment(load_config(CONFIG, settings(root, tmp_path / "out", **few)))
    assert load_predictions(tmp_path / "out" / "testx4x32x2x1.pkl", several=True).video_targets.shape == (30, CLASSES)


def test_a_probe_on_stored_features(root, tmp_path):
    kept = {"TRAIN.PROBE": True, "DATA.FEATURE_CACHE": tmp_path / "kept", "SOLVER.MAX_EPOCH": 1}
    run_experiment(load_config(CONFIG, settings(root, tmp_path / "out", **kept)))
    assert load_predictions(tmp_path / "out" / "testx4x32x2x1.pkl", several=True).video_targets.shape == (30, CLASSES)


def test_windows_and_maps_have_a_probability_for_every_class(trained, root, tmp_path):
    cfg = load_config(trained / "config.yaml.resolved")
    write_shown(tmp_path / "both.mp4", (0, 3), 9000)
    with process_setup(cfg) as device:
        predictor = load_predictor(cfg, trained / "best.pyth", device)
        scores = read_timeline(
            cfg, Scorer(predictor, predictor.network), tmp_path / "both.mp4", window=0, stride=0, gamma=1
        )
        clip_CTHW = next(iter(build_file_loader(cfg, [tmp_path / "both.mp4"], ["both"], [1.0])))["clips"][0]
        _, of_map_K = GradCam(predictor.model, several=True)(clip_CTHW)
    for probs_K in (*scores.probs_NK, of_map_K):
        assert (probs_K > 0.5).tolist() == [True, False, False, True]
