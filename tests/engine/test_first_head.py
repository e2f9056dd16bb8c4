"""TRAIN.FIT_HEAD: a head that fits the labelled clips before the first step."""

import logging

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.engine.build import build_head_evaluator
from slowfast.engine.methods.first_head import PENALTY, SMOOTHING, fit_head, fit_linear
from slowfast.models import build_model
from slowfast.utils.errors import InputError

FIT = ("TRAIN.FIT_HEAD", "True", "TEST.ENABLE", "False")


def test_the_fit_is_the_optimum_of_the_penalised_loss():
    rng = np.random.default_rng(0)
    labels_N = np.arange(60) % 4
    features_ND = rng.normal(size=(60, 5)) + np.eye(5)[labels_N]
    features_ND[:, 1] *= 1000.0
    features_ND[:, 4] = 7.0
    weight_KD, bias_K = fit_linear(features_ND, labels_N, 6)
    assert weight_KD.dtype == bias_K.dtype == np.float32 and not weight_KD[:, 4].any(), "a constant tells nothing"
    # The derivative, written out: shares of softmax less the smoothed labels, times standardised features.
    spread_D = np.where(features_ND.std(0) > 0, features_ND.std(0), 1.0)
    z_ND = (features_ND - features_ND.mean(0)) / spread_D
    scores_NK = features_ND @ weight_KD.T + bias_K
    shares_NK = np.exp(scores_NK - scores_NK.max(1, keepdims=True))
    shares_NK /= shares_NK.sum(1, keepdims=True)
    wanted_NK = (1 - SMOOTHING) * np.eye(6)[labels_N] + SMOOTHING / 6
    slope_KD = (shares_NK - wanted_NK).T @ z_ND / 60 + 2 * PENALTY * weight_KD * spread_D
    assert np.abs(slope_KD[:, :4]).max() < 1e-4
    assert np.abs((shares_NK - wanted_NK).mean(0)).max() < 1e-4
    assert (scores_NK[:, 4:].max(1) < scores_NK[:, :4].max(1)).all(), "classes without a clip"


def test_only_the_head_changes(tiny, data, caplog):
    cfg = load_config(tiny.CONFIG, ["DATA.PATH_PREFIX", str(data)])
    torch.manual_seed(0)
    model = build_model(cfg).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with caplog.at_level(logging.INFO, "slowfast"):
        fit_head(model, build_head_evaluator(cfg, torch.device("cpu")))
    assert model.training
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.weight", "head.bias"}
    evaluator = build_head_evaluator(cfg, torch.device("cpu"))
    found = evaluator.predict(model)
    right = 100.0 * np.mean(found.video_preds.argmax(1) == found.video_labels)
    assert right > 50 and f"12 clips of train_label before training: top-1 {right:.2f} %" in caplog.text


def test_a_head_of_another_kind(tiny, data):
    cfg = load_config(tiny.CONFIG, ["DATA.PATH_PREFIX", str(data)])
    model = build_model(cfg)
    model.head = torch.nn.Sequential(torch.nn.Linear(16, 11), torch.nn.Linear(11, 11))
    with pytest.raises(
        InputError, match="TRAIN.FIT_HEAD: the head of UniFormer does not end in one linear layer of 11"
    ):
        fit_head(model, build_head_evaluator(cfg, torch.device("cpu")))


def test_a_killed_training_goes_on_with_its_head(run, tiny, tmp_path):
    assert run("calm", *FIT) == 0, run.log("calm")
    assert run.log("calm").count("head fitted to 12 clips of train_label") == 1
    assert run("out", *FIT, fault="kill@step:5") == -9
    assert run("out", *FIT) == 0, run.log("out")
    assert run.log("out").count("head fitted") == 1, "the first start alone"
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_two_processes_begin_with_the_head_of_one(run, pair):
    opts = (*FIT, "SOLVER.MAX_EPOCH", "1", "TRAIN.EVAL_SPLITS", "['val_dry']")
    assert run("one", *opts) == 0, run.log("one")
    assert pair("two", *opts) == [0, 0], pair.log("two")
    said = [
        line.split("head fitted")[1] for line in (run.log("one") + pair.log("two")).splitlines() if "head fi" in line
    ]
    assert len(said) == 2 and said[0] == said[1]


def test_several_labels_are_refused(run):
    assert run("a", *FIT, "MODEL.LOSS_FUNC", "bce", "MIXUP.ENABLE", "False") == 2
    assert "TRAIN.FIT_HEAD fits one label a clip" in run.log("a")
