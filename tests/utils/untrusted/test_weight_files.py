"""Weights in several files, and every way in which their index can be wrong."""

import json

import pytest
import torch

from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.weight_files import read_weights_file

TENSORS = {f"layer{index}.weight": torch.full((3, 2), float(index)) for index in range(4)}
NAMES = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.fixture
def sharded(tmp_path):
    """A folder as `save_pretrained` makes it for large networks."""
    from safetensors.torch import save_file

    places = {}
    for file, names in zip(NAMES, (list(TENSORS)[:2], list(TENSORS)[2:])):
        save_file({name: TENSORS[name] for name in names}, tmp_path / file)
        places |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": 96}, "weight_map": places}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "."])
def test_shards_are_put_together(sharded, name):
    read = read_weights_file(sharded / name)
    assert list(read) == list(TENSORS)
    assert all(torch.equal(read[key], TENSORS[key]) for key in TENSORS)
    model = torch.nn.Module()
    for key in TENSORS:
        model.add_module(key.split(".")[0], torch.nn.Linear(2, 3, bias=False))
    assert load_weights(model, sharded / name, complete=True).share == 1.0
    assert torch.equal(model.layer3.weight, TENSORS["layer3.weight"])


def test_shards_of_torch(tmp_path):
    torch.save(TENSORS, tmp_path / "pytorch_model-00001-of-00001.bin")
    places = dict.fromkeys(TENSORS, "pytorch_model-00001-of-00001.bin")
    path = tmp_path / "pytorch_model.bin.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    assert list(read_weights_file(path)) == list(TENSORS)


def test_a_folder_with_one_file(tmp_path):
    from safetensors.torch import save_file

    save_file(TENSORS, tmp_path / "model.safetensors")
    assert set(read_weights_file(tmp_path)) == set(TENSORS)
    save_file(TENSORS, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="name one of them"):
        read_weights_file(tmp_path)


def test_the_libraries_own_shards(tmp_path):
    """The index that Hugging Face's library writes."""
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "save_torch_state_dict"):
        pytest.skip("an older library without this function")
    hub.save_torch_state_dict(TENSORS, tmp_path, max_shard_size=60)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert set(read_weights_file(tmp_path)) == set(TENSORS)


def test_a_missing_shard(sharded):
    (sharded / NAMES[1]).unlink()
    with pytest.raises(InputError, match=rf"1 of its 2 files are missing \({NAMES[1]}\)") as error:
        read_weights_file(sharded)
    assert "index.json" in str(error.value) and "\n" not in str(error.value)


def test_a_damaged_shard(sharded):
    path = sharded / NAMES[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=f"{NAMES[0]}.*fetch it again"):
        read_weights_file(sharded)


def test_a_tensor_that_is_not_in_its_shard(sharded):
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["layer9.weight"] = NAMES[0]
    path.write_text(json.dumps(index))
    with pytest.raises(InputError, match=f"layer9.weight is not in {NAMES[0]}"):
        read_weights_file(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": "../secret.safetensors"}}', '{"weight_map": {"a": 1}}',
     '{"weight_map": {"a": "/etc/passwd"}}', '{"weight_map": {"a": "model.safetensors.index.json"}}', "[" * 100_000,
     '{"weight_map": {"a": ["x"]}}', "\udcff"],
)  # fmt: skip
def test_an_index_that_is_none(tmp_path, text):
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="no index of weights") as error:
        read_weights_file(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_folders_and_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="name the file of weights"):
        read_weights_file(tmp_path)
    with pytest.raises(InputError, match="no such checkpoint"):
        read_weights_file(tmp_path / "none.safetensors")
