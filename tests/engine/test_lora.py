"""A run with adapters: trained, resumed byte for byte, tested as everywhere else."""

import numpy as np
import pytest
import torch

from slowfast.ensemble import load_predictions

VIT = ("MODEL.ARCH", "videomae", "VIDEOMAE.EMBED_DIM", "16", "VIDEOMAE.DEPTH", "1", "VIDEOMAE.NUM_HEADS", "2")


def test_adapters_are_trained_resumed_and_tested(run, tmp_path):
    pytest.importorskip("peft")
    opts = (*VIT, "LORA.RANK", "2", "TEST.ALSO", "[]")
    assert run("whole", *opts) == 0, run.log("whole")
    assert run("cut", *opts, fault="term@step:3") == 75, run.log("cut")
    assert run("cut", *opts) == 0
    whole, cut = (
        torch.load(tmp_path / out / "best.pyth", weights_only=True)["model_state"] for out in ("whole", "cut")
    )
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    assert any(".lora_A." in name for name in whole) and "head.weight" in whole
    plain = (*VIT, "TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", str(tmp_path / "whole/best.pyth"))
    assert run("plain", *plain, "TEST.ALSO", "[]") == 0
    one, two = (load_predictions(next((tmp_path / out).glob("total_unlabel*.pkl"))) for out in ("whole", "plain"))
    np.testing.assert_array_equal(one.video_preds, two.video_preds)
