"""A run that is killed at any moment and called again ends with the bytes of an undisturbed one."""

import json
import shutil

import pytest

from slowfast.engine.checkpoint import CheckpointFolder, load_checkpoint

PLAIN = ("TEST.ENABLE", "False")
PSEUDO = ("DATA.PSEUDO_CSV", "pseudo.csv", "TRAIN.STEPS_PER_EPOCH", "4")
INSIDE = ("TRAIN.SAVE_EVERY_MINUTES", "1e-6")


@pytest.fixture(scope="session")
def undisturbed(server, data, tiny, tmp_path_factory):
    """What the run makes when nothing happens; every set of options runs once."""
    made = {}

    def undisturbed(*opts):
        if opts not in made:
            output = tmp_path_factory.mktemp("undisturbed") / "out"
            log = output.parent / "log"
            status = server.wait(server.start(log, ["OUTPUT_DIR", output, "DATA.PATH_PREFIX", data, *opts]))
            assert status == 0, log.read_text()
            made[opts] = tiny.results(output)
        return made[opts]

    return undisturbed


def check(run, tiny, tmp_path, expected, fault, *opts, status=-9):
    """Disturb a run, call it again, compare everything it has made."""
    assert run("out", *opts, fault=fault) == status, run.log("out")
    assert run("out", *opts) == 0, run.log("out")
    made = tiny.results(tmp_path / "out")
    assert made.keys() == expected.keys()
    for name in expected:
        assert made[name] == expected[name], name
    assert not [path.name for path in (tmp_path / "out").rglob(".*.tmp")]


@pytest.mark.parametrize(
    "fault", ["kill@step:2", "kill@bn:2", "kill@epoch:2", "kill@eval:6", "kill@write:3", "kill@renamed:4"]
)
def test_killed_in_training(fault, run, tiny, tmp_path, undisturbed):
    check(run, tiny, tmp_path, undisturbed(*PLAIN), fault, *PLAIN)


@pytest.mark.parametrize("fault", ["kill@step:7", "kill@write:2", "kill@write:7", "kill@renamed:3", "kill@metrics:5"])
def test_killed_between_saves_inside_an_epoch(fault, run, tiny, tmp_path, undisturbed):
    opts = (*PSEUDO, *PLAIN)
    check(run, tiny, tmp_path, undisturbed(*opts), fault, *opts, *INSIDE)


@pytest.mark.parametrize("fault", ["kill@eval:12", "kill@bn:6", "kill@pkl:2"])
def test_killed_in_the_test(fault, run, tiny, tmp_path, undisturbed):
    check(run, tiny, tmp_path, undisturbed(), fault)


@pytest.mark.parametrize(
    ("fault", "opts"),
    [
        ("term@step:2", PLAIN),
        ("term@bn:1", PLAIN),
        ("term@eval:2", PLAIN),
        ("term@epoch:1", PLAIN),
        ("term@eval:2", (*PLAIN, "TRAIN.CHECKPOINT_PERIOD", "5")),
        ("term@eval:12", ()),
    ],
)
def test_asked_to_stop(fault, opts, run, tiny, tmp_path, undisturbed):
    check(run, tiny, tmp_path, undisturbed(*opts), fault, *opts, status=75)
    assert "Traceback" not in run.log("out") and "stopped: " in run.log("out")


def test_with_workers_the_results_are_those_without(run, tiny, tmp_path, undisturbed):
    opts = (*PSEUDO, *PLAIN)
    workers = ("DATA_LOADER.NUM_WORKERS", "2")
    check(run, tiny, tmp_path, undisturbed(*opts), "kill@step:6", *opts, *INSIDE, *workers)


def test_a_cluster_asks_the_workers_too(run, tiny, tmp_path, undisturbed):
    opts = (*PSEUDO, *PLAIN)
    check(run, tiny, tmp_path, undisturbed(*opts), "group@step:6", *opts, "DATA_LOADER.NUM_WORKERS", "2", status=75)


def test_a_damaged_checkpoint_is_passed_over(run, tiny, tmp_path, undisturbed):
    opts = (*PLAIN, "SOLVER.MAX_EPOCH", "3")
    assert run("out", *opts, fault="kill@step:7") == -9
    last = CheckpointFolder(tmp_path / "out/checkpoints").numbered()[-1]
    content = bytearray(last.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 256)  # longer than the padding between two tensors
    content[middle] = bytes(byte ^ 1 for byte in content[middle])
    last.write_bytes(content)
    assert run("out", *opts) == 0
    assert last.name == "checkpoint_epoch_00002.pyth" and f"{last.name}.damaged" in run.log("out")
    assert tiny.results(tmp_path / "out") == undisturbed(*opts)


def test_an_older_file_inside_an_epoch_does_not_win(run, tiny, tmp_path, undisturbed):
    opts = (*PSEUDO, *PLAIN)
    assert run("out", *opts, *INSIDE, fault="kill@step:3") == -9
    folder = tmp_path / "out/checkpoints"
    shutil.copy(folder / "checkpoint_partial.pyth", tmp_path / "old")
    assert run("out", *opts, fault="kill@step:3") == -9
    shutil.copy(tmp_path / "old", folder / "checkpoint_partial.pyth")
    assert CheckpointFolder(folder).find_last().name == "checkpoint_epoch_00001.pyth"
    assert run("out", *opts) == 0
    made = tiny.results(tmp_path / "out")
    assert made == undisturbed(*opts)


def test_starting_over_leaves_nothing_of_the_former_run(run, tmp_path):
    assert run("out", *PLAIN) == 0
    again = (*PLAIN, "TRAIN.AUTO_RESUME", "False", "RNG_SEED", "5", "SOLVER.MAX_EPOCH", "1")
    assert run("out", *again) == 0
    folder = tmp_path / "out/checkpoints"
    assert [path.name for path in folder.iterdir()] == ["checkpoint_epoch_00001.pyth"]
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert set(epochs) == {1}


def test_other_settings_are_refused(run, tmp_path):
    assert run("out", *PLAIN, "SOLVER.MAX_EPOCH", "1") == 0
    (tmp_path / "out/config.yaml.resolved").write_text("damaged: [")
    assert run("out", *PLAIN, "SOLVER.MAX_EPOCH", "1", "SOLVER.BASE_LR", "0.5") == 2
    assert "SOLVER.BASE_LR" in run.log("out") and "Traceback" not in run.log("out")


def test_a_finished_training_is_only_tested(run, tmp_path):
    assert run("out", "SOLVER.MAX_EPOCH", "1") == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.pkl")}
    assert len(before) == 3
    for path in (tmp_path / "out").glob("*.pkl"):
        path.unlink()
    assert run("out", "SOLVER.MAX_EPOCH", "1") == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.pkl")} == before
    assert "already finished" in run.log("out")


def test_checkpoints_are_pruned_and_hold_no_code(run, tmp_path):
    opts = (*PLAIN, "SOLVER.MAX_EPOCH", "3", "TRAIN.SAVE_LATEST", "True", "TENSORBOARD.ENABLE", "True")
    assert run("out", *opts) == 0, run.log("out")
    names = sorted(path.name for path in (tmp_path / "out/checkpoints").iterdir())
    assert names == ["checkpoint_epoch_00002.pyth", "checkpoint_epoch_00003.pyth", "checkpoint_latest.pyth"]
    last, latest = (load_checkpoint(tmp_path / "out/checkpoints" / name) for name in names[1:])
    assert last["epoch"] == latest["epoch"] == 2 and {"model_state", "optimizer_state", "cfg"} <= last.keys()
    assert list((tmp_path / "out/tensorboard").iterdir())
