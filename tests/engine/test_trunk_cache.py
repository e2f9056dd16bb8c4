"""A probe on a stored trunk: what is stored is what the trunk gives, and later runs decode nothing."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.datasets.loader import build_loader
from slowfast.engine.build import build_method
from slowfast.engine.methods.trunk_cache import TrunkCache
from slowfast.ensemble import load_predictions
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from tests.engine.tiny import CONFIG
from tests.models.test_frames import TINY

PROBE = (
    "TRAIN.PROBE",
    "True",
    "MIXUP.PROB",
    "0.0",
    "SOLVER.MAX_EPOCH",
    "1",
    "SOLVER.BASE_LR",
    "0.1",
    "TEST.ALSO",
    "[]",
)
FRAMES = ("MODEL.ARCH", "frames", "MODEL.BACKBONE", TINY, "MODEL.HEAD", "attentive")


@pytest.fixture
def cfg_of(data, tmp_path):
    def make(*opts):
        words = ("DATA.PATH_PREFIX", str(data), "DATA.FEATURE_CACHE", str(tmp_path / "store"), *PROBE, *opts)
        return load_config(CONFIG, words)

    return make


def stored(folder):
    return sorted(folder.rglob("*.npy"))


def table_of(cfg):
    return Path(f"{cfg.DATA.PATH_PREFIX}/train.csv").read_text()


@pytest.fixture
def probed(cfg_of):
    """A configuration, a network with a trunk that stays, its store."""

    def make(*opts):
        cfg = cfg_of(*opts)
        torch.manual_seed(1)
        network = build_model(cfg)
        build_method(cfg, network, torch.device("cpu"))
        network.train()
        return cfg, network, TrunkCache(cfg, network, torch.device("cpu"))

    return make


def test_evaluation_is_that_of_the_clips(probed):
    cfg, network, cache = probed(*FRAMES)
    plain = build_loader(cfg, "test", "test", train=False)
    batches = cache.wrap(build_loader(cfg, "test", "test", train=False))
    network.eval()
    for expected, found in zip(plain, batches, strict=True):
        assert found["clips"].ndim == 3 and found["index"].tolist() == expected["index"].tolist()
        torch.testing.assert_close(network(found["clips"]), network(expected["clips"]), atol=1e-5, rtol=1e-5)


def test_training_has_the_same_views_in_every_epoch_and_under_any_list(probed, tmp_path):
    cfg, network, cache = probed("AUG.NUM_SAMPLE", "2", "DATA.FEATURE_VIEWS", "3")
    loader = cache.wrap(build_loader(cfg, "train_label", "source", train=True))
    epochs = []
    for epoch in (0, 3):
        loader.set_epoch(epoch)
        epochs.append([(name, *row.tolist()) for batch in loader for name, row in zip(batch["names"], batch["clips"])])
    assert len(epochs[0]) == 24 and len(stored(tmp_path / "store")) == 12 * 3
    assert set(epochs[0]) == set(epochs[1])
    loader.set_epoch(1)
    other = {(name, *row.tolist()) for batch in loader for name, row in zip(batch["names"], batch["clips"])}
    assert 0 < len(other & set(epochs[0])) < len(other)
    reversed_list = "".join(reversed(table_of(cfg).splitlines(keepends=True)))
    other_root = tmp_path / "root"
    other_root.mkdir()
    (other_root / "train.csv").write_text(reversed_list)
    os.symlink(f"{cfg.DATA.PATH_PREFIX}/videos", other_root / "videos")
    moved = cfg.clone()
    moved.defrost()
    moved.DATA.PATH_PREFIX = str(other_root)
    again = cache.wrap(build_loader(moved, "train_label", "source", train=True))
    rows = {(name, *row.tolist()) for batch in again for name, row in zip(batch["names"], batch["clips"])}
    assert rows == set(epochs[0]) and len(stored(tmp_path / "store")) == 12 * 3


def test_another_trunk_or_another_view_is_another_entry(probed):
    _, network, cache = probed()
    _, _, same = probed()
    assert same.identity == cache.identity
    with torch.no_grad():
        network.head.weight.add_(1.0)
    assert TrunkCache(cache.cfg, network, torch.device("cpu")).identity == cache.identity
    with torch.no_grad():
        network.norm.bias.add_(1.0)
    assert TrunkCache(cache.cfg, network, torch.device("cpu")).identity != cache.identity
    places = {cache.place(*key) for key in (("a", "d", 0), ("b", "d", 0), ("a", "e", 0), ("a", "d", 1))}
    assert len(places) == 4


def test_damaged_clips_are_reported_and_damaged_entries_refused(probed, tmp_path):
    cfg, _, cache = probed()
    root = tmp_path / "root"
    (root / "videos").mkdir(parents=True)
    names = [line.split(",")[0] for line in table_of(cfg).splitlines()]
    for name in names:
        os.symlink(f"{cfg.DATA.PATH_PREFIX}/videos/{name}", root / "videos" / name)
    (root / "videos" / names[2]).unlink()
    (root / "videos" / names[2]).write_bytes(b"no video")
    (root / "train.csv").write_text(table_of(cfg))
    moved = cfg.clone()
    moved.defrost()
    moved.DATA.PATH_PREFIX, moved.DATA.SPLITS.test = str(root), ["train.csv", "videos"]
    seen = [
        name
        for batch in cache.wrap(build_loader(moved, "train_label", "source", train=True))
        for name in batch["names"]
    ]
    assert len(seen) == 24 and names[2] not in seen
    failed = [row for batch in cache.wrap(build_loader(moved, "test", "test", train=False)) for row in batch["failed"]]
    assert [row[:2] for row in failed] == [(2, names[2])]
    stored(tmp_path / "store")[0].write_bytes(b"x")
    with pytest.raises(InputError, match="is damaged .* delete it"):
        for loader in ("train_label", "source", True), ("test", "test", False):
            list(cache.wrap(build_loader(moved, *loader[:2], train=loader[2])))


def test_a_method_with_views_of_its_own_is_refused(probed):
    cfg, _, cache = probed()
    with pytest.raises(InputError, match="needs views of its own"):
        cache.wrap(build_loader(cfg, "train_label", "source", train=True), ("weak", "strong"))


@pytest.mark.parametrize("network", [(), FRAMES], ids=["uniformer", "frames"])
def test_a_second_run_computes_nothing_and_gives_the_same(network, run, tmp_path):
    opts = (*PROBE, *network, "DATA.FEATURE_CACHE", str(tmp_path / "store"), "TEST.ALSO", "['test:1x1']")
    assert run("one", *opts) == 0, run.log("one")
    count = len(stored(tmp_path / "store"))
    assert "the trunk runs for" in run.log("one") and count > 0
    assert run("two", *opts) == 0
    assert "the trunk runs for" not in run.log("two") and len(stored(tmp_path / "store")) == count
    for pattern in ("total_unlabel*.pkl", "test*.pkl"):
        one, two = (load_predictions(next((tmp_path / out).glob(pattern))) for out in ("one", "two"))
        np.testing.assert_array_equal(one.video_preds, two.video_preds)
    # The same weights on decoded clips.
    plain = (
        *opts,
        "DATA.FEATURE_CACHE",
        "",
        "TRAIN.ENABLE",
        "False",
        "TEST.CHECKPOINT_FILE_PATH",
        str(tmp_path / "one/best.pyth"),
    )
    assert run("plain", *plain) == 0
    decoded = load_predictions(next((tmp_path / "plain").glob("total_unlabel*.pkl")))
    first = load_predictions(next((tmp_path / "one").glob("total_unlabel*.pkl")))
    np.testing.assert_allclose(decoded.video_preds, first.video_preds, atol=1e-4)


def test_two_processes_share_the_work(pair, tmp_path):
    opts = (*PROBE, "DATA.FEATURE_CACHE", str(tmp_path / "store"))
    assert pair("out", *opts) == [0, 0]
    assert load_predictions(next((tmp_path / "out").glob("total_unlabel*.pkl"))).video_preds.shape == (9, 11)
