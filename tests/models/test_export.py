"""Exported networks give the network's logits."""

import pytest
import torch

from slowfast.models import ARCHITECTURES
from slowfast.models.export import export_onnx, export_program, missing_onnx_packages
from slowfast.utils.errors import InputError
from tests.models.test_registered import built


@pytest.fixture
def clips():
    return torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_program(tmp_path, architecture, clips):
    done = export_program(built(architecture), clips, tmp_path / "m.pt2")
    assert done.path.is_file()
    assert done.difference <= 1e-5


@pytest.mark.skipif(bool(missing_onnx_packages()), reason="packages of the extra 'dev' are not installed")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_onnx(tmp_path, architecture, clips):
    done = export_onnx(built(architecture), clips, tmp_path / "m.onnx")
    assert done.path.is_file()
    assert done.difference <= 1e-4


def test_onnx_without_its_packages(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("slowfast.models.export.missing_onnx_packages", lambda: ["onnx"])
    with pytest.raises(InputError, match="ONNX export needs onnx"):
        export_onnx(built("sf"), clips, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
