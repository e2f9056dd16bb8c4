"""Names as they are come first; wrappers are taken out wherever they stand."""

import pytest
import torch
from torch import nn

from slowfast.models.naming import candidates
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.test_weights import assert_same, randomised, save, tiny_vit


class Trunk(nn.Module):
    """A network whose trunk has a name of its own, and a part inside that is called like a wrapper."""

    def __init__(self, trunk: str) -> None:
        super().__init__()
        self.trunk = trunk
        self.add_module(trunk, nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)))
        self.add_module("classifier", nn.Linear(4, 5))


TRUNKS = ["backbone", "model", "encoder", "module", "net", "_orig_mod"]


@pytest.mark.parametrize("trunk", TRUNKS)
def test_own_names_come_first(tmp_path, trunk):
    source, model = randomised(Trunk(trunk)), Trunk(trunk)
    report = load_weights(model, save(tmp_path / "best.pyth", {"model_state": source.state_dict()}))
    assert_same(model, source)
    assert report.share == 1.0 and not report.missing and not report.unexpected


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("prefix", ["module.", "net.", "module._orig_mod.", "_forward_module.", "model.module."])
def test_own_names_inside_wrappers(tmp_path, trunk, prefix):
    source, model = randomised(Trunk(trunk)), Trunk(trunk)
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    load_weights(model, save(tmp_path / "w.pth", state))
    assert_same(model, source)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda name: f"_fsdp_wrapped_module.{name}",
        lambda name: name.replace("blocks.0.", "blocks.0._fsdp_wrapped_module."),
        lambda name: name.replace("blocks.1.", "blocks.1._checkpoint_wrapped_module."),
        lambda name: name.replace("blocks.1.attn.", "blocks.1._fsdp_wrapped_module._checkpoint_wrapped_module.attn."),
        lambda name: f"_forward_module.{name}",
        lambda name: f"_forward_module._orig_mod.net.{name}",
        lambda name: f"net.{name}",
        lambda name: f"model.net.{name}",
        lambda name: name.replace("attn.", "attn._orig_mod."),
        lambda name: f"module.backbone.{name}",
    ],
)
def test_wrappers_of_others(tmp_path, wrap):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = {wrap(name): tensor for name, tensor in source.state_dict().items()}
    assert set(state) != set(source.state_dict())
    report = load_weights(model, save(tmp_path / "w.pth", state))
    assert_same(model, source)
    assert not report.unexpected


def test_wrappers_of_torch_itself(tmp_path):
    """Names as torch's own activation checkpointing and averaging write them."""
    wrapper = pytest.importorskip("torch.distributed.algorithms._checkpoint.checkpoint_wrapper")
    source, model = randomised(tiny_vit()), tiny_vit()
    inside = tiny_vit()
    inside.load_state_dict(source.state_dict())
    inside.blocks[0].attn = wrapper.checkpoint_wrapper(inside.blocks[0].attn)
    averaged = torch.optim.swa_utils.AveragedModel(torch.compile(inside))
    report = load_weights(model, save(tmp_path / "w.pth", averaged.state_dict()))
    assert_same(model, source)
    assert report.unexpected == ["n_averaged"]


def test_a_part_of_a_name_is_no_wrapper(tmp_path):
    """`submodule.` ends like a wrapper's name."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.submodule = nn.Linear(2, 2)

    source, model = randomised(Inner()), Inner()
    state = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    load_weights(model, save(tmp_path / "w.pth", state))
    assert_same(model, source)


def test_two_networks_in_one_file_are_never_mixed(tmp_path):
    """`model.x` and `encoder.x` are two networks; without their first names one would overwrite the other."""
    source = randomised(tiny_vit())
    state = {f"model.{name}": tensor for name, tensor in source.state_dict().items()}
    state |= {f"encoder.{name}": tensor + 1 for name, tensor in source.state_dict().items()}
    path = save(tmp_path / "w.pth", state)
    with pytest.raises(InputError, match="only 0.0 %"):
        load_weights(tiny_vit(), path)
    model = tiny_vit()
    load_weights(model, path, clear_patterns=("model.",))
    assert_same(model, source)


def test_patterns_do_not_stand_in_the_way_of_own_names(tmp_path):
    """A pattern for a foreign file must not spoil the network's own checkpoints."""
    source, model = randomised(Trunk("backbone")), Trunk("backbone")
    path = save(tmp_path / "best.pyth", {"model_state": source.state_dict()})
    load_weights(model, path, clear_patterns=("backbone.",))
    assert_same(model, source)


def test_readings_are_not_repeated():
    assert len(candidates(tiny_vit().state_dict())) == 1
    assert len(candidates({"module.a": torch.zeros(1)}, ("a", "module."))) == 3
