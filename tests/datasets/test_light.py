"""The light of a split decides the gamma of its clips in validation, adaptation and tests."""

import numpy as np
import pytest
import torch

from slowfast.datasets.loader import build_file_loader, build_loader, gamma_of
from slowfast.datasets.splits import is_light

GAMMA = {"SOURCE": 0.9, "TARGET": 0.8, "BN": 0.7, "VAL_BRIGHT": 0.6, "VAL_DARK": 0.5, "TEST": 0.4}


@pytest.mark.parametrize(
    ("split", "role", "gamma"),
    [
        ("val_dry", "val", 0.6), ("arid", "val", 0.5), ("mine", "val", 0.6), ("hers", "val", 0.5), ("old", "val", 0.5),
        ("val_dry", "test", 0.6), ("mine", "test", 0.6), ("hers", "test", 0.4), ("total_unlabel", "test", 0.4),
        ("train_label", "bn", 0.9), ("mine", "bn", 0.9), ("hers", "bn", 0.7), ("train_unlabel", "bn", 0.7),
        ("train_label", "source", 0.9), ("mine", "target", 0.8), ("mine", "val_dark", 0.5), ("hers", "val_bright", 0.6),
    ],
)  # fmt: skip
def test_gamma_of_split_and_role(cfg, split, role, gamma):
    for name, value in GAMMA.items():
        cfg.DATA.GAMMA[name] = value
    cfg.DATA.SPLITS["mine"], cfg.DATA.SPLITS["hers"] = ["m.csv", "", "light"], ["h.csv", "", "dark"]
    cfg.DATA.SPLITS["old"] = ["o.csv", ""]
    assert gamma_of(cfg, split, role) == gamma


def test_published_splits_stay_as_they_were(cfg):
    light = {name for name in cfg.DATA.SPLITS if is_light(name, cfg.DATA.SPLITS)}
    assert light == {"val_dry", "train_label"}


def test_validation_and_test_of_a_light_split_see_the_same_clips(cfg, root):
    cfg.DATA.SPLITS["mine"] = ["list.csv", "videos", "light"]
    cfg.DATA.SPLITS["dim"] = ["list.csv", "videos", "dark"]

    def clips(split, role):
        return next(iter(build_loader(cfg, split, role, train=False, views=1, crops=1)))["clips"]

    assert torch.equal(clips("mine", "val"), clips("mine", "test"))
    assert torch.equal(clips("dim", "test"), clips("dim", "val_dark"))
    assert clips("dim", "test").mean() > clips("mine", "test").mean() + 0.5


def test_files_with_a_gamma_each(cfg, clips):
    paths = [clips / "clip 0.mp4", clips / "clip 1.mp4"]

    def means(gammas):
        loader = build_file_loader(cfg, paths, ["a", "b"], gammas)
        return torch.cat([batch["clips"] for batch in loader]).flatten(1).mean(1).numpy()

    plain, usual, mixed = means([1.0, 1.0]), means(None), means([0.25, 1.0])
    views = len(plain) // 2
    np.testing.assert_array_equal(mixed, [*usual[:views], *plain[views:]])
    assert usual[0] > plain[0] + 0.5


def test_a_table_with_commas_is_read_where_lists_have_blanks(cfg, root):
    cfg.DATA.PATH_LABEL_SEPARATOR = " "
    batch = next(iter(build_loader(cfg, "train_pseudo_label", "target", train=True, batch_size=7)))
    assert batch["probs"].shape[1] == cfg.MODEL.NUM_CLASSES
