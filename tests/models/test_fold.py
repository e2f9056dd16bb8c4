"""Folded evaluation gives the same logits and features and leaves the network alone."""

import pytest
import torch

from slowfast.models.fold import fold_batchnorm
from slowfast.models.layers import batch_norms

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
    left = [key for key, module in folded.named_modules() if module in batch_norms(folded)]
    assert left == BATCHNORMS_LEFT.get(name, [])
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_stays_near(reference, name):
    entry = reference.json("small")[name]
    model = reference.model(entry).eval()
    folded, clips = fold_batchnorm(model), reference.clips(entry)
    with torch.no_grad():
        expected = model(clips)
        for network in (model, folded):
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(clips)
            assert logits.dtype == torch.float32, "logits are not rounded to bfloat16"
            assert (logits - expected).abs().max() <= 0.1
            assert torch.equal(logits.argmax(1), expected.argmax(1))


def test_patch_embeddings_are_not_rounded(reference):
    entry = reference.json("small")["uniformer_small_a"]
    model, dtypes = reference.model(entry).eval(), []
    for stage in range(1, 5):
        embedding = model.get_submodule(f"patch_embed{stage}")
        embedding.proj.register_forward_hook(lambda layer, inputs, output: dtypes.append(output.dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(reference.clips(entry))
    assert dtypes == [torch.float32] * 4


def test_heads_of_other_kinds_under_autocast(reference):
    entry = reference.json("small")["uniformer_small_a"]
    model, clips = reference.model(entry).eval(), reference.clips(entry)
    model.head = torch.nn.Identity()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(clips), model.forward_features(clips))
    model.bfloat16()
    with torch.no_grad():
        assert model(clips.bfloat16()).dtype == torch.bfloat16
