"""Sequences of changes, kills and calls: see `changes.py`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake")
sys.path.insert(0, str(Path(__file__).parent))

import changes
import kills

from slowfast.utils.warm import warm_jobs


@pytest.fixture(scope="module")
def warm():
    """The environment below a process that has loaded the libraries: most of a job's seconds are its start."""
    with warm_jobs(kills.environment()) as environment:
        yield environment


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_a_changed_and_killed_schedule_ends_as_one_from_nothing(seed, tmp_path, warm):
    done, differing = changes.run_sequence(tmp_path, seed, 14.0, warm)
    assert differing == [], done
