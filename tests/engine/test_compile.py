"""TRAIN.COMPILE: nothing, the whole network, or its blocks; the training is the same."""

import copy

import pytest
import torch
from torch import nn

from slowfast.config import dump_config, get_cfg, load_config
from slowfast.engine import build
from slowfast.engine.update import Update
from slowfast.models.accelerate import accelerate
from slowfast.models.layers import DropPath
from slowfast.utils.errors import InputError
from tests.models.test_registered import SMALL, built

from .tiny import CONFIG

CPU = torch.device("cpu")


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False), ("true", True), ("blocks", "blocks")])
def test_values_of_the_key(text, value, tmp_path):
    cfg = load_config(CONFIG, ["TRAIN.COMPILE", text])
    assert value == cfg.TRAIN.COMPILE and type(cfg.TRAIN.COMPILE) is type(value)
    (tmp_path / "again.yaml").write_text(dump_config(cfg))
    assert value == load_config(tmp_path / "again.yaml", []).TRAIN.COMPILE


@pytest.mark.parametrize("text", ["whole", "1", "[blocks]"])
def test_other_values_are_refused_with_those_that_there_are(text):
    with pytest.raises(InputError, match="TRAIN.COMPILE is .*, True or False or 'blocks' is needed"):
        load_config(CONFIG, ["TRAIN.COMPILE", text])


@pytest.mark.parametrize("choice", [False, True, "blocks"])
def test_what_is_compiled(choice, monkeypatch):
    cfg, network, asked = get_cfg(), nn.Linear(2, 2), []
    cfg.TRAIN.COMPILE = choice
    monkeypatch.setattr(build, "compile_blocks", lambda model: asked.append("blocks"))
    monkeypatch.setattr(torch, "compile", lambda model: asked.append(True) or model)
    assert build._wrap(cfg, network, CPU) is network and asked == [choice] * bool(choice)


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
