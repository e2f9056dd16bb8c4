"""The measurements of a card, on the processor: what they print, what fails alone, how long they may take."""

import functools
import importlib.util
import json
import subprocess
import sys
import types

import pytest
import torch

from slowfast.apps.benchmark import gpu, gpu_command
from slowfast.apps.benchmark.ahead import compile_ahead, compile_one
from slowfast.utils.errors import InputError
from tests.models.test_registered import built

SIZE = (1, 3, 8, 64, 64)


@pytest.fixture
def card(monkeypatch):
    """A processor that passes for a card."""
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 5e9)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    for name in ("training_step", "evaluation_step"):
        monkeypatch.setattr(gpu, name, functools.partial(getattr(gpu, name), device="cpu"))


@pytest.mark.parametrize("training", [True, False])
def test_every_form_has_a_row_and_one_that_fails_leaves_the_others(training, card, capsys, tmp_path, monkeypatch):
    bench = gpu.Bench(rate=1e12, seconds=100.0, path=tmp_path / "all.json")
    monkeypatch.setitem(gpu.WAYS, "broken", gpu.Way("broken", graph=True))
    monkeypatch.setattr(gpu, "replay", lambda model, training: 1 / 0)
    bench.run("small", lambda: built("videomae"), SIZE, 1e9, ["ours", "broken"], training=training)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 and rows[0].startswith(f"| small | {'training' if training else 'evaluation'} | ours, bf16 |")
    assert "| 5.0 |" in rows[0] and rows[0].count("|") == rows[1].count("|") == 8
    first, second = json.loads((tmp_path / "all.json").read_text())
    assert first["seconds"] > 0 and not first["problem"] and second["problem"]


def test_nothing_is_measured_when_the_time_is_over(card, capsys):
    bench = gpu.Bench(rate=1e12, seconds=-1.0)
    bench.run("small", lambda: built("videomae"), SIZE, 1e9, ["ours"], training=True)
    assert "no time left" in capsys.readouterr().out


def test_table_of_the_depthwise_convolution(card):
    lines = gpu.depthwise_table((1, 8, 4, 8, 8), "cpu").splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["library", "ours"]
    assert all(float(cell) > 0 for line in lines[2:] for cell in line.split("|")[2:4])


def test_forms_that_take_long_to_compile_come_last(card, monkeypatch, capsys):
    asked = []

    class Bench(gpu.Bench):
        def run(self, network, build, size, flops, ways, *, training):
            asked.append((network, *ways, training))

    monkeypatch.setattr(gpu, "Bench", Bench)
    monkeypatch.setattr(gpu, "matrix_rate", lambda: 1e12)
    monkeypatch.setattr(gpu, "depthwise_table", lambda: "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(gpu_command, "count_flops", lambda build, size: 1.0)
    gpu_command.measure_gpu(
        ["mvit", "sf"], [], batch_size=2, seconds=1.0, training=["plain", "both"], evaluation=["both"]
    )
    assert asked == [
        ("mvit", "plain", True), ("sf", "plain", True),
        ("mvit", "both", True), ("mvit", "both", False), ("sf", "both", True), ("sf", "both", False),
    ]  # fmt: skip


@pytest.fixture
def check(repo, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_check", repo / "tools/gpu_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    return module


def status_of(check):
    with pytest.raises(SystemExit) as caught:
        check.cli.run(check.main)
    return caught.value.code or 0


def test_without_a_card_the_check_is_one_sentence(check, monkeypatch, capsys):
    monkeypatch.setattr("slowfast.utils.gpu.find_gpu", lambda: (False, "the driver is too old"))
    assert status_of(check) == 2
    assert "finds no GPU here: the driver is too old" in capsys.readouterr().err


def test_make_runs_it_with_any_interpreter(repo, tmp_path):
    python = tmp_path / "an interpreter"
    python.write_text('#!/bin/sh\necho "ran $*"\n')
    python.chmod(0o755)
    words = ["make", "--silent", "gpu-check", f"GPU_PYTHON={python}", f"VENV={tmp_path / 'none'}"]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True)
    assert done.stdout == "ran tools/gpu_check.py\n", done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("status", "late"), [(0, False), (1, False), (0, True)])
def test_the_check_takes_at_most_six_minutes(status, late, check, monkeypatch, capsys):
    clock, asked = types.SimpleNamespace(now=0.0), []

    def run(words, cwd, timeout):
        asked.append(words)
        clock.now += timeout if late else 1.0
        if late:
            raise subprocess.TimeoutExpired(words, timeout)
        return types.SimpleNamespace(returncode=status)

    def ahead(words, cwd, start_new_session):
        assert "--ahead" in words and start_new_session
        return types.SimpleNamespace(pid=compiling.pid, wait=wait)

    def wait(timeout=None):
        if timeout is None:
            return compiling.wait()
        clock.now += timeout
        raise subprocess.TimeoutExpired("ahead", timeout)

    compiling = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    monkeypatch.setattr("slowfast.utils.gpu.find_gpu", lambda: (True, ""))
    monkeypatch.setattr(check.subprocess, "run", run)
    monkeypatch.setattr(check.subprocess, "Popen", ahead)
    monkeypatch.setattr(check.time, "monotonic", lambda: clock.now)
    assert status_of(check) == int(bool(status or late))
    assert clock.now <= 360 and len(asked) == 3
    assert compiling.poll() is not None  # nothing compiles while something is measured
    assert asked[0][1:3] == ["-m", "pytest"] and "--budget" in asked[1] and "--epoch" in asked[2]
    out = capsys.readouterr().out
    assert ("not done in time" in out) is late and ("all done" in out) is not (status or late)


@pytest.mark.parametrize(("way", "said"), [("training", "compiled ahead: sf, training, 0 s"), ("evaluation", "Memory")])
def test_what_is_compiled_ahead_is_said_and_what_is_not(way, said, card, monkeypatch, capsys):
    def made(build, size, way, device):
        assert (size, way.name, device) == ((2, 3, 32, 224, 224), "ours, bf16, compiled blocks", "cpu")
        return lambda: None

    def failing(build, size, way, device):
        raise MemoryError("none left")

    monkeypatch.setattr(gpu_command, "count_flops", lambda build, size: 1.0)
    monkeypatch.setattr(gpu, "training_step", made)
    monkeypatch.setattr(gpu, "evaluation_step", failing)
    compile_one("sf", way == "training", [], 2, "cpu")
    assert said in capsys.readouterr().out


def test_ahead_without_a_card_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--ahead: torch finds no GPU"):
        compile_ahead(["sf"], [], batch_size=1)
