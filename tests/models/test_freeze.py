"""Frozen parts: no gradient, statistics that stay, names that must fit."""

import copy

import pytest
import torch
from torch import nn

from slowfast.models.freeze import freeze
from slowfast.utils.errors import InputError


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
