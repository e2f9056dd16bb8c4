"""One update: golden figures, parts of a batch, clipping, values that are not finite, steps in two halves."""

import json
import types

import numpy as np
import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.methods.labelled import LabelledLoss, topk_errors
from slowfast.engine.update import Update
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
    update = Update(networks=[model], optimizer=optimizer, device=torch.device("cpu"), clip_norm=case["clip_norm"])
    model.train()
    for role in ("source", "target"):
        clips = golden_module.make_input(tuple(case["input_shape"]), case[f"{role}_input_seed"])
        target = golden_module.make_target(case["input_shape"][0], 11, case[f"{role}_target_seed"])
        seen = []

        def loss(batch, seen=seen):
            seen.append(model(batch["clips"]))
            return soft_cross_entropy(seen[-1], batch["target"])

        result = update(loss, {"clips": torch.as_tensor(clips), "target": torch.as_tensor(target)})
        expected = case[role]
        assert result["loss"].value == pytest.approx(expected["loss"], abs=1e-4)
        assert result["grad_norm"].value == pytest.approx(expected["grad_norm_before_clip"], abs=1e-4, rel=1e-4)
        if role == "source":
            np.testing.assert_allclose(seen[0].detach()[0], expected["output_first_row"], atol=1e-4)
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


def line_update(optimizer=torch.optim.SGD, **settings):
    model = Line()
    optimizer = optimizer(model.parameters(), lr=0.1)
    return Update(networks=[model], optimizer=optimizer, device=torch.device("cpu"), **settings), model


def line_batch(count=4, factor=1.0):
    clips = torch.randn(count, 3, 1, 2, 2, generator=torch.Generator().manual_seed(count))
    names = [f"clip{number}" for number in range(count)]
    return {"clips": clips * factor, "labels": torch.arange(count) % 2, "names": names}


def line_loss(model):
    return lambda batch: torch.nn.functional.cross_entropy(model(batch["clips"]), batch["labels"])


def test_a_loss_that_is_not_finite_names_the_clips():
    update, model = line_update()
    with pytest.raises(InputError, match="loss is nan on the clips clip0, clip1:"):
        update(line_loss(model), line_batch(2, float("nan")))
    update, model = line_update(on_nan="skip")
    measures = update(line_loss(model), line_batch(2, float("nan")))
    assert torch.equal(model.weight, torch.zeros(3, 2)) and model.weight.grad is None
    assert measures["loss"].weight == 0 and np.isnan(measures["loss"].value)


def test_a_skipped_step_leaves_no_trace_in_the_statistics():
    update, _ = line_update(on_nan="skip")
    norm = torch.nn.BatchNorm1d(3)
    update.networks = [norm]
    update(lambda batch: norm(batch["clips"].mean((2, 3, 4))).sum() * float("nan"), line_batch())
    assert not norm.running_mean.any() and not norm.num_batches_tracked


def test_the_gradient_is_clipped():
    update, model = line_update(clip_norm=0.01)
    result = update(lambda batch: 100.0 * model(batch["clips"])[:, 0].mean(), line_batch(2))
    assert result["grad_norm"].value > 1 and result["grad_norm"].weight == 0
    assert model.weight.detach().norm() == pytest.approx(0.1 * 0.01, rel=1e-3)


@pytest.mark.parametrize("parts", [2, 3, 4, 9])
def test_a_batch_in_parts_is_one_large_batch(parts):
    whole, model = line_update()
    cut, other = line_update(accumulate=parts)
    sizes = []

    def loss(batch):
        sizes.append(len(batch["names"]))
        return line_loss(other)(batch), {"first": float(batch["labels"][0])}

    for count in (4, 5):
        expected, result = whole(line_loss(model), line_batch(count)), cut(loss, line_batch(count))
        assert result["loss"].value == pytest.approx(expected["loss"].value, rel=1e-6)
        assert result["grad_norm"].value == pytest.approx(expected["grad_norm"].value, rel=1e-6)
        assert result["loss"].weight == result["first"].weight == count
    np.testing.assert_allclose(other.weight.detach(), model.weight.detach(), rtol=1e-5)
    assert len(sizes) == min(parts, 4) + min(parts, 5) and sum(sizes) == 9


def test_several_batches_are_cut_together():
    update, model = line_update(accumulate=2)
    seen = []

    def loss(labelled, pool):
        seen.append((labelled["names"], pool["names"], pool["shared"]))
        return line_loss(model)(labelled) + model(pool["clips"]).mean()

    update(loss, line_batch(2), {**line_batch(4), "shared": 7})
    assert seen == [(["clip0"], ["clip0", "clip1"], 7), (["clip1"], ["clip2", "clip3"], 7)]


class Sam(torch.optim.SGD):
    """Sharpness-aware: the gradient is taken again a step uphill."""

    needs_closure = True

    @torch.no_grad()
    def step(self, closure):
        weights = self.param_groups[0]["params"]
        steps = [0.05 * weight.grad / weight.grad.norm() for weight in weights]
        for weight, step in zip(weights, steps):
            weight.add_(step)
        closure()
        for weight, step in zip(weights, steps):
            weight.sub_(step)
        super().step()


def test_an_optimizer_may_take_the_gradient_again():
    update, model = line_update(Sam, clip_norm=0.0)
    update(line_loss(model), line_batch())
    expected = Line()
    gradient = torch.autograd.grad(line_loss(expected)(line_batch()), expected.weight)[0]
    with torch.no_grad():
        expected.weight.add_(0.05 * gradient / gradient.norm())
    gradient = torch.autograd.grad(line_loss(expected)(line_batch()), expected.weight)[0]
    np.testing.assert_allclose(model.weight.detach(), -0.1 * gradient, rtol=1e-5)


def test_such_an_optimizer_and_scaled_gradients_are_refused():
    model = Line()
    device = types.SimpleNamespace(type="cuda")
    with pytest.raises(InputError, match="MIXED_PRECISION bf16"):
        Update(networks=[model], optimizer=Sam(model.parameters(), lr=0.1), device=device, autocast_dtype=torch.float16)


def test_measures_of_the_update_itself_are_refused():
    update, model = line_update()
    with pytest.raises(InputError, match="rename yours"):
        update(lambda batch: (line_loss(model)(batch), {"loss": 1.0}), line_batch())


def test_class_weights_count_in_any_parts():
    cfg = get_cfg()
    cfg.MODEL.NUM_CLASSES, cfg.TRAIN.CLASS_WEIGHTS = 2, [1.0, 3.0]
    loss = LabelledLoss(cfg, torch.device("cpu"))
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 1, 1])
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none") * torch.tensor([1.0, 3.0, 3.0])
    whole, measured = loss(logits, {"target": labels})
    assert float(whole) == pytest.approx(float(each.mean())) and measured["top1_err"] == pytest.approx(100 / 3)
    halves = [loss(logits[part], {"target": labels[part]})[0] for part in (slice(0, 1), slice(1, 3))]
    assert float(halves[0] + 2 * halves[1]) / 3 == pytest.approx(float(whole))


def test_either_class_of_a_mixed_target_counts():
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])
    mixed = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.7, 0.3]])
    assert topk_errors(logits, mixed)[0] == 1
    assert topk_errors(logits, torch.tensor([1, 1]))[0] == 1


@pytest.mark.parametrize("classes", [2, 3, 11])
def test_smoothing_alone_leaves_the_training_error_that_of_the_labels(classes):
    logits = torch.randn(64, classes, generator=torch.Generator().manual_seed(1)) - 3.0
    labels = torch.arange(64) % classes
    smoothed = torch.full((64, classes), 0.1 / classes)
    smoothed[torch.arange(64), labels] += 0.9
    assert topk_errors(logits, smoothed)[0] == (logits.argmax(1) != labels).sum() > 0


def late(update):
    """An update as it is on a GPU."""
    update.late = True
    return update


def test_nothing_is_read_from_a_device_and_the_same_is_measured():
    (now, model), (update, other) = line_update(accumulate=2), line_update(accumulate=2)
    late(update)
    for count in (4, 5, 6):
        expected = now(
            lambda batch: (line_loss(model)(batch), {"first": batch["labels"][0].float()}), line_batch(count)
        )
        found = update(
            lambda batch: (line_loss(other)(batch), {"first": batch["labels"][0].float()}), line_batch(count)
        )
        assert all(isinstance(measure.value, torch.Tensor) for measure in found.values())
        assert {name: (float(value), weight) for name, (value, weight, _) in found.items()} == {
            name: (value, weight) for name, (value, weight, _) in expected.items()
        }
    assert torch.equal(model.weight, other.weight)
    assert len(update._unchecked) == 9  # two parts and a norm of each
    update.check()
    assert not update._unchecked


class Unreadable(torch.Tensor):
    """A tensor that nobody may wait for."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function in (torch.Tensor.__float__, torch.Tensor.item, torch.Tensor.__bool__, torch.Tensor.__int__):
            raise AssertionError("waits for the device")
        return super().__torch_function__(function, types, args, kwargs or {})


def test_no_value_is_asked_for_until_it_is_time():
    update, model = line_update()
    loss = LabelledLoss(get_cfg(), torch.device("cpu"))

    def measured(batch):
        logits = model(batch["clips"].as_subclass(Unreadable))
        return loss(logits, {**batch, "target": batch["labels"]})

    late(update)(measured, line_batch())
    update.late = False
    with pytest.raises(AssertionError, match="waits"):
        update(measured, line_batch())


@pytest.mark.parametrize("what", ["loss", "gradient norm"])
def test_what_is_not_finite_is_found_before_anything_is_saved(what):
    update, model = line_update()
    late(update)
    update(line_loss(model), line_batch(2))

    def loss(batch):
        if what == "loss":
            return line_loss(model)(batch) * float("nan")
        return (model(batch["clips"]) * 0).sum().sqrt()  # its gradient is infinite times zero

    update(loss, line_batch(3))
    update(line_loss(model), line_batch(4))
    with pytest.raises(InputError, match=f"the {what} is nan on the clips clip0, clip1, clip2: lower"):
        update.check()


def test_only_a_card_is_not_asked_and_only_when_no_step_is_skipped():
    card = types.SimpleNamespace(type="cuda")
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for device, on_nan, expected in ((card, "stop", True), (card, "skip", False), (torch.device("cpu"), "stop", False)):
        assert Update(networks=[model], optimizer=optimizer, device=device, on_nan=on_nan).late is expected
