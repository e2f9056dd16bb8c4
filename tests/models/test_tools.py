"""The commands about networks: what they print, their exit status, their sentences."""

import functools
import importlib.util
import os
import sys

import pytest
import torch
from torch import nn

from slowfast.apps.benchmark.networks import FAST, Timing, matrix_limit, table, time_training
from slowfast.apps.export_model import what_onnx_lacks
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.models.network import Network

SMALL = {
    "sf": ["SF.DEPTH", "[1,1,1,1]", "SF.WIDTH", "8"],
    "uniformer": ["UNIFORMER.DEPTH", "[1,1,1,1]", "UNIFORMER.EMBED_DIM", "[8,8,16,16]", "UNIFORMER.HEAD_DIM", "8"],
    "mvit": ["MVIT.EMBED_DIM", "8", "MVIT.DEPTH", "3", "MVIT.POOL_Q_STRIDE", "[[1,1,2,2]]", "MVIT.DIM_MUL", "[[1,2.0]]",
             "MVIT.HEAD_MUL", "[[1,2.0]]"],
    "videomae": ["VIDEOMAE.EMBED_DIM", "16", "VIDEOMAE.DEPTH", "1", "VIDEOMAE.NUM_HEADS", "2"],
}  # fmt: skip
CLIP = ["DATA.NUM_FRAMES", "8", "DATA.TRAIN_CROP_SIZE", "64", "DATA.TEST_CROP_SIZE", "64"]
CONFIGURATIONS = {
    "sf": "exp_pseudo_stage4/sf32_k700/config.yaml",
    "uniformer": "exp_pseudo_stage4/uniformer_b32_k600/config.yaml",
    "mvit": "exp_pseudo_stage4/mvit_b32_k600/config.yaml",
    "videomae": "configs/features/videomae_vitl_hybrid_k700.yaml",
}


@pytest.fixture
def tool(monkeypatch, repo):
    """Run a tool with arguments in this process; return its exit status."""

    def call(name, *arguments):
        spec = importlib.util.spec_from_file_location(f"tool_{name}", repo / "tools" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        threads = torch.get_num_threads()
        with pytest.raises(SystemExit) as caught:
            module.cli.run(module.main)
        torch.set_num_threads(threads)
        return caught.value.code

    return call


def saved(repo, path, architecture):
    """Save fresh weights of a small network."""
    cfg = load_config(repo / CONFIGURATIONS[architecture], [*CLIP, *SMALL[architecture]])
    torch.save({"model_state": build_model(cfg).state_dict()}, path)
    return path


def report(repo, architecture, checkpoint):
    """Arguments of the load report for a small network."""
    return ["--cfg", repo / CONFIGURATIONS[architecture], "--checkpoint", checkpoint, *CLIP, *SMALL[architecture]]


def test_load_report(repo, tool, tmp_path, capsys):
    path = saved(repo, tmp_path / "sf.pth", "sf")
    assert tool("load_report", *report(repo, "sf", path), "MODEL.NUM_CLASSES", "4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  slow.conv1.weight" in lines
    assert "dropped: 2" in lines
    assert "  projection.weight: 11 classes in the file, 4 in the network" in lines
    assert "100.0 % of the parameters outside the head" in lines[-1]
    assert tool("load_report", *report(repo, "sf", path), "--quiet") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_load_report_takes_the_keys_of_weights(repo, tool, tmp_path, capsys):
    state = torch.load(saved(repo, tmp_path / "w.pth", "videomae"))["model_state"]
    state = {f"student_{name}": tensor for name, tensor in state.items()}
    torch.save({"model": {"other": torch.ones(2, 2)}, "ema": state}, tmp_path / "w.pth")
    arguments = [*report(repo, "videomae", tmp_path / "w.pth"), "--quiet"]
    assert tool("load_report", *arguments) == 2
    assert "also holds the weights ema" in capsys.readouterr().out
    keys = ["TRAIN.CHECKPOINT_WEIGHTS", "ema", "TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", "['student_']"]
    assert tool("load_report", *arguments, *keys) == 0
    assert "100.0 % of the parameters" in capsys.readouterr().out


def test_load_report_of_what_does_not_fit(repo, tool, tmp_path, capsys):
    path = saved(repo, tmp_path / "sf.pth", "sf")
    assert tool("load_report", *report(repo, "uniformer", path)) == 2
    said = capsys.readouterr()
    assert "missing (the network keeps its own values)" in said.out
    assert "too little to load, 90 % are needed" in said.err
    assert "Traceback" not in said.err
    path.write_bytes(path.read_bytes()[:5000])
    assert tool("load_report", *report(repo, "sf", path)) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("architecture", SMALL)
def test_export_of_every_network(repo, tool, tmp_path, capsys, architecture):
    checkpoint = saved(repo, tmp_path / "w.pth", architecture)
    wanted = "program" if what_onnx_lacks() else "all"
    arguments = report(repo, architecture, checkpoint)
    assert tool("export_model", *arguments, "--format", wanted, "--output-dir", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "out" / f"{architecture}.pt2").is_file()
    assert printed.count("largest relative difference of a logit") == (1 if wanted == "program" else 2)


def test_export_that_differs_is_refused(repo, tool, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("slowfast.apps.export_model._difference", lambda *_: 0.5)
    arguments = report(repo, "videomae", "none")
    assert tool("export_model", *arguments, "--format", "program", "--output-dir", tmp_path) == 2
    assert "differs by more than 0.001" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "half"), [([], 1.0), ([], 0.3), (["--train"], 1.0)])
def test_benchmark(tool, capsys, monkeypatch, more, half):
    rates = {torch.float32: 1e11, torch.bfloat16: half * 1e11}
    monkeypatch.setattr("slowfast.apps.benchmark.networks.matrix_limit", lambda dtype: rates[dtype])
    options = ["--threads", "1", "--repeats", "1", *more]
    assert tool("benchmark", "--model", "videomae", *options, *CLIP, *SMALL["videomae"]) == 0
    printed = capsys.readouterr().out
    assert "GFLOP/s float32" in printed and "GFLOP/s bfloat16" in printed
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("|")]
    assert rows[2:] == ["plain float32", "float32", *(["bfloat16 autocast"] if half == 1 else [])]
    assert ("bfloat16 is left out" in printed) == (half < 1)
    assert ("peak memory" in printed) and ("training step" in printed) == bool(more)


def test_benchmark_without_a_gpu(tool, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert tool("benchmark", "--model", "videomae", "--gpu", *CLIP, *SMALL["videomae"]) == 2
    assert "finds no GPU" in capsys.readouterr().err


def test_benchmark_measures_every_network_on_a_card(tool, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "slowfast.apps.benchmark.gpu_command.measure_gpu", lambda *args, **named: asked.append((args, named))
    )
    options = ["--gpu", "--batch-size", "16", "--json", tmp_path / "a.json", "--budget", "60", "--profile"]
    assert tool("benchmark", "--model", "all", *options, "RNG_SEED", "3") == 0
    (((models, opts), named),) = asked
    assert models == ("mvit", "sf", "uniformer", "videomae") and opts == ["RNG_SEED", "3"]
    assert named == {"batch_size": 16, "seconds": 60.0, "profiled": True, "path": tmp_path / "a.json"}


def test_benchmark_of_all_networks_needs_a_card(tool, capsys):
    assert tool("benchmark", "--model", "all") == 2
    assert "--model all is for --gpu" in capsys.readouterr().err


def test_benchmark_of_an_epoch(tool, tiny, tmp_path, capsys):
    for number in range(3):
        tiny.write_clip(tmp_path / f"{number}.mp4", number, number)
    options = ["--epoch", "--clips", tmp_path, "--batch-size", "2", "--repeats", "2"]
    quick = ["AUG.NUM_SAMPLE", "1", "DATA_LOADER.NUM_WORKERS", "0", "NUM_GPUS", "0"]
    assert tool("benchmark", "--model", "videomae", *options, *CLIP, *SMALL["videomae"], *quick) == 0
    first, second, third = capsys.readouterr().out.strip().splitlines()[-3:]
    assert first.startswith("videomae, CPU, torch") and first.endswith("0 decoding processes")
    alone, whole = (float(second.split(word)[1].split()[0]) for word in ("step alone", "whole tool"))
    assert min(whole, alone) > 0 and "% of it" in second
    assert third.startswith("the last 2 iterations: ") and "waiting" in third


@pytest.mark.parametrize(("slow", "sizes"), [(0.0, [256, 2048]), (1e30, [256])])
def test_a_large_product_is_not_waited_for_where_a_small_one_is_slow(monkeypatch, slow, sizes):
    measured = []

    def timed(product, device):
        measured.append(product().shape[0])
        return 1.0

    monkeypatch.setattr("slowfast.apps.benchmark.networks._SLOW", slow)
    monkeypatch.setattr("slowfast.apps.benchmark.networks._timed", timed)
    assert matrix_limit(torch.float32, repeats=0) == 2.0 * sizes[-1] ** 3
    assert measured == sizes


def test_a_training_process_that_the_system_ends_does_not_end_the_measurement():
    timings = time_training(functools.partial(os._exit, 9), (1, 3, 2, 16, 16), repeats=1, threads=1)
    assert [timing.too_large for timing in timings] == [True] * 3
    timings[1] = Timing(FAST, [2.0])
    lines = table(timings, clips=1, flops=4e9, limits={torch.float32: 8e9}).splitlines()[2:]
    assert lines[0] == "| plain float32 | not enough memory | | | | | |"
    assert lines[1] == "| float32 | 2.000 | 0.50 |  | 2 | 25% |  |"


class Flat(Network):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(24, 2)

    def forward_features(self, clips_BCTHW):
        return clips_BCTHW.flatten(1)


def test_training_is_timed_in_every_form():
    timings = time_training(Flat, (1, 3, 2, 2, 2),
                            repeats=2, threads=1)  # fmt: skip
    assert [len(timing.seconds) for timing in timings] == [2, 2, 2]
    assert all(timing.memory > 1e7 for timing in timings)
