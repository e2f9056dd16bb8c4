"""Frozen parts: no gradient, statistics that stay, names that must fit."""

import copy

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.freeze import freeze, freeze_trunk, release_modes
from slowfast.utils.errors import InputError
from tests.models.library_networks import cfg_for
from tests.models.test_frames import TINY


def network():
    return nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.BatchNorm1d(3), nn.Linear(3, 2))


def test_frozen_parts_get_no_gradient_and_keep_their_statistics():
    model = network()
    freeze(model, ["0"])
    for other in (model, copy.deepcopy(model)):
        other.train()
        other(torch.randn(4, 3)).sum().backward()
        assert {name for name, weight in other.named_parameters() if weight.grad is None} == {
            "0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias",
        }  # fmt: skip
        assert not other[0][1].running_mean.any() and other[1].running_mean.any()
        assert not other[0][1].training and other[0][0].training and other[1].training


def test_a_copy_holds_its_own_layers():
    model = network()
    freeze(model, ["0.1"])
    other = copy.deepcopy(model).train()
    assert other[0][1].train.__self__ is other[0][1]


def test_prefixes_are_whole_parts_of_names():
    model = nn.ModuleDict({"block1": nn.Linear(2, 2), "block10": nn.Linear(2, 2)})
    freeze(model, ["block1.", "block10.bias"])
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == {"block10.weight"}


def test_a_prefix_that_fits_nothing_names_near_ones():
    with pytest.raises(InputError, match=r"TRAIN.FREEZE has 'blok1', which no parameter begins with; near: block1"):
        freeze(nn.ModuleDict({"block1": nn.Linear(2, 2), "head": nn.Linear(2, 2)}), ["head", "blok1"])


@pytest.mark.parametrize("arch", ["uniformer", "frames"])
def test_a_probe_leaves_the_trunk_as_it_is(arch):
    small = {"UNIFORMER__EMBED_DIM": [8, 8, 16, 16], "UNIFORMER__DEPTH": [1, 1, 1, 1], "UNIFORMER__HEAD_DIM": 8}
    model = build_model(cfg_for(arch, TINY, **small, UNIFORMER__DROP_DEPTH_RATE=0.5, MODEL__HEAD="attentive"))
    freeze_trunk(model)
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    clips_BCTHW = torch.randn(2, 3, 4, 32, 32)
    trunk = model.forward_trunk(clips_BCTHW)
    assert not trunk.requires_grad and trunk.ndim < 5
    torch.testing.assert_close(model(trunk), model(clips_BCTHW))
    model(clips_BCTHW).square().sum().backward()
    trained = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert trained == {name for name in before if name.startswith(("head.", "classifier.", "probe."))}
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module.training for name, module in model.named_modules() if name.startswith(("blocks", "image")))
    release_modes(model)
    assert all(module.training for module in model.train().modules())
