"""A training or test is known by what it was made from: changed content is another run, another place is the same."""

import shutil

import pytest

from slowfast.engine.checkpoint import load_checkpoint
from slowfast.ensemble import load_predictions
from slowfast.parents import MadeOf, read_record

PLAIN = ("TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1")
RESTART = ("TRAIN.ON_CHANGE", "restart")


@pytest.fixture
def own(data, tmp_path):
    """A data set of one's own, to be changed."""
    shutil.copytree(data, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def start(run, tmp_path):
    """Starting weights."""
    assert run("start", *PLAIN) == 0, run.log("start")
    return tmp_path / "start/best.pyth"


def swap_labels(own):
    rows = (own / "train.csv").read_text().splitlines()
    name, label = rows[4].rsplit(",", 1)
    rows[4] = f"{name},{(int(label) + 1) % 11}"
    (own / "train.csv").write_text("\n".join(rows) + "\n")


CHANGES = {
    "label": (swap_labels, (), "row 5 of list train_label"),
    "list row": (
        lambda own: (own / "dark.csv").write_text("".join((own / "dark.csv").open().readlines()[:-1])), (),
        "row 5 of list arid, 5 and 4 rows",
    ),
    "clip order": (
        lambda own: (own / "train.csv").write_text("".join((own / "train.csv").open().readlines()[::-1])), (),
        "row 1 of list train_label",
    ),
    "clip content": (
        lambda own: shutil.copy(own / "videos/train3.mp4", own / "videos/train2.mp4"), (), "row 3 of clips train_label"
    ),
    "rate": (None, ("SOLVER.BASE_LR", "0.5"), "SOLVER.BASE_LR 0.001 and 0.5"),
    "seed": (None, ("RNG_SEED", "4"), "RNG_SEED 3 and 4"),
    "without effect": (None, ("LOG_PERIOD", "7", "MVIT.DEPTH", "3", "TEST.SCORE", "probs"), ""),
    "time": (lambda own: [path.touch() for path in own.rglob("*")], (), ""),
    "line ends": (
        lambda own: (own / "train.csv").write_bytes((own / "train.csv").read_bytes().replace(b"\n", b"\r\n")), (), ""
    ),
}  # fmt: skip


QUICK = ("label", "clip content", "rate", "without effect")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHANGES]
)
def test_a_finished_training_whose_inputs_changed_is_not_finished(name, run, own, tmp_path):
    change, opts, said = CHANGES[name]
    base = (*PLAIN, "DATA.PATH_PREFIX", own)
    assert run("out", *base) == 0, run.log("out")
    before = (tmp_path / "out/best.pyth").read_bytes()
    if change is not None:
        change(own)
    assert run("out", *base, *opts) == (2 if said else 0), run.log("out")
    assert (said or "already finished") in run.log("out") and (tmp_path / "out/best.pyth").read_bytes() == before
    if said:
        assert run("out", *base, *opts, *RESTART) == 0 and "the training starts over" in run.log("out")
        assert run("fresh", *base, *opts) == 0
        for key in ("model_state", "made_of"):
            made, fresh = (load_checkpoint(tmp_path / folder / "best.pyth")[key] for folder in ("out", "fresh"))
            assert str(made) == str(fresh)
        assert (tmp_path / "out/best.pyth.before").read_bytes() == before


def test_another_place_is_the_same_run(run, own, tmp_path, start):
    opts = (*PLAIN, "TRAIN.CHECKPOINT_FILE_PATH")
    assert run("out", *opts, start, "DATA.PATH_PREFIX", own) == 0, run.log("out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    shutil.move(own, tmp_path / "elsewhere")
    shutil.copy(start, tmp_path / "weights.pyth")
    assert run("moved", *opts, tmp_path / "weights.pyth", "DATA.PATH_PREFIX", tmp_path / "elsewhere") == 0
    assert "already finished" in run.log("moved")


def test_other_starting_weights_are_another_run_and_weights_that_are_gone_are_the_same(run, tmp_path, start):
    opts = (*PLAIN, "TRAIN.CHECKPOINT_FILE_PATH", start)
    assert run("out", *opts) == 0
    start.rename(tmp_path / "aside")
    assert run("out", *opts) == 0 and "already finished" in run.log("out")
    assert run("start", *PLAIN, "RNG_SEED", "9", *RESTART) == 0
    assert run("out", *opts) == 2 and "the content of starting weights" in run.log("out")


def test_starting_weights_of_a_wrong_round_are_told(run, tmp_path, start):
    for folder, told in (("exp_adapt_bn", False), ("exp_pseudo_stage2", True)):
        path = tmp_path / folder / "sf/best.pyth"
        path.parent.mkdir(parents=True)
        shutil.copy(start, path)
        assert run("out", *PLAIN, "TRAIN.CHECKPOINT_FILE_PATH", path) == 0
        assert (f"{path}: weights of round 0, where those of round 2 belong" in run.log("out")) == told


def test_a_resume_never_mixes(run, own, tmp_path):
    opts = (*PLAIN, "SOLVER.MAX_EPOCH", "2", "DATA.PATH_PREFIX", own)
    assert run("out", *opts, fault="kill@epoch:2") == -9
    swap_labels(own)
    assert run("out", *opts) == 2 and "row 5 of list train_label" in run.log("out")
    assert run("out", *opts, *RESTART) == 0
    assert run("fresh", *opts) == 0
    made, fresh = (load_checkpoint(tmp_path / folder / "best.pyth")["model_state"] for folder in ("out", "fresh"))
    assert all((made[name] == fresh[name]).all() for name in fresh)


def test_best_weights_of_the_run_before_are_not_tested(run, tmp_path):
    assert run("out", *PLAIN) == 0
    again = (*PLAIN, "RNG_SEED", "5", *RESTART)
    assert run("out", *again, fault="kill@step:2") == -9
    testing = ("TRAIN.ENABLE", "False", "TEST.ALSO", "[]", "RNG_SEED", "5")
    assert run("out", *testing) == 2 and "has no best.pyth and no checkpoint" in run.log("out")
    assert run("out", *again) == 0 and run("out", *testing) == 0
    assert (tmp_path / "out/config.test.yaml.resolved").exists()


def test_a_checkpoint_without_a_record_goes_on(run, tmp_path, monkeypatch):
    from slowfast.engine.checkpoint import save_checkpoint

    assert run("out", *PLAIN) == 0
    for path in [*(tmp_path / "out/checkpoints").iterdir(), tmp_path / "out/best.pyth"]:
        state = load_checkpoint(path)
        del state["made_of"]
        save_checkpoint(path, state)
    assert run("out", *PLAIN) == 0 and "already finished" in run.log("out")
    assert run("out", *PLAIN, "SOLVER.BASE_LR", "0.5") == 2 and "SOLVER.BASE_LR 0.001 and 0.5" in run.log("out")


def test_predictions_know_weights_clips_and_settings(run, own, tmp_path):
    base = ("SOLVER.MAX_EPOCH", "1", "TEST.ALSO", "[]", "DATA.PATH_PREFIX", own)
    assert run("out", *base) == 0, run.log("out")
    path = tmp_path / "out/total_unlabelx4x32x2x1.pkl"
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    made_of = MadeOf.from_plain(load_predictions(path).made_of)
    assert made_of.inputs.keys() == {"weights", "list", "clips"} and made_of.settings["gamma"] == 0.25
    assert read_record(path)[0].identity() == made_of.identity()
    testing = (*base, "TRAIN.ENABLE", "False")
    assert run("out", *testing) == 0 and path.stat().st_mtime_ns == written and "is there, made from" in run.log("out")
    for opts in (("DATA.GAMMA.TEST", "0.5"), ("TEST.SCORE", "probs")):
        assert run("out", *testing, *opts) == 0
        now = MadeOf.from_plain(load_predictions(path).made_of)
        assert path.read_bytes() != before and str(opts[1]) in map(str, now.settings.values())
    shutil.copy(own / "videos/pool1.mp4", own / "videos/pool0.mp4")
    assert run("out", *testing) == 0 and path.read_bytes() != before
    assert MadeOf.from_plain(load_predictions(path).made_of).inputs["clips"] != made_of.inputs["clips"]


@pytest.mark.parametrize("fault", ["kill@step:2", "kill@eval:2", "kill@eval:6"])
def test_curves_have_no_step_twice(fault, run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    opts = ("TEST.ENABLE", "False", "TENSORBOARD.ENABLE", "True")
    assert run("out", *opts, fault=fault) == -9
    assert run("out", *opts) == 0, run.log("out")
    assert run("calm", *opts) == 0
    steps = {}
    for folder in ("out", "calm"):
        curves = EventAccumulator(str(tmp_path / folder / "tensorboard")).Reload()
        names = curves.Tags()["scalars"]
        steps[folder] = {name: [(event.step, event.value) for event in curves.Scalars(name)] for name in names}
    for name, points in steps["out"].items():
        found = [step for step, _ in points]
        assert found == sorted(set(found)), name
        calm = steps["calm"][name]
        # A kill may lose the last seconds; the pace is that of the clock.
        assert set(points) <= set(calm) or name.startswith("pace/") and set(found) <= {step for step, _ in calm}
    assert run("out", *opts, "TRAIN.AUTO_RESUME", "False", "SOLVER.MAX_EPOCH", "1") == 0
    curves = EventAccumulator(str(tmp_path / "out/tensorboard")).Reload()
    assert [event.step for event in curves.Scalars("val/arid_top1")] == [3]


def test_a_record_that_a_kill_left_out_is_made_up_for(run, tmp_path):
    assert run("out", *PLAIN) == 0
    best = tmp_path / "out/best.pyth"
    made_of, circumstances = read_record(best)
    assert made_of.kind == "training" and circumstances["lists"].keys() == {
        "train_label",
        "train_unlabel",
        "val_dry",
        "arid",
    }
    best.with_name("best.pyth.made.json").unlink()
    assert run("out", *PLAIN) == 0 and read_record(best)[0].identity() == made_of.identity()
    log = (tmp_path / "out/stdout.log").read_text()
    assert "commit " in log and "torch " in log and "code " in log
