import sys

import numpy as np
import pytest
import torch

from slowfast.transforms.mixup import Mixup, mixup_target

LABELS = torch.tensor([1, 2, 3, 4])


@pytest.mark.parametrize("seed", range(8))
def test_golden_batches(golden, monkeypatch, seed):
    monkeypatch.syspath_prepend(str(golden))
    reference = np.load(golden / "train/losses.npz")
    make_input = __import__("golden").make_input
    sys.modules.pop("golden")
    clips = make_input((4, 3, 2, 16, 20), 77)
    kept = clips.clone()
    mixed, target_BK = Mixup(num_classes=11, rng=np.random.RandomState(seed))(clips, LABELS)
    np.testing.assert_allclose(mixed, reference[f"mix_seed{seed}"], atol=1e-6)
    np.testing.assert_allclose(target_BK, reference[f"mix_target_seed{seed}"], atol=1e-6)
    assert torch.equal(clips, kept), "the input is left alone"


def test_golden_targets(golden):
    reference = np.load(golden / "train/losses.npz")
    labels, lam = torch.from_numpy(reference["labels"]), float(reference["mixup_lam"])
    for key, arguments in (
        ("mixup_target", (lam, 0.1)), ("mixup_target_lam1", (1.0, 0.1)), ("mixup_target_no_smoothing", (lam, 0.0)),
    ):  # fmt: skip
        np.testing.assert_allclose(mixup_target(labels, 11, *arguments), reference[key], atol=1e-6)


def test_global_generator_is_the_default():
    np.random.seed(3)
    first = Mixup(num_classes=5)(torch.rand(4, 3, 2, 8, 8), LABELS)[1]
    np.random.seed(3)
    second = Mixup(num_classes=5)(torch.rand(4, 3, 2, 8, 8), LABELS)[1]
    assert torch.equal(first, second)


def test_switched_off_draws_still_smooth():
    clips = torch.rand(4, 3, 2, 8, 8)
    mixed, target_BK = Mixup(num_classes=5, prob=0.0)(clips, LABELS)
    assert mixed is clips
    assert torch.allclose(target_BK, mixup_target(LABELS, 5, 1.0, 0.1))


def test_one_kind_only():
    clips = torch.stack([torch.full((3, 1, 8, 8), float(value)) for value in range(4)])
    rng = np.random.RandomState(0)
    mixed, target_BK = Mixup(num_classes=5, cutmix_alpha=0.0, label_smoothing=0.0, rng=rng)(clips, LABELS)
    assert all(len(clip.unique()) == 1 for clip in mixed), "mixup has no edges"
    pasted, target_BK = Mixup(num_classes=5, alpha=0.0, label_smoothing=0.0, rng=rng)(clips, LABELS)
    assert set(pasted[0].unique().tolist()) <= {0.0, 3.0}
    kept = (pasted[0] == 0).float().mean()
    assert target_BK[0, 1] == pytest.approx(kept.item(), abs=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="two clips"):
        Mixup(num_classes=5)(torch.rand(1, 3, 2, 8, 8), LABELS[:1])
    with pytest.raises(ValueError, match="above 0"):
        Mixup(num_classes=5, alpha=0, cutmix_alpha=0)


def test_odd_batches_and_targets_sum_to_one():
    for seed in range(20):
        mixup = Mixup(num_classes=7, rng=np.random.RandomState(seed))
        mixed, target_BK = mixup(torch.rand(3, 3, 2, 6, 9), torch.tensor([0, 6, 2]))
        assert mixed.shape == (3, 3, 2, 6, 9)
        assert torch.allclose(target_BK.sum(1), torch.ones(3), atol=1e-6)
