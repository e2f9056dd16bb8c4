"""Files of `torch.save` with what honest trainings put beside the weights, and the same abused."""

import pickle
import struct
from collections import Counter, OrderedDict

import pytest
import torch

from slowfast.utils.untrusted.tensors import TensorFileError, read_tensor_file
from tests.engine.hostile import tensor_pickle, torch_archive

STORAGE = {"data/0": b"\0\0\0\0", "byteorder": b"little"}


@pytest.mark.parametrize("new_format", [True, False])
def test_states_of_schedulers(tmp_path, new_format):
    """MultiStepLR keeps its milestones in a Counter; two of them name it once and fetch it by its number."""
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    steps = [torch.optim.lr_scheduler.MultiStepLR(optimizer, places) for places in ([3, 3, 700_000], [], [2**40])]
    content = {"model": network.state_dict(), "schedulers": [step.state_dict() for step in steps]}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    read = read_tensor_file(tmp_path / "w.pth")
    assert read["schedulers"][0]["milestones"] == Counter({3: 2, 700_000: 1})
    assert read["schedulers"][1]["milestones"] == Counter()
    assert read["schedulers"][2]["milestones"] == Counter({2**40: 1})
    assert torch.equal(read["model"]["weight"], network.weight)


def counting(arguments: bytes, again: bool = False) -> bytes:
    """A pickle that calls Counter with arguments of one's own, named anew or fetched by number."""
    named = b"ccollections\nCounter\nq\x00"
    first = b"\x80\x02" + named + (b"}\x85R0h\x00" if again else b"")
    return first + arguments + b"\x85R."


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("kind", ["spread tensor", "list", "text", "dict of text"])
def test_counters_of_anything_else_are_refused(tmp_path, kind, again):
    raw = tensor_pickle(1, 10**12, 0)
    tensor = raw[raw.index(b"ctorch._utils") : raw.rindex(b"R") + 1]
    arguments = {"spread tensor": tensor, "list": b"]", "text": b"X" + struct.pack("<I", 1) + b"a",
                 "dict of text": b"}X" + struct.pack("<I", 1) + b"aK\x01s"}[kind]  # fmt: skip
    torch_archive(tmp_path / "w.pth", counting(arguments, again), STORAGE)
    with pytest.raises(TensorFileError, match="counts something else than numbers"):
        read_tensor_file(tmp_path / "w.pth")


def test_ordered_dicts_and_what_is_not_a_checkpoint(tmp_path):
    torch.save({"model": OrderedDict(a=torch.ones(2))}, tmp_path / "w.pth")
    assert list(read_tensor_file(tmp_path / "w.pth")["model"]) == ["a"]
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"a": print}, protocol=2))
    with pytest.raises(TensorFileError) as error:
        read_tensor_file(tmp_path / "w.pth")
    assert "\n" not in str(error.value)
