"""One way to run a trained network: what it refuses, how it is run, what its files say."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.config import get_cfg, load_config
from slowfast.engine import predictor
from slowfast.engine.build import autocast_dtype
from slowfast.engine.checkpoint import DamagedCheckpoint, save_checkpoint
from slowfast.engine.predictor import Predictor
from slowfast.ensemble import Predictions, load_predictions
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.utils.precision import Precision

from .tiny import CONFIG

CPU = torch.device("cpu")
CFG = load_config(CONFIG)


@pytest.fixture
def state():
    """The state dict of the tiny network."""
    torch.manual_seed(0)
    return build_model(CFG).state_dict()


def saved(path, state):
    """The path, after the state was written there."""
    torch.save(state, path)
    return path


@pytest.mark.parametrize("gone", ["blocks1.0.norm1.bias", "blocks4.0.attn.qkv.bias", "head.weight"])
def test_one_missing_tensor_is_refused(gone, state, tmp_path):
    assert state.pop(gone) is not None
    with pytest.raises(InputError, match=rf"1 of \d+ tensors of the network are not in it \({gone}\)"):
        Predictor.load(CFG, saved(tmp_path / "w.pth", state), CPU)


def test_a_new_head_is_said_and_allowed_for_features_only(state, tmp_path, caplog):
    logging.getLogger("slowfast").propagate = True
    other = load_config(CONFIG, ["MODEL.NUM_CLASSES", "7"])
    path = saved(tmp_path / "w.pth", state)
    with pytest.raises(InputError, match="7 other classes"):
        Predictor.load(other, path, CPU)
    assert Predictor.load(other, path, CPU, new_head=True).network is not None
    assert "the head is random" in caplog.text
    state.pop("blocks1.0.norm1.bias")
    with pytest.raises(InputError, match="are not in it"):
        Predictor.load(other, saved(tmp_path / "w.pth", state), CPU, new_head=True)


def test_counters_that_evaluation_never_reads_may_be_missing(state, tmp_path):
    kept = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(kept) < len(state)
    Predictor.load(CFG, saved(tmp_path / "w.pth", kept), CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["blocks1.0.norm1.running_var", "head.bias"])
def test_weights_that_are_not_finite_are_refused(value, name, state, tmp_path):
    state[name][1] = value
    with pytest.raises(InputError, match=f"1 of its tensors hold NaN or infinite numbers, '{name}'"):
        Predictor.load(CFG, saved(tmp_path / "w.pth", state), CPU)


def test_the_digest_is_checked(state, tmp_path):
    path = tmp_path / "best.pyth"
    save_checkpoint(path, {"model_state": state, "epoch": 0})
    content = torch.load(path, weights_only=True)
    content["model_state"]["head.bias"] += 1
    torch.save(content, path)
    with pytest.raises(DamagedCheckpoint, match="digest"):
        Predictor.load(CFG, path, CPU)


def test_patterns_are_cleared_from_names(state, tmp_path):
    path = saved(tmp_path / "w.pth", {f"student_{name}": value for name, value in state.items()})
    with pytest.raises(InputError):
        Predictor.load(CFG, path, CPU)
    cfg = load_config(CONFIG, ["TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", "['student_']"])
    torch.testing.assert_close(Predictor.load(cfg, path, CPU).model.state_dict(), state)


def test_batchnorm_is_folded_and_the_plain_network_is_left(state, tmp_path):
    predictor = Predictor.load(CFG, saved(tmp_path / "w.pth", state), CPU)
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(predictor.network(clips), predictor.model(clips), atol=1e-5, rtol=1e-5)
    networks = (predictor.model, predictor.network)
    count = [sum(isinstance(part, nn.BatchNorm3d) for part in network.modules()) for network in networks]
    assert count[1] < count[0]
    torch.testing.assert_close(predictor.model.state_dict(), state)


def test_random_weights_come_from_the_seed():
    one, two = (Predictor.load(CFG, None, CPU) for _ in range(2))
    torch.testing.assert_close(one.model.state_dict(), two.model.state_dict())
    assert one.report is None


@pytest.mark.parametrize(
    ("choice", "dtype", "name"),
    [("auto", torch.float32, "fp32"), ("off", torch.float32, "fp32"), ("bf16", torch.bfloat16, "bf16")],
)
def test_precision_on_the_cpu(choice, dtype, name):
    precision = Precision.choose(choice, CPU, tf32=True)
    with precision.active(CPU):
        assert nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype is dtype
    assert precision.name == name


@pytest.mark.parametrize(("capability", "name"), [((9, 0), "bf16"), ((7, 5), "fp16")])
def test_precision_on_a_card_is_what_it_has(capability, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an old card")
    card = torch.device("cuda")
    assert Precision.choose("auto", card).name == name
    assert [Precision.choose("off", card, tf32=tf32).name for tf32 in (False, True)] == ["fp32", "tf32"]
    if name == "fp16":
        with pytest.raises(InputError, match="an old card does not have"):
            Precision.choose("bf16", card)
        cfg = get_cfg()
        cfg.TRAIN.MIXED_PRECISION = "bf16"
        with pytest.raises(
            InputError, match="^TRAIN.MIXED_PRECISION is bf16, which an old card does not have: set fp16"
        ):
            autocast_dtype(cfg, card)
        cfg.TRAIN.MIXED_PRECISION = "auto"
        assert autocast_dtype(cfg, card) is torch.float16 and autocast_dtype(cfg, CPU) is None


def test_float32_on_a_card_is_whole_unless_allowed(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    card = torch.device("cuda")
    for tf32 in (False, True):
        with Precision(tf32=tf32).active(card):
            assert torch.backends.cudnn.allow_tf32 is tf32 and torch.backends.cuda.matmul.allow_tf32 is tf32
        assert torch.backends.cudnn.allow_tf32 is True


PLAIN = (
    "TRAIN.ENABLE", "False", "TEST.DATA_SELECT", "test", "TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.ALSO", "[]",
)  # fmt: skip


def test_the_file_says_the_precision(run, state, tmp_path):
    path = saved(tmp_path / "w.pth", state)
    for choice in ("auto", "bf16"):
        opts = (*PLAIN, "TEST.CHECKPOINT_FILE_PATH", path, "TEST.MIXED_PRECISION", choice)
        assert run(choice, *opts) == 0, run.log(choice)
    found = [load_predictions(next((tmp_path / choice).glob("*.pkl"))) for choice in ("auto", "bf16")]
    assert [one.precision for one in found] == ["fp32", "bf16"]
    assert 0 < np.abs(found[0].video_preds - found[1].video_preds).max() < 0.1


def test_a_test_with_broken_weights_ends_in_one_sentence(run, state, tmp_path):
    state["head.bias"][:] = float("nan")
    assert run("out", *PLAIN, "TEST.CHECKPOINT_FILE_PATH", saved(tmp_path / "w.pth", state)) == 2
    assert "hold NaN or infinite numbers" in run.log("out") and "Traceback" not in run.log("out")
    assert not list((tmp_path / "out").glob("*.pkl"))


def test_scores_that_overflow_end_in_one_sentence(run, state, tmp_path):
    state["head.weight"] *= 1e38
    state["norm.weight"] *= 1e20
    assert run("out", *PLAIN, "TEST.CHECKPOINT_FILE_PATH", saved(tmp_path / "w.pth", state)) == 2, run.log("out")
    assert "5 videos have scores that are NaN or infinite (fp32)" in run.log("out")
    assert not list((tmp_path / "out").glob("*.pkl"))


def test_confusions_stand_beside_a_labelled_test(tmp_path):
    scores = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    predictions = Predictions(scores, np.array([0, 1, 2, -1]), ["a", "b", "c", "d"], class_names=["x", "<y>", "z"])
    predictor._write_confusion(tmp_path / "test_gamma0.25.pkl", predictions)
    rows = (tmp_path / "test_gamma0.25_confusion.csv").read_text().splitlines()
    assert rows == ["truth \\ label,x,<y>,z", "x,1,0,0", "<y>,0,1,0", "z,0,1,0"]
    assert "<y>" not in (tmp_path / "test_gamma0.25_confusion.svg").read_text()
    unlabelled = Predictions(scores, np.full(4, -1), ["a", "b", "c", "d"], class_names=["x", "y", "z"])
    predictor._write_confusion(tmp_path / "none.pkl", unlabelled)
    assert not list(tmp_path.glob("none*"))


def test_tests_whose_clips_another_has_are_done_together(run, state, tmp_path):
    path = saved(tmp_path / "w.pth", state)
    first = ("TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", path, "TEST.DATA_SELECT", "test")
    small = ("TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.NUM_SPATIAL_CROPS", "1")
    wide = "['test:1x3', 'test:3x3', 'test:3x3:1', 'test:1x1:1', 'test:2x1']"
    assert run("together", *first, *small, "TEST.ALSO", wide) == 0, run.log("together")
    # 1x1 and 1x3 come from 3x3, 1x1 without gamma from 3x3 without it; 2x1 has clips of its own.
    parts = [line.split("INFO]")[-1] for line in run.log("together").splitlines() if "from some" in line]
    assert len(parts) == 3, parts
    assert sum("_gamma1" in line for line in parts) == 1 and not any("x2x1" in line for line in parts)
    for also in ("[]", "['test:1x3']", "['test:1x1:1']"):
        assert run("alone", *first, *small, "TEST.ALSO", also) == 0, run.log("alone")
    for file in sorted((tmp_path / "alone").glob("*.pkl")):
        one, other = load_predictions(file), load_predictions(tmp_path / "together" / file.name)
        np.testing.assert_allclose(one.video_preds, other.video_preds, rtol=1e-5, atol=1e-5)
        assert (one.num_views, one.video_names, one.failed) == (other.num_views, other.video_names, other.failed)
        assert one.made_of == other.made_of
    assert len(list((tmp_path / "alone").glob("*.pkl"))) == 3
    assert len(list((tmp_path / "together").glob("*.pkl"))) == 6
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "together").glob("*.pkl")}
    assert run("together", *first, *small, "TEST.ALSO", wide) == 0
    assert before == {file.name: file.stat().st_mtime_ns for file in (tmp_path / "together").glob("*.pkl")}
