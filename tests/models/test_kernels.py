"""The Triton programs on the CPU, through Triton's interpreter, which must be chosen before Triton is imported."""

import json
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models.kernels import depthwise, operator

pytest.importorskip("triton")

# channels, (T, H, W), kernel, stride, padding, dtype, plans of the convolution and of the weights' gradient
CASES = {
    "same": (8, (4, 5, 6), (3, 3, 3), (1, 1, 1), (1, 1, 1), "float32", None, None),
    "wide": (12, (3, 7, 7), (3, 5, 5), (1, 1, 1), (1, 2, 2), "float32", None, None),
    "pairs": (8, (3, 3, 5), (3, 3, 3), (1, 1, 1), (1, 1, 1), "float32",
              {"lanes": 16, "channels": 8, "pair": True}, {"lanes": 4, "rows": 2, "channels": 8, "columns": 2}),
    "small programs": (8, (2, 4, 4), (3, 3, 3), (1, 1, 1), (1, 1, 1), "bfloat16",
                       {"lanes": 16, "channels": 4}, {"lanes": 4, "channels": 8, "columns": 1}),
    "pooling": (20, (4, 8, 9), (3, 3, 3), (1, 2, 2), (1, 1, 1), "float32", None, None),
    "in time": (6, (5, 8, 9), (3, 3, 3), (2, 4, 4), (1, 1, 1), "float16", None, None),
    "far": (6, (2, 9, 17), (3, 3, 3), (1, 8, 8), (1, 1, 1), "bfloat16", None, None),
    "widest": (6, (2, 13, 17), (1, 9, 9), (1, 8, 8), (0, 4, 4), "bfloat16", None, None),
    "long": (4, (18, 3, 3), (3, 1, 3), (1, 1, 1), (1, 0, 1), "float32", None, None),
    "long pooling": (4, (17, 4, 3), (3, 3, 1), (1, 2, 1), (1, 1, 0), "float32", None, None),
    "tiny": (4, (1, 1, 2), (5, 5, 7), (1, 2, 1), (2, 2, 3), "float32", None, None),
    "no padding": (4, (4, 6, 5), (3, 3, 3), (1, 1, 2), (0, 1, 0), "float32", None, None),
}  # fmt: skip
TOLERANCE = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 1e-2}


def _errors(channels, size, kernel, stride, padding, dtype, plan, plan_w):
    """Return the relative errors of output and gradients of input, weights and bias against float64."""
    torch.manual_seed(0)
    dtype = getattr(torch, dtype)
    x, weight, bias = (
        torch.randn(2, channels, *size).to(dtype),
        torch.randn(channels, 1, *kernel),
        torch.randn(channels),
    )
    exact = [v.double().requires_grad_() for v in (x, weight, bias)]
    y = F.conv3d(*exact, stride, padding, groups=channels)
    g = torch.randn_like(y).to(dtype)
    right = (y, *torch.autograd.grad(y, exact, g.double()))
    assert depthwise.is_supported(x, weight, stride, padding)
    plan, plan_w = (None if p is None else depthwise.Plan(**p) for p in (plan, plan_w))
    ours = (
        depthwise.convolve(x, weight, bias, stride, padding, plan),
        depthwise.input_gradient(g, weight, size, stride, padding, plan),
        *depthwise.weights_gradient(x, g, kernel, stride, padding, plan=plan_w),
    )
    return [((a.double() - b).norm() / b.norm()).item() for a, b in zip(ours, right)]


def _operator_errors():
    """Return the errors of the operator's way through autograd and autocast against the library's."""
    conv = nn.Conv3d(6, 6, 3, padding=1, groups=6, stride=(1, 2, 2))
    x = torch.randn(1, 6, 2, 5, 4, requires_grad=True)
    results = []
    with torch.autocast("cpu", torch.bfloat16):
        for module in (operator.DepthwiseConv3d.of(conv), conv):
            y = module(x)
            results.append((y, *torch.autograd.grad(y.float().square().sum(), (x, conv.weight, conv.bias))))
    assert results[0][0].dtype == torch.bfloat16
    return [((a - b).norm() / b.norm()).item() for a, b in zip(*results)]


@pytest.fixture(scope="module")
def interpreted():
    """Return {case: errors}, taken in a process of its own."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", CASES)
def test_programs_agree_with_float64(interpreted, name):
    y, grad_x, grad_w, grad_b = interpreted[name]
    assert max(y, grad_x) < TOLERANCE[CASES[name][5]]
    assert max(grad_w, grad_b) < 1e-6


def test_operator_goes_through_the_programs(interpreted):
    assert 0 < max(interpreted["operator"]) < 2e-2


def test_library_computes_where_the_programs_do_not():
    conv = nn.Conv3d(4, 4, 3, padding=1, groups=4)
    x = torch.randn(2, 4, 3, 4, 5, requires_grad=True)
    y = torch.ops.nightcrawler.depthwise_conv3d(x, conv.weight, conv.bias, conv.stride, conv.padding)
    torch.testing.assert_close(y, conv(x))
    inputs = (x, conv.weight, conv.bias)
    for ours, right in zip(torch.autograd.grad(y.sum(), inputs), torch.autograd.grad(conv(x).sum(), inputs)):
        torch.testing.assert_close(ours, right)


def test_operator_keeps_the_rules_of_torch():
    x, weight = torch.randn(1, 4, 2, 4, 5, requires_grad=True), torch.randn(4, 1, 3, 3, 3, requires_grad=True)
    torch.library.opcheck(torch.ops.nightcrawler.depthwise_conv3d.default, (x, weight, None, [1, 2, 2], [1, 1, 1]))


def test_module_stands_in_for_a_convolution():
    conv = nn.Conv3d(4, 4, 3, padding=1, groups=4).eval()
    module = operator.DepthwiseConv3d.of(conv)
    assert module.weight is conv.weight
    assert module.bias is conv.bias
    assert not module.training
    assert list(module.state_dict()) == list(conv.state_dict())
    x = torch.randn(1, 4, 2, 3, 3)
    assert torch.equal(module(x), conv(x))
    exported = torch.export.export(module, (x,))
    assert "conv3d" in str(exported.graph)
    assert "nightcrawler" not in str(exported.graph)


@pytest.mark.parametrize("options", [{"groups": 2}, {"groups": 4, "dilation": 2}, {"groups": 4, "padding": "same"}])
def test_module_stands_in_for_no_other_convolution(options):
    assert operator.DepthwiseConv3d.fits(nn.Conv3d(4, 4, 3, groups=4))
    assert not operator.DepthwiseConv3d.fits(nn.Conv3d(4, 4, 3, **options))


if __name__ == "__main__":
    errors = {name: _errors(*case) for name, case in CASES.items()} | {"operator": _operator_errors()}
    sys.stdout.write(json.dumps(errors) + "\n")


def test_a_compiled_module_calls_the_operator(monkeypatch):
    """torch 2.11 tells code inside torch.compile that it is being exported."""
    monkeypatch.setattr(depthwise, "is_supported", lambda *args: True)
    conv, called = nn.Conv3d(16, 16, 3, padding=1, groups=16), []

    def backend(graph, inputs):
        called.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return lambda *inputs: (torch.zeros(1, 16, 2, 4, 4),)

    torch.compiler.reset()
    with torch.no_grad():
        torch.compile(operator.DepthwiseConv3d.of(conv), backend=backend)(torch.randn(1, 16, 2, 4, 4))
    assert called == ["nightcrawler.depthwise_conv3d.default"]
    torch.compiler.reset()
