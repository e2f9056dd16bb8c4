"""Layers of all transformers, for layer-wise decay of learning rates."""

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.depth import layers_of
from slowfast.utils.errors import InputError
from tests.models.library_networks import cfg_for

NETWORKS = {
    "mvit_v2_s": (16, 224, ("conv_proj.weight", "blocks.0.norm1.weight", "blocks.15.mlp.3.bias", "norm.weight"), 16),
    "swin3d_t": (
        8,
        64,
        ("patch_embed.proj.weight", "features.0.0.norm1.bias", "features.6.1.mlp.3.bias", "norm.bias"),
        15,
    ),
}


@pytest.mark.parametrize("backbone", NETWORKS)
def test_torchvision(backbone):
    frames, size, names, depth = NETWORKS[backbone]
    with torch.device("meta"):
        layer_of, last = layers_of(build_model(cfg_for("torchvision", backbone, frames=frames, size=size)))
    assert [layer_of(name) for name in names] == [0, 1, depth, depth + 1] and last == depth + 1
    assert layer_of("head.1.weight") == depth + 1


def test_timm_stages_count_block_by_block():
    with torch.device("meta"):
        model = build_model(cfg_for("frames", "swin_tiny_patch4_window7_224", frames=2, size=224))
        layer_of, last = layers_of(model)
    assert last == 13 and layer_of("image.patch_embed.proj.weight") == 0
    assert layer_of("image.layers.0.blocks.1.mlp.fc1.weight") == 2
    assert layer_of("image.layers.1.downsample.reduction.weight") == 2  # between two blocks: with the one before
    assert layer_of("image.layers.3.blocks.1.mlp.fc2.bias") == 12 and layer_of("image.norm.weight") == 13


@pytest.mark.parametrize("model_type", ["videomae", "vjepa2", "vivit", "timesformer"])
def test_hugging_face(model_type, tmp_path):
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path, model_type)
    model = build_model(cfg_for("huggingface", tmp_path))
    layer_of, last = layers_of(model)
    layers = {name: layer_of(name) for name, _ in model.named_parameters()}
    assert last == 3 and set(layers.values()) == {0, 1, 2, 3}
    assert {number for name, number in layers.items() if "embeddings" in name} == {0}
    assert {number for name, number in layers.items() if ".1." in name and "pooler" not in name} == {2}
    assert layers["classifier.weight"] == 3


def test_our_own():
    small = {"MVIT__DEPTH": 3, "MVIT__EMBED_DIM": 16}
    layer_of, last = layers_of(build_model(cfg_for("mvit", "", **small)))
    assert last == 4 and layer_of("pos_embed") == layer_of("cls_token") == 0
    assert layer_of("blocks.2.mlp.fc2.bias") == 3 and layer_of("norm.weight") == layer_of("head.projection.bias") == 4
    with pytest.raises(InputError, match="the parameters of Linear number no blocks"):
        layers_of(nn.Linear(2, 2))
