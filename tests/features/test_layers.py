"""Features of a chosen layer, pooled in three ways, of networks with tokens, maps and single frames."""

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.features.layers import Layer, features_of
from slowfast.features.store import load_features
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from tests.models.library_networks import cfg_for
from tests.models.test_frames import TINY
from tests.models.test_torchvision_video import adopted, tiny_swin

CLIPS = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
SMALL = {"UNIFORMER__EMBED_DIM": [8, 8, 16, 16], "UNIFORMER__DEPTH": [1, 1, 1, 1], "UNIFORMER__HEAD_DIM": 8}
VIT = {"VIDEOMAE__EMBED_DIM": 16, "VIDEOMAE__DEPTH": 2, "VIDEOMAE__NUM_HEADS": 2}


def networks():
    yield "videomae", lambda: build_model(cfg_for("videomae", "", **VIT)), "blocks.0", (8, 16)
    yield "uniformer", lambda: build_model(cfg_for("uniformer", "", **SMALL)), "blocks2.0", (2 * 4 * 4, 8)
    yield "attention", lambda: build_model(cfg_for("uniformer", "", **SMALL)), "blocks3.0", (2 * 2 * 2, 16)
    yield "swin", lambda: adopted("swin3d_t", tiny_swin()), "features.0", (2 * 8 * 8, 12)
    yield "frames", lambda: build_model(cfg_for("frames", TINY)), "image.layer1", None


@pytest.mark.parametrize(("build", "name", "shape"), [pytest.param(*row[1:], id=row[0]) for row in networks()])
def test_tokens_of_a_layer(build, name, shape):
    model = build().eval()
    found = {}
    for pool in ("mean", "cls", "all"):
        with torch.no_grad():
            found[pool], logits_BK = features_of(model, CLIPS, Layer(model, name, pool))
    assert torch.equal(logits_BK, model(CLIPS).detach())
    tokens_BND = found["all"]
    assert tokens_BND.ndim == 3 and len(tokens_BND) == 2 and (shape is None or tokens_BND.shape[1:] == shape)
    torch.testing.assert_close(found["mean"], tokens_BND.mean(1))
    assert found["cls"].shape == found["mean"].shape
    if name != "image.layer1":
        assert torch.equal(found["cls"], tokens_BND[:, 0])


def test_one_vector_a_clip_and_wrong_layers():
    model = build_model(cfg_for("videomae", "", **VIT)).eval()
    with torch.no_grad():
        pooled_BD, _ = features_of(model, CLIPS, Layer(model, "fc_norm"))
        expected_BD, _ = features_of(model, CLIPS, None)
    torch.testing.assert_close(pooled_BD, expected_BD)
    with pytest.raises(InputError, match="'block.0': VideoMAE has no such layer; near: blocks.0"):
        Layer(model, "block.0")
    model.idle = nn.Identity()
    with pytest.raises(InputError, match="--layer idle: it gives NoneType for 2 windows"):
        features_of(model, CLIPS, Layer(model, "idle"))


def test_files_of_a_layer(clips, tool, repo, helpers, tmp_path):
    words = [
        "--cfg",
        repo / "configs/features/tiny.yaml",
        "--checkpoint",
        "none",
        "--video-dir",
        clips,
        "--view",
        "Dash",
    ]
    out = {}
    for pool in ("mean", "none"):
        target = tmp_path / pool
        layer = ("--layer", "blocks.0", "--pool", pool, "--output-dir", target, "NUM_GPUS", "0")
        assert tool("extract_features", *words, *layer) == 0
        out[pool] = load_features(next(target.rglob("*.npz")))
    assert out["none"].feats.ndim == 3
    np.testing.assert_allclose(out["none"].feats.mean(1), out["mean"].feats, atol=1e-5)
    assert '"layer": "blocks.0"' in out["mean"].settings
    assert tool("extract_features", *words, "--output-dir", tmp_path / "mean", "NUM_GPUS", "0") == 2
