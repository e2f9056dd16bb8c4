"""Whole runs on a card: going on after a kill, the scaler's state, predictions, processes, too little memory."""

import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from slowfast.apps.predict import predict_files
from slowfast.config import get_cfg, load_config
from slowfast.engine import trainer as trainer_module
from slowfast.engine.checkpoint import load_checkpoint
from slowfast.engine.launch import run_experiment
from slowfast.engine.preflight import explain_memory
from slowfast.engine.update import Update
from slowfast.utils import distributed
from slowfast.utils.errors import MemoryLimitError
from tests.engine.tiny import CONFIG, make_data, results


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("gpu") / "data")


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def train(data, tmp_path, device, monkeypatch):
    """Train in a folder, and be killed in an iteration; return the folder."""
    threads = torch.get_num_threads()
    step = trainer_module.Trainer.step

    def train(folder, *opts, killed_in=None):
        left = [killed_in]

        def fragile(trainer, batches, lr):
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
            return step(trainer, batches, lr)

        monkeypatch.setattr(trainer_module.Trainer, "step", fragile)
        run = ["OUTPUT_DIR", str(tmp_path / folder), "DATA.PATH_PREFIX", str(data), "TEST.ENABLE", "False"]
        gpus = "1" if device.type == "cuda" else "0"
        cfg = load_config(CONFIG, [*run, "NUM_GPUS", gpus, "TRAIN.SAVE_EVERY_MINUTES", "1e-6", *opts])
        if killed_in is None:
            run_experiment(cfg)
        else:
            with pytest.raises(Killed):
                run_experiment(cfg)
        return tmp_path / folder

    yield train
    torch.set_num_threads(threads)


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["_type"] == "train_iter"]


def test_a_killed_run_goes_on_to_the_same_bits(train):
    opts = ("TRAIN.DETERMINISTIC", "True")
    calm = train("calm", *opts)
    train("killed", *opts, killed_in=4)
    assert results(train("killed", *opts)) == results(calm)


@pytest.mark.parametrize("transform", ["False", "True"])
def test_a_killed_run_goes_on_within_tolerance(transform, train):
    opts = ("DATA.DEVICE_TRANSFORM", transform, "LOG_PERIOD", "2")
    calm = train("calm", *opts)
    train("killed", *opts, killed_in=4)
    again = train("killed", *opts)
    assert len(losses(calm)) == 4
    np.testing.assert_allclose(losses(again), losses(calm), rtol=2e-2)


def test_the_scaler_goes_on_where_it_was(train, device):
    # On the processor nothing is scaled.
    opts = ("TRAIN.MIXED_PRECISION", "fp16" if device.type == "cuda" else "off")
    train("killed", *opts, killed_in=4)
    checkpoints = train("killed", *opts) / "checkpoints"
    state = load_checkpoint(max(checkpoints.glob("*.pyth")))["scaler_state"]
    assert state.get("scale", 0) > 1 if device.type == "cuda" else state == {}
    if state:
        assert state["_growth_tracker"] <= 6


def test_predictions_are_those_of_the_processor(data, device, tmp_path):
    torch.manual_seed(0)
    opts = ["DATA.PATH_PREFIX", str(data), "TEST.MIXED_PRECISION", "off"]
    cfg = load_config(CONFIG, [*opts, "NUM_GPUS", "0"])
    from slowfast.models import build_model

    torch.save(build_model(cfg).state_dict(), tmp_path / "weights.pth")
    clips = [data / "videos/test0.mp4", data / "videos/dark1.mp4"]
    expected = predict_files(cfg, tmp_path / "weights.pth", clips)
    own = load_config(CONFIG, [*opts, "NUM_GPUS", "1" if device.type == "cuda" else "0"])
    for found, right in zip(predict_files(own, tmp_path / "weights.pth", clips), expected):
        assert dict(found.ranking) == pytest.approx(dict(right.ranking), abs=1e-3)


def test_one_process_of_a_job(device, tmp_path, monkeypatch):
    """As `distributed.process_group` begins a job, which one process alone does not need."""
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        flags = [torch.empty(2, dtype=torch.float64)]
        dist.all_gather(flags, torch.tensor([1.0, 2.0], dtype=torch.float64))
        assert flags[0].tolist() == [1.0, 2.0]
        shared = torch.ones(3, device=device)
        dist.broadcast(shared, src=0)
        dist.all_reduce(shared)
        dist.barrier()
        with monkeypatch.context() as two:  # as in a job of two processes
            two.setattr(distributed, "world_size", lambda: 2)
            two.setattr(distributed, "is_main", lambda: False)
            kept = [torch.arange(6.0).to(device).view(2, 3), torch.tensor(7, device=device), torch.ones(2)]
            wanted = [tensor.clone() for tensor in kept]
            distributed.share_(*kept)
        assert all(torch.equal(tensor, value) for tensor, value in zip(kept, wanted))
        torch.manual_seed(0)
        plain = nn.Linear(3, 2).to(device)
        wrapped = nn.parallel.DistributedDataParallel(plain, device_ids=[0] if device.type == "cuda" else None)
        update = Update(networks=[wrapped], optimizer=torch.optim.SGD(plain.parameters(), lr=0.1), device=device)
        before = plain.weight.detach().clone()
        measures = update(
            lambda batch: wrapped(batch["clips"]).square().mean(), {"clips": torch.ones(2, 3, device=device)}
        )
        update.check()
        assert float(measures["loss"].value) > 0 and not torch.equal(plain.weight, before)
    finally:
        dist.destroy_process_group()


def test_too_little_memory_is_a_sentence(device):
    with (
        pytest.raises(MemoryLimitError, match=r"lower TRAIN.BATCH_SIZE \(now 64\).*TRAIN.ACCUMULATE"),
        explain_memory(get_cfg(), "training"),
    ):
        torch.empty(1 << 50, dtype=torch.uint8, device=device)


def test_a_step_reads_nothing_from_the_device(device):
    network = nn.Linear(3, 2).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    update = Update(networks=[network], optimizer=optimizer, device=device)
    batch = {"clips": torch.ones(4, 3, device=device)}
    update(lambda batch: network(batch["clips"]).square().mean(), batch)
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        update(lambda batch: network(batch["clips"]).square().mean(), batch)
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    update.check()
