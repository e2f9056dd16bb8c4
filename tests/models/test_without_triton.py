"""Kernels that cannot run are told once, and the library's form is used."""

import logging

import pytest
import torch
from torch import nn

from slowfast.models import accelerate as module
from slowfast.models.accelerate import forms_for
from slowfast.models.kernels import depthwise
from slowfast.models.kernels.operator import DepthwiseConv3d

CARD = torch.device("cuda")
CONV = nn.Conv3d(8, 8, 3, padding=1, groups=8)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for function in (module._without_kernels, depthwise.problem):
        function.cache_clear()
        monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    yield
    for function in (module._without_kernels, depthwise.problem):
        function.cache_clear()


def chosen():
    return next(filter(None, (form(CONV) for form in forms_for(CARD, training=True))), nn.Conv3d)


def test_without_a_card_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(depthwise, "convolve", None)
    assert chosen() is DepthwiseConv3d


@pytest.mark.parametrize("cause", ["missing", "broken"])
def test_a_card_without_kernels(cause, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    if cause == "missing":
        monkeypatch.setattr(depthwise, "triton", None)
        monkeypatch.setattr(depthwise, "_REASON", "Triton is missing or too old (no module)", raising=False)
    else:
        monkeypatch.setattr(torch, "zeros", lambda *_, **__: nn.Module())  # fails as anything may fail there
    assert chosen() is chosen() is nn.Conv3d
    (message,) = caplog.messages
    assert message.startswith("depthwise convolutions run in the library's form, several times slower: Triton ")
    assert ("missing or too old" if cause == "missing" else "fails: AttributeError") in message
    assert "pip install -U triton" in message


def test_kernels_that_run_are_used(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *size, device: zeros(*size))
    monkeypatch.setattr(depthwise, "convolve", lambda x, weight, bias, stride, padding: x)
    assert chosen() is DepthwiseConv3d and not caplog.records
