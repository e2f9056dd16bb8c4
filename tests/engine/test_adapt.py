"""Adaptations: what they change, what they leave, what they refuse, by every road that runs a network."""

import copy
import logging
import math

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.engine.adapt import ADAPTATIONS, Pool
from slowfast.engine.adapt.batchnorm import take_statistics
from slowfast.engine.adapt.sar import _sharp_gradient
from slowfast.engine.adapt.tent import entropy_of, norms_of, open_norms
from slowfast.engine.predictor import Predictor, check_adaptations, find_adaptation
from slowfast.ensemble import load_predictions
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.utils.plugins import load_plugins

from .tiny import CONFIG

CPU = torch.device("cpu")
SIZES = {
    "uniformer": [],
    "mvit": [
        "MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.PATCH_STRIDE", "[2, 8, 8]",
        "MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1, 2, 2]",
    ],
    "sf": ["SF.DEPTH", "[1, 1, 1, 1]", "SF.WIDTH", "8"],
    "videomae": ["VIDEOMAE.EMBED_DIM", "32", "VIDEOMAE.DEPTH", "2", "VIDEOMAE.NUM_HEADS", "2"],
}  # fmt: skip


def settings(arch="uniformer", *opts):
    """A tiny network's configuration."""
    return load_config(CONFIG, ["MODEL.ARCH", arch, *SIZES[arch], "SOLVER.LAYER_DECAY", "1.0", *opts])


def network(cfg, seed=0):
    """The network with weights that differ from their initial ones."""
    torch.manual_seed(seed)
    model = build_model(cfg).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def pool(batches=3, size=2, seed=0):
    """Batches of noise that is brighter than zero mean."""
    noise = torch.Generator().manual_seed(seed)
    clips = [{"clips": 0.5 + torch.randn(size, 3, 4, 32, 32, generator=noise)} for _ in range(batches)]
    return Pool(clips, limit=batches, clips_of=lambda batch: batch["clips"], name="noise")


def adapted(cfg, model, name, clips=None):
    """The network after an adaptation."""
    return Predictor(cfg, model, CPU).adapted(find_adaptation(cfg, name, model), clips or pool())


@pytest.mark.parametrize("arch", SIZES)
def test_recentre_takes_the_mean_feature_off_before_the_head(arch):
    cfg = settings(arch)
    model, clips = network(cfg), pool()
    changed = adapted(cfg, model, "recentre", clips)
    every = torch.cat(list(clips))
    with torch.no_grad():
        assert changed.forward_features(every).mean(0).abs().max() < 1e-4
        centred = model.forward_features(every) - model.forward_features(every).mean(0)
        head = model.projection if arch == "sf" else model.head
        torch.testing.assert_close(changed(every), head(centred), atol=1e-4, rtol=1e-4)
        assert (changed(every) - model(every)).abs().max() > 1e-3


@pytest.mark.parametrize("arch", SIZES)
@pytest.mark.parametrize("name", ["tent", "sar"])
def test_norms_learn_to_be_certain_and_nothing_else_changes(arch, name):
    learning = ("ADAPT.LR", "0.05", "ADAPT.MARGIN", "1.0", "ADAPT.RESET", "0.0")
    cfg = settings(arch, *learning, "UNIFORMER.DROP_DEPTH_RATE", "0.0")
    model, clips = network(cfg), pool(batches=6, size=4)
    before = copy.deepcopy(model.state_dict())
    kind = ADAPTATIONS[name](cfg)
    changed = kind.adapt(copy.deepcopy(model), clips)
    seen = {key for key, value in changed.state_dict().items() if not torch.equal(value, before[key])}
    norms = {id(parameter) for module in norms_of(changed) for parameter in module.parameters(False)}
    seen -= {key for key, _ in changed.named_buffers()}
    assert seen and seen <= {key for key, parameter in changed.named_parameters() if id(parameter) in norms}
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    statistics_only = ADAPTATIONS["batchnorm"](cfg)
    base = statistics_only.adapt(copy.deepcopy(model), clips) if statistics_only.can_adapt(model) else model
    with torch.no_grad():
        entropy = [sum(entropy_of(one, batch).sum() for batch in clips) for one in (base, changed)]
    assert entropy[1] < entropy[0]
    assert not changed.training and not any(parameter.requires_grad for parameter in changed.parameters())
    again = copy.deepcopy(changed)
    take_statistics(again, clips)
    for (key, value), other in zip(again.named_buffers(), changed.buffers()):
        assert key.endswith("num_batches_tracked") or torch.allclose(value, other), key


def test_sar_climbs_before_it_descends_and_restores():
    cfg = settings()
    model = network(cfg)
    parameters, clips = open_norms(model), next(iter(pool(size=4)))
    place = [parameter.detach().clone() for parameter in parameters]
    flat = _sharp_gradient(model, parameters, clips, margin=math.inf, radius=0.0)
    there = _sharp_gradient(model, parameters, clips, margin=math.inf, radius=0.05)
    assert there > flat
    assert all(torch.equal(parameter, value) for parameter, value in zip(parameters, place))
    assert _sharp_gradient(model, parameters, clips, margin=0.0, radius=0.05) is None


def test_sar_starts_over_when_everything_becomes_certain():
    cfg = settings("uniformer", "ADAPT.LR", "0.05", "ADAPT.MARGIN", "1.0", "ADAPT.RESET", "100.0")
    model = network(cfg)
    changed = ADAPTATIONS["sar"](cfg).adapt(copy.deepcopy(model), pool())
    for (key, value), other in zip(changed.named_parameters(), model.parameters()):
        assert torch.equal(value, other), key


def test_sar_says_when_no_clip_is_certain(caplog):
    logging.getLogger("slowfast").propagate = True
    cfg = settings("videomae", "ADAPT.MARGIN", "0.0")
    model = network(cfg)
    changed = ADAPTATIONS["sar"](cfg).adapt(copy.deepcopy(model), pool())
    assert "no clip of noise is certain enough" in caplog.text
    assert all(torch.equal(one, other) for one, other in zip(changed.parameters(), model.parameters()))


@pytest.mark.parametrize("name", ["batchnorm", "tent", "sar"])
def test_nothing_to_adapt_is_said_before_the_run(name):
    cfg = settings("videomae", "TEST.ADAPT", name, "TEST.ALSO", "[]")
    bare = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match=f"TEST.ADAPT {name} has nothing to adapt"):
        check_adaptations(cfg, bare)


def test_statistics_in_also_are_left_out_where_there_are_none(caplog):
    logging.getLogger("slowfast").propagate = True
    check_adaptations(settings("videomae", "TEST.ALSO", "['arid:1x1::train_label']"), torch.nn.Linear(2, 2))
    assert "arid_bn-train_label: no BatchNorm to adapt" in caplog.text
    with pytest.raises(InputError, match="tent has nothing"):
        check_adaptations(settings("videomae", "TEST.ALSO", "['arid:1x1:::tent']"), torch.nn.Linear(2, 2))


def test_batches_without_clips_are_replaced_and_an_empty_pool_is_told():
    empty, full = {"clips": torch.empty(0)}, {"clips": torch.ones(2, 1)}
    assert len(list(Pool([empty, full, full], limit=3, clips_of=lambda batch: batch["clips"], name="x"))) == 3
    with pytest.raises(InputError, match="x: no video can be read"):
        list(Pool([empty], limit=3, clips_of=lambda batch: batch["clips"], name="x"))


TESTS = (
    "TRAIN.ENABLE", "False", "TEST.DATA_SELECT", "test", "TEST.NUM_ENSEMBLE_VIEWS", "1", "ADAPT.BATCH_SIZE", "4",
    "ADAPT.LR", "0.05", "ADAPT.MARGIN", "1.0", "ADAPT.RESET", "0.0",
    "TEST.ALSO", "['test:1x1:::recentre', 'test:1x1::arid:recentre', 'test:1x1:::tent', 'test:1x1::total_unlabel:sar',"
    " 'test:1x1::total_unlabel', 'test:1x1']",
)  # fmt: skip
ENDS = ("recentre-train_unlabel", "recentre-arid", "tent-train_unlabel", "sar-total_unlabel", "bn-total_unlabel")
NAMES = {"", *(f"_{end}" for end in ENDS)}


@pytest.fixture
def weights(tmp_path):
    """Weights of the tiny network."""
    path = tmp_path / "weights.pth"
    torch.save(network(load_config(CONFIG)).state_dict(), path)
    return path


def rows(folder):
    """The rows of every PKL of a folder, by the end of its name."""
    found = {path.stem.removeprefix("testx4x32x1x1"): load_predictions(path) for path in folder.glob("*.pkl")}
    return {name: predictions.video_preds for name, predictions in found.items()}


def test_each_has_a_file_of_its_own_and_the_weights_are_those_of_the_file_again(run, weights, tmp_path):
    assert run("out", *TESTS, "TEST.CHECKPOINT_FILE_PATH", weights) == 0, run.log("out")
    made = rows(tmp_path / "out")
    assert set(made) == NAMES
    for one in NAMES:
        for other in NAMES - {one}:
            assert np.abs(made[one] - made[other]).max() > 1e-4, (one, other)
    plain = ("TRAIN.ENABLE", "False", "TEST.DATA_SELECT", "test", "TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.ALSO", "[]")
    opts = (*plain, "TEST.CHECKPOINT_FILE_PATH", weights, "TEST.ADAPT", "sar", *TESTS[6:14])
    opts += ("TEST.ADAPT_SPLIT", "total_unlabel")
    assert run("alone", *opts) == 0, run.log("alone")
    ((suffix, preds),) = rows(tmp_path / "alone").items()
    np.testing.assert_array_equal(preds, made[suffix])


@pytest.mark.slow
def test_two_processes_give_the_answer_of_one(run, pair, weights, tmp_path):
    opts = (*TESTS, "TEST.CHECKPOINT_FILE_PATH", weights)
    assert run("one", *opts) == 0
    assert pair("two", *opts) == [0, 0], pair.log("two")
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, preds in one.items():
        np.testing.assert_allclose(preds, two[name], atol=1e-5)


@pytest.mark.parametrize(
    ("opts", "words"),
    [
        (("TEST.ADAPT", "tend"), "did you mean 'tent'?"),
        (("TEST.ALSO", "['test:1x1::arid:no']"), "TEST.ADAPT is 'no', one of 'batchnorm'"),
        (("TEST.ALSO", "['test:1x1:0.5', 'test:1x1:0.50000001']"), "two tests that write the file test...1x1_gamma0.5"),
        (("TEST.ADAPT", "tent", "DATA.SPLITS.train_unlabel", "['one.csv', 'videos']"), "1 video is no pool"),
        (("TEST.ADAPT", "batchnorm", "TRAIN.BATCH_SIZE", "50"), "fewer than one batch of 50"),
    ],
)
def test_what_cannot_be_done_ends_before_anything_is_written(opts, words, run, data, weights, tmp_path):
    (data / "one.csv").write_text("pool0.mp4,-1\n")
    assert run("out", *TESTS, "TEST.CHECKPOINT_FILE_PATH", weights, *opts) == 2
    assert words in run.log("out") and "Traceback" not in run.log("out")
    assert not (tmp_path / "out").exists()


def test_an_adaptation_of_own_code_is_one_file(tmp_path):
    (tmp_path / "own.py").write_text(
        "from slowfast.engine.adapt import ADAPTATIONS, Adaptation\n"
        "import torch\n"
        "@ADAPTATIONS.register('brighten')\n"
        "class Brighten(Adaptation):\n"
        "    def adapt(self, model, pool):\n"
        "        with torch.no_grad():\n"
        "            model.head.bias += sum(clips.mean() for clips in pool)\n"
        "        return model\n"
    )
    load_plugins([tmp_path / "own.py"])
    cfg = settings("videomae")
    model, clips = network(cfg), pool()
    plain = {type(part) for part in model.modules()}
    shift = sum(batch.mean() for batch in clips)
    with torch.no_grad():
        batch = next(iter(clips))
        torch.testing.assert_close(adapted(cfg, model, "brighten", clips)(batch), model(batch) + shift)
    assert {type(part) for part in model.modules()} == plain
