"""Recorded launches give what unrecorded ones give; on the processor nothing is recorded."""

import copy

import pytest
import torch
from torch import nn

from slowfast.models.accelerate import accelerate
from slowfast.models.replay import replay
from tests.models.test_registered import SMALL, built


@pytest.fixture(params=SMALL)
def networks(request, device):
    """A network without stochastic depth, plain and replayed, on its device."""
    torch.manual_seed(0)
    plain = built(request.param).to(device)
    for module in plain.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    accelerate(plain, device=device, training=True)
    return plain, copy.deepcopy(plain)


def clips_of(count, device, seed=0):
    return torch.randn(count, 3, 8, 64, 64, generator=torch.Generator().manual_seed(seed)).to(device)


def gradients(network, logits):
    network.zero_grad()
    logits.square().sum().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def same(found, right):
    assert found.keys() == right.keys()
    for name, value in right.items():
        scale = float(value.abs().max()) + 1e-6
        torch.testing.assert_close(found[name] / scale, value / scale, atol=2e-3, rtol=1e-3, msg=name)


def test_training(networks, device):
    plain, network = (part.train() for part in networks)
    replay(network, training=True)
    assert list(network.state_dict()) == list(plain.state_dict())
    random = torch.cuda.get_rng_state() if device.type == "cuda" else torch.get_rng_state()
    for seed, count in enumerate((2, 2, 1, 2)):
        clips = clips_of(count, device, seed)
        found, right = network(clips), plain(clips)
        torch.testing.assert_close(found, right, atol=2e-3, rtol=1e-3)
        same(gradients(network, found), gradients(plain, right))
        same(dict(network.named_buffers()), dict(plain.named_buffers()))
    assert torch.equal(random, torch.cuda.get_rng_state() if device.type == "cuda" else torch.get_rng_state())


def test_two_passes_before_the_backward_pass(networks, device):
    plain, network = (part.train() for part in networks)
    replay(network, training=True)
    first, second = clips_of(2, device), clips_of(2, device, 1)
    same(*(gradients(net, torch.cat([net(first), net(second)])) for net in (network, plain)))
    assert (network._recorded.run is not None) == (device.type == "cuda")


def test_copies_do_not_replay_the_original(networks, device):
    _, network = networks
    replay(network.train(), training=True)
    gradients(network, network(clips_of(2, device)))
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert not other(clips_of(2, device)).any()
    assert network(clips_of(2, device)).any()


def test_evaluation(networks, device):
    plain, network = (part.eval() for part in networks)
    replay(network, training=False)
    for seed, count in enumerate((2, 3, 1, 3)):
        with torch.no_grad():
            clips = clips_of(count, device, seed)
            torch.testing.assert_close(network(clips), plain(clips), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_clips_of_another_size(training, device):
    plain = built("uniformer").to(device).train(training)
    network = replay(copy.deepcopy(plain), training=training)
    with torch.set_grad_enabled(training):
        for frames in (8, 4, 8):
            clips = clips_of(2, device)[:, :, :frames]
            torch.testing.assert_close(network(clips), plain(clips), atol=2e-3, rtol=1e-3)
