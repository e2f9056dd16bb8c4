"""Parts of a run from its configuration, compared with those of the original code."""

import json

import pytest
import torch

from slowfast.config import load_config
from slowfast.engine.build import build_optimizer, class_names
from slowfast.models import build_model


@pytest.mark.parametrize("arch", ["uniformer", "mvit", "sf"])
def test_optimizer_and_groups_are_those_of_the_original_code(arch, golden, repo):
    case = json.loads((golden / "train/facts.json").read_text())["optimizer"]["groups"][arch]
    cfg = load_config(repo / case["experiment"] / "config.yaml")
    with torch.device("meta"):
        model = build_model(cfg)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    optimizer = build_optimizer(cfg, model)
    made = [
        {
            "weight_decay": group["weight_decay"],
            "tensors": len(group["params"]),
            "elements": sum(parameter.numel() for parameter in group["params"]),
            "first": names[id(group["params"][0])],
            "last": names[id(group["params"][-1])],
        }
        for group in optimizer.param_groups
    ]
    assert made == case["groups"]
    assert type(optimizer).__name__ == case["class"]
    found = {key: optimizer.defaults[key] for key in case["defaults"]}
    assert {**found, "betas": list(found["betas"])} == case["defaults"]


def test_classes_without_names_are_numbers_whatever_their_count(repo):
    """Eleven classes of another set are not ARID's."""
    cfg = load_config(repo / "tests/engine/tiny.yaml")
    assert cfg.MODEL.NUM_CLASSES == 11 and class_names(cfg) == [str(number) for number in range(11)]
    assert class_names(load_config(repo / "exp_experts/uniformer_b32_ssv2/config.yaml"))[:2] == ["Drink", "Jump"]
