"""Bad lists, videos, weights and folders: one sentence with file, row and fix, exit 2, nothing overwritten."""

import shutil

import pytest

from slowfast.engine.checkpoint import load_checkpoint


def missing_list(data):
    (data / "light.csv").unlink()


def missing_video(data):
    (data / "light" / "2.mp4").unlink()


def empty_list(data):
    (data / "light.csv").write_text("\n\n")


def unlabelled_row(data):
    (data / "light.csv").write_text("0.mp4,0\n1.mp4,-1\n")


def class_out_of_range(data):
    (data / "val.csv").write_text("0.mp4,0\n1.mp4,2\n")


def list_without_folder(data):
    shutil.rmtree(data / "light")


def missing_test_list(data):
    (data / "pool.csv").unlink()


def no_pseudo_label(data):
    (data / "pseudo").mkdir()
    (data / "pseudo" / "stage1.csv").write_text("")


PSEUDO = ("DATA.PSEUDO_CSV", "pseudo/stage1.csv")
# What is done to the data, further overrides, and what the sentence has to say.
CASES = {
    "missing list": (missing_list, (), ["light.csv", "does not exist", "prepare_lists.py"]),
    "missing video": (missing_video, (), ["light.csv", "row 3", "2.mp4", "add the files or take the rows out"]),
    "empty list": (empty_list, (), ["light.csv", "is empty", "one row 'name,label' per video"]),
    "unlabelled row": (unlabelled_row, (), ["light.csv", "row 2", "no label (-1)", "correct these rows"]),
    "class out of range": (class_out_of_range, (), ["val.csv", "row 2", "label 2", "NUM_CLASSES 2", "0 to 1"]),
    "no folder": (list_without_folder, (), ["light.csv", "folder", "does not exist", "DATA.SPLITS"]),
    "test list, found before training": (missing_test_list, (), ["pool.csv", "does not exist"]),
    "no pseudo-label": (no_pseudo_label, PSEUDO, ["stage1.csv", "is empty"]),
    "list shorter than a batch": (
        lambda data: None,
        ("TRAIN.BATCH_SIZE", 5),
        ["light.csv", "4 rows, fewer than one batch of 5", "lower TRAIN.BATCH_SIZE or add rows"],
    ),
    "stage before its inputs": (
        lambda data: None,
        (*PSEUDO, "TRAIN.CHECKPOINT_FILE_PATH", "nowhere/best.pyth"),
        ["stage1.csv: the list does not exist", "nowhere/best.pyth do not exist"],
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_one_sentence_and_nothing_overwritten(name, experiment):
    spoil, opts, wanted = CASES[name]
    spoil(experiment.data)
    before = experiment.contents()
    done = experiment.train(*opts)
    assert done.code == 2, done.said
    assert done.said.startswith("error: ") and "\n" not in done.said
    assert all(part in done.said for part in wanted), done.said
    assert experiment.contents() == before


def test_output_folder_of_another_config(experiment):
    shutil.rmtree(experiment.out)
    done = experiment.train("TEST.ENABLE", False)
    assert done.code == 0, done.said
    before = {path: data for path, data in experiment.contents().items() if not path.endswith((".log", ".lock"))}
    done = experiment.train("SOLVER.BASE_LR", 0.5)
    assert done.code == 2
    assert done.said.startswith("error: ") and "\n" not in done.said
    assert all(part in done.said for part in (str(experiment.out), "SOLVER.BASE_LR", "choose another OUTPUT_DIR"))
    after = {path: data for path, data in experiment.contents().items() if not path.endswith((".log", ".lock"))}
    assert after == before


def test_the_unspoiled_experiment_runs(experiment):
    shutil.rmtree(experiment.out)
    done = experiment.tool("tools/run_net.py", *experiment.arguments())
    assert done.code == 0, done.said
    assert {path.name for path in experiment.out.iterdir()} >= {"best.pyth", "metrics.jsonl", "config.yaml.resolved"}
    assert (experiment.out / "total_unlabelx4x32x1x1.pkl").is_file()


OWN = """
import torch
from slowfast.config import add_keys
from slowfast.solver import OPTIMIZERS

add_keys("OWN", {"FACTOR": 0.5})


@OPTIMIZERS.register("own")
def own(groups, *, lr, options):
    print("factor", options["OWN.FACTOR"])
    return torch.optim.SGD(groups, lr=lr * options["OWN.FACTOR"])
"""
NAMED = ("SOLVER.OPTIMIZING_METHOD", "own")
# The text of the plugin (None: there is none), overrides, and what the sentence has to say.
PLUGINS = {
    "no file": (None, NAMED, ["--plugin", "own.py: no such Python file"]),
    "does not import": (OWN.replace("slowfast.solver", "solver"), NAMED, ["own.py, line 4, does not import", "solver"]),
    "no Python": ("def own(:\n", NAMED, ["own.py, line 1, does not import (SyntaxError"]),
    "fails": (OWN + "raise SystemExit(3)\n", NAMED, ["own.py, line 13, does not import (SystemExit: 3)"]),
    "takes a name": (OWN.replace('("own")', '("lion")'), NAMED, ["'lion' is registered already"]),
    "takes a key": (OWN.replace('"OWN", {"FACTOR"', '"SOLVER", {"BASE_LR"'), NAMED, ["BASE_LR is there already"]),
    "all that is wrong at once": (
        OWN,
        ("SOLVER.OPTIMIZING_METHOD", "owm", "TRAIN.METHOD", "supervise", "MODEL.ARCH", "unifomer", "OWN.FACTR", 1),
        ["OPTIMIZING_METHOD is 'owm'", "did you mean 'own'?", "TRAIN.METHOD is 'supervise'", "mean 'uniformer'?",
         "unknown key OWN.FACTR, did you mean OWN.FACTOR?"],
    ),
    "frozen names": (OWN, (*NAMED, "TRAIN.FREEZE", "['block1']"), ["TRAIN.FREEZE has 'block1'", "near: blocks1"]),
    "nothing left to train": (
        OWN, (*NAMED, "TRAIN.FREEZE", "['patch_embed1','patch_embed2','patch_embed3','patch_embed4','blocks1',"
        "'blocks2','blocks3','blocks4','norm','head']"), ["needs parameters to train", "check TRAIN.FREEZE"],
    ),
    "a network without layers": (
        OWN, (*NAMED, "SOLVER.LAYER_DECAY", 0.7, "MODEL.ARCH", "sf", "SF.WIDTH", 8, "SF.PRETRAIN_NAME", ""),
        ["SOLVER.LAYER_DECAY is set, but the parameters of SlowFast number no blocks", "set it to 1.0"],
    ),
    "adapters for no layer": (
        OWN, (*NAMED, "LORA.RANK", 2, "LORA.TARGETS", "['query']"),
        ["LORA.TARGETS has 'query', which ends no name", "near: "],
    ),
    "adapters on a trunk that stays": (
        OWN, (*NAMED, "LORA.RANK", 2, "TRAIN.PROBE", "True"), ["TRAIN.PROBE leaves the trunk as it is and LORA.RANK"],
    ),
    "a pool that is not there": (
        OWN, (*NAMED, "TRAIN.METHOD", "mean_teacher", "MEAN_TEACHER.SPLIT", "dusk"), ["split 'dusk' is unknown"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PLUGINS))
def test_own_code_that_cannot_work_changes_nothing(name, experiment, tmp_path):
    text, opts, wanted = PLUGINS[name]
    if text is not None:
        (tmp_path / "own.py").write_text(text)
    before = experiment.contents()
    done = experiment.train(*opts, "--plugin", "own.py")
    assert done.code == 2, done.said
    sentence = done.said.splitlines()[-1]
    assert sentence.startswith("error: ") and done.said.count("error: ") == 1
    assert all(part in sentence for part in wanted), sentence
    assert experiment.contents() == before


@pytest.mark.parametrize("behind", [False, True])
def test_own_code_with_own_keys_trains(behind, experiment, tmp_path):
    shutil.rmtree(experiment.out)
    (tmp_path / "own.py").write_text(OWN)
    plugin = ("--plugin=own.py",) if behind else ("--plugin", "own.py")
    opts = (*NAMED, "OWN.FACTOR", 0.25, "TEST.ENABLE", False)
    done = experiment.train(*opts, *plugin) if behind else experiment.train(*plugin, *opts)
    assert done.code == 0, done.said
    assert "factor 0.25" in done.said and "FACTOR: 0.25" in (experiment.out / "config.yaml.resolved").read_text()


def test_frozen_parts_stay_as_they_are(experiment):
    shutil.rmtree(experiment.out)
    common = ("TEST.ENABLE", False, "SOLVER.BASE_LR", 0.1, "BN.USE_PRECISE_STATS", False)
    assert experiment.train(*common, "TRAIN.FREEZE", "['blocks1', 'norm']").code == 0
    trained = load_checkpoint(experiment.out / "best.pyth")["model_state"]
    shutil.rmtree(experiment.out)
    everything = ("SOLVER.BASE_LR", 0.0, "SOLVER.WARMUP_START_LR", 0.0, "TRAIN.FREEZE", "['blocks1', 'norm']")
    assert experiment.train(*common, *everything).code == 0
    fresh = load_checkpoint(experiment.out / "best.pyth")["model_state"]
    same = {name for name in fresh if fresh[name].equal(trained[name])}
    frozen = {name for name in fresh if name.startswith(("blocks1.", "norm."))}
    assert frozen <= same and "head.weight" not in same and any("running_mean" in name for name in frozen)
