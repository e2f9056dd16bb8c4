"""Adapters: beside the layers that are named, a head that is trained, and weights that load everywhere."""

import copy
import sys

import pytest
import torch

from slowfast.models import build_model
from slowfast.models.accelerate import accelerate
from slowfast.models.forms.mlp import BlockedMlp
from slowfast.models.lora import adapter_targets, add_adapters, merge_adapters
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.library_networks import cfg_for, randomise, rgb_clips
from tests.models.test_torchvision_video import adopted, tiny_swin

pytest.importorskip("peft")
SMALL = {"VIDEOMAE__EMBED_DIM": 32, "VIDEOMAE__DEPTH": 2, "VIDEOMAE__NUM_HEADS": 2, "VIDEOMAE__DROP_PATH_RATE": 0.0}
KEYS = {"rank": 2, "alpha": 6.0, "dropout": 0.0}
CLIP = torch.zeros(1, 3, 4, 32, 32)


def vit():
    return accelerate(build_model(cfg_for("videomae", "", **SMALL)), device=torch.device("cpu"), training=True)


def test_all_layers_but_the_head_are_targets():
    model = vit()
    names = adapter_targets(model, [], CLIP)
    assert len(names) == 8 and not any(name.startswith("head") for name in names)
    assert adapter_targets(model, ["mlp.fc1"], CLIP) == ["blocks.0.mlp.fc1", "blocks.1.mlp.fc1"]
    with pytest.raises(InputError, match="LORA.TARGETS has 'query'.*near: "):
        adapter_targets(model, ["query"], CLIP)


def test_adapters_begin_at_nothing_and_the_head_is_trained():
    model = vit()
    clips_BCTHW = torch.randn(2, 3, 4, 32, 32)
    before = model.eval()(clips_BCTHW)
    add_adapters(model, adapter_targets(model, [], CLIP), **KEYS)
    torch.testing.assert_close(model.eval()(clips_BCTHW), before)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name for name in trained if ".lora_" not in name} == {"head.weight", "head.bias"}
    assert len(trained) == 2 + 2 * 8
    assert not any(isinstance(module, BlockedMlp) for module in model.modules())


def test_weights_load_into_the_plain_network_with_the_adapters_in_their_layers(tmp_path):
    model = vit()
    add_adapters(model, adapter_targets(model, [], CLIP), **KEYS)
    randomise(model, 0.05)
    clips_BCTHW = torch.randn(2, 3, 4, 32, 32)
    expected_BK = model.eval()(clips_BCTHW)
    copied = copy.deepcopy(model)
    torch.testing.assert_close(copied(clips_BCTHW), expected_BK)
    torch.save({"model_state": model.state_dict()}, tmp_path / "best.pyth")
    plain = vit().eval()
    report = load_weights(plain, tmp_path / "best.pyth", complete=True)
    assert report.share == 1.0 and not report.missing and not report.unexpected
    torch.testing.assert_close(plain(clips_BCTHW), expected_BK, atol=1e-5, rtol=1e-5)
    assert merge_adapters(plain.state_dict()).keys() == plain.state_dict().keys()


@pytest.mark.parametrize("model_type", ["videomae", "vjepa2", "videoprism_vision_model", "vivit", "timesformer"])
def test_a_folder_trains_with_adapters_and_takes_them_into_its_layers(model_type, tmp_path):
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", model_type)
    model, plain = (hugging_face.build(tmp_path / "folder", model_type) for _ in range(2))
    clips_BCTHW = rgb_clips(2, 4, model.size)
    before_BK = model.eval()(clips_BCTHW)
    add_adapters(model, adapter_targets(model, [], clips_BCTHW[:1]), **KEYS)
    torch.testing.assert_close(model.eval()(clips_BCTHW), before_BK)
    randomise(model, 0.05)
    model.train()(clips_BCTHW).square().sum().backward()
    trained = {name for name, weight in model.named_parameters() if weight.grad is not None}
    pooling = model.probe_names or model.head_names
    assert trained == {name for name, _ in model.named_parameters() if ".lora_" in name or name.startswith(pooling)}
    assert sum(".lora_A" in name for name in trained) >= 2 * 4
    torch.save({"model_state": model.state_dict()}, tmp_path / "best.pyth")
    report = load_weights(plain, tmp_path / "best.pyth", complete=True)
    assert not report.missing and not report.unexpected
    torch.testing.assert_close(plain.eval()(clips_BCTHW), model.eval()(clips_BCTHW), atol=1e-5, rtol=1e-4)


def test_layers_that_are_not_called_get_no_adapter(caplog):
    """torchvision's Swin reads the weights of qkv and proj without calling these layers."""
    model = adopted("swin3d_t", tiny_swin())
    names = adapter_targets(model, [], CLIP)
    assert {name.rsplit(".", 1)[-1] for name in names} == {"0", "3", "reduction"}
    assert "linear layers get no adapter, they are not called: features.0.0.attn.qkv" in caplog.text
    with pytest.raises(InputError, match="LORA.TARGETS has 'qkv', whose weights are read without calling"):
        adapter_targets(model, ["qkv"], CLIP)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("raise ModuleNotFoundError('none', name='peft')", "LORA.RANK needs peft: pip install peft"),
        ("from slowfast.models import Lost", "peft does not go with slowfast.models, upgrade both"),
    ],
)
def test_a_peft_that_cannot_be_imported_is_told(content, words, tmp_path, monkeypatch):
    (tmp_path / "peft.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "peft"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=words):
        add_adapters(vit(), ["blocks.0.mlp.fc1"], **KEYS)
