"""The schedule runs what a change touches and nothing else, and a dry run says why."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

pytest.importorskip("snakemake")
STUB = """
import os, sys, pathlib, subprocess
kind, out, *names = sys.argv[1:]
names = names[:names.index("--")] if "--" in names else names
pathlib.Path(out).mkdir(parents=True, exist_ok=True)
with open("calls.log", "a") as log:
    log.write(f"{kind} {out} {' '.join(names)}\\n")
for name in names:
    pathlib.Path(out, name).write_text(kind + pathlib.Path("version").read_text())
if kind == "data" and not pathlib.Path(out, "videos").exists():
    pathlib.Path(out, "videos").mkdir()
    for split in ("train", "dark", "pool", "test"):
        for row in range(3):
            pathlib.Path(out, "videos", f"{split}{row}.mp4").write_text(f"clip {split}{row}")
        text = "".join(f"{split}{row}.mp4,{row}\\n" for row in range(3))
        pathlib.Path(out, f"{split}.csv").write_text(text)
if os.path.exists("edit"):  # meanwhile somebody changes a list and looks at the schedule
    os.replace("edit", "out/data/train.csv")
    subprocess.run([sys.executable, "-m", "slowfast.apps.schedule", "out/marks"], check=True)
"""
CONFIG = {
    "MODEL": {"ARCH": "uniformer", "NUM_CLASSES": 3},
    "DATA": {"PATH_LABEL_SEPARATOR": ",", "SPLITS": {
        "train_label": ["train.csv", "videos"], "val_dry": ["train.csv", "videos"], "arid": ["dark.csv", "videos"],
        "total_unlabel": ["pool.csv", "videos"], "test": ["test.csv", "videos"]}},
    "TRAIN": {"EVAL_SPLITS": ["arid"]}, "TEST": {"DATA_SELECT": "total_unlabel", "NUM_SPATIAL_CROPS": 1},
}  # fmt: skip
NAME = "total_unlabelx4x8x1x1.pkl"
LAST = ("exp_pseudo_stage2-a", "exp_pseudo_stage2-b", "exp_experts-a")
FIRST = ("exp_adapt_bn-a", "exp_adapt_bn-b")
TRAININGS = {*FIRST, "exp_pseudo_stage1-a", "exp_pseudo_stage1-b", *LAST}


def schedule(stub_schedule, **changed):
    """The stub schedule with configurations, lists and rules as a real one has them."""
    made = stub_schedule(["a", "b"], 2)
    made["settings"] = {"overrides": ""}
    made["train"] += " -- --cfg {step}.yaml OUTPUT_DIR {out} {opts} {overrides}"
    made["stage_opts"] = "TRAIN.CHECKPOINT_FILE_PATH {before}/{voter}/best.pyth"
    made["expert_opts"] = "TRAIN.CHECKPOINT_FILE_PATH {root}/exp_adapt_bn/{voter}/best.pyth"
    made["select"] += " -- --list {data}/pool.csv --coverage {coverage}"
    made["vote"] += " -- --rules rules.yaml --list {data}/test.csv"
    return {**made, "coverage": [0.5, 0.6], **changed}


def snakemake(repo, folder, *arguments):
    """Run the schedule of a folder; return what it said."""
    command = [sys.executable, "-m", "snakemake", "-s", str(repo / "workflow/Snakefile"), "--configfile", "s.yaml"]
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": f"{folder / 'host'}{os.pathsep}{repo}"}
    done = subprocess.run(
        [*command, "--cores", "1", "--nolock", *arguments], cwd=folder, capture_output=True, text=True, timeout=600,
        env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def causes(said):
    """Return the jobs that run for a reason of their own."""
    found = set(re.findall(r"^([\w-]+): changed: ", said, re.MULTILINE))
    for block in re.split(r"\n(?=\S*rule )", said):
        reason = re.search(r"reason: (.*)", block)
        mark = re.search(r"marks/([\w-]+)\.json", block)
        if reason and mark and not re.match(r"Input files updated by another job: [^;]*$", reason[1]):
            found.add(mark[1])
    return found


@pytest.fixture(scope="module")
def finished(repo, stub_schedule, tmp_path_factory):
    """A finished schedule."""
    folder = tmp_path_factory.mktemp("finished") / "work"
    folder.mkdir()
    (folder / "stub.py").write_text(STUB)
    (folder / "version").write_text("1")
    (folder / "start.pth").write_text("weights")
    (folder / "rules.yaml").write_text("weights: [0.5, 0.5]\n")
    for step in ("exp_adapt_bn", "exp_pseudo_stage1", "exp_pseudo_stage2", "exp_experts"):
        also = {"DATA_SELECT": "test"} if step in ("exp_pseudo_stage2", "exp_experts") else {}
        start = {"CHECKPOINT_FILE_PATH": str(folder / "start.pth")} if step == "exp_adapt_bn" else {}
        data = {**CONFIG["DATA"], "PATH_PREFIX": str(folder / "out/data")}
        config = {**CONFIG, "DATA": data, "TEST": {**CONFIG["TEST"], **also}, "TRAIN": {**CONFIG["TRAIN"], **start}}
        (folder / f"{step}.yaml").write_text(yaml.safe_dump(config))
    (folder / "s.yaml").write_text(yaml.safe_dump(schedule(stub_schedule)))
    snakemake(repo, folder)
    return folder


def copied(finished, folder):
    """Copy a finished schedule; its configurations name the new place."""
    shutil.copytree(finished, folder, symlinks=True)
    for path in folder.glob("*.yaml"):
        path.write_text(path.read_text().replace(str(finished), str(folder)))
    return folder


def edit(name, old, new):
    def change(folder):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def set_keys(text):
    return edit("s.yaml", "overrides: ''", f"overrides: '{text}'")


def touch(folder):
    for path in folder.rglob("*"):
        if ".snakemake" not in path.parts and path.suffix not in (".pkl",):
            os.utime(path)


def other_host(folder):
    """Another name of the machine for every process, and nothing known of any file."""
    (folder / "host").mkdir()
    name = "import platform, socket\nsocket.gethostname = platform.node = lambda: 'elsewhere'\n"
    (folder / "host/sitecustomize.py").write_text(name)
    shutil.rmtree(folder / "cache")


def copy_predictions(folder):
    """Predictions of the round before over those of both voters, as old as they were."""
    for voter in "ab":
        (folder / "out/exp_adapt_bn" / voter / NAME).write_text("those of another round")
        shutil.copy2(folder / "out/exp_adapt_bn" / voter / NAME, folder / "out/exp_pseudo_stage1" / voter / NAME)
        (folder / "out/exp_adapt_bn" / voter / NAME).write_text("train1")


def python_elsewhere(folder):
    (folder / "python").symlink_to(sys.executable)
    edit("s.yaml", f"{shlex.quote(sys.executable)} stub.py", "./python stub.py")(folder)


CHANGES = {
    "coverage": (edit("s.yaml", "- 0.6", "- 0.7"), {"pseudo_labels-2"}, "0.6 and"),
    "rate": (set_keys("SOLVER.BASE_LR 0.5"), TRAININGS, "exp_adapt_bn-a: changed: SOLVER.BASE_LR 0.1 and 0.5"),
    "rate of one step": (
        edit("exp_pseudo_stage1.yaml", "TRAIN:", "SOLVER: {BASE_LR: 0.5}\nTRAIN:"),
        {"exp_pseudo_stage1-a", "exp_pseudo_stage1-b"}, "BASE_LR",
    ),
    "seed": (set_keys("RNG_SEED 7"), TRAININGS, "RNG_SEED 1 and 7"),
    "gamma": (set_keys("DATA.GAMMA.TEST 0.5"), TRAININGS, "DATA.GAMMA.TEST 0.25 and 0.5"),
    "label": (edit("out/data/train.csv", "train1.mp4,1", "train1.mp4,2"), TRAININGS, "row 2 of list train_label"),
    "list row": (edit("out/data/dark.csv", "dark0.mp4,0\n", ""), TRAININGS, "row 1 of list arid, 3 and 2 rows"),
    "list row of the test": (edit("out/data/test.csv", "test2.mp4,2\n", ""), {*LAST, "vote"}, "3 and 2 rows"),
    "clip content": (edit("out/data/videos/test1.mp4", "clip", "Clip"), set(LAST), "row 2 of clips test"),
    "clip order": (
        edit("out/data/train.csv", "train0.mp4,0\ntrain1.mp4,1\n", "train1.mp4,1\ntrain0.mp4,0\n"), TRAININGS,
        "row 1 of list train_label",
    ),
    "starting weights": (edit("start.pth", "weights", "others"), set(FIRST), "the content of starting weights"),
    "voter weight": (edit("rules.yaml", "[0.5", "[0.6"), {"vote"}, "rules.yaml"),
    "key without effect": (set_keys("LOG_PERIOD 3 DATA_LOADER.NUM_WORKERS 1 OUTPUT_DIR elsewhere"), set(), ""),
    "path": (python_elsewhere, set(), ""),
    "time": (touch, set(), ""),
    "host": (other_host, set(), ""),
    "prediction gone": (
        lambda folder: (folder / "out/exp_adapt_bn/b/total_unlabelx4x8x1x1.pkl").unlink(), {"exp_adapt_bn-b"}, ""
    ),
    "another's predictions": (
        copy_predictions, {"exp_pseudo_stage1-a", "exp_pseudo_stage1-b"}, f"exp_pseudo_stage1/b/{NAME} is another"
    ),
    "further prediction gone": (
        lambda folder: (folder / "out/exp_experts/a/total_unlabelx4x8x1x1.pkl").unlink(), {"exp_experts-a"},
        "total_unlabelx4x8x1x1.pkl is gone",
    ),
    "table changed": (
        lambda folder: (folder / "out/data/pseudo/stage1.csv").write_text("other"),
        {"exp_pseudo_stage1-a", "exp_pseudo_stage1-b"}, "",
    ),
}  # fmt: skip
QUICK = ("coverage", "rate", "clip content", "host", "prediction gone", "another's predictions")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHANGES]
)
def test_what_a_change_touches(name, finished, repo, tmp_path):
    change, jobs, said = CHANGES[name]
    folder = copied(finished, tmp_path / "elsewhere")
    change(folder)
    told = snakemake(repo, folder, "--dry-run")
    assert causes(told) == jobs, told[-6000:]
    assert said in told and ("Nothing to be done" in told) == (not jobs)


def calls(folder):
    """Return the folders of the jobs that were called."""
    return [line.split()[1] for line in (folder / "calls.log").read_text().splitlines()]


def test_a_change_is_made_once_and_one_meanwhile_is_not_lost(finished, repo, tmp_path):
    folder = copied(finished, tmp_path / "elsewhere")
    edit("exp_experts.yaml", "TRAIN:", "SOLVER: {BASE_LR: 0.5}\nTRAIN:")(folder)
    (folder / "edit").write_text("train0.mp4,0\n")
    snakemake(repo, folder)
    assert calls(folder)[len(calls(finished)) :] == ["out/exp_experts/a", "out/submission"]
    assert causes(snakemake(repo, folder, "--dry-run")) == TRAININGS
    snakemake(repo, folder)
    assert "Nothing to be done" in snakemake(repo, folder, "--dry-run")


@pytest.mark.slow
def test_copied_predictions_are_made_again_however_often(finished, repo, tmp_path):
    folder = copied(finished, tmp_path / "elsewhere")
    for _ in range(2):
        copy_predictions(folder)
        (folder / "calls.log").write_text("")
        snakemake(repo, folder, "--dry-run")
        snakemake(repo, folder)
        assert {"out/exp_pseudo_stage1/a", "out/exp_pseudo_stage1/b", "out/submission"} <= set(calls(folder))
        assert "out/exp_adapt_bn/a" not in calls(folder)
        assert (folder / "out/exp_pseudo_stage1/b" / NAME).read_text() == "train1"
        assert "Nothing to be done" in snakemake(repo, folder, "--dry-run")
