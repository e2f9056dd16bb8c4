"""What functions in a file of `torch.save` may be called with; the hostile arguments here are small and harmless."""

import argparse
import random
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch

from slowfast.utils.untrusted.tensors import TensorFileError, read_tensor_file
from tests.engine.hostile import tensor_pickle, torch_archive

STORAGE = {"data/0": b"\0\0\0\0" * 4, "byteorder": b"little"}


def honest() -> dict:
    """What trainings put into checkpoints."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    network(torch.ones(4, 2)).sum().backward()
    optimizer = torch.optim.AdamW(network.parameters())
    optimizer.step()
    marked = torch.nn.Parameter(torch.ones(2))
    marked.tensor_parallel = True
    return {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "marked": marked,
        "half": torch.ones(2, dtype=torch.bfloat16),
        "empty": torch.ones(0),
        "size": torch.Size([2, 3]),
        "array": np.arange(6.0).reshape(2, 3),
        "scalar": np.float64(0.5),
        "flags": np.array([True, False]),
        "options": argparse.Namespace(lr=0.1, sizes=[1, 2]),
        "names": {"a", "b"},
        "device": torch.device("cpu"),
        "random": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "bytes": b"\xff\x00",
        "ordered": OrderedDict([("a", 1), ("b", OrderedDict())]),
        "complex": 1 + 2j,
        "none": None,
        "dtype": torch.float16,
    }


@pytest.mark.parametrize("new_format", [True, False])
def test_what_honest_trainings_save_is_read(tmp_path, new_format):
    torch.save(honest(), tmp_path / "w.pth", _use_new_zipfile_serialization=new_format)
    read = read_tensor_file(tmp_path / "w.pth")
    assert read.keys() == honest().keys()
    assert read["scalar"] == 0.5 and read["options"].sizes == [1, 2] and read["names"] == {"a", "b"}
    assert read["array"].tolist() == [[0, 1, 2], [3, 4, 5]] and read["marked"].tensor_parallel


RAW = tensor_pickle(4, 3, 0)
TENSOR = RAW[RAW.index(b"ctorch._utils") : RAW.rindex(b"R") + 1]
ORDERED, PAIR = b"ccollections\nOrderedDict\n", b"X" + struct.pack("<I", 1) + b"a"
NESTED = b"K\x01\x85q\x10" + b"".join(b"h\x10h\x10\x86q\x10" for _ in range(12))
CALLS = {
    "OrderedDict of a tensor": ORDERED + TENSOR + b"\x85R.",
    "OrderedDict of pairs that are tensors": ORDERED + b"]" + TENSOR + b"a\x85R.",
    "OrderedDict of two things": ORDERED + b"]]\x86R.",
    "Size of a tensor": b"ctorch\nSize\n" + TENSOR + b"\x85R.",
    "set of tensors": b"c__builtin__\nset\n]" + TENSOR + b"a\x85R.",
    "set of a tensor": b"c__builtin__\nset\n" + TENSOR + b"\x85R.",
    "number of NumPy of a tensor": b"cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
    + TENSOR
    + b"\x86R.",
    "complex of a tensor": b"c__builtin__\ncomplex\n" + TENSOR + b"\x85R.",
    "hidden in the rebuilding of a subclass": b"ctorch._tensor\n_rebuild_from_type_v2\n("
    + ORDERED
    + b"N"
    + TENSOR
    + b"\x85NtR.",
    "state that is a tensor": ORDERED + b")R" + TENSOR + b"b.",
    "tensor as a dict": TENSOR + b"K\x00K\x01s.",
    "tensor as a list": TENSOR + b"K\x01a.",
    "keys of nested tuples": b"}" + NESTED + b"K\x01s.",
    "array of a claimed shape": b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x09\x85" + PAIR + b"\x87R.",
    "another codec": b"c_codecs\nencode\n" + PAIR + b"X\x05\x00\x00\x00rot13\x86R.",
    "sparse tensor": b"ctorch._utils\n_rebuild_sparse_tensor\n)R.",
    "call of a tensor": TENSOR + b")R.",
    "new object of a tensor": b"ctorch\nTensor\n" + TENSOR + b"\x85\x81.",
}


@pytest.mark.parametrize("kind", CALLS)
def test_calls_with_what_weights_never_need_are_refused_before_torch_runs_them(tmp_path, kind, monkeypatch):
    torch_archive(tmp_path / "w.pth", b"\x80\x02" + CALLS[kind], STORAGE)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("torch has seen the file"))
    with pytest.raises(TensorFileError, match=r"w.pth: refused, because it ") as error:
        read_tensor_file(tmp_path / "w.pth")
    assert "damaged" not in str(error.value)


def test_the_tensor_of_these_files_alone_is_read(tmp_path):
    torch_archive(tmp_path / "w.pth", b"\x80\x02" + TENSOR + b".", STORAGE)
    assert read_tensor_file(tmp_path / "w.pth").tolist() == [0, 0, 0]


def test_references_that_stand_for_more_than_a_file_can_hold(tmp_path):
    doubled = b"K\x01\x85q\x10" + b"".join(b"h\x10h\x10\x86q\x10" for _ in range(30))
    torch_archive(tmp_path / "w.pth", b"\x80\x02" + doubled + b".", STORAGE)
    with pytest.raises(TensorFileError, match="again and again"):
        read_tensor_file(tmp_path / "w.pth")
