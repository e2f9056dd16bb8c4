"""The Triton programs on a GPU, compiled; their cases on the CPU are in tests/models/test_kernels.py."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models.kernels import depthwise, operator

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]

# channels, batch, (T, H, W), kernel, stride
CASES = [
    (64, 1, (8, 56, 56), (5, 5, 5), (1, 1, 1)),
    (128, 2, (8, 28, 28), (3, 3, 3), (1, 1, 1)),
    (512, 2, (16, 7, 7), (3, 3, 3), (1, 1, 1)),
    (96, 2, (16, 56, 56), (3, 3, 3), (1, 8, 8)),
    (96, 2, (16, 28, 28), (3, 3, 3), (2, 2, 2)),
    (40, 1, (18, 9, 11), (3, 3, 3), (1, 2, 2)),
    (24, 1, (5, 9, 11), (7, 7, 7), (1, 1, 1)),
]
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_programs_agree_with_float64(case, dtype):
    channels, batch, size, kernel, stride = case
    padding = tuple(k // 2 for k in kernel)
    torch.manual_seed(0)
    x = torch.randn(batch, channels, *size, device="cuda").to(dtype).requires_grad_()
    weight = torch.randn(channels, 1, *kernel, device="cuda", requires_grad=True)
    bias = torch.randn(channels, device="cuda", requires_grad=True)
    assert depthwise.is_supported(x, weight, stride, padding)
    exact = [v.detach().cpu().double().requires_grad_() for v in (x, weight, bias)]
    right = F.conv3d(*exact, stride, padding, groups=channels)
    y = torch.ops.nightcrawler.depthwise_conv3d(x, weight, bias, stride, padding)
    g = torch.randn_like(y)
    ours = (y, *torch.autograd.grad(y, (x, weight, bias), g))
    expected = (right, *torch.autograd.grad(right, exact, g.cpu().double()))
    for name, a, b in zip(("y", "grad_x", "grad_w", "grad_b"), ours, expected):
        error = ((a.cpu().double() - b).norm() / b.norm()).item()
        assert error < (TOLERANCE[dtype] if name in ("y", "grad_x") else 1e-5), name


def test_weights_gradient_is_the_same_every_time():
    x, g = (torch.randn(4, 64, 16, 28, 28, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    first, again = (depthwise.weights_gradient(x, g, (3, 3, 3), (1, 1, 1), (1, 1, 1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again))


def test_module_compiles_under_autocast():
    conv = nn.Conv3d(64, 64, 3, padding=1, groups=64).cuda()
    module = operator.DepthwiseConv3d.of(conv)
    x = torch.randn(2, 64, 4, 14, 14, device="cuda", requires_grad=True)
    with torch.autocast("cuda", torch.bfloat16):
        y, right = torch.compile(module, fullgraph=True)(x), conv(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, right, rtol=2e-2, atol=2e-2)
    ours, expected = (torch.autograd.grad(v.float().square().sum(), (x, conv.weight)) for v in (y, right))
    for a, b in zip(ours, expected):
        assert ((a - b).norm() / b.norm()).item() < 2e-2
