"""What a frozen trunk costs: the programs behind the figures of docs/backbones.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def figures(name, *words):
    """Run a program of this folder; return what it measured."""
    done = subprocess.run([sys.executable, HERE / name, *words], capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_probe_on_a_vit_large_trains_at_batch_8_within_8_gb():
    pytest.importorskip("tests.models.test_huggingface")
    assert 1.2 < figures("peak_of_probe.py", "--steps", "1")["peak_gb"] <= 8.0


@pytest.mark.slow
def test_a_round_of_a_frozen_voter_computes_no_trunk():
    """Of a small network, whose share says little: a filled store takes less than an empty one."""
    times = figures("frozen_round.py", "--width", "128", "--depth", "4", "--clips", "8", "--size", "64")
    assert times["frozen, store filled"]["processor"] < times["frozen, store empty"]["processor"]
    assert times["frozen, store filled"]["processor"] < times["trained"]["processor"]
