"""Networks on a card: the golden outputs, and float64 on the processor, in every precision, training and evaluation."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.features.extractor import FeatureNetwork
from slowfast.models.accelerate import accelerate
from slowfast.models.fold import fold_batchnorm
from slowfast.utils.precision import FULL, Precision
from tests.models.test_registered import SMALL, built

GOLDEN = ("uniformer_small_a", "mvit_small_a", "sf_small_a", "vit_small_a")
# dtype -> largest relative error of logits and of the gradient
LIMITS = {None: (1e-4, 1e-3), torch.bfloat16: (0.05, 0.2), torch.float16: (0.01, 0.05)}


def clips_of(count=2):
    return torch.randn(count, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))


def error(found, exact):
    return float((found.double().cpu() - exact).norm() / exact.norm())


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_outputs(name, reference, device):  # noqa: F811
    entry, arrays = reference.json("small")[name], reference.arrays("small")
    model = accelerate(reference.model(entry).to(device), device=device, training=False).eval()
    with torch.no_grad(), FULL.active(device):
        logits = model(reference.clips(entry).to(device)).cpu()
    keys = [f"{name}.{key}" for key in ("eval_logits", "logits", "eval_output")]
    expected = next(arrays[key] for key in keys if key in arrays)
    torch.testing.assert_close(logits, torch.from_numpy(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("architecture", SMALL)
def test_training_agrees_with_float64(architecture, dtype, device):
    if device.type == "cpu" and dtype is torch.float16:
        pytest.skip("training in float16 is for cards")
    plain = built(architecture).train()
    fast = accelerate(copy.deepcopy(plain).to(device), device=device, training=True)
    labels, found = torch.tensor([0, 3]), {}
    for name, model, kind in (("exact", plain.double(), None), ("fast", fast, dtype)):
        place = next(model.parameters())
        with Precision(kind).active(place.device):
            logits = model(clips_of().to(place))
            loss = nn.functional.cross_entropy(logits.double(), labels.to(place.device))
        loss.backward()
        gradient = torch.cat([p.grad.flatten().double().cpu() for p in model.parameters() if p.grad is not None])
        found[name] = logits.detach().double().cpu(), gradient
    for value, exact, limit in zip(found["fast"], found["exact"], LIMITS[dtype]):
        assert torch.isfinite(value).all() and error(value, exact) < limit


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("architecture", SMALL)
def test_evaluation_and_features_agree_with_float64(architecture, dtype, device):
    model = built(architecture).eval()
    fast = accelerate(fold_batchnorm(copy.deepcopy(model).to(device)), device=device, training=False)
    network = FeatureNetwork(fast, device=device, precision=Precision(dtype))
    windows = Windows(clips_of())
    features, probabilities = network(windows)
    model.double()
    with torch.no_grad():
        exact = model.forward_features(windows.held.double())
        expected = model.forward_head(exact).softmax(-1)
    assert error(torch.from_numpy(features), exact) < LIMITS[dtype][0]
    np.testing.assert_allclose(probabilities, expected, atol=LIMITS[dtype][0])


class Windows:
    """Clips as the extractor hands them over."""

    def __init__(self, clips):
        self.held = clips

    def __len__(self):
        return len(self.held)

    def clips(self, device):
        return self.held.to(device)
