import copy

import pytest
import torch
from torch import nn

from slowfast.solver import construct_optimizer, parameter_groups, set_lr
from slowfast.solver import optimizer as optimizer_module
from slowfast.utils.errors import InputError


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 1)
        self.bn = nn.BatchNorm3d(4)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 2)


def test_groups_are_batchnorm_then_decayed_then_one_dimensional():
    model = Tiny()
    groups = parameter_groups(model, weight_decay=0.1, bn_weight_decay=0.01, zero_1d=True)
    assert [group["weight_decay"] for group in groups] == [0.01, 0.1, 0.0]
    assert [len(group["params"]) for group in groups] == [2, 2, 4]
    assert groups[0]["params"][0] is model.bn.weight
    assert groups[1]["params"][1] is model.head.weight


def test_one_dimensional_parameters_decay_without_the_switch():
    groups = parameter_groups(Tiny(), weight_decay=0.1)
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.0, 2), (0.1, 6)]


def test_layer_decay_scales_the_rate():
    model = Tiny()
    layers = {"conv": 0, "bn": 1, "norm": 1, "head": 2}
    groups = parameter_groups(
        model, weight_decay=0.1, zero_1d=True, layer_of=lambda name: layers[name.split(".")[0]], num_layers=2,
        layer_decay=0.5,
    )  # fmt: skip
    assert sorted({group["lr_scale"] for group in groups}) == [0.25, 0.5, 1.0]
    optimizer = construct_optimizer(groups, method="adamw", lr=1.0)
    set_lr(optimizer, 0.8)
    rates = {id(group["params"][0]): group["lr"] for group in optimizer.param_groups}
    assert rates[id(model.conv.weight)] == 0.2
    assert rates[id(model.head.weight)] == 0.8


def test_frozen_parameters_are_left_out():
    model = Tiny()
    model.head.requires_grad_(False)
    groups = parameter_groups(model, weight_decay=0.1)
    assert all(parameter is not model.head.weight for group in groups for parameter in group["params"])


def test_each_method_reduces_a_quadratic():
    for method in ("sgd", "adam", "adamw", "lion"):
        weight = nn.Parameter(torch.ones(3))
        optimizer = construct_optimizer([{"params": [weight]}], method=method, lr=0.05)
        for _ in range(50):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()
        assert weight.detach().abs().max() < 0.3


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw"])
def test_parameters_in_any_form(method):
    layer, single = nn.Linear(2, 1), nn.Parameter(torch.ones(2))
    optimizer = construct_optimizer([{"params": layer.parameters()}, {"params": single}], method=method, lr=0.1)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 1]


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw"])
def test_a_state_goes_on_in_one_call_on_a_card(method, monkeypatch):
    def stepped(state=None):
        weight = nn.Parameter(torch.ones(3))
        optimizer = construct_optimizer([{"params": [weight]}], method=method, lr=0.1)
        if state is not None:
            optimizer.load_state_dict(copy.deepcopy(state))
        weight.grad = torch.tensor([1.0, -2.0, 0.5])
        optimizer.step()
        return optimizer, weight.detach()

    first, _ = stepped()
    state = first.state_dict()
    state["param_groups"][0]["fused"] = None
    assert not stepped(state)[0].param_groups[0]["fused"]
    expected = stepped(state)[1]
    monkeypatch.setattr(optimizer_module, "_kinds", lambda groups: {"cuda"})
    on_card, weight = stepped(state)
    assert on_card.param_groups[0]["fused"] and on_card._step_supports_amp_scaling
    torch.testing.assert_close(weight, expected)
    assert stepped()[0].defaults["fused"]


def test_one_call_for_all_parameters_on_the_cpu_alone():
    on_cpu, elsewhere = nn.Linear(2, 1), nn.Linear(2, 1, device="meta")
    for method in ("adam", "adamw"):
        assert construct_optimizer([{"params": on_cpu.parameters()}], method=method, lr=0.1).defaults["fused"]
        both = [{"params": on_cpu.parameters()}, {"params": elsewhere.parameters()}]
        assert not construct_optimizer(both, method=method, lr=0.1).defaults["fused"]


def test_lion_is_the_sign_of_an_interpolated_momentum():
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    group = {"params": weight, "weight_decay": 0.1}
    optimizer = construct_optimizer([group], method="lion", lr=0.5, options={"SOLVER.LION_BETAS": [0.5, 0.75]})
    expected, momentum = weight.detach().clone(), torch.zeros(3)
    for gradient in (torch.tensor([1.0, -4.0, 0.0]), torch.tensor([-0.1, 5.0, 1.0])):
        weight.grad = gradient
        optimizer.step()
        expected = expected * (1 - 0.5 * 0.1) - 0.5 * torch.sign(0.5 * momentum + 0.5 * gradient)
        momentum = 0.75 * momentum + 0.25 * gradient
        assert torch.allclose(weight.detach(), expected)
    assert torch.allclose(optimizer.state_dict()["state"][0]["momentum"], momentum)


def test_options_are_configuration_keys():
    groups = [{"params": nn.Parameter(torch.ones(1))}]
    optimizer = construct_optimizer(
        groups, method="sgd", lr=0.1, options={"SOLVER.MOMENTUM": 0.5, "SOLVER.DAMPENING": 0.1}
    )
    assert optimizer.defaults["momentum"] == 0.5 and not optimizer.defaults["nesterov"]
    assert construct_optimizer(groups, method="sgd", lr=0.1).defaults["nesterov"]
    with pytest.raises(InputError, match="SOLVER.OPTIMIZING_METHOD is 'sdg'"):
        construct_optimizer(groups, method="sdg", lr=0.1)
