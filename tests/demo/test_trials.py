"""The table of trials: what is compared with what, and when a trial wins."""

import ast
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from slowfast.demo import trial_figures, trials
from slowfast.demo.night import NIGHTS, pool_of_light
from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

PLAN = yaml.safe_load(repo_path("configs/demo/trials.yaml").read_text(encoding="utf-8"))
NAMES = [f"{index}.mp4" for index in range(8)]


def write(path, right):
    """Predictions of which the first `right` clips are right (class 1), with three classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scores = np.zeros((8, 3))
    scores[np.arange(8), np.where(np.arange(8) < right, 1, 2)] = 3.0
    labels = np.full(8, -1)
    save_predictions(path, Predictions(scores, labels, NAMES, "logits", 1))


@pytest.fixture
def place(tmp_path):
    root = tmp_path / "lamp-seed1"
    (root / "data").mkdir(parents=True)
    (root / "data" / "test_truth.csv").write_text("".join(f"{name},1\n" for name in NAMES))
    return trials.Place(root, "lamp", 1, root / "data")


def test_trials_are_compared_with_what_the_plan_says(place):
    plan = {
        "voters": ["a", "b"],
        "trials": {
            "sar": {"tests": "1x1:::sar", "against": "adapted"},
            "soft": {"step": "exp_pseudo_stage1", "opts": "", "against": "round_1"},
            "average": {"average": ["adapted", "round_1"], "against": "round_1"},
        },
    }
    for voter, one in (("a", 0), ("b", 1)):
        write(place.root / "exp_adapt_bn" / voter / "testx8x56x1x1.pkl", 2 + one)
        write(place.root / "tested" / voter / "testx8x56x1x1_sar-train_unlabel.pkl", 4 + one)
        write(place.root / "round_1" / voter / "testx8x56x1x1.pkl", 5 + one)
        write(place.root / "soft" / voter / "testx8x56x1x1.pkl", 6 + one)
        write(place.root / "average" / voter / "testx8x56x1x1_bn-train_unlabel.pkl", 7 + one)
    found = trial_figures.figures(place, plan)
    means = {name: tuple(score["mean network"] for score in pair) for name, pair in found.items()}
    assert means == {"sar": (31.25, 56.25), "soft": (68.75, 81.25), "average": (68.75, 93.75)}


def test_a_gamma_is_chosen_by_agreement_and_not_by_truth(place):
    plan = {"voters": ["a", "b"], "trials": {"gamma": {"gammas": [0.35], "against": "adapted"}}}
    usual, other = "exp_adapt_bn", "_gamma0.35_bn-train_unlabel"
    for voter, right in (("a", 8), ("b", 3)):  # usual: more are right, fewer agree
        write(place.root / usual / voter / f"{trials.POOL}.pkl", right)
        write(place.root / usual / voter / "testx8x56x1x1.pkl", right)
        write(place.root / "tested" / voter / f"{trials.POOL}{other}.pkl", 2)
        write(place.root / "tested" / voter / f"testx8x56x1x1{other}.pkl", 2)
    assert trial_figures.chosen_gamma(place, plan, plan["trials"]["gamma"]) == other
    before, after = trial_figures.figures(place, plan)["gamma"]
    assert (before["mean network"], after["mean network"]) == (68.75, 25.0)


def test_real_film_is_judged_by_agreement_alone(place):
    real = place._replace(night=trials.REAL)
    plan = {"voters": ["a", "b"], "trials": {"gamma": {"gammas": [1], "only": "rendered", "against": "adapted"}}}
    plan["trials"]["start"] = {"step": "exp_adapt_bn", "only": "real", "against": "adapted"}
    for voter, right, trial in (("a", 4, 4), ("b", 2, 4)):
        write(real.root / "exp_adapt_bn" / voter / f"{trials.POOL}.pkl", right)
        write(real.root / "start" / voter / f"{trials.POOL}.pkl", trial)
    found = trial_figures.figures(real, plan)
    assert list(found) == ["start"]
    assert found["start"] == ({"agreement": pytest.approx(50.0)}, {"agreement": pytest.approx(100.0)})
    assert not trials.made_at(place, plan["trials"]["start"])
    for folder, error in (("exp_adapt_bn", 60.0), ("start", 45.0)):
        for voter in ("a", "b"):
            rows = [{"split": "val_dry", "top1_err": value} for value in (90.0, error)] + [{"epoch": 1}]
            (real.root / folder / voter / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    before, after = trial_figures.figures(real, plan)["start"]
    assert (before["light"], after["light"]) == (40.0, 55.0)


def pairs(*gains, without=(50.0, 60.0)):
    """Figures of a night without and with a trial that adds these to both."""
    names = ("mean network", "vote")
    return [tuple(dict(zip(names, (value + add for value in without))) for add in (0.0, gain)) for gain in gains]


def test_a_trial_wins_by_more_than_the_deviation_in_every_night():
    plan = {"nights": ["camera", "lamp"], "trials": {"x": {"what": "idea x"}}}
    good, wide = pairs(2.0, 3.0), pairs(2.0, -1.0)
    last = trial_figures.table({"x": {"camera": good, "lamp": good}}, plan).splitlines()[-1]
    assert last == "| idea x | 50.0 +2.5 ± 0.7 | 60.0 +2.5 ± 0.7 | 50.0 +2.5 ± 0.7 | 60.0 +2.5 ± 0.7 | yes |"
    assert trial_figures.table({"x": {"camera": good, "lamp": wide}}, plan).endswith("| no |")


def test_a_winner_must_not_lose_on_real_film():
    plan = {"nights": ["camera"], "trials": {"x": {"what": "idea x"}, "y": {"what": "idea y"}}}
    good, lost = (
        pairs(2.0, 3.0),
        [({"agreement": 20.0}, {"agreement": 15.0}), ({"agreement": 20.0}, {"agreement": 14.0})],
    )
    text = trial_figures.table({"x": {"camera": good, "real": lost}, "y": {"real": lost}}, plan)
    assert text.splitlines()[2:] == [
        "| idea x | 50.0 +2.5 ± 0.7 | 60.0 +2.5 ± 0.7 | 20.0 -5.5 ± 0.7 | – | no |",
        "| idea y | – | – | 20.0 -5.5 ± 0.7 | – | – |",
    ]


def test_every_trial_of_the_plan_can_be_run_and_read(place, tmp_path):
    (tmp_path / "data.yaml").touch()
    kinds = [place, *(spot for spot in trials.places(tmp_path, PLAN, tmp_path) if spot.is_real and spot.seed == 1)]
    assert [spot.kind for spot in kinds] == ["rendered", "real"]
    for trial in PLAN["trials"].values():
        assert trial["what"] and len({"tests", "step", "align", "gammas", "average"} & set(trial)) == 1
        assert trial["against"] in trials.FOLDERS
    for spot in kinds:
        made = {name for name, trial in PLAN["trials"].items() if "step" in trial and trials.made_at(spot, trial)}
        runs = list(trials.trial_runs(spot, PLAN))
        assert {folder.parent.name for folder, _ in runs} == {"tested", "round_1"} | made
        for _, words in runs:
            configs = [words[index + 1] for index, word in enumerate(words) if word == "--cfg"]
            assert all(repo_path(config).is_file() for config in configs)
        tested = next(words for folder, words in runs if folder.parent.name == "tested")
        entries = ast.literal_eval(tested[tested.index("TEST.ALSO") + 1])
        assert len(entries) == len(set(entries)) and all(entry.startswith((spot.split, "total_")) for entry in entries)
    assert set(PLAN["nights"]) <= set(NIGHTS) and len(PLAN["seeds"]) == 3


def test_the_light_clips_are_learnt_once_for_all_nights(place):
    words = trials.adaptation(place, PLAN, "mvit_b32_k600", "darken", "AUG.DARKEN True")
    first = place.root.parent / "camera-seed1" / "darken" / "mvit_b32_k600" / "best.pyth"
    assert words[words.index("TRAIN.CHECKPOINT_FILE_PATH") + 1] == str(first)
    camera = trials.adaptation(place._replace(night="camera"), PLAN, "mvit_b32_k600")
    assert "TRAIN.CHECKPOINT_FILE_PATH" not in camera


def test_an_average_is_the_mean_of_weights_and_keeps_counters(tmp_path):
    for name, value, seen in (("a", 1.0, 3), ("b", 4.0, 5)):
        state = {"weight": torch.full((2,), value), "seen": torch.tensor(seen)}
        save_checkpoint(tmp_path / name, {"model_state": state})
    trials.average_weights([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    found = load_checkpoint(tmp_path / "mean")["model_state"]
    assert found["weight"].tolist() == [2.5, 2.5] and found["seen"].item() == 5


@pytest.mark.parametrize("real, nights, text", [("nowhere", ["camera"], "data.yaml"), (None, ["fog"], "fog")])
def test_what_cannot_be_tried_is_said_before_anything_is_rendered(tmp_path, real, nights, text):
    with pytest.raises(InputError, match=text):
        trials.places(tmp_path, {**PLAN, "nights": nights}, real and tmp_path / real)


def test_under_a_lamp_one_place_is_bright_and_the_rest_is_not():
    gain = pool_of_light(64, 80, np.random.default_rng(3))
    assert gain.shape == (64, 80) and gain.max() == pytest.approx(1.0, abs=0.01)
    assert gain.min() < 0.5 and np.all(gain > 0)


@pytest.mark.parametrize("night", NIGHTS)
def test_nights_are_dark_and_depend_on_the_seed_alone(night):
    clip = np.full((4, 32, 40, 3), 140, np.uint8)
    one, two = (NIGHTS[night](clip, np.random.default_rng(5)) for _ in range(2))
    assert one.dtype == np.uint8 and one.shape == clip.shape and one.mean() < 40
    np.testing.assert_array_equal(one, two)


def test_a_finished_run_is_kept_until_its_plan_changes(place, monkeypatch):
    plan = {**PLAN, "trials": {"sar": {"what": "sar", "tests": "1x1:::sar", "against": "adapted"}}}
    started = []

    def run(command, **_):
        started.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(trials.subprocess, "run", run)
    trials.run_place(place, plan, {}, 2)
    first = len(started)
    assert first == 1 + len(trials.VOTERS) + 1 + 2 * len(PLAN["voters"])
    trials.run_place(place, plan, {}, 2)
    assert len(started) == first
    plan["trials"]["tent"] = {"what": "tent", "tests": "1x1:::tent", "against": "adapted"}
    trials.run_place(place, plan, {}, 2)
    assert len(started) == first + len(PLAN["voters"]), "the tests of the adapted networks, with one more"


def test_a_run_that_fails_is_named_and_made_again(place, monkeypatch):
    monkeypatch.setattr(trials.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1))
    with pytest.raises(InputError, match=r"rendered.trial\.log: this run of the trials failed"):
        trials.run_place(place, PLAN, {}, 1)
    assert not (place.root / "rendered" / trials.DONE).exists()
