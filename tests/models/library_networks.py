"""Comparisons that all networks of other libraries share."""

import copy

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from slowfast.config import get_cfg

COLOURS = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))


def cfg_for(arch, backbone, *, frames=4, size=32, classes=5, **other):
    cfg = get_cfg()
    cfg.MODEL.ARCH, cfg.MODEL.BACKBONE, cfg.MODEL.NUM_CLASSES = arch, str(backbone), classes
    cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE = frames, size, size
    cfg.merge_from_list([part for key, value in other.items() for part in (key.replace("__", "."), value)])
    return cfg


def randomise(net, scale=0.1, seed=5):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return net


def rgb_clips(batch, frames, size, seed=3):
    return torch.rand(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(seed))


def normalised(rgb_BCTHW, colours):
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in colours)
    return (rgb_BCTHW - mean) / std


def gradients_of(net, logits):
    net.zero_grad()
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}


def assert_like_library(ours, theirs, call, rgb_BCTHW, colours):
    """Logits and all gradients of ours on DATA's colours equal those of the library on its own ones."""
    ours, theirs = ours.eval(), theirs.eval()
    logits_BK = ours(normalised(rgb_BCTHW, COLOURS))
    expected_BK = call(normalised(rgb_BCTHW, colours))
    torch.testing.assert_close(logits_BK, expected_BK, atol=1e-5, rtol=1e-5)
    assert logits_BK.shape == (len(rgb_BCTHW), 5)
    expected, found = gradients_of(theirs, expected_BK), gradients_of(ours, logits_BK)
    assert set(found) == {name for name, _ in ours.named_parameters()}, "a parameter without gradient"
    total = torch.stack([g.norm() for g in expected.values()]).norm()
    for name, gradient in found.items():
        assert (gradient - expected[name]).norm() <= 1e-5 * total + 1e-4 * expected[name].norm(), name
    features_BD = ours.forward_features(normalised(rgb_BCTHW, COLOURS))
    assert features_BD.ndim == 2
    assert torch.equal(ours.forward_head(features_BD), logits_BK)


def assert_attentive_trains(ours, rgb_BCTHW):
    """With the attentive head every parameter that is left gets a gradient."""
    logits_BK = ours.train()(normalised(rgb_BCTHW, COLOURS))
    assert logits_BK.shape == (len(rgb_BCTHW), 5)
    found = gradients_of(ours, logits_BK)
    assert set(found) == {name for name, _ in ours.named_parameters()}
    assert any(name.startswith("probe.") for name in found)


def clone(net):
    return copy.deepcopy(net)


def batch_norms_of(net):
    return [module for module in net.modules() if isinstance(module, _BatchNorm)]
