"""metrics.json and report of a demo folder with known figures."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from slowfast.demo.report import DemoRun, Scores, choose_clips, collect
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.ensemble.submission import write_submission
from slowfast.report.data import STEPS
from slowfast.utils.errors import InputError

K, N = 3, 12
CLASSES = ["Drink", "Jump", "Pick"]
VOTERS = ("uniformer_b32_ssv2", "uniformer_b32_k600", "mvit_b32_k600", "sf32_k700")
NAMES = [f"{index}.mp4" for index in range(N)]
TRUTH = {name: index % K for index, name in enumerate(NAMES)}
FOLDERS = {
    "exp_adapt_bn": ["1x1", "1x1_gamma1_bn-train_label", "1x1_bn-train_label", "1x1_gamma1_bn-train_unlabel"],
    "exp_pseudo_stage1": ["1x1"],
    "exp_pseudo_stage2": ["1x1"],
    "exp_pseudo_stage3": ["1x1"],
    "exp_pseudo_stage4": ["1x1", "1x3", "3x3"],
    "exp_no_pseudo": ["1x1", "3x3"],
}
RIGHT = {"1x1_gamma1_bn-train_label": 3, "1x1_bn-train_label": 4, "1x1_gamma1_bn-train_unlabel": 5}


def scores_with(right: int, views: int = 1, kind: str = "logits", shift: int = 0) -> np.ndarray:
    """Scores (N, K) that are right for `right` clips, beginning with clip `shift`."""
    scores = np.zeros((N, K), np.float32)
    for offset in range(N):
        index = (offset + shift) % N
        label = index % K if offset < right else (index + 1) % K
        scores[index] = 0.1
        scores[index, label] = 0.8
    return scores * views if kind == "probs" else 5 * scores * views


@pytest.fixture
def work(tmp_path):
    """A finished demo in miniature, without videos."""
    data = tmp_path / "data"
    (data / "pseudo").mkdir(parents=True)
    (data / "manifest.json").write_text(json.dumps({"classes": CLASSES, "splits": {"test": {"clips": N}}}))
    (data / "test_truth.csv").write_text("".join(f"{name},{label}\n" for name, label in TRUTH.items()))
    (data / "total_unlabel_truth.csv").write_text("".join(f"p{index}.mp4,{index % K}\n" for index in range(20)))
    for stage in range(1, 5):
        rows = [f"p{i}.mp4,{i % K if i else 1},0.8,0.1,0.1\n" for i in range(4 * stage)]
        (data / "pseudo" / f"stage{stage}.csv").write_text("".join(rows))
    tests = [(folder, voter, name) for folder, names in FOLDERS.items() for voter in VOTERS for name in names]
    tests += [("exp_experts", VOTERS[0], name) for name in ("1x1", "1x3", "3x3")]
    for folder, voter, name in tests:
        views = int(name[0]) * int(name[2])
        kind = "probs" if "mvit" in voter else "logits"
        right = RIGHT.get(name, 6) if folder == "exp_adapt_bn" else 9
        order = np.arange(N)[::-1]
        preds = scores_with(right, views, kind, shift=VOTERS.index(voter))[order]
        labels = np.full(N, -1)
        names = [NAMES[index] for index in order]
        saved = Predictions(preds, labels, names, kind, views, CLASSES)
        save_predictions(tmp_path / folder / voter / f"testx8x56x{name}.pkl", saved)
    final = np.array([TRUTH[name] if name != "0.mp4" else 1 for name in NAMES])
    write_submission(tmp_path / "submission" / "arid_pred.csv", NAMES, final, np.full((N, K), 1 / 3, np.float32))
    (tmp_path / "exp_adapt_bn" / VOTERS[0] / "config.yaml.resolved").write_text("DATA: {GAMMA: {TEST: 0.25}}\n")
    (tmp_path / "timings.json").write_text(json.dumps({"data": 3.5, "wall": 9.0}))
    return tmp_path


def report(repo, work, *options):
    """Run the tool."""
    command = [sys.executable, repo / "tools" / "demo_report.py", "--work", work, *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, cwd=work)


def test_metrics_have_the_documented_form_and_the_right_figures(repo, work):
    done = report(repo, work, "--seed", "3", "--mode", "full", "--clips", "0")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((work / "metrics.json").read_text())
    assert set(metrics) == {"seed", "mode", "seconds", "ladder", "pseudo_labels"}
    assert (metrics["seed"], metrics["mode"], metrics["seconds"]) == (3, "full", {"data": 3.5, "wall": 9.0})
    assert all(set(row) == {"step", "model", "views", "crops", "top1"} for row in metrics["ladder"])
    assert list(dict.fromkeys(row["step"] for row in metrics["ladder"])) == [step.name for step in STEPS]
    top1 = {(row["step"], row["model"], row["views"], row["crops"]): row["top1"] for row in metrics["ladder"]}
    assert len(top1) == len(metrics["ladder"])
    assert top1["source_only", VOTERS[3], 1, 1] == 25.0
    assert top1["gamma", "mean", 1, 1] == pytest.approx(33.33)
    assert top1["adapt_bn", "mvit_b32_k600", 1, 1] == pytest.approx(41.67)
    assert top1["adapt_bn_gamma", "mean", 1, 1] == 50.0
    assert top1["pseudo_4", VOTERS[0], 1, 1] == 75.0
    assert top1["ensemble", "vote", 3, 3] == pytest.approx(91.67)
    assert metrics["pseudo_labels"] == [
        {"stage": stage, "selected": 4 * stage, "pool": 20, "precision": pytest.approx(100 - 25 / stage, abs=0.01)}
        for stage in (1, 2, 3, 4)
    ]


def test_a_first_demo_has_one_round(repo, work):
    manifest = json.loads((work / "data/manifest.json").read_text())
    (work / "data/manifest.json").write_text(json.dumps(manifest | {"parameters": {"mode": "first"}}))
    for stage in (2, 3, 4):
        (work / f"data/pseudo/stage{stage}.csv").unlink()
        if stage < 4:
            shutil.rmtree(work / f"exp_pseudo_stage{stage}")
    shutil.rmtree(work / "exp_pseudo_stage1")
    (work / "exp_pseudo_stage4").rename(work / "exp_pseudo_stage1")
    (work / "data/pseudo/stage1.json").write_text('{"verdict": "about 71 % of these labels are right"}')
    done = report(repo, work, "--mode", "first", "--clips", "0")
    assert done.returncode == 0, done.stderr
    assert "precision 75.0 %; about 71 % of these labels are right" in done.stdout
    metrics = json.loads((work / "metrics.json").read_text())
    steps = [step.name for step in STEPS if step.name not in ("pseudo_2", "pseudo_3", "pseudo_4")]
    assert list(dict.fromkeys(row["step"] for row in metrics["ladder"])) == steps
    assert [entry["stage"] for entry in metrics["pseudo_labels"]] == [1]


def test_rows_of_every_step(repo, work):
    report(repo, work, "--clips", "0")
    rows = json.loads((work / "metrics.json").read_text())["ladder"]
    models = {}
    for row in rows:
        models.setdefault((row["step"], row["views"], row["crops"]), []).append(row["model"])
    four, five = [*VOTERS, "mean", "vote"], [*VOTERS, "expert", "mean", "vote"]
    assert models[("pseudo_1", 1, 1)] == four
    assert models[("no_pseudo", 1, 1)] == models[("no_pseudo", 3, 3)] == four
    assert models[("expert", 1, 1)] == models[("tta_1x3", 1, 3)] == models[("tta_3x3", 3, 3)] == five
    assert models[("ensemble", 3, 3)] == ["vote"]


def test_table_on_the_terminal_and_page(repo, work):
    done = report(repo, work)
    assert done.stdout.splitlines()[0].split() == ["step", "views", *VOTERS, "expert", "mean", "vote"]
    assert "pseudo-labels of round 1: 4 of 20 (20.0 %), precision 75.0 %" in done.stdout
    assert done.stderr.count("left out of the report") == N
    assert "Final vote" in (work / "report.html").read_text()


def test_clips_are_shown_before_and_after_gamma(repo, work):
    (work / "data" / "Test").mkdir()
    with av.open(str(work / "data" / "Test" / "4.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 10, np.uint8), format="rgb24")
        for _ in range(10):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    done = report(repo, work)
    assert done.returncode == 0 and done.stderr.count("left out of the report") == N - 1
    page = (work / "report.html").read_text()
    images = [Image.open(io.BytesIO(base64.b64decode(text))) for text in re.findall(r"base64,([^)]*)\)", page)]
    assert [image.size for image in images] == [(8 * 120, 90)] * 2
    dark, bright = (int(np.mean(np.asarray(image))) for image in images)
    assert dark < 20 and bright > 90
    assert "4.mp4" in page and "<b>Jump</b>" in page


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("data/test_truth.csv", "no finished demo"),
        ("exp_no_pseudo/sf32_k700/testx8x56x3x3.pkl", "has no testx*x*x3x3.pkl, so the step no_pseudo cannot"),
        ("submission/arid_pred.csv", "not a submission"),
        ("data/pseudo/stage3.csv", "stage3.csv"),
    ],
)
def test_what_is_missing_is_one_sentence_and_nothing_is_written(repo, work, path, words):
    (work / path).unlink()
    done = report(repo, work)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert not (work / "metrics.json").exists() and not (work / "report.html").exists()


def test_two_clip_sizes_are_refused(repo, work):
    folder = work / "exp_adapt_bn" / VOTERS[0]
    shutil.copy(folder / "testx8x56x1x1.pkl", folder / "testx16x56x1x1.pkl")
    done = report(repo, work)
    assert done.returncode == 2 and "differ in clip size" in done.stderr


def run_with(**changes) -> DemoRun:
    """A run in memory whose steps are all alike."""
    keys = [(step.name, 1, 1) for step in STEPS if step.name != "ensemble"]
    models = {
        "a": Scores(NAMES, scores_with(9), "logits", 1),
        "b": Scores(NAMES, scores_with(9, 1, "probs", 3), "probs", 1),
    }
    values = {
        "class_names": CLASSES, "truth": TRUTH, "tests": dict.fromkeys(keys, models), "submission": TRUTH,
        "pool_truth": {"p": 0, "q": 1}, "pseudo": {1: {"p": 0}},
    }  # fmt: skip
    return DemoRun(**(values | changes))


def test_vote_follows_the_surer_voter():
    """The two are wrong on different clips; a softmax of 0.94 outweighs a probability of 0.8."""
    figures = collect(run_with())
    rows = {(row.step, row.model): row.top1 for row in figures.ladder}
    assert rows["gamma", "a"] == rows["gamma", "b"] == rows["gamma", "mean"] == 75.0
    sure = np.exp(4.0) / (np.exp(4.0) + 2 * np.exp(0.5))
    expected = [(sure + 0.1) / 2, ((1 - sure) / 2 + 0.8) / 2, ((1 - sure) / 2 + 0.1) / 2]
    np.testing.assert_allclose(figures.fused["gamma"][0], expected, rtol=1e-5)
    assert rows["gamma", "vote"] == 75.0


def test_unread_clip_is_wrong_but_the_others_vote():
    scores = scores_with(12)
    scores[0] = np.nan
    models = {"a": Scores(NAMES, scores, "logits", 1), "b": Scores(NAMES, scores_with(12), "logits", 1)}
    keys = [(step.name, 1, 1) for step in STEPS if step.name != "ensemble"]
    rows = {(row.step, row.model): row.top1 for row in collect(run_with(tests=dict.fromkeys(keys, models))).ladder}
    assert rows["gamma", "a"] == pytest.approx(100 * 11 / 12)
    assert rows["gamma", "vote"] == 100.0


def test_clip_missing_from_the_submission_is_wrong():
    short = {name: label for name, label in TRUTH.items() if name != "5.mp4"}
    assert collect(run_with(submission=short)).ladder[-1].top1 == pytest.approx(100 * 11 / 12)


def test_predictions_of_another_list_are_refused():
    models = {"a": Scores([f"x{name}" for name in NAMES], scores_with(9), "logits", 1, "x.pkl")}
    keys = [(step.name, 1, 1) for step in STEPS if step.name != "ensemble"]
    with pytest.raises(InputError, match=r"x.pkl lacks 12 of the 12 test clips, for example '0.mp4'"):
        collect(run_with(tests=dict.fromkeys(keys, models)))


@pytest.mark.parametrize("labels", [{}, {"stranger": 0}])
def test_pseudo_labels_of_another_pool_are_refused(labels):
    with pytest.raises(InputError, match="round 1"):
        collect(run_with(pseudo={1: labels}))


def test_example_clips_are_random_and_of_every_class():
    truth = np.arange(600) % 11
    chosen = choose_clips(truth, 12, seed=0)
    assert len(set(chosen)) == 12 and set(truth[chosen]) == set(range(11))
    assert list(truth[chosen]) == sorted(truth[chosen])
    assert chosen == choose_clips(truth, 12, seed=0) != choose_clips(truth, 12, seed=1)
    assert len(choose_clips(truth, 5, seed=0)) == 5
