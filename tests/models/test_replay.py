"""When a recording is replayed and when not, with a recording that only copies; the real ones are in tests/gpu."""

import copy

import pytest
import torch
from torch import nn

from slowfast.models import replay as module
from slowfast.models.replay import replay


@pytest.fixture
def replayed(monkeypatch):
    """Passes that were replayed; every one of them overwrites the result of the one before, as on a card."""
    passes = []
    monkeypatch.setattr(module, "_can_record", lambda clips: True)

    def record(forward, clips):
        held = torch.empty(len(clips), 2)

        def run(clips):
            passes.append(len(clips))
            logits = forward(clips)
            held[: len(clips)] = logits.detach()
            return logits if logits.requires_grad else held[: len(clips)].clone()

        return run

    def record_training(model, clips):
        forward = super(type(model), model).forward
        model._recorded.run, model._recorded.shape = record(forward, clips), clips.shape

    monkeypatch.setattr(module, "_record_training", record_training)
    monkeypatch.setattr(module, "_record_evaluation", record)
    return passes


def test_training_passes_of_one_size_are_replayed(replayed):
    network = replay(nn.Linear(3, 2), training=True).train()
    for count in (4, 4, 3, 4):
        network(torch.ones(count, 3)).sum().backward()
    assert replayed == [4, 4, 4]
    with torch.no_grad():
        network(torch.ones(4, 3))
    network.eval()(torch.ones(4, 3))
    assert replayed == [4, 4, 4]


def test_a_second_pass_before_the_backward_pass_is_not_replayed(replayed):
    network = replay(nn.Linear(3, 2), training=True).train()
    first, second = network(torch.ones(4, 3)), network(torch.zeros(4, 3))
    assert replayed == [4]
    (first.sum() + second.sum()).backward()
    torch.testing.assert_close(network.weight.grad, torch.full((2, 3), 4.0))
    network(torch.ones(4, 3))
    assert replayed == [4, 4]


def test_fewer_clips_are_filled_up_and_more_are_recorded_anew(replayed):
    network = replay(nn.Linear(3, 2), training=False).eval()
    with torch.no_grad():
        results = [network(torch.full((count, 3), float(count))) for count in (2, 1, 4, 3)]
        assert replayed == [2, 1, 4, 3]
        for count, found in zip((2, 1, 4, 3), results):
            torch.testing.assert_close(
                found, nn.functional.linear(torch.full((count, 3), float(count)), network.weight, network.bias)
            )
    network(torch.ones(2, 3))
    assert len(replayed) == 4


def test_a_copy_records_for_itself(replayed):
    network = replay(nn.Linear(3, 2), training=False).eval()
    with torch.no_grad():
        network(torch.ones(2, 3))
        other = copy.deepcopy(network)
        other.weight.zero_(), other.bias.zero_()
        assert not other(torch.ones(2, 3)).any() and network(torch.ones(2, 3)).any()
