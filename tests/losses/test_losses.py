import numpy as np
import pytest
import torch

from slowfast.losses import KLLoss, binary_cross_entropy, class_shares, soft_cross_entropy


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


def test_binary_cross_entropy_is_that_of_every_class():
    rng = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(6, 5, generator=rng)).requires_grad_()
    target = (torch.rand(6, 5, generator=rng) < 0.4).float()
    loss = binary_cross_entropy(logits, target)
    shares = class_shares(logits.double(), several=True)
    by_hand = -(target * shares.log() + (1 - target) * (1 - shares).log()).mean()
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-6)
    assert loss.item() == pytest.approx(torch.nn.BCEWithLogitsLoss()(logits, target).item(), abs=1e-7)
    (slope,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(slope, ((shares - target) / target.numel()).float())


def test_shares_of_one_label_and_of_several():
    logits = torch.tensor([[0.0, 2.0, -1.0]])
    assert class_shares(logits, several=False).sum().item() == pytest.approx(1)
    torch.testing.assert_close(class_shares(logits, several=True), 1 / (1 + (-logits).exp()))
