"""The chaos suite: its short form always, the whole of it with `pytest -m slow`."""

import json
import os
import subprocess
import sys

import pytest


def summary_of(repo, tmp_path, *args) -> dict:
    """Run the suite; return its summary."""
    command = [sys.executable, repo / "tests/chaos/suite.py", "--json", tmp_path / "chaos.json", *args]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ, timeout=7200)
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads((tmp_path / "chaos.json").read_text())["parts"]


def test_short(repo, tmp_path):
    parts = summary_of(repo, tmp_path, "--short")
    assert parts["runs"]["kills"] >= 3 and parts["files"]["cases"] >= 45 and parts["folders"]["cases"] == 2
    assert parts["inputs"]["cases"] >= 150 and parts["kinds"]["cases"] >= 100
    assert all(part["cpu_seconds"] < 60 for part in parts.values())


@pytest.mark.slow
def test_whole(repo, tmp_path):
    parts = summary_of(repo, tmp_path)
    assert sum(parts["graph"]["kills"].values()) >= 30 and parts["files"]["cases"] >= 300
    assert parts["inputs"]["cases"] >= 2000 and parts["kinds"]["cases"] >= 900


def test_cost_of_digests_is_measured(repo, tmp_path):
    program = "from slowfast.parents import input_of_rows; input_of_rows(b'%d' % row for row in range(100_000))"
    for words, said in (([sys.executable, "-c", program], "input_of_rows"), (["--rows", "50"], "50 rows: 0.0")):
        command = [sys.executable, str(repo / "tests/chaos/cost.py"), *words]
        env = os.environ | {"PYTHONPATH": str(repo)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
        assert done.returncode == 0 and said in done.stdout, done.stderr
