"""One run per output folder."""

import os

import pytest

from slowfast.utils.errors import LockedError
from slowfast.utils.lock import folder_lock


def test_second_run_is_refused_and_told_who_holds_it(tmp_path):
    with folder_lock(tmp_path / "out"), pytest.raises(LockedError) as caught, folder_lock(tmp_path / "out"):
        pass
    assert str(tmp_path / "out") in str(caught.value) and f"process {os.getpid()}" in str(caught.value)


def test_free_again_afterwards_also_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError), folder_lock(tmp_path):
        raise RuntimeError
    with folder_lock(tmp_path):
        pass
