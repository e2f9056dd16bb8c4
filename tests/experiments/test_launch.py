"""`tools/launch.sh`: processes, overrides, exit codes, from any directory."""

import os
import shutil
import subprocess
import sys

import pytest

STUB = """import os, sys
rank, world = os.environ.get("RANK", "-"), os.environ.get("WORLD_SIZE", "1")
with open(os.environ["STUB_LOG"], "a") as log:
    log.write("|".join([rank, world, *sys.argv[1:]]) + "\\n")
if os.environ.get("STUB_STATUS") == "killed":
    os.kill(os.getpid(), 9)
sys.exit(int(os.environ.get("STUB_STATUS", "0")))
"""
SHOW = """import sys
if "BAD.KEY" in sys.argv:
    sys.exit(2)
print("NUM_GPUS: 2")
"""


@pytest.fixture
def house(repo, tmp_path):
    """A folder with the launcher, one experiment and stubs of the tools it calls."""
    (tmp_path / "tools").mkdir()
    for name in ("launch.sh", "spawn.py"):
        shutil.copy(repo / "tools" / name, tmp_path / "tools" / name)
    (tmp_path / "slowfast").symlink_to(repo / "slowfast")
    (tmp_path / "tools" / "run_net.py").write_text(STUB)
    (tmp_path / "tools" / "show_config.py").write_text(SHOW)
    folder = tmp_path / "exp_adapt_bn" / "sf32_k700"
    folder.mkdir(parents=True)
    for name in ("config.yaml", "run.sh", "test.sh"):
        shutil.copy(repo / "exp_adapt_bn" / "sf32_k700" / name, folder / name)
    return tmp_path


def launch(house, script, *opts, cwd=None, gpus=0, **env):
    """Run a script; return (exit status, stub's lines, stderr)."""
    bin_folder = house / "bin"
    bin_folder.mkdir(exist_ok=True)
    smi = bin_folder / "nvidia-smi"
    smi.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {index}: stub'\n" for index in range(gpus)))
    smi.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if key not in ("NPROC", "CUDA_VISIBLE_DEVICES", "NNODES")}
    clean |= {"PATH": f"{bin_folder}:{clean['PATH']}", "PYTHON": sys.executable, "STUB_LOG": str(house / "log")}
    path = house / "exp_adapt_bn" / "sf32_k700" / script
    done = subprocess.run(
        ["bash", os.path.relpath(path, cwd or house), *opts],
        cwd=cwd or house, env=clean | env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    log = house / "log"
    return done.returncode, log.read_text().splitlines() if log.exists() else [], done.stderr


def config_of(house):
    return str((house / "exp_adapt_bn" / "sf32_k700" / "config.yaml").resolve())


def test_no_gpu_is_one_plain_process(house):
    status, lines, _ = launch(house, "run.sh", "SOLVER.MAX_EPOCH", "1", "TEST.ALSO", "['arid', 'test:1x3']")
    assert status == 0
    assert lines == [f"-|1|--cfg|{config_of(house)}|SOLVER.MAX_EPOCH|1|TEST.ALSO|['arid', 'test:1x3']"]


def test_test_script_does_not_train_but_can_be_overridden(house):
    _, lines, _ = launch(house, "test.sh", "TEST.DATA_SELECT", "arid")
    assert lines == [f"-|1|--cfg|{config_of(house)}|TRAIN.ENABLE|False|TEST.DATA_SELECT|arid"]


@pytest.mark.parametrize("where", ["exp_adapt_bn/sf32_k700", "tools", "."])
def test_works_from_any_directory(house, where):
    status, lines, _ = launch(house, "run.sh", cwd=house / where)
    assert (status, lines) == (0, [f"-|1|--cfg|{config_of(house)}"])


@pytest.mark.parametrize("code", [1, 2, 75])
def test_exit_status_of_one_process_passes(house, code):
    assert launch(house, "run.sh", STUB_STATUS=str(code))[0] == code


def test_one_process_per_gpu_up_to_num_gpus(house):
    status, lines, errors = launch(house, "run.sh", "A", "b c", gpus=4)
    assert status == 0, errors
    assert sorted(lines) == [f"{rank}|2|--cfg|{config_of(house)}|A|b c" for rank in (0, 1)]


def test_nproc_wins_and_the_first_failure_is_the_status(house):
    status, lines, errors = launch(house, "run.sh", NPROC="3", STUB_STATUS="2")
    assert (status, errors) == (2, "")
    assert len(lines) >= 1 and all(line.split("|")[1] == "3" for line in lines)


def test_a_killed_process_is_named(house):
    status, _, errors = launch(house, "run.sh", NPROC="2", STUB_STATUS="killed")
    assert status == 137
    assert errors.endswith("was ended by signal 9\n") and errors.startswith("internal error: process ")


def test_hidden_gpus_do_not_count(house):
    _, lines, _ = launch(house, "run.sh", gpus=4, CUDA_VISIBLE_DEVICES="2")
    assert lines == [f"-|1|--cfg|{config_of(house)}"]


@pytest.mark.parametrize("how", [{"gpus": 4}, {"NPROC": "2"}])
def test_wrong_configuration_stops_before_any_process(house, how):
    status, lines, _ = launch(house, "run.sh", "BAD.KEY", "1", **how)
    assert (status, lines) == (2, [])


def test_a_number_with_leading_zeros_is_decimal(house):
    status, lines, errors = launch(house, "run.sh", NPROC="08")
    assert (status, errors) == (0, "") and len(lines) == 8 and all(line.split("|")[1] == "8" for line in lines)


def test_wrong_number_of_processes_is_one_sentence(house):
    status, lines, errors = launch(house, "run.sh", NPROC="many")
    assert (status, lines) == (2, [])
    assert errors.strip() == "error: NPROC is 'many'; give a number of processes"


def test_missing_folder_is_one_sentence(house):
    done = subprocess.run(["bash", house / "tools" / "launch.sh", "exp_none"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip() == "error: exp_none: no such experiment folder; check the path"


def test_help_has_an_example(house):
    done = subprocess.run(["bash", house / "tools" / "launch.sh", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "example:\n  bash exp_adapt_bn" in done.stdout
