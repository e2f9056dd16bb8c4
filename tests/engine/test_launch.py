"""The parts of a run around its loop: what is looked at first, what moves no generator, what starts from where."""

import json
import logging
import random

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.engine import launch
from slowfast.engine.build import build_method, build_optimizer
from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint, stored_training
from slowfast.engine.parents import Origin
from slowfast.models import Network, build_model
from slowfast.parents import MadeOf
from slowfast.utils.errors import InputError


@pytest.fixture
def cfg_of(tiny, data, tmp_path):
    def cfg_of(*opts):
        return load_config(tiny.CONFIG, ["OUTPUT_DIR", str(tmp_path / "out"), "DATA.PATH_PREFIX", str(data), *opts])

    return cfg_of


def test_the_look_before_a_run_moves_no_generator(cfg_of):
    cfg = cfg_of("TRAIN.METHOD", "mean_teacher")
    model = build_model(cfg)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    launch.check_training(cfg, model, torch.device("cpu"))
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_deterministic_algorithms_end_with_the_run(cfg_of):
    for enabled in (True, False):
        with launch.process_setup(cfg_of("TRAIN.DETERMINISTIC", str(enabled))):
            assert torch.are_deterministic_algorithms_enabled() is enabled
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("kind", "deterministic", "tried"), [("cuda", False, True), ("cuda", True, False), ("cpu", False, False)]
)
def test_a_card_tries_its_convolutions(kind, deterministic, tried, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    with launch._algorithms(torch.device(kind), deterministic=deterministic):
        assert torch.backends.cudnn.benchmark is tried
    assert not torch.backends.cudnn.benchmark


def test_what_a_method_keeps_goes_on_from_another_folder(cfg_of, tmp_path):
    cfg = cfg_of("TRAIN.CHECKPOINT_FILE_PATH", str(tmp_path / "a.pyth"), "TRAIN.CHECKPOINT_KEEP_EPOCH", "True")
    state = {"model_state": {}, "optimizer_state": {}, "networks": {}, "method_state": {}, "epoch": 0}
    save_checkpoint(tmp_path / "a.pyth", {**state, "best": {"arid": 3.0}})
    assert launch.load_start(cfg, build_model(cfg)).keys() == state.keys()


def test_every_process_begins_with_the_same_weights(cfg_of, monkeypatch):
    cfg = cfg_of("TRAIN.METHOD", "mean_teacher")
    shared = []
    monkeypatch.setattr("slowfast.engine.build.distributed.share_", shared.append)
    method = build_method(cfg, build_model(cfg), torch.device("cpu"))
    assert {tensor.data_ptr() for tensor in shared} >= {weight.data_ptr() for weight in method.teacher.parameters()}
    build_method(cfg, build_model(cfg), torch.device("cpu"), wrapped=False)
    assert len(shared) == len(method.state_dict())


def test_weights_stay_where_the_labels_are_not_worth_training_on(cfg_of, tiny, data, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    model = build_model(cfg_of())
    save_checkpoint(tmp_path / "before.pyth", {"model_state": model.state_dict(), "optimizer_state": {}, "epoch": 3})
    opts = ("DATA.PSEUDO_CSV", "pseudo/stage1.csv", "TRAIN.CHECKPOINT_FILE_PATH", str(tmp_path / "before.pyth"))
    cfg = cfg_of(*opts, "DATA.PATH_PREFIX", str(tmp_path))
    (tmp_path / "pseudo").mkdir()
    (tmp_path / "out").mkdir()
    record, origin = tmp_path / "pseudo/stage1.json", Origin(MadeOf("training"), {}, {})
    for written in ({}, {"worth_training": True}):
        record.write_text(json.dumps(written))
        assert not launch.take_over(cfg, tmp_path / "out", origin) and not (tmp_path / "out/best.pyth").exists()
    record.write_text(json.dumps({"worth_training": False, "verdict": "about 31 % are right"}))
    assert launch.take_over(cfg, tmp_path / "out", origin)
    assert "not trained: stage1.csv: about 31 % are right" in caplog.text
    kept = load_checkpoint(tmp_path / "out/best.pyth")
    assert all(torch.equal(kept["model_state"][name], tensor) for name, tensor in model.state_dict().items())
    assert stored_training(tmp_path / "out/best.pyth") is None, "a forced training may replace it"


class Layered(torch.nn.Module):
    """Tells its layers."""

    num_layers = 1

    def __init__(self):
        super().__init__()
        self.first, self.head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    def layer_of(self, name):
        return int(name.startswith("head"))


def test_any_network_that_tells_its_layers_has_layer_decay(cfg_of):
    cfg = cfg_of("SOLVER.LAYER_DECAY", "0.5", "SOLVER.OPTIMIZING_METHOD", "lion")
    optimizer = build_optimizer(cfg, Layered())
    assert sorted({group["lr_scale"] for group in optimizer.param_groups}) == [0.5, 1.0]
    assert optimizer.defaults["betas"] == (0.9, 0.99)
    with pytest.raises(InputError, match="SOLVER.LAYER_DECAY is set, but the parameters of Network"):
        build_optimizer(cfg, Network())
    other = build_optimizer(cfg, torch.nn.Linear(2, 2))
    assert {group["lr_scale"] for group in other.param_groups} == {1.0}
