"""Networks outside Python: `torch.export` programs and ONNX files, each checked against the network itself."""

import importlib.util
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from slowfast.models.fold import fold_batchnorm
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write

ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
ONNX_TORCH = (2, 9)  # the oldest torch whose exporter was found to write all networks
OPSET = 18


@dataclass(frozen=True)
class Exported:
    """One written file and how far its logits are from the network's.

    Attributes:
        path: the file.
        difference: largest difference of a logit on a random clip, over the largest logit.
    """

    path: Path
    difference: float


def what_onnx_lacks() -> list[str]:
    """Return what ONNX export needs and this installation lacks."""
    lacking = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if torch.__version__ < ONNX_TORCH:
        lacking.append(f"torch {'.'.join(map(str, ONNX_TORCH))} or newer (this is {torch.__version__})")
    return lacking


def export_program(model: nn.Module, clips: Tensor, path: Path) -> Exported:
    """Write a `torch.export` program (`.pt2`) for clips of this shape, read it back and compare.

    Args:
        model: network; BatchNorm is folded before the export.
        clips: example (B, 3, T, H, W).
        path: file to write.
    """
    folded = fold_batchnorm(model)
    program = torch.export.export(folded, (clips,))
    with atomic_write(path) as aside, open(aside, "wb") as handle:
        torch.export.save(program, handle)
    with open(path, "rb") as handle:
        again = torch.export.load(handle).module()
    return Exported(path, _difference(folded, again, clips))


def export_onnx(model: nn.Module, clips: Tensor, path: Path) -> Exported:
    """Write an ONNX file for clips of this shape, run it with onnxruntime and compare.

    Args:
        model: network; BatchNorm is folded before the export.
        clips: example (B, 3, T, H, W).
        path: file to write; weights above 2 GB lie beside it in `<path>.data`.

    Raises:
        InputError: packages for ONNX are not installed or torch is too old for it.
    """
    lacking = what_onnx_lacks()
    if lacking:
        raise InputError(f"ONNX export needs {', '.join(lacking)}: install it (packages: the extra 'dev' of this one)")
    import onnxruntime

    folded = fold_batchnorm(model)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            folded, (clips,), dynamo=True, opset_version=OPSET, input_names=["clips"], output_names=["logits"],
            verbose=False,
        )  # fmt: skip
    with atomic_write(path) as aside:
        program.save(str(aside))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(batch: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"clips": batch.numpy()})[0])

    return Exported(path, _difference(folded, run, clips))


def _difference(model: nn.Module, other: Callable[[Tensor], Tensor], like: Tensor) -> float:
    """Return the largest difference of two networks' logits on a clip that neither has seen, over the largest logit."""
    clips = torch.randn(like.shape, generator=torch.Generator().manual_seed(17))
    with torch.no_grad():
        logits_BK = model(clips)
        return ((logits_BK - other(clips)).abs().max() / logits_BK.abs().max()).item()
