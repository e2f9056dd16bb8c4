"""Blocks of one shape share a compilation, and nothing else changes."""

import copy
import functools

import pytest
import torch

from slowfast.models.accelerate import accelerate
from slowfast.models.compile import TensorDropPath, compile_blocks
from slowfast.models.layers import DropPath
from tests.models.test_registered import SMALL, built

CPU = torch.device("cpu")
SHARING = (2, 5)
SHAPES = {"uniformer": 4, "mvit": None, "sf": None, "videomae": 1}


@pytest.fixture
def counted(monkeypatch):
    """Compilations, without the slow part of them."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch.compiler.reset()
    yield graphs
    torch.compiler.reset()


@pytest.mark.parametrize("architecture", SMALL)
def test_compiled_blocks_give_the_same(architecture, counted):
    plain = accelerate(built(architecture), device=CPU, training=True)
    for module in plain.modules():
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    compiled = compile_blocks(copy.deepcopy(plain))
    clips = torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))
    assert list(compiled.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(compiled(clips), plain(clips), atol=1e-5, rtol=1e-5)
    assert 0 < len(counted) <= len(plain.blocks_to_checkpoint([9] * 4))
    assert SHAPES.get(architecture) in (None, len(counted)) or torch.__version__ < SHARING


@pytest.mark.skipif(torch.__version__ < SHARING, reason="every module was compiled for itself before")
def test_blocks_of_other_rates_share_a_compilation(counted):
    network = built("videomae").train()
    for rate, block in enumerate(network.blocks):
        block.drop_path.drop_prob = 0.1 * rate
    compile_blocks(network)(torch.randn(2, 3, 8, 64, 64))
    assert len(network.blocks) > 1
    assert len(counted) == 1


def test_rate_of_a_tensor():
    module = DropPath(0.25)
    module.keep, module.__class__ = torch.tensor(0.75), TensorDropPath
    x = torch.ones(4000, 2, 3)
    y = module(x)
    kept = y[:, 0, 0] > 0
    assert abs(kept.float().mean() - 0.75) < 0.03
    torch.testing.assert_close(y[kept], x[kept] / 0.75)
    assert not y[~kept].any()
    assert module.eval()(x) is x
    module.keep = torch.tensor(0.0)
    assert not module.train()(x).any()
