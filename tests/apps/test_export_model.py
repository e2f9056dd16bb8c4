"""Exported networks give the network's logits."""

import re

import pytest
import torch

from slowfast.apps.export_model import export_onnx, export_program, what_onnx_lacks
from slowfast.utils.errors import InputError
from tests.models.test_registered import SMALL, built


@pytest.fixture
def clips():
    return torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("architecture", SMALL)
def test_program(tmp_path, architecture, clips):
    done = export_program(built(architecture), clips, tmp_path / "m.pt2")
    assert done.path.is_file()
    assert done.difference <= 1e-5


@pytest.mark.skipif(bool(what_onnx_lacks()), reason="no packages for ONNX, or torch is too old for it")
@pytest.mark.parametrize("architecture", SMALL)
def test_onnx(tmp_path, architecture, clips):
    done = export_onnx(built(architecture), clips, tmp_path / "m.onnx")
    assert done.path.is_file()
    assert done.difference <= 1e-4


def test_onnx_without_its_packages(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("slowfast.apps.export_model.what_onnx_lacks", lambda: ["onnx"])
    with pytest.raises(InputError, match="ONNX export needs onnx"):
        export_onnx(built("sf"), clips, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_onnx_with_an_old_torch(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("slowfast.apps.export_model.ONNX_TORCH", (99, 1))
    with pytest.raises(InputError, match=f"torch 99.1 or newer .this is {re.escape(torch.__version__)}"):
        export_onnx(built("sf"), clips, tmp_path / "m.onnx")
