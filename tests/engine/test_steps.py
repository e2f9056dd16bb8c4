import json

import numpy as np
import pytest
import torch

from slowfast.engine.steps import Supervised, Update, topk_errors
from slowfast.losses import soft_cross_entropy
from slowfast.solver import construct_optimizer, parameter_groups
from slowfast.utils.errors import InputError


@pytest.fixture(scope="module")
def cases(golden):
    return json.loads((golden / "train/steps.json").read_text())["two_step_iteration"]


@pytest.fixture(scope="module")
def experiments(golden):
    return json.loads((golden / "experiments.json").read_text())


@pytest.mark.parametrize("name", ["uniformer", "mvit"])
def test_source_then_target_update_equals_golden(name, cases, experiments, golden_module, build):
    case = cases[name]
    overrides = {**case["config_overrides"], "MODEL.DROPOUT_RATE": 0.0, "MVIT.DROPPATH_RATE": 0.0}
    _, model = build(experiments[case["experiment"]]["resolved_run"], overrides)
    golden_module.fill_(model, case["weight_seed"])
    groups = parameter_groups(model, weight_decay=case["weight_decay"], zero_1d=True)
    optimizer = construct_optimizer(groups, method="adamw", lr=case["lr"])
    update = Update(model=model, optimizer=optimizer, device=torch.device("cpu"), clip_norm=case["clip_norm"])
    model.train()
    for role in ("source", "target"):
        clips = golden_module.make_input(tuple(case["input_shape"]), case[f"{role}_input_seed"])
        target = golden_module.make_target(case["input_shape"][0], 11, case[f"{role}_target_seed"])
        clips, target = torch.as_tensor(clips), torch.as_tensor(target)
        result = update(clips, lambda logits, target=target: soft_cross_entropy(logits, target), ["clip"])
        expected = case[role]
        assert result["loss"] == pytest.approx(expected["loss"], abs=1e-4)
        assert result["grad_norm"] == pytest.approx(expected["grad_norm_before_clip"], abs=1e-4, rel=1e-4)
        if role == "source":
            np.testing.assert_allclose(result["logits"][0], expected["output_first_row"], atol=1e-4)
    clips = torch.as_tensor(golden_module.make_input(tuple(case["input_shape"]), case["source_input_seed"]))
    with torch.no_grad():
        model.eval()
        logits = model(clips)
        if name == "mvit":
            logits = logits.softmax(-1)
        np.testing.assert_allclose(logits, case["eval_output_after_both_steps"], atol=2e-3)
        model.train()
        np.testing.assert_allclose(model(clips), case["train_output_after_both_steps"], atol=2e-3)


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3, 2))

    def forward(self, clips):
        return clips.mean((2, 3, 4)) @ self.weight


def line_update(**settings):
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Update(model=model, optimizer=optimizer, device=torch.device("cpu"), **settings)


def test_a_loss_that_is_not_finite_names_the_clips():
    batch = {"clips": torch.full((2, 3, 1, 2, 2), float("nan")), "labels": torch.tensor([0, 1]), "names": ["a", "b"]}
    supervised = Supervised(update=line_update(), loss=torch.nn.CrossEntropyLoss())
    with pytest.raises(InputError, match="clips a, b"):
        supervised(batch, np.random.RandomState(0))
    skipping = Supervised(update=line_update(on_nan="skip"), loss=torch.nn.CrossEntropyLoss())
    skipping(batch, np.random.RandomState(0))
    assert torch.equal(skipping.update.model.weight, torch.zeros(3, 2))


def test_the_gradient_is_clipped():
    update = line_update(clip_norm=0.01)
    clips = torch.ones(2, 3, 1, 2, 2)
    result = update(clips, lambda logits: 100.0 * logits[:, 0].mean(), ["a", "b"])
    assert result["grad_norm"] > 1
    assert update.model.weight.detach().norm() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_either_class_of_a_mixed_target_counts():
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])
    mixed = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.7, 0.3]])
    assert topk_errors(logits, mixed)[0] == 1
    assert topk_errors(logits, torch.tensor([1, 1]))[0] == 1
