"""Every kind of change against one training and its tests: what it touches is made again, and nothing else."""

import os
import shutil

import pytest

WORDS = ("SOLVER.MAX_EPOCH", "1", "TRAIN.ON_CHANGE", "restart", "DATA.PSEUDO_CSV", "pseudo.csv")
POOL, TEST, ADAPTED = "total_unlabelx4x32x2x1", "testx4x32x1x1", "testx4x32x1x1_gamma0.25_bn-train_label"
ALL = {"training", POOL, TEST, ADAPTED}


def options(folder):
    start = next(folder.glob("*.pyth"), folder / "none")
    return [*WORDS, "DATA.PATH_PREFIX", folder / "data", "TRAIN.CHECKPOINT_FILE_PATH", start]


@pytest.fixture(scope="module")
def finished(server, tiny, data, tmp_path_factory):
    """A folder with data, starting weights and a finished training with its tests."""
    folder = tmp_path_factory.mktemp("finished") / "place"
    shutil.copytree(data, folder / "data")
    plain = ["DATA.PATH_PREFIX", folder / "data", "SOLVER.MAX_EPOCH", "1", "TEST.ENABLE", "False", "RNG_SEED", "8"]
    (folder / "rules.yaml").write_text("weights: [0.5, 0.5]\n")
    for name, words in (("begin", plain), ("out", None)):
        words = words or options(folder)
        log = folder / f"{name}.log"
        assert server.wait(server.start(log, ["OUTPUT_DIR", folder / name, *words])) == 0, log.read_text()
        if name == "begin":
            shutil.move(folder / "begin/best.pyth", folder / "start.pyth")
            shutil.rmtree(folder / "begin")
    return folder


def edit(name, change):
    """Change the lines of a list."""

    def edited(folder):
        path = folder / "data" / name
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return edited


def other_label(lines):
    name, label = lines[4].rsplit(",", 1)
    return [*lines[:4], f"{name},{(int(label) + 1) % 11}\n", *lines[5:]]


def other_clip(one, two):
    return lambda folder: shutil.copy(folder / f"data/videos/{one}.mp4", folder / f"data/videos/{two}.mp4")


def other_weights(folder):
    from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint

    state = load_checkpoint(folder / "start.pyth")
    next(tensor for name, tensor in state["model_state"].items() if name.endswith("weight")).mul_(1.5)
    save_checkpoint(folder / "start.pyth", state)


def same_weights_elsewhere(folder):
    from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint

    save_checkpoint(folder / "resaved.pyth", {**load_checkpoint(folder / "start.pyth"), "cfg": "NUM_GPUS: 0"})
    (folder / "start.pyth").unlink()


def touch(folder):
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


HOST = {"NIGHTCRAWLER_TEST_HOST": "elsewhere"}
CHANGES = {
    "coverage": (edit("pseudo.csv", lambda lines: lines[:-2]), (), ALL),
    "rate": (None, ("SOLVER.BASE_LR", "0.01"), ALL),
    "seed": (None, ("RNG_SEED", "4"), ALL),
    "label": (edit("train.csv", other_label), (), ALL),
    "list row": (edit("dark.csv", lambda lines: lines[:-1]), (), {"training"}),  # chooses the best of one epoch
    "list row of the test": (edit("test.csv", lambda lines: lines[:-1]), (), {TEST, ADAPTED}),
    "clip content": (other_clip("train3", "train2"), (), ALL),
    "clip content of the test": (other_clip("test3", "test2"), (), {TEST, ADAPTED}),
    "clip order": (edit("train.csv", lambda lines: lines[::-1]), (), ALL),
    "clip order of the test": (edit("test.csv", lambda lines: lines[::-1]), (), {TEST, ADAPTED}),
    "starting weights": (other_weights, (), ALL),
    "gamma of the training": (None, ("DATA.GAMMA.TARGET", "0.5"), ALL),
    "gamma": (None, ("DATA.GAMMA.TEST", "0.5"), {POOL, TEST}),
    "voter weight": (lambda folder: (folder / "rules.yaml").write_text("weights: [0.6, 0.4]\n"), (), set()),
    "key without effect": (None, ("DATA_LOADER.NUM_WORKERS", "1", "MVIT.DEPTH", "3"), set()),
    "path": (same_weights_elsewhere, (), set()),  # each folder is another path
    "time": (touch, (), set()),
    "host": (None, (), set()),
}  # fmt: skip
QUICK = ("coverage", "gamma", "host")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHANGES]
)
def test_what_a_change_touches(name, finished, server, tiny, tmp_path):
    change, opts, touched = CHANGES[name]
    folder = tmp_path / "elsewhere"
    shutil.copytree(finished, folder)
    if change is not None:
        change(folder)
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), **(HOST if name == "host" else {})}
    before = {path.stem: path.stat().st_mtime_ns for path in (folder / "out").glob("*.pkl")}
    assert before.keys() == ALL - {"training"}
    for place in ("out", "fresh"):
        log = folder / f"{place}.log"
        log.unlink(missing_ok=True)
        words = ["OUTPUT_DIR", folder / place, *options(folder), *opts]
        assert server.wait(server.start(log, words, env=env)) == 0, log.read_text()
        if place == "out":
            made = {
                path.stem for path in (folder / "out").glob("*.pkl") if path.stat().st_mtime_ns != before[path.stem]
            }
            made |= set() if "already finished" in log.read_text() else {"training"}
    assert made == touched
    assert tiny.results(folder / "out") == tiny.results(folder / "fresh")
