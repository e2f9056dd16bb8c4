"""Two processes (gloo): the results of one, one writer, and every failure ends both."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from slowfast.engine.checkpoint import load_checkpoint
from slowfast.ensemble.predictions import load_predictions

# No layer that looks at the batch, no mixing: then one global batch is one gradient however it is cut.
ALIKE = (
    "MODEL.ARCH", "mvit", "MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.PATCH_STRIDE", "[2, 8, 8]",
    "MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1, 2, 2]", "MVIT.DROPPATH_RATE", "0.0", "MODEL.DROPOUT_RATE", "0.0",
    "MIXUP.ENABLE", "False", "MODEL.LOSS_FUNC", "cross_entropy", "BN.USE_PRECISE_STATS", "False",
    "DATA.PSEUDO_CSV", "pseudo.csv", "TEST.ALSO", "['test:3x3']",
)  # fmt: skip


def lines(folder, kind):
    """The measurements of one kind."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["_type"] == kind]


def test_the_same_losses_and_predictions_as_one_process(run, pair, tmp_path):
    assert run("one", *ALIKE) == 0, run.log("one")
    assert pair("two", *ALIKE) == [0, 0], pair.log("two")
    for kind, count in (("train_iter", 4), ("train_epoch", 2), ("val_epoch", 4)):
        one, two = lines(tmp_path / "one", kind), lines(tmp_path / "two", kind)
        assert len(one) == len(two) == count
        for left, right in zip(one, two):
            assert left == pytest.approx(right, abs=1e-5) if kind == "val_epoch" else left.keys() == right.keys()
            for key in left.keys() - {"_type", "split"}:
                assert left[key] == pytest.approx(right[key], abs=1e-5), (kind, key)
    for path in sorted((tmp_path / "one").glob("*.pkl")):
        one, two = load_predictions(path), load_predictions(tmp_path / "two" / path.name)
        np.testing.assert_allclose(one.video_preds, two.video_preds, atol=1e-4)
        assert one.video_names == two.video_names and not two.missing.any()
        assert one.video_labels.tolist() == two.video_labels.tolist()


def test_a_killed_job_goes_on_exactly(pair, tiny, tmp_path):
    opts = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.STEPS_PER_EPOCH", "3")
    assert pair("calm", *opts) == [0, 0], pair.log("calm")
    fault = ("kill@step:5", "kill@step:5")
    assert pair("out", *opts, "TRAIN.SAVE_EVERY_MINUTES", "1e-6", faults=fault) == [-9, -9]
    assert pair("out", *opts) == [0, 0], pair.log("out")
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


@pytest.mark.parametrize("moment", ["step:2", "eval:2", "bn:2"])
def test_a_job_that_is_asked_to_stop_saves_once_and_goes_on_exactly(moment, pair, tiny, tmp_path):
    opts = ("TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1")
    assert pair("calm", *opts) == [0, 0], pair.log("calm")
    assert pair("out", *opts, faults=(f"term@{moment}", f"term@{moment}")) == [75, 75], pair.log("out")
    assert "Traceback" not in pair.log("out", 0) + pair.log("out", 1)
    assert pair("out", *opts) == [0, 0]
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_the_statistics_are_those_of_all_processes(run, pair, tmp_path):
    opts = (
        "SOLVER.BASE_LR", "0.0", "SOLVER.COSINE_END_LR", "0.0", "SOLVER.WARMUP_START_LR", "0.0",
        "UNIFORMER.DROP_DEPTH_RATE", "0.0", "SOLVER.MAX_EPOCH", "1", "TEST.ENABLE", "False",
    )  # fmt: skip
    assert run("one", *opts) == 0
    assert pair("two", *opts) == [0, 0], pair.log("two")
    one, two = (load_checkpoint(tmp_path / name / "best.pyth")["model_state"] for name in ("one", "two"))
    first = next(name for name in one if name.endswith("running_mean"))
    assert one[first].abs().max() > 1e-3
    np.testing.assert_allclose(two[first], one[first], atol=1e-6)
    var = first.replace("mean", "var")
    np.testing.assert_allclose(two[var], one[var], rtol=1e-3)


@pytest.mark.parametrize(
    ("opts", "words"),
    [
        (("TRAIN.BATCH_SIZE", "3"), "does not divide"),
        (("TRAIN.BATCH_SIZE", "2", "AUG.NUM_SAMPLE", "1"), "two clips in every process"),
        (("DATA.SPLITS.arid", "['none.csv', 'videos']"), "none.csv"),
        (("TRAIN.CHECKPOINT_FILE_PATH", "none.pyth"), "none.pyth"),
    ],
)
def test_bad_input_ends_both_at_once(opts, words, pair):
    start = time.monotonic()
    assert pair("out", *opts) == [2, 2]
    assert time.monotonic() - start < 60
    assert words in pair.log("out", 0) and "Traceback" not in pair.log("out", 0) + pair.log("out", 1)


def test_a_folder_in_use_or_of_other_settings_ends_both(pair, tmp_path):
    opts = ("TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1")
    assert pair("out", *opts) == [0, 0]
    assert pair("out", *opts, "RNG_SEED", "8") == [2, 2]
    assert "RNG_SEED" in pair.log("out", 0)


def test_a_loss_that_is_not_finite_in_one_process_stops_or_skips_in_both(pair, tmp_path):
    opts = ("TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1")
    assert pair("stop", *opts, faults=("", "nan@batch:2")) == [2, 2]
    assert "loss is nan on the clips train" in pair.log("stop", 0)
    assert pair("skip", *opts, "TRAIN.ON_NAN", "skip", faults=("", "nan@batch:2")) == [0, 0], pair.log("skip", 1)
    state = load_checkpoint(tmp_path / "skip/best.pyth")["model_state"]
    assert all(np.isfinite(tensor.numpy()).all() for tensor in state.values())


SCRIPT = """import os, sys
sys.path[:0] = [{here!r}, {repo!r}]
import faults
from slowfast.config import load_config
from slowfast.engine.launch import run_experiment
from slowfast.utils import cli
if os.environ["RANK"] == os.environ.get("FAULT_RANK"):
    faults.install(os.environ["FAULT"])
cli.run(lambda: run_experiment(load_config({config!r}, sys.argv[1:])))
"""


@pytest.fixture
def launch(repo, tiny, data, tmp_path):
    """Run two processes with the launcher; return (exit status, what it said)."""
    script = tmp_path / "net.py"
    script.write_text(SCRIPT.format(here=str(tiny.HERE), repo=str(repo), config=str(tiny.CONFIG)))

    def launch(*opts, rank=None, fault=""):
        command = [sys.executable, repo / "tools/spawn.py", "--standalone", "--nproc-per-node", "2", script]
        command += ["OUTPUT_DIR", tmp_path / "out", "DATA.PATH_PREFIX", data, *opts]
        env = os.environ | {"FAULT_RANK": str(rank), "FAULT": fault, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stderr

    return launch


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_job_and_a_restart_goes_on(rank, launch, pair, tiny, tmp_path):
    opts = ("TEST.ENABLE", "False")
    status, text = launch(*opts, rank=rank, fault="kill@step:5")
    assert status == 137 and "Traceback" not in text
    assert text.rstrip().splitlines()[-1].endswith(f"process {rank} was ended by signal 9")
    assert launch(*opts)[0] == 0
    assert pair("calm", *opts) == [0, 0]
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_error_is_the_one_that_is_told(rank, launch):
    status, text = launch("TEST.ENABLE", "False", rank=rank, fault="memory@step:2")
    assert status == 2
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "TRAIN.BATCH_SIZE (now 4)" in errors[0] and "Traceback" not in text


@pytest.mark.slow
def test_the_launcher_passes_a_request_to_stop_on(repo, tiny, data, tmp_path, launch):
    status, text = launch("TEST.ENABLE", "False", rank=1, fault="group@step:2")
    assert status == 75, text
    assert "Traceback" not in text
    assert launch("TEST.ENABLE", "False")[0] == 0
