"""The graph of jobs on a real Slurm, a job preempted on the way; skipped where no Slurm runs (docs/cluster.md)."""

import shutil
import subprocess
import sys
import time

import pytest
import yaml

pytest.importorskip("snakemake_executor_plugin_slurm")
# Trains until it is told to stop, saves, and ends when it is called again.
STUB = """
import os, pathlib, signal, sys, time
kind, out, *names = sys.argv[1:]
folder = pathlib.Path(out)
folder.mkdir(parents=True, exist_ok=True)
with open("calls.log", "a") as log:
    log.write(f"{kind} {out}\\n")
if "exp_adapt_bn" in out and not (folder / "saved").exists():
    def stop(*_):
        (folder / "saved").write_text("state")
        sys.exit(75)
    signal.signal(signal.SIGTERM, stop)
    (folder / "running").write_text(os.environ["SLURM_JOB_ID"])
    time.sleep(300)
    sys.exit(1)
for name in names:
    (folder / name).write_text("whole")
"""


def slurm_is_up() -> bool:
    """Whether a partition takes jobs here."""
    if shutil.which("sinfo") is None:
        return False
    try:
        done = subprocess.run(["sinfo", "--noheader", "-o", "%a %T"], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return any(line.startswith("up ") and "down" not in line for line in done.stdout.splitlines())


@pytest.mark.slow
def test_preempted_job_is_submitted_again_and_the_graph_ends(repo, tmp_path, stub_schedule):
    if not slurm_is_up():
        pytest.skip("no Slurm runs here")
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(stub_schedule(["a"], 1)))
    command = [sys.executable, "-m", "snakemake", "-s", repo / "workflow/Snakefile", "--configfile", "tiny.yaml"]
    command += [
        "--profile",
        repo / "workflow/profile-slurm-one-machine",
        "--default-resources",
        "mem_mb=300",
        "runtime=5",
    ]
    with open(tmp_path / "said", "w") as said:
        graph = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said)
        try:
            running = tmp_path / "out/exp_adapt_bn/a/running"
            deadline = time.monotonic() + 300
            while not running.exists() and graph.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
            subprocess.run(["scancel", "--signal=TERM", running.read_text()], check=True)
            status = graph.wait(timeout=900)
        finally:
            graph.terminate()
            graph.wait()
    assert status == 0, (tmp_path / "said").read_text()[-3000:]
    calls = (tmp_path / "calls.log").read_text().splitlines()
    assert calls.count("train out/exp_adapt_bn/a") == 2
    assert sorted(set(calls)) == sorted(
        ["data out/data", "select out/data/pseudo", "train out/exp_adapt_bn/a", "train out/exp_experts/a",
         "train out/exp_pseudo_stage1/a", "vote out/submission"]
    )  # fmt: skip
    assert (tmp_path / "out/submission/arid_pred.csv").read_text() == "whole"
