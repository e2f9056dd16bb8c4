"""The depthwise convolution's own backward pass gives the library's gradients."""

import pytest
import torch

from slowfast.models.forms import depthwise
from slowfast.models.forms.depthwise import SameDepthwise, depthwise_weight_gradient

SIZES = [(4, 6, 5), (3, 1, 1), (1, 4, 7), (2, 3, 1)]
KERNELS = [(3, 3, 3), (5, 5, 5), (3, 1, 7), (1, 5, 3)]


@pytest.mark.parametrize("form", ["as a convolution", "by frame shifts"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 2])
def test_weight_gradient(monkeypatch, batch, size, kernel, form):
    monkeypatch.setattr(depthwise, "_SMALL", 2**19 if form == "as a convolution" else 0)
    torch.manual_seed(0)
    shape = (batch, 6, *size)
    x, g = (torch.randn(shape).to(memory_format=torch.channels_last_3d) for _ in range(2))
    padding = [extent // 2 for extent in kernel]
    expected = torch.ops.aten.convolution_backward(
        g.double(), x.double(), torch.empty(6, 1, *kernel, dtype=torch.double), None, [1] * 3, padding, [1] * 3,
        False, [0] * 3, 6, [False, True, False],
    )[1]  # fmt: skip
    torch.testing.assert_close(depthwise_weight_gradient(x, g, kernel), expected.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("small", [0, 2**19])
def test_all_gradients(monkeypatch, small):
    monkeypatch.setattr(depthwise, "_SMALL", small)
    torch.manual_seed(0)
    layer = SameDepthwise(6, 6, (3, 5, 5), padding=(1, 2, 2), groups=6)
    plain = torch.nn.Conv3d(6, 6, (3, 5, 5), padding=(1, 2, 2), groups=6)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 6, 3, 4, 7)
    results = []
    for network in (layer, plain):
        leaf = x.clone().requires_grad_()
        y = network(leaf)
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        results.append((y.detach(), leaf.grad, network.weight.grad, network.bias.grad))
    for ours, library in zip(*results):
        torch.testing.assert_close(ours, library, atol=1e-4, rtol=1e-4)


def test_no_clip_and_half_precision():
    x = torch.randn(2, 6, 3, 4, 7).to(memory_format=torch.channels_last_3d)
    assert not depthwise_weight_gradient(x[:0], x[:0], (3, 3, 3)).any()
    half = depthwise_weight_gradient(x.bfloat16(), x.bfloat16(), (3, 3, 3))
    torch.testing.assert_close(half.float(), depthwise_weight_gradient(x, x, (3, 3, 3)), atol=0.5, rtol=0.05)
