"""Weak and strong views of the same clip."""

import numpy as np
import pytest
import torch

from slowfast.datasets.loader import build_loader
from slowfast.engine.methods import named_views
from slowfast.utils.errors import InputError


def batch_of(cfg, paired, **settings):
    for name, value in settings.items():
        cfg.AUG[name] = value
    loader = build_loader(
        cfg, "train_label", "target", train=True, batch_size=2, num_workers=0, labelled=False, paired=paired
    )
    loader.set_epoch(0)
    return named_views(next(iter(loader)), paired)


@pytest.mark.parametrize("deferred", [False, True])
def test_views_lie_side_by_side(cfg, deferred):
    cfg.DATA.DEVICE_TRANSFORM = deferred
    batch = batch_of(cfg, ("weak", "strong", "strong2"), NUM_SAMPLE=2, RE_PROB=1.0)
    assert "clips" not in batch and len(batch["names"]) == len(batch["labels"]) == 4
    assert batch["weak"].shape == batch["strong"].shape == batch["strong2"].shape
    assert len(batch["weak"]) == 4 and not torch.equal(batch["strong"], batch["strong2"])
    # Levels of the two videos differ, so that a weak view tells which video it is of.
    levels = [float(clip.mean()) for clip in batch["weak"]]
    assert (np.argsort(levels)[:2] < 2).all() or (np.argsort(levels)[:2] >= 2).all()


def test_only_strong_views_are_erased_whatever_aug_says(cfg):
    for enable in (False, True):
        batch = batch_of(cfg, ("weak", "strong"), ENABLE=enable, RE_PROB=1.0, RE_MODE="const", AA_TYPE="")
        share = {name: float((batch[name] == 0.0).float().mean()) for name in ("weak", "strong")}
        assert share["weak"] < 0.01 < share["strong"]


def test_without_names_it_is_one_clip(cfg):
    batch = batch_of(cfg, ())
    assert len(batch["clips"]) == len(batch["names"]) == 2


def test_names_say_what_they_are(cfg):
    for paired in (("weak", "weak"), ("hard",)):
        with pytest.raises(InputError, match="different names 'weak...', 'strong...' are needed"):
            batch_of(cfg, paired)


def test_labelled_clips_can_be_balanced(cfg):
    cfg.TRAIN.LABELLED_BALANCED = True
    plain = {"train": True, "batch_size": 2, "num_workers": 0}
    assert build_loader(cfg, "train_label", "source", **plain).sampler.labels is not None
    assert build_loader(cfg, "train_label", "target", **plain).sampler.labels is None
    cfg.TRAIN.CLASS_BALANCED = True
    assert build_loader(cfg, "train_label", "target", **plain).sampler.labels is not None
    assert build_loader(cfg, "train_label", "target", labelled=False, **plain).sampler.labels is None
