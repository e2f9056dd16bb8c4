import csv
import re

import numpy as np
import pytest
import yaml

from slowfast.ensemble.rules import submission_rules

TOOL = "test_ensemble_vote.py"
FILES = [(layout, model, path) for layout, files in submission_rules().files.items() for model, path in files.items()]


@pytest.fixture
def experiment_root(golden, kit, tmp_path):
    """The golden predictions in the folders of the experiments."""
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    for _, model, path in FILES:
        kit.write_pkl(tmp_path / path, arrays[f"{model}_{path[-7:-4]}"], video_names=arrays["names"].tolist())
    kit.write_list(tmp_path / "test.csv", arrays["names"])
    return tmp_path


def call(run_tool, root, *more):
    return run_tool(TOOL, "--exp-root", root, "--list", root / "test.csv", "--output-dir", root / "submission", *more)


def test_golden_submission(experiment_root, golden, run_tool):
    result = call(run_tool, experiment_root)
    assert (result.code, result.err) == (0, "")
    for name in ["arid_pred.csv", *(f"arid_pred_{mode}.csv" for mode in range(5))]:
        found = (experiment_root / "submission" / name).read_bytes()
        assert found == (golden / "ensemble" / name).read_bytes(), name


def test_rows_in_another_order_are_joined_by_name(experiment_root, golden, kit, run_tool):
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    order = np.random.default_rng(1).permutation(400)
    path = FILES[0][2]
    kit.write_pkl(experiment_root / path, arrays["ssv2_1x3"][order], video_names=arrays["names"][order].tolist())
    assert call(run_tool, experiment_root).code == 0
    found = (experiment_root / "submission" / "arid_pred.csv").read_bytes()
    assert found == (golden / "ensemble" / "arid_pred.csv").read_bytes()


def test_missing_files_are_named_together(experiment_root, run_tool):
    (experiment_root / FILES[1][2]).unlink()
    (experiment_root / FILES[9][2]).unlink()
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "2 of 10 prediction files are missing" in result.err
    assert FILES[1][2] in result.err and FILES[9][2] in result.err
    assert not (experiment_root / "submission").exists()


def test_videos_without_scores(experiment_root, golden, kit, run_tool):
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    scores = arrays["sf_1x3"].copy()
    scores[17] = np.nan
    path = next(path for layout, model, path in FILES if (layout, model) == ("1x3", "sf"))
    kit.write_pkl(experiment_root / path, scores, video_names=arrays["names"].tolist())
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "1 videos have no scores" in result.err and str(arrays["names"][17]) in result.err
    assert not (experiment_root / "submission").exists()
    assert call(run_tool, experiment_root, "--fill-missing").code == 0
    assert "nan" not in (experiment_root / "submission" / "arid_pred.csv").read_text()


def test_other_class_count(experiment_root, kit, run_tool):
    for _, _, path in FILES:
        kit.write_pkl(experiment_root / path, np.ones((400, 5), "f4"))
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "has 5 classes, but the corrections are for 11" in result.err


def test_list_of_another_length(experiment_root, kit, run_tool):
    kit.write_list(experiment_root / "test.csv", ["a.mp4", "b.mp4"])
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "does not belong to" in result.err


def any_rules(tmp_path, files):
    """Rules for any number of classes with weights by agreement."""
    table = {
        "num_classes": 0, "per_clip": True, "weigh": "agreement", "files": {"1x1": files}, "anchor": "a",
        "score_kinds": dict.fromkeys(files, "logits"), "anchor_labels": [], "anchored": {"a": 1.0},
        "override": {"labels": [], "model": "a"}, "corrections": {"none": []}, "vote": [0],
        "modes": {0: {"files": "1x1", "weights": dict.fromkeys(files, 0.25), "corrections": "none"}},
    }  # fmt: skip
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(table))
    return tmp_path / "rules.yaml"


@pytest.fixture
def four(tmp_path, kit):
    """Three voters that know 80 % of 200 clips of three classes, a collapsed one and its better alternative."""
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 3, 200)
    names = [f"{row}.mp4" for row in range(200)]

    def write(name, known):
        labels_N = np.where(rng.random(200) < known, truth_N, rng.integers(0, 3, 200))
        kit.write_pkl(tmp_path / f"{name}.pkl", 4.0 * np.eye(3)[labels_N], video_names=names, score_kind="logits",
                      class_names=["sit", "run", "jump, high"], num_views=1)  # fmt: skip

    for name, known in (("a", 0.8), ("b", 0.8), ("c", 0.8), ("d", 0.0), ("d2", 0.7)):
        write(name, known)
    kit.write_list(tmp_path / "test.csv", names)
    return truth_N


def test_a_collapsed_voter_loses_its_weight_and_the_plain_table_says_everything(four, run_tool, tmp_path):
    rules = any_rules(tmp_path, {name: f"{name}.pkl" for name in "abcd"})
    (tmp_path / "t.json").write_text('{"estimated_precision": 0.7}')
    result = call(run_tool, tmp_path, "--rules", rules, "--estimate", tmp_path / "t.json")
    assert result.code == 0, result.err
    weights = dict(re.findall(r"([abcd]) (\d\.\d+)", result.out))
    assert float(weights["d"]) < 0.05 < 0.25 < float(weights["a"])
    with open(tmp_path / "submission/predictions.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["name", "label", "class", "estimate", "sit", "run", "jump, high"] and len(rows) == 200
    assert np.mean([int(row["label"]) for row in rows] == four) > 0.85
    assert {row["class"] for row in rows if row["label"] == "2"} == {"jump, high"}
    assert np.mean([float(row["estimate"]) for row in rows]) == pytest.approx(0.7, abs=0.01)
    assert sum(float(rows[0][name]) for name in ("sit", "run", "jump, high")) == pytest.approx(1.0, abs=1e-3)
    submitted = (tmp_path / "submission/arid_pred.csv").read_text()
    assert submitted.startswith("VideoID,Video,ClassID,Probability") and "tensor([[" in submitted


def test_the_alternative_that_agrees_is_taken(four, run_tool, tmp_path):
    rules = any_rules(tmp_path, {"a": "a.pkl", "b": "b.pkl", "c": "c.pkl", "d": ["d.pkl", "d2.pkl"]})
    result = call(run_tool, tmp_path, "--rules", rules)
    assert result.code == 0, result.err
    assert "1x1: d is taken from d2.pkl, which agrees most with the others" in result.out
    assert "estimate" in (tmp_path / "submission/predictions.csv").read_text().splitlines()[0]
    (tmp_path / "d2.pkl").unlink()
    assert "d2.pkl" in call(run_tool, tmp_path, "--rules", rules).err


def test_a_record_without_an_estimate_is_told(four, run_tool, tmp_path):
    rules = any_rules(tmp_path, {name: f"{name}.pkl" for name in "abcd"})
    (tmp_path / "t.json").write_text("{}")
    result = call(run_tool, tmp_path, "--rules", rules, "--estimate", tmp_path / "t.json")
    assert result.code == 2 and "no record of a pseudo-label table with an estimate" in result.err
