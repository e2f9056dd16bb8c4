import numpy as np
import pytest
import torch

from slowfast.losses import KLLoss, soft_cross_entropy


@pytest.fixture
def reference(golden):
    return np.load(golden / "train/losses.npz")


def test_soft_cross_entropy_equals_golden(reference):
    loss = soft_cross_entropy(torch.from_numpy(reference["logits"]), torch.from_numpy(reference["mixup_target"]))
    assert float(loss) == pytest.approx(float(reference["soft_ce_mean"]), abs=1e-6)


@pytest.mark.parametrize("temperature", [1, 2, 4])
def test_kl_loss_equals_golden(reference, temperature):
    probs = torch.from_numpy(reference["kl_probs"])
    loss = KLLoss(temperature=temperature)(torch.from_numpy(reference["logits"]), probs)
    assert float(loss) == pytest.approx(float(reference[f"kl_T{temperature}"]), abs=1e-4)
