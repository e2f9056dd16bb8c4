"""TRAIN.COMPILE and TEST.COMPILE: nothing, the whole network, its blocks, or replayed; the results are the same."""

import copy
import functools

import pytest
import torch
from torch import nn

from slowfast.config import dump_config, get_cfg, load_config
from slowfast.engine import build
from slowfast.engine.predictor import Predictor
from slowfast.engine.preflight import check_inputs
from slowfast.engine.update import Update
from slowfast.models import compile as compile_module
from slowfast.models.accelerate import accelerate
from slowfast.models.layers import DropPath
from slowfast.utils.errors import InputError
from tests.models.test_registered import SMALL, built, small_cfg

from .tiny import CONFIG

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("False", False), ("true", True), ("blocks", "blocks"), ("replay", "replay")]
)
@pytest.mark.parametrize("section", ["TRAIN", "TEST"])
def test_values_of_the_key(section, text, value, tmp_path):
    cfg = load_config(CONFIG, [f"{section}.COMPILE", text])
    assert value == cfg[section].COMPILE and type(cfg[section].COMPILE) is type(value)
    (tmp_path / "again.yaml").write_text(dump_config(cfg))
    assert value == load_config(tmp_path / "again.yaml", [])[section].COMPILE


@pytest.mark.parametrize("text", ["whole", "1", "[blocks]"])
def test_other_values_are_refused_with_those_that_there_are(text):
    with pytest.raises(InputError, match="TRAIN.COMPILE is .*, True or False or 'blocks' or 'replay' is needed"):
        load_config(CONFIG, ["TRAIN.COMPILE", text])


@pytest.mark.parametrize(
    ("choice", "done"), [(False, []), (True, [True]), ("blocks", ["blocks"]), ("replay", ["blocks", "replay"])]
)
def test_what_is_compiled(choice, done, monkeypatch):
    cfg, network, asked = get_cfg(), nn.Linear(2, 2), []
    cfg.TRAIN.COMPILE = choice
    monkeypatch.setattr(compile_module, "compile_blocks", lambda model: asked.append("blocks"))
    monkeypatch.setattr(compile_module, "replay", lambda model, training: asked.append("replay") or model)
    monkeypatch.setattr(torch, "compile", lambda model: asked.append(True) or model)
    assert build._wrap(cfg, network, CPU) is network and asked == done


@pytest.mark.parametrize("choice", ["blocks", "replay"])
def test_a_compiled_test_has_the_same_scores(choice, monkeypatch):
    eager = functools.partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", eager)
    cfg, clips = small_cfg("uniformer"), torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))
    plain = Predictor(cfg, built("uniformer"), CPU).network
    cfg.TEST.COMPILE = choice
    network = Predictor(cfg, built("uniformer"), CPU).network
    with torch.no_grad():
        torch.testing.assert_close(network(clips), plain(clips))
        torch.testing.assert_close(network.forward_features(clips), plain.forward_features(clips))
    torch.compiler.reset()


def test_networks_without_blocks_are_named(caplog):
    class Whole(nn.Module):
        def blocks_to_checkpoint(self, counts):
            return []

    compile_module.compile_blocks(Whole())
    assert "Whole has no blocks" in caplog.text


@pytest.mark.parametrize(("checkpointed", "processes"), [(True, 1), (False, 2), (False, 1)])
def test_what_cannot_be_replayed_is_refused(checkpointed, processes, tmp_path, monkeypatch):
    cfg = get_cfg()
    cfg.TRAIN.COMPILE, cfg.MODEL.USE_CHECKPOINT = "replay", checkpointed
    monkeypatch.setattr("slowfast.utils.distributed.world_size", lambda: processes)
    with pytest.raises(InputError) as error:  # the lists are absent in any case
        check_inputs(cfg, tmp_path)
    refused = "TRAIN.COMPILE replay does not go with" in str(error.value)
    assert refused is (checkpointed or processes > 1)


def weights_after(network, choice, clips):
    """Return the losses of two steps and the weights after them."""
    cfg = get_cfg()
    cfg.TRAIN.COMPILE = choice
    wrapped = build._wrap(cfg, network.train(), CPU)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    update = Update(networks=[wrapped], optimizer=optimizer, device=CPU)
    labels = torch.tensor([0, 1])

    def loss(batch):
        return nn.functional.cross_entropy(wrapped(batch["clips"]), batch["labels"])

    losses = [update(loss, {"clips": clips, "labels": labels})["loss"].value for _ in range(2)]
    return losses, network.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "choice"), [*((name, "blocks") for name in SMALL), ("videomae", True), ("uniformer", True)]
)
def test_a_compiled_training_is_the_same(architecture, choice):
    """With code that is really generated for this processor."""
    torch.compiler.reset()
    plain = accelerate(built(architecture), device=CPU, training=True)
    for module in plain.modules():
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    clips = torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))
    other = copy.deepcopy(plain)
    (losses, weights), (compiled_losses, compiled) = (
        weights_after(plain, False, clips),
        weights_after(other, choice, clips),
    )
    assert compiled_losses == pytest.approx(losses, abs=1e-4)
    for name, weight in weights.items():
        torch.testing.assert_close(compiled[name], weight, atol=1e-3, rtol=1e-3, msg=name)
    torch.compiler.reset()
