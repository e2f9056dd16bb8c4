"""A checkout and values on the command line with blanks, quotes, `$( )` and `;`: nothing of it is run."""

import os
import shutil
import subprocess
import sys

import pytest

from slowfast.config import load_config
from slowfast.datasets.loader import build_dataset

ODD = "my $(touch m1) `touch m2`; touch m3 \"q\" 's' $HOME & {x} #h %p"


@pytest.fixture
def checkout(repo, tmp_path):
    """A checkout at an odd place whose interpreter only says how it is called."""
    root = tmp_path / ODD
    for part in ("tools", "exp_adapt_bn", "Makefile", "setup.py"):
        copy = shutil.copytree if (repo / part).is_dir() else shutil.copy
        root.mkdir(exist_ok=True)
        copy(repo / part, root / part)
    return root


def stub(folder, name="python"):
    """A program that prints its arguments, one a line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\nprintf '<%s>\\n' \"$@\"\n")
    (folder / name).chmod(0o755)
    return folder / name


def called(command, cwd, **env):
    """Run a command; return the arguments that the stub was called with."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [line[1:-1] for line in done.stdout.splitlines() if line.startswith("<")]


def nothing_was_run(root):
    """Whether no marker lies anywhere."""
    return not [path for path in root.rglob("m[0-9]") if path.is_file()]


@pytest.mark.parametrize("place", [".venv", "a 'b' \"c\" $(touch m4)"])
def test_the_targets_of_make(checkout, tmp_path, place):
    if shutil.which("make") is None:
        pytest.skip("no make")
    for name in ("python", "ruff"):
        stub(checkout / place / "bin", name)
    (checkout / place / ".installed").touch()
    venv = [] if place == ".venv" else [f"VENV={place}"]
    seed = "SEED=1; touch m5 $(touch m6) $(shell touch m7)"
    assert called(["make", "demo", *venv, seed, "DEMO=a b"], checkout) == [
        "tools/demo.py", "--seed", seed.removeprefix("SEED="), "--mode", "a b",
    ]  # fmt: skip
    assert called(["make", "test", *venv], checkout) == ["tests/halves.py"]
    assert called(["make", "lint", *venv], checkout) == ["check", ".", "format", "--check", "."]
    assert nothing_was_run(tmp_path)


def test_the_scripts_of_experiments(checkout, tmp_path):
    python = stub(checkout / ".venv/bin")
    folder = checkout / "exp_adapt_bn/my 'exp' $(touch m8)"
    shutil.copytree(checkout / "exp_adapt_bn/uniformer_b32_k600", folder)
    value = "data;touch m9 '\"` $(touch m0)"
    for script in ("run.sh", "test.sh"):
        words = called(["bash", folder / script, "DATA.PATH_PREFIX", value], tmp_path, NPROC="1")
        assert words[:3] == [str(checkout / "tools/run_net.py"), "--cfg", str(folder / "config.yaml")]
        assert words[-2:] == ["DATA.PATH_PREFIX", value]
        assert called(["bash", folder / script, "A", "B"], tmp_path, NPROC="1", PYTHON=str(python)) == [
            *words[:-2], "A", "B",
        ]  # fmt: skip
    assert nothing_was_run(tmp_path)


def test_lists_and_configuration_of_an_odd_folder(repo, tmp_path):
    """What prepare_lists writes is read again, with the folder's name as it is."""
    clips, lists = tmp_path / ODD / "clips", tmp_path / f"{ODD} lists"
    for name in ("a b/one.mp4", "c;d/two.mp4", "c;d/three $(touch m1).mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        (clips / name).write_bytes(b"x" * 100)
    command = [sys.executable, repo / "tools/prepare_lists.py", "--light", clips, "--dark", clips, "--no-check"]
    subprocess.run([*map(str, command), "--output", str(lists)], capture_output=True, text=True, check=True, timeout=60)
    cfg = load_config([lists / "data.yaml"], ["MODEL.ARCH", "sf"])
    for split in ("train_label", "total_unlabel"):
        assert len(build_dataset(cfg, split, "test", train=False).records) == 3
    assert nothing_was_run(tmp_path)


@pytest.mark.parametrize("words", [[], ["PYTHON=other"]])
def test_targets_do_not_hand_their_python_on(repo, words):
    """The interpreter that makes the environment is not that of the scripts which a target runs."""
    if shutil.which("make") is None:
        pytest.skip("no make")
    rules = (repo / "Makefile").read_text() + '\nshow:\n\t@echo "<$${PYTHON:-none}> <$$NIGHTCRAWLER_PYTHON>"\n'
    done = subprocess.run(
        ["make", "-s", "-f", "-", "show", *words], input=rules, capture_output=True, text=True,
        env={**os.environ, "PYTHON": "theirs"}, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"<none> <{'other' if words else 'theirs'}>\n", done.stderr
