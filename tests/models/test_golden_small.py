"""Reduced networks against recorded outputs, stages, gradients and BatchNorm statistics."""

import pytest
import torch

SMALL = (
    "uniformer_small_a", "uniformer_small_b", "uniformer_split_optional", "uniformer_std_optional",
    "mvit_small_a", "mvit_small_b", "sf_small_a", "sf_small_frozen_bn", "vit_small_a", "vit_small_b",
)  # fmt: skip


@pytest.fixture(scope="module", params=SMALL)
def case(request, reference):
    entry = reference.json("small")[request.param]
    return request.param, entry, reference


def expected_state_dict(entry, reference):
    if isinstance(entry["state_dict"], list):
        return entry["state_dict"]
    rows = reference.json("sf32_r101.state_dict")
    return (
        rows
        if "num_batches_tracked" not in entry["state_dict"]
        else [row for row in rows if not row[0].endswith("num_batches_tracked")]
    )


def test_names_shapes_and_count(case):
    _, entry, reference = case
    model = reference.model(entry)
    reference.check_state_dict(model, expected_state_dict(entry, reference))
    assert sum(p.numel() for p in model.parameters()) == entry["params"]


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "accelerated"])
def test_evaluation(case, fast):
    name, entry, reference = case
    model, arrays = reference.model(entry, fast=fast).eval(), reference.arrays("small")
    clips = reference.clips(entry)
    with torch.no_grad():
        logits, features = model(clips), model.forward_features(clips)
    expected = next(arrays[f"{name}.{key}"] for key in ("eval_logits", "logits", "eval_output")
                    if f"{name}.{key}" in arrays)  # fmt: skip
    torch.testing.assert_close(logits, torch.from_numpy(expected), atol=1e-5, rtol=0)
    if entry["model"] == "mvit":
        softmax = torch.from_numpy(arrays[f"{name}.eval_output"])
        torch.testing.assert_close(logits.softmax(1), softmax, atol=1e-5, rtol=0)
    if f"{name}.features" in arrays:
        torch.testing.assert_close(features, torch.from_numpy(arrays[f"{name}.features"]), atol=1e-5, rtol=0)
    reference.check_stages(reference.stage_outputs(model, clips, entry["eval_stages"]), entry["eval_stages"])


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "accelerated"])
def test_training_step(case, fast):
    name, entry, reference = case
    model, arrays, train = reference.model(entry, fast=fast).train(), reference.arrays("small"), entry["train"]
    noisy = name == "sf_small_a"
    output = model(reference.clips(entry))
    expected = torch.from_numpy(arrays[train["output"]])
    torch.testing.assert_close(output.detach(), expected, atol=1e-3 if noisy else 1e-5, rtol=0)
    target = torch.from_numpy(arrays[train["target"]])
    loss = -(target * output.log_softmax(1)).sum(1).mean()
    assert loss.item() == pytest.approx(train["loss"], abs=1e-5 if noisy else 2e-6)
    loss.backward()
    check_gradients(model, train, relative=1e-2 if noisy else 1e-3)
    for key, stats in (train.get("running_stats_after_one_forward") or {}).items():
        buffer = model.get_buffer(key)
        assert buffer.double().mean().item() == pytest.approx(stats["mean"], abs=2e-6), key
        assert buffer.flatten()[:3].tolist() == pytest.approx(stats["first3"], abs=2e-6), key


def check_gradients(model, train, relative):
    total = sum(p.grad.double().square().sum() for p in model.parameters() if p.grad is not None).sqrt().item()
    assert total == pytest.approx(train["total_grad_norm"], rel=relative)
    children = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            child = name.split(".")[0]
            children[child] = children.get(child, 0.0) + parameter.grad.double().square().sum().item()
    for child, norm in train["grad_norm_by_child"].items():
        assert children[child] ** 0.5 == pytest.approx(norm, rel=relative), child
    for name, norm in train["grad_norm_by_parameter"].items():
        if norm >= 1e-5 * train["total_grad_norm"]:
            got = model.get_parameter(name).grad.double().norm().item()
            assert got == pytest.approx(norm, rel=relative), name
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == train["parameters_without_grad"]
