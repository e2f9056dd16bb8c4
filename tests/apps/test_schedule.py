"""Marks of jobs: when they change, what is said, and marks that somebody edited."""

import hashlib
import json
import os

import pytest

from slowfast.apps.schedule import refresh
from slowfast.parents import MadeOf


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """One job that has ended, with its predictions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jobs = {"a": {"command": "echo a", "words": "echo a", "output": str(tmp_path / "out/a.pkl")}}
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.pkl").write_text("whole")
    assert refresh(tmp_path, jobs) == []
    return jobs


def end(folder, results):
    mark = json.loads((folder / "a.json").read_text()) | {"results": results}
    (folder / "a.done").write_text(json.dumps(mark))


def test_replaced_and_deleted_predictions_are_told_and_the_mark_is_newer_and_another(jobs, tmp_path):
    end(tmp_path, {"a.pkl": hashlib.sha256(b"whole").hexdigest()})
    assert refresh(tmp_path, jobs) == []
    marks = {(tmp_path / "a.json").read_text()}
    for content in ("copied", "copied", None):
        if content is None:
            (tmp_path / "out/a.pkl").unlink()
        else:
            (tmp_path / "out/a.pkl").write_text(content)
            os.utime(tmp_path / "out/a.pkl", (2e9, 2e9))
            os.utime(tmp_path / "a.json", (1e9, 1e9))
        what = "gone" if content is None else "another"
        assert refresh(tmp_path, jobs) == [f"a: changed: {tmp_path}/out/a.pkl is {what}"]
        assert os.path.getmtime(tmp_path / "a.json") > 1.5e9
        marks.add((tmp_path / "a.json").read_text())
        if content is not None:  # copied once more before the job could run
            os.utime(tmp_path / "a.json", (1e9, 1e9))
            refresh(tmp_path, jobs)
            assert os.path.getmtime(tmp_path / "a.json") > 1.5e9
        end(tmp_path, {"a.pkl": hashlib.sha256(b"whole").hexdigest()})  # as if the job had made it again
    assert len(marks) == 4, "Snakemake compares small files by content"


@pytest.mark.parametrize(
    "mark",
    [7, [], {"kind": "job"}, {"kind": 5, "results": {"a.pkl": "x"}}, {"kind": "job", "results": 7},
     {"kind": "job", "inputs": 3, "settings": {"command": "echo a"}, "results": {"\0": "a", "../..": "b", "a.pkl": 1}}],
)  # fmt: skip
def test_edited_marks(mark, jobs, tmp_path):
    for ending in ("json", "done"):
        (tmp_path / f"a.{ending}").write_text(json.dumps(mark))
    refresh(tmp_path, jobs)
    assert MadeOf.from_plain(json.loads((tmp_path / "a.json").read_text())).settings == {"command": "echo a"}
    (tmp_path / "a.done").write_bytes(b"[" * 100_000)
    assert refresh(tmp_path, jobs) == []
