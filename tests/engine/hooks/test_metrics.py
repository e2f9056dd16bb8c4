"""Measurements: plain JSON lines, cut back on resume."""

import json
import logging

import pytest

from slowfast.engine.hooks.metrics import MetricsLog
from slowfast.engine.run import Mean


def test_lines_are_json_without_nan(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write("train_iter", loss=float("nan"), lr=0.123456789, epoch=1)
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "_type": "train_iter",
        "loss": None,
        "lr": 0.1234568,
        "epoch": 1,
    }


def test_cut_drops_what_came_after(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    assert log.position() == 0
    log.write("a", x=1)
    position = log.position()
    log.write("b", x=2)
    with open(tmp_path / "metrics.jsonl", "a") as handle:
        handle.write('{"_type": "tor')
    log.cut(position)
    log.cut(10 * position)
    log.write("c", x=3)
    kinds = [json.loads(line)["_type"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert kinds == ["a", "c"] and log.position() == (tmp_path / "metrics.jsonl").stat().st_size


def test_a_changed_file_is_said(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write("a", x=1)
    position, digest = log.position(), log.digest()
    log.write("b", x=2)
    log.cut(position, digest)
    assert not caplog.text
    (tmp_path / "metrics.jsonl").write_text("damaged\n")
    log.cut(position, digest)
    assert "changed or damaged" in caplog.text
    (tmp_path / "metrics.jsonl").unlink()
    log.cut(position, digest)


def test_a_process_without_a_file_writes_nothing(tmp_path):
    log = MetricsLog(None)
    log.write("a", x=1)
    log.cut(0)
    assert log.position() == 0 and not list(tmp_path.iterdir())


def test_means_are_weighted_and_go_on():
    mean = Mean()
    mean.add("loss", 6.0, 3)
    other = Mean()
    other.load_state_dict(mean.state_dict())
    other.add("loss", 4.0, 1)
    assert other.mean("loss") == 2.5 and mean.mean("loss") == 2.0
    assert mean.mean("none") != mean.mean("none")
    with pytest.raises(KeyError):
        other.load_state_dict({})
