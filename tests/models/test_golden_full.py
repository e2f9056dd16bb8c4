"""Full-size networks: names, shapes, layer settings, initialisation, outputs on one recorded clip."""

import math

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.fold import fold_batchnorm
from slowfast.models.videomae import sine_table

FULL = {
    "uniformer_b32": ("full", "uniformer_b32"),
    "mvit_b32x3": ("full", "mvit_b32x3"),
    "sf32_r101": ("full", "sf32_r101"),
    "vit_large": ("vit_full", "vit_large_16f"),
    "vit_huge": ("vit_full", "vit_huge_16f"),
}
# Layers without settings that matter in evaluation.
FUNCTIONS = ("Dropout", "DropPath", "Identity", "ReLU", "GELU", "Softmax")
ONE_LARGE_DRAW = ("blocks3.6.attn.qkv.weight", "blocks3.9.mlp.fc1.weight", "blocks3.19.mlp.fc1.weight")


def entry_of(reference, name):
    file, key = FULL[name]
    return reference.json(file)[key]


@pytest.mark.parametrize("name", FULL)
def test_names_and_shapes(reference, name):
    entry = entry_of(reference, name)
    with torch.device("meta"):
        model = build_model(reference.cfg(entry))
    reference.check_state_dict(model, reference.json(f"{name}.state_dict"))
    assert sum(parameter.numel() for parameter in model.parameters()) == entry["params"]
    assert len(model.state_dict()) == entry["state_dict_entries"]


@pytest.mark.parametrize("name", ["uniformer_b32", "mvit_b32x3", "sf32_r101", "vit_large"])
def test_layer_settings(reference, name):
    with torch.device("meta"):
        model = build_model(reference.cfg(entry_of(reference, name)))
    modules = dict(model.named_modules())
    rates = 0
    for path, kind, settings in reference.json(f"{name}.modules"):
        if kind == "DropPath":
            rates += 1
            assert modules[path].drop_prob == pytest.approx(settings["drop_prob"], abs=1e-9), path
        elif kind in ("Attention", "MultiScaleAttention"):
            assert modules[path].scale == pytest.approx(settings["scale"], rel=1e-12), path
            assert modules[path].num_heads == settings["num_heads"], path
        elif kind not in FUNCTIONS:
            check_layer(modules[path], kind, settings, path)
    assert rates == {"uniformer_b32": 39, "mvit_b32x3": 23, "sf32_r101": 0, "vit_large": 2}[name]


def check_layer(module, kind, settings, path):
    assert isinstance(module, getattr(nn, kind)), path
    for key, value in settings.items():
        own = getattr(module, key)
        if isinstance(value, bool) and key == "bias":
            own = own is not None
        if isinstance(value, list):
            own = list(own)
        assert own == value, f"{path}.{key}"


@pytest.mark.parametrize("name", ["uniformer_b32", "mvit_b32x3", "sf32_r101"])
def test_initialisation(reference, name):
    torch.manual_seed(0)
    model = build_model(reference.cfg(entry_of(reference, name)))
    expected = reference.json(f"{name}.init_mean_std")
    assert list(expected) == [key for key, _ in model.named_parameters()]
    for key, (mean, std) in expected.items():
        values, count = model.get_parameter(key).detach().double(), model.get_parameter(key).numel()
        if std == 0:
            assert values.min() == values.max() == pytest.approx(mean), key
            continue
        scatter = 6 / math.sqrt(2 * count) + (0.05 if key in ONE_LARGE_DRAW else 0.01)
        assert values.std().item() == pytest.approx(std, rel=scatter), key
        assert abs(values.mean().item() - mean) <= 8 * std / math.sqrt(count) + 1e-5, key


def check_full_size(reference, file, name):
    entry, arrays = reference.json(file)[name], reference.arrays(file)
    model, clips = reference.model(entry, fast=True).eval(), reference.clips(entry)
    seen = reference.stage_outputs(model, clips, [*entry["eval_stages"], *final_layers(model)])
    reference.check_stages(seen, entry["eval_stages"])
    logits = seen[final_layers(model)[0]]
    keys = [f"{name}.{key}" for key in ("eval_logits", "logits", "eval_output")]
    expected = torch.from_numpy(arrays[next(key for key in keys if key in arrays)])
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=0)
    if f"{name}.features" in arrays:
        features = torch.from_numpy(arrays[f"{name}.features"])
        torch.testing.assert_close(seen["fc_norm"], features, atol=2e-4, rtol=0)
    return model, clips, expected


def final_layers(model):
    return [name for name in ("head.projection", "projection", "head") if name in dict(model.named_modules())][:1]


@pytest.mark.parametrize("name", ["uniformer_b32", "mvit_b32x3", "sf32_r101"])
def test_outputs(reference, name):
    check_full_size(reference, "full", name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_large_16f", "vit_large_32f", "vit_huge_16f"])
def test_outputs_of_videomae(reference, name):
    check_full_size(reference, "vit_full", name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniformer_b32", "mvit_b32x3", "sf32_r101", "vit_large_16f"])
def test_folded_and_bfloat16_outputs(reference, name):
    file = "vit_full" if name.startswith("vit") else "full"
    model, clips, expected = check_full_size(reference, file, name)
    folded = fold_batchnorm(model)
    with torch.inference_mode():
        torch.testing.assert_close(folded(clips), expected, atol=1e-3, rtol=0)
        for network in (model, folded):
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(clips).float()
            assert (logits - expected).abs().max() <= 0.1
            assert torch.equal(logits.argmax(1), expected.argmax(1))


@pytest.mark.parametrize(("name", "frames"), [("vit_large_16f", 16), ("vit_large_32f", 32), ("vit_huge_16f", 16)])
def test_position_table(reference, name, frames):
    recorded = reference.json("vit_full")[name]["pos_embed"]
    table = sine_table(frames // 2 * 14 * 14, recorded["shape"][2])
    assert list(table.shape) == recorded["shape"]
    for row, key in ((0, "first_row_first6"), (100, "row100_first6")):
        assert table[0, row, :6].tolist() == recorded[key]
    assert table[0, -1, -6:].tolist() == recorded["last_row_last6"]
