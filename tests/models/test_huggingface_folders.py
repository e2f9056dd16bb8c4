"""Folders as `transformers` writes them: shards, new heads, and those that are refused."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from slowfast.apps.schedule_disk import bytes_of_checkpoints
from slowfast.utils.errors import InputError
from tests.models.library_networks import cfg_for

hugging_face = pytest.importorskip("tests.models.test_huggingface")
TINY, build, config_of, write = (getattr(hugging_face, name) for name in ("TINY", "build", "config_of", "write"))
transformers = hugging_face.transformers


def test_shards_and_one_tensor_above_the_limit(tmp_path):
    theirs = write(tmp_path / "whole", "vjepa2")
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="10KB")
    shards = sorted((tmp_path / "parts").glob("model-00001-of-*.safetensors"))
    assert shards and (tmp_path / "parts/model.safetensors.index.json").is_file()
    assert any(path.stat().st_size > 2 * 10_000 for path in (tmp_path / "parts").glob("model-*.safetensors"))
    one, other = build(tmp_path / "whole"), build(tmp_path / "parts")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values()))
    shards[0].unlink()
    with pytest.raises(InputError, match="model-00001-of-.*named by model.safetensors.index.json, is missing"):
        build(tmp_path / "parts")
    index = {"metadata": {}, "weight_map": {"classifier.bias": "../model.safetensors"}}
    (tmp_path / "parts/model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="no file of safetensors beside it"):
        build(tmp_path / "parts")


@pytest.mark.parametrize("model_type", TINY)
def test_a_new_head_is_said_and_the_rest_is_kept(model_type, tmp_path):
    theirs = write(tmp_path, model_type)
    ours = build(tmp_path, model_type, classes=7)
    assert ours.source == tmp_path and ours.new_parts == ("classifier (of another class count)",)
    assert build(tmp_path, model_type).new_parts == ()
    state = theirs.state_dict()
    kept = [name for name in ours.state_dict() if not name.startswith("classifier.")]
    assert all(torch.equal(ours.state_dict()[name], state[name]) for name in kept)
    assert ours.classifier.weight.shape[0] == 7


@pytest.mark.parametrize(
    ("model_type", "network", "new"),
    [
        ("videomae", "VideoMAEForPreTraining", ["classifier", "fc_norm"]),
        ("vjepa2", "VJEPA2Model", ["classifier", "pooler"]),
        ("vivit", "VivitModel", ["classifier"]),
    ],
)
def test_a_network_before_fine_tuning_gets_a_whole_new_head(model_type, network, new, tmp_path):
    extra = {"decoder_hidden_size": 32, "decoder_num_attention_heads": 2} if model_type == "videomae" else {}
    theirs = getattr(transformers, network)(config_of(model_type, **extra))
    theirs.save_pretrained(tmp_path)
    ours = build(tmp_path)
    assert ours.new_parts == tuple(f"{part} (not in the folder)" for part in new)
    probed = build(tmp_path, MODEL__HEAD="attentive")  # the folder's pooling, new or not, has no part in it
    assert probed.new_parts == ("classifier (not in the folder)", "probe (MODEL.HEAD attentive)")
    part = {"videomae": "videomae.encoder.layer.1.output.dense.weight", "vjepa2": "vjepa2.encoder.layer.1.norm1.weight",
            "vivit": "vivit.layers.1.mlp.fc2.weight"}[model_type]  # fmt: skip
    trunk = theirs.state_dict()
    assert torch.equal(ours.state_dict()[part], trunk.get(part, trunk.get(part.partition(".")[2])))


def refused(tmp_path, words, **other):
    with pytest.raises(InputError, match=words) as error:
        build(tmp_path, **other)
    assert "\n" not in str(error.value)


def test_folders_that_are_none(tmp_path):
    refused(tmp_path / "absent", "absent is no folder")
    refused(tmp_path, "has no config.json")
    (tmp_path / "config.json").write_text("{")
    refused(tmp_path, "not readable as JSON")
    for model_type in ("vit", "dinov3_vit", None, ["x"]):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        refused(tmp_path, "model_type is .*, a video network is needed: videomae, vjepa2")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vivit", "num_attention_heads": "many"}))
    refused(tmp_path, "refuses it|cannot read it|no model.safetensors")
    config_of("vivit").save_pretrained(tmp_path)
    refused(tmp_path, "no model.safetensors in it, fetch the weights too")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    refused(tmp_path, "its weights are pickled .pytorch_model.bin., which can run code")
    with pytest.raises(InputError, match=f"from_pretrained\\('{tmp_path}'\\).save_pretrained\\('new'\\)"):
        build(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    refused(tmp_path, "transformers cannot read it")
    (tmp_path / "adapter_config.json").write_text("{}")
    refused(tmp_path, "an adapter .PEFT. and no whole network")


def test_the_command_that_a_pickled_folder_is_refused_with_writes_one_that_loads(tmp_path):
    theirs = write(tmp_path / "old", "vivit")
    (tmp_path / "old/model.safetensors").unlink()
    names = {f"vivit.{n}" if not n.startswith("classifier") else n: t for n, t in theirs.vivit.state_dict().items()}
    names |= {f"classifier.{n}": t for n, t in theirs.classifier.state_dict().items()}
    torch.save(names, tmp_path / "old/pytorch_model.bin")
    with pytest.raises(InputError, match="are refused") as error:
        build(tmp_path / "old")
    program = re.search(r'python -c "(.*)"$', str(error.value))[1]
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    ours = build(tmp_path / "new").state_dict()
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("model_type", TINY)
def test_shapes_without_memory(model_type, tmp_path):
    """What a schedule counts the disk of checkpoints with."""
    write(tmp_path, model_type)
    with torch.device("meta"):
        likeness = build(tmp_path, model_type)
    whole = build(tmp_path, model_type)
    shapes = {name: tensor.shape for name, tensor in whole.state_dict().items()}
    assert {name: tensor.shape for name, tensor in likeness.state_dict().items()} == shapes
    assert all(parameter.is_meta for parameter in likeness.parameters())
    cfg = cfg_for("huggingface", tmp_path, size=whole.size)
    assert bytes_of_checkpoints(cfg, {}) > sum(tensor.nbytes for tensor in whole.state_dict().values())


def test_nothing_of_the_folder_is_run_or_fetched(tmp_path):
    theirs = write(tmp_path, "vivit")
    trap = tmp_path / "trap.txt"
    (tmp_path / "modeling_own.py").write_text(f"open({str(trap)!r}, 'w').close()\nclass Own: pass\n")
    settings = json.loads((tmp_path / "config.json").read_text())
    settings |= {
        "auto_map": {"AutoConfig": "modeling_own.Own", "AutoModelForVideoClassification": "modeling_own.Own"},
        "attn_implementation": "someone/kernels", "_attn_implementation": "someone/kernels",
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(settings))
    ours = build(tmp_path)
    assert not trap.exists()
    assert all(torch.equal(a, theirs.state_dict()[name]) for name, a in ours.state_dict().items())


def test_library_not_there_or_too_old(tmp_path, monkeypatch):
    write(tmp_path, "vivit")
    torch_there = SimpleNamespace(is_torch_available=lambda: True)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(__version__="5.0", utils=torch_there))
    refused(tmp_path, "transformers 5.0 has no VivitForVideoClassification yet: pip install -U 'transformers>=5'")
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(__version__="4.30", utils=torch_there))
    refused(tmp_path, "transformers 4.30 is too old: pip install -U 'transformers>=5'")
    no_torch = SimpleNamespace(is_torch_available=lambda: False)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(__version__="5.24", utils=no_torch))
    refused(tmp_path, "transformers 5.24 wants a newer torch: pip install -U torch")
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(tmp_path, "MODEL.ARCH huggingface needs transformers: pip install -U 'transformers>=5'")
