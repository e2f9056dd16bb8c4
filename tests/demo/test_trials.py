"""The table of trials: what is compared with what, and when a trial wins."""

import numpy as np
import pytest
import yaml

from slowfast.demo import trials
from slowfast.demo.night import NIGHTS, pool_of_light
from slowfast.ensemble.predictions import Predictions, save_predictions
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
    return trials.Place(root, "lamp", 1)


def test_trials_are_compared_with_what_the_plan_says(place):
    plan = {
        "voters": ["a", "b"],
        "trials": {
            "sar": {"tests": "test:1x1:::sar", "against": "adapted"},
            "soft": {"step": "exp_pseudo_stage1", "opts": "", "against": "round_1"},
        },
    }
    for voter, one in (("a", 0), ("b", 1)):
        write(place.root / "exp_adapt_bn" / voter / "testx8x56x1x1.pkl", 2 + one)
        write(place.root / "tested" / voter / "testx8x56x1x1_sar-train_unlabel.pkl", 4 + one)
        write(place.root / "round_1" / voter / "testx8x56x1x1.pkl", 5 + one)
        write(place.root / "soft" / voter / "testx8x56x1x1.pkl", 6 + one)
    found = trials.figures(place, plan)
    means = {name: tuple(score.mean for score in pair) for name, pair in found.items()}
    assert means == {"sar": (31.25, 56.25), "soft": (68.75, 81.25)}


def test_a_trial_wins_by_more_than_the_deviation_in_every_night():
    plan = {"nights": ["camera", "lamp"], "trials": {"x": {"what": "idea x"}}}
    good = [((50.0, 60.0), (52.0, 62.0)), ((50.0, 60.0), (53.0, 63.0))]
    wide = [((50.0, 60.0), (52.0, 62.0)), ((50.0, 60.0), (51.9, 59.0))]
    last = trials.table({"x": {"camera": good, "lamp": good}}, plan).splitlines()[-1]
    assert last == "| idea x | 50.0 +2.5 ± 0.7 | 60.0 +2.5 ± 0.7 | 50.0 +2.5 ± 0.7 | 60.0 +2.5 ± 0.7 | yes |"
    assert trials.table({"x": {"camera": good, "lamp": wide}}, plan).endswith("| no |")


def test_every_trial_of_the_plan_can_be_run_and_read(place):
    for trial in PLAN["trials"].values():
        assert trial["what"] and len({"tests", "step", "align"} & set(trial)) == 1
        assert repo_path(f"configs/demo/quick/{trial.get('step', 'exp_adapt_bn')}.yaml").is_file()
    folders = {folder.parent.name for folder, _ in trials.trial_runs(place, PLAN)}
    assert folders == {"tested", "round_1"} | {name for name, trial in PLAN["trials"].items() if "step" in trial}
    assert set(PLAN["nights"]) <= set(NIGHTS) and len(PLAN["seeds"]) == 3


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
