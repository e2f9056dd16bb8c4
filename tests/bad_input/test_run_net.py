"""Bad lists, videos, weights and folders: one sentence with file, row and fix, exit 2, nothing overwritten."""

import shutil

import pytest


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
