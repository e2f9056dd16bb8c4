"""Folded evaluation gives the same logits and features and leaves the network alone."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from slowfast.models.accelerate import accelerate
from slowfast.models.fold import fold_batchnorm
from slowfast.models.network import Network

BATCHNORMS_LEFT = {"uniformer_small_a": ["norm"], "uniformer_split_optional": ["norm"]}
NETWORKS = ("uniformer_small_a", "uniformer_split_optional", "mvit_small_a", "sf_small_a", "sf_small_frozen_bn",
            "vit_small_a")  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_folding(reference, name):
    entry = reference.json("small")[name]
    model = reference.model(entry).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    folded = fold_batchnorm(model)
    clips = reference.clips(entry)
    with torch.no_grad():
        expected, features = model(clips), model.forward_features(clips)
        torch.testing.assert_close(folded(clips), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(folded.forward_features(clips), features, atol=1e-5, rtol=0)
    left = [key for key, module in folded.named_modules() if isinstance(module, _NormBase)]
    assert left == BATCHNORMS_LEFT.get(name, [])
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_stays_near(reference, name):
    entry = reference.json("small")[name]
    model = reference.model(entry).eval()
    folded, clips = fold_batchnorm(model), reference.clips(entry)
    fast = [accelerate(copy.deepcopy(m), device=clips.device, training=False) for m in (model, folded)]
    with torch.no_grad():
        expected = model(clips)
        for network in fast:
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(clips)
            assert logits.dtype == torch.float32, "logits are not rounded to bfloat16"
            assert (logits - expected).abs().max() <= 0.1
            chosen = expected.gather(1, logits.argmax(1, keepdim=True))
            assert (chosen >= expected.amax(1, keepdim=True) - 0.02).all(), "another answer than float32's, by no tie"


class Chains(Network):
    """What other people's networks look like: convolution and norm in a row, groups, no bias, a norm in front."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = nn.Sequential(
            nn.Conv3d(3, 8, 3, bias=False), nn.BatchNorm3d(8), nn.ReLU(),
            nn.Conv3d(8, 8, (1, 3, 3), groups=8), nn.BatchNorm3d(8),
            nn.BatchNorm3d(8, affine=False), nn.Conv3d(8, 8, 1, groups=2),
            nn.ReLU(), nn.BatchNorm3d(8), nn.Conv3d(8, 4, 1, bias=False),
        )  # fmt: skip
        self.head = nn.Linear(4, 2)

    def forward_features(self, clips_BCTHW):
        return self.chain(clips_BCTHW).mean((2, 3, 4))


def test_chains_of_any_network_are_folded():
    torch.manual_seed(0)
    model, clips = Chains(), torch.randn(2, 3, 5, 9, 9)
    for _ in range(3):
        model(clips)
    model.eval()
    folded = fold_batchnorm(model)
    torch.testing.assert_close(folded(clips), model(clips), atol=1e-5, rtol=0)
    assert [key for key, module in folded.named_modules() if isinstance(module, _NormBase)] == ["chain.5"]
