"""Which entry of a checkpoint the weights are, what a network's head is, and what may be missing."""

import logging

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.models import build_model, load_starting_weights, load_trained_weights
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.test_weights import assert_same, randomised, save, tiny_sf, tiny_uniformer, tiny_vit

EMA = ["model_ema", "ema", "ema_state_dict", "state_dict_ema", "teacher"]


def both(tmp_path, key, **others):
    usual = randomised(tiny_vit())
    averaged = {name: tensor + 1 for name, tensor in usual.state_dict().items()}
    generators = {"torch": torch.zeros(8, dtype=torch.uint8), "python": [1]}
    content = {"model": usual.state_dict(), key: averaged, "rng_state": generators, "epoch": 3, **others}
    return usual, save(tmp_path / "w.pth", content)


@pytest.mark.parametrize("key", EMA)
def test_averaged_weights_are_named_and_can_be_chosen(tmp_path, key):
    usual, path = both(tmp_path, key)
    model = tiny_vit()
    report = load_weights(model, path)
    assert_same(model, usual)
    assert report.others == [key] and f"also holds the weights {key}" in report.summary()
    report = load_weights(model, path, entry=key)
    assert torch.equal(model.head.weight, usual.head.weight + 1)
    assert report.entry == key and report.others == ["model"]
    assert f"its {key}" in report.summary()


def test_wrapped_averaged_weights(tmp_path):
    usual = randomised(tiny_vit())
    averaged = {f"module.{name}": tensor + 1 for name, tensor in usual.state_dict().items()}
    path = save(tmp_path / "w.pth", {"model": usual.state_dict(), "ema": {"state_dict": averaged, "decay": 0.9}})
    model = tiny_vit()
    assert load_weights(model, path).others == ["ema"]
    load_weights(model, path, entry="ema")
    assert torch.equal(model.head.weight, usual.head.weight + 1)


@pytest.mark.parametrize("entry", ["model_em", "epoch", "rng_state.torch"])
def test_an_entry_that_is_not_there(tmp_path, entry):
    _, path = both(tmp_path, "model_ema")
    with pytest.raises(InputError, match="model, model_ema: set CHECKPOINT_WEIGHTS") as error:
        load_weights(tiny_vit(), path, entry=entry)
    assert str(path) in str(error.value) and repr(entry) in str(error.value)
    with pytest.raises(InputError, match="one set without a name"):
        load_weights(tiny_vit(), save(tmp_path / "bare.pth", tiny_vit().state_dict()), entry="ema")


def test_a_file_of_two_networks_asks_for_the_choice(tmp_path):
    state = randomised(tiny_vit()).state_dict()
    path = save(tmp_path / "w.pth", {"student": state, "teacher": state, "epoch": 1})
    with pytest.raises(InputError, match="CHECKPOINT_WEIGHTS may name one of student, teacher"):
        load_weights(tiny_vit(), path)
    load_weights(tiny_vit(), path, entry="teacher")


def test_a_file_that_holds_itself_ends(tmp_path):
    content = {"epoch": 1}
    content["model"] = content
    with pytest.raises(InputError, match="no named tensors"):
        load_weights(tiny_vit(), save(tmp_path / "w.pth", content))


class Declared(nn.Module):
    """A network that says which of its names are the classifier."""

    def __init__(self, classes: int, head="probe.") -> None:
        super().__init__()
        self.trunk, self.probe = nn.Linear(4, 4), nn.Linear(4, classes)
        self.head_names = head


@pytest.mark.parametrize("head", ["probe.", ("probe.", "other.")])
def test_a_network_declares_its_head(tmp_path, head, caplog):
    source, model = randomised(Declared(7, head)), Declared(5, head)
    path = save(tmp_path / "w.pth", source.state_dict())
    with caplog.at_level(logging.WARNING, "slowfast"):
        report = load_weights(model, path, complete=True)
    assert report.share == 1.0 and report.new_head == ["probe.weight", "probe.bias"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert "7 classes in the file, 5 in the network" in line
    assert torch.equal(model.trunk.weight, source.trunk.weight)
    with pytest.raises(InputError):
        load_weights(Declared(5, "none."), path)


def without(path, source, part):
    state = {name: tensor for name, tensor in source.state_dict().items() if part not in name}
    assert len(state) < len(source.state_dict())
    return save(path, {"model_state": state})


@pytest.mark.parametrize(
    ("part", "named"),
    [("q_bias", "blocks.0.attn.q_bias"), ("v_bias", "blocks.1.attn.v_bias"), ("fc_norm", "fc_norm.weight"),
     ("head.bias", "head.bias"), ("blocks.1.norm1.", "blocks.1.norm1.weight")],
)  # fmt: skip
def test_one_missing_tensor_is_refused_where_all_are_needed(tmp_path, part, named):
    path, model = without(tmp_path / "w.pth", randomised(tiny_vit()), part), tiny_vit()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(InputError, match=named) as error:
        load_weights(model, path, complete=True)
    assert str(path) in str(error.value) and "MODEL.ARCH" in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert named in load_weights(model, path).missing


def test_a_missing_block_is_named(tmp_path):
    source = randomised(tiny_vit(depth=12))
    path = without(tmp_path / "w.pth", source, "blocks.7.")
    load_weights(tiny_vit(depth=12), path)
    with pytest.raises(InputError, match=r"blocks\.7\."):
        load_weights(tiny_vit(depth=12), path, complete=True)


def test_what_is_not_a_number_of_the_network_may_be_missing(tmp_path):
    source = randomised(tiny_sf())
    path = without(tmp_path / "w.pth", source, "num_batches_tracked")
    assert load_weights(tiny_sf(), path, complete=True).share == 1.0


def test_the_head_may_be_missing_where_it_is_not_used(tmp_path):
    path = without(tmp_path / "w.pth", randomised(tiny_vit()), "head.")
    with pytest.raises(InputError, match=r"head\.weight, head\.bias"):
        load_weights(tiny_vit(), path, complete=True)
    load_weights(tiny_vit(), path, complete=True, head=False)
    path = without(tmp_path / "w.pth", randomised(tiny_vit(classes=7)), "head.bias")
    load_weights(tiny_vit(), path, complete=True)


def test_a_head_of_another_width_is_no_new_head(tmp_path):
    state = randomised(tiny_uniformer()).state_dict() | {"head.weight": torch.ones(5, 17)}
    path = save(tmp_path / "w.pth", state)
    assert "shape (5, 17) in the file" in load_weights(tiny_uniformer(), path).dropped["head.weight"]
    with pytest.raises(InputError, match=r"head\.weight"):
        load_weights(tiny_uniformer(), path, complete=True)


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.ARCH", "videomae", "MODEL.NUM_CLASSES", 5, "DATA.NUM_FRAMES", 4,
                         "DATA.TRAIN_CROP_SIZE", 32, "VIDEOMAE.EMBED_DIM", 16, "VIDEOMAE.DEPTH", 1,
                         "VIDEOMAE.NUM_HEADS", 2])  # fmt: skip
    return cfg


def test_the_keys_reach_training_and_testing(cfg, tmp_path):
    model, source = build_model(cfg), randomised(build_model(cfg))
    state = {f"student_{name}": tensor for name, tensor in source.state_dict().items()}
    path = save(tmp_path / "w.pth", {"model": state, "ema": {name: tensor + 1 for name, tensor in state.items()}})
    cfg.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN = ["student_"]
    cfg.TRAIN.CHECKPOINT_WEIGHTS = "ema"
    load_starting_weights(cfg, model, path)
    assert torch.equal(model.head.weight, source.head.weight + 1)
    load_trained_weights(cfg, model, path)
    assert_same(model, source)
    cfg.TEST.CHECKPOINT_WEIGHTS = "ema"
    load_trained_weights(cfg, model, path)
    assert torch.equal(model.head.weight, source.head.weight + 1)
    half = {name: tensor for name, tensor in state.items() if "q_bias" not in name}
    path = save(tmp_path / "w.pth", {"ema": half})
    load_starting_weights(cfg, model, path)
    with pytest.raises(InputError, match="q_bias"):
        load_trained_weights(cfg, model, path)


@pytest.mark.parametrize("grid", [[8, 2], [8, 2, 0], ["a", 2, 2]])
def test_a_grid_that_is_none(cfg, tmp_path, grid):
    cfg.TRAIN.CHECKPOINT_GRID = grid
    for load in (load_starting_weights, load_trained_weights):
        with pytest.raises(InputError, match="TRAIN.CHECKPOINT_GRID"):
            load(cfg, build_model(cfg), tmp_path / "w.pth")
