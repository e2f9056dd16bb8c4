"""Sequences of changes, kills and calls: see `changes.py`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake")
sys.path.insert(0, str(Path(__file__).parent))

import changes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_a_changed_and_killed_schedule_ends_as_one_from_nothing(seed, tmp_path):
    done, differing = changes.run_sequence(tmp_path, seed, seconds=40.0)
    assert differing == [], done
