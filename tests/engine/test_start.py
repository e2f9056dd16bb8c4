"""Where a training begins: starting weights are only weights, unless a key asks for their epoch."""

import logging
import shutil

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.checkpoint import save_checkpoint
from slowfast.engine.launch import load_start
from slowfast.models import build_model
from slowfast.utils.errors import InputError


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.ARCH", "videomae", "MODEL.NUM_CLASSES", 5, "DATA.NUM_FRAMES", 4,
                         "DATA.TRAIN_CROP_SIZE", 32, "VIDEOMAE.EMBED_DIM", 16, "VIDEOMAE.DEPTH", 1,
                         "VIDEOMAE.NUM_HEADS", 2, "SOLVER.MAX_EPOCH", 12])  # fmt: skip
    return cfg


@pytest.fixture
def stored(cfg, tmp_path):
    """A training state after ten epochs, its network."""
    model = build_model(cfg)
    state = {"model_state": model.state_dict(), "optimizer_state": {"lr": 1.0}, "epoch": 9, "best": {"top1": 1.0}}
    save_checkpoint(tmp_path / "best.pyth", state)
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / "best.pyth")
    return model


@pytest.mark.parametrize("reset", [False, True])
def test_weights_start_at_the_first_epoch(cfg, stored, reset, caplog):
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET = reset
    model = build_model(cfg)
    with caplog.at_level(logging.INFO, "slowfast"):
        assert load_start(cfg, model) is None
    assert torch.equal(model.head.weight, stored.head.weight)
    assert "starting at epoch 1 with a fresh optimizer; the 10 epochs of the file do not count" in caplog.text


def test_a_key_asks_for_the_epoch(cfg, stored, caplog):
    cfg.TRAIN.CHECKPOINT_KEEP_EPOCH = True
    with caplog.at_level(logging.INFO, "slowfast"):
        state = load_start(cfg, build_model(cfg))
    assert state.keys() == {"model_state", "optimizer_state", "epoch"} and state["epoch"] == 9
    assert "going on after epoch 10" in caplog.text


def test_a_training_that_cannot_go_on(cfg, stored, tmp_path):
    cfg.TRAIN.CHECKPOINT_KEEP_EPOCH = True
    cfg.SOLVER.MAX_EPOCH = 10
    with pytest.raises(InputError, match="its 10 epochs reach SOLVER.MAX_EPOCH 10"):
        load_start(cfg, build_model(cfg))
    torch.save(stored.state_dict(), tmp_path / "w.pth")
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / "w.pth")
    with pytest.raises(InputError, match="w.pth: nothing to go on with, it has no optimizer state"):
        load_start(cfg, build_model(cfg))
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET = True
    with pytest.raises(InputError, match="both True"):
        load_start(cfg, build_model(cfg))


def test_epochs_that_are_no_numbers(cfg, tmp_path):
    path = tmp_path / "a.pyth"
    torch.save({"model_state": build_model(cfg).state_dict(), "optimizer_state": {}, "epoch": "last"}, path)
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(path)
    assert load_start(cfg, build_model(cfg)) is None


def test_a_folder_of_weights(cfg, stored, tmp_path):
    from safetensors.torch import save_file

    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(stored.state_dict(), folder / "model.safetensors")
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(folder)
    model = build_model(cfg)
    assert load_start(cfg, model) is None
    assert torch.equal(model.head.weight, stored.head.weight)


def test_fine_tuning_ones_own_checkpoint_trains(run, tmp_path):
    assert run("mine", "TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1") == 0
    start = str(shutil.copy(tmp_path / "mine/best.pyth", tmp_path / "start.pyth"))
    assert run("tuned", "TRAIN.CHECKPOINT_FILE_PATH", start, "SOLVER.MAX_EPOCH", "1", "TEST.ENABLE", "False") == 0
    assert "the 1 epochs of the file do not count" in run.log("tuned")
    assert '"epoch": 1' in (tmp_path / "tuned/metrics.jsonl").read_text()
    one, other = (torch.load(tmp_path / name / "best.pyth", weights_only=True) for name in ("mine", "tuned"))
    assert not torch.equal(one["model_state"]["head.weight"], other["model_state"]["head.weight"])
