"""Load the weights of a file into a network, with a report of every name and a refusal when too few fit."""

import argparse
import codecs
import contextlib
import logging
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slowfast.models.convert import inflate, repeat_to, resize_positions
from slowfast.models.naming import EPSILONS, candidates
from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.pickles import read_plain_pickle
from slowfast.utils.untrusted.tensors import TensorFileError, refuse_after_loading, refuse_before_loading

logger = logging.getLogger(__name__)

SMALLEST_SHARE = 0.9
WRAPPERS = ("model_state", "state_dict", "model_state_dict", "model", "module", "blobs")
HEADS = ("head.", "projection.")
FOREIGN_HEADS = ("cls_head.",)
_NUMPY_TYPES = {type(np.dtype(code)) for code in "bBhHiIlLqQefd?"}
_PLAIN_OBJECTS = (argparse.Namespace, codecs.encode, np.ndarray, np.dtype, *_NUMPY_TYPES)
_NUMPY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray")
_NAMES_SHOWN = 3


@dataclass
class LoadReport:
    """What happened to every tensor of a file and of a network.

    Attributes:
        path: the file.
        layout: whose naming the file uses.
        matched: names of the network that got a value.
        missing: names of the network that kept their own.
        unexpected: names of the file that the network has no place for.
        converted: {name: how} of matched tensors that had another shape.
        dropped: {name: why} of tensors that were left out: another class count or shape.
        share: matched share of the network's parameters outside the head, 0 to 1.
        epsilons: {LayerNorm: epsilon} that was set to what the library of this layout uses.
    """

    path: str
    layout: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    converted: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    share: float = 0.0
    epsilons: dict[str, float] = field(default_factory=dict)

    def summary(self) -> str:
        """Return the report as one line."""
        parts = [f"{len(self.matched)} tensors matched ({100 * self.share:.1f} % of the parameters outside the head)"]
        if self.converted:
            parts.append(f"{len(self.converted)} of them converted ({next(iter(self.converted.values()))})")
        for label, names in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("dropped", [f"{name}: {why}" for name, why in self.dropped.items()]),
        ):
            if names:
                parts.append(f"{len(names)} {label} ({_some(names)})")
        if self.epsilons:
            value = next(iter(self.epsilons.values()))
            parts.append(f"epsilon of {len(self.epsilons)} LayerNorms set to {value:g} as in that library")
        return f"{self.path} in {self.layout}: {', '.join(parts)}"

    def listing(self) -> str:
        """Return every name, one per line, by what happened to it."""
        groups = (
            ("matched", self.matched),
            ("converted", [f"{name}: {how}" for name, how in self.converted.items()]),
            ("missing (the network keeps its own values)", self.missing),
            ("unexpected (the network has no place)", self.unexpected),
            ("dropped", [f"{name}: {why}" for name, why in self.dropped.items()]),
        )
        return "\n".join(
            "\n".join([f"{label}: {len(names)}", *(f"  {name}" for name in names)]) for label, names in groups
        )


def load_weights(
    model: nn.Module, path: str | Path, *, clear_patterns: Sequence[str] = (), smallest_share: float = SMALLEST_SHARE
) -> LoadReport:
    """Copy the tensors of a file into a network.

    Weights in another library's naming also bring that library's LayerNorm epsilons, as module attributes.

    Args:
        model: network that receives the weights; untouched when the file is refused.
        path: `.pth`-like file of `torch.save`, Caffe2 pickle or `.safetensors`; only tensors are read from it.
        clear_patterns: substrings removed wherever they occur in a name.
        smallest_share: smallest share of the parameters outside the head that has to match, 0 to 1.

    Returns:
        What matched, is missing, unexpected, converted and dropped.

    Raises:
        InputError: no readable checkpoint, or one that fits too little of the network.
    """
    state = unwrap_state(read_file(path), path)
    for pattern in clear_patterns:
        state = {name.replace(pattern, ""): tensor for name, tensor in state.items()}
    plans = [_match(model, rename(), str(path), layout) for layout, rename in candidates(state)]
    report, values = max(plans, key=lambda plan: (plan[0].share, len(plan[0].matched)))
    if report.share < smallest_share:
        raise InputError(_refusal(report, smallest_share))
    targets = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, value in values.items():
            targets[name].copy_(value)
    _set_epsilons(model, report)
    heads = [why for why in report.dropped.values() if "classes" in why]
    if heads:
        logger.warning("%s: head left out: %s", path, heads[0])
    return report


def _set_epsilons(model: nn.Module, report: LoadReport) -> None:
    """Give LayerNorms the epsilon with which the weights of another library are used there; files do not hold it."""
    for pattern, epsilon in EPSILONS.get(report.layout, ()):
        for name, module in model.named_modules():
            if isinstance(module, nn.LayerNorm) and re.search(pattern, name):
                module.eps = report.epsilons[name] = epsilon


def read_file(path: str | Path) -> Any:
    """Return what a checkpoint file holds, without running anything in it.

    Raises:
        InputError: the file is absent, damaged, no checkpoint or asks for other objects than tensors and plain types.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file, check the path")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    with open(path, "rb") as handle:
        start = handle.read(2)
    if not start:
        raise InputError(f"{path}: the file is empty, fetch it again")
    if path.suffix == ".pkl" and start != b"PK":
        return _read_caffe2(path)
    allowed = [*_PLAIN_OBJECTS, *_numpy_constructors()]
    try:
        refuse_before_loading(path)
        with _allowed_in_files(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
        refuse_after_loading(content, path)
        return content
    except TensorFileError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: {_unpickling_problem(str(error))}") from error
    except Exception as error:
        what = "truncated or damaged" if start == b"PK" else "not a checkpoint of torch.save"
        raise InputError(f"{path}: the file is {what} ({_first_line(error)}), fetch it again") from error


@contextlib.contextmanager
def _allowed_in_files(objects: Sequence) -> Iterator[None]:
    """Let `torch.load` build further objects; `torch.serialization.safe_globals` does so only from torch 2.5 on."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals(list(objects))
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _numpy_constructors() -> list[Callable]:
    """Return the functions by which pickled NumPy arrays and scalars are rebuilt, under NumPy 2's and 1's names."""
    array = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    return [_named(function, module) for function in (array, scalar) for module in _NUMPY_MODULES]


def _named(function: Callable, module: str) -> Callable:
    """Return the function as one of another module."""

    def same(*args):
        return function(*args)

    same.__module__, same.__name__, same.__qualname__ = module, function.__name__, function.__name__
    return same


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({_first_line(error)}), fetch it again") from error


def _read_caffe2(path: Path) -> dict[str, Tensor]:
    """Return the blobs of a Caffe2 pickle as tensors."""
    try:
        content = read_plain_pickle(path.read_bytes(), str(path))
    except InputError as error:
        reason = str(error).partition(";")[0]
        raise InputError(f"{reason}; fetch it again, a Caffe2 file holds only arrays") from None
    blobs = content.get("blobs", content) if isinstance(content, Mapping) else {}
    return {name: torch.tensor(blob) for name, blob in blobs.items() if isinstance(blob, np.ndarray)}


def _unpickling_problem(text: str) -> str:
    """Return what is wrong with a pickle, from the text of the error."""
    words = text.replace("`", " ").split()
    if "GLOBAL" in words:
        found = words[words.index("GLOBAL") + 1]
        return f"the file holds a pickled object ({found}) beside tensors and is refused, save its state dict alone"
    return f"not a checkpoint of torch.save ({_first_line(text)}), fetch it again"


def _first_line(error: Any) -> str:
    """Return the first sentence of an error."""
    text = str(error).strip().splitlines()
    return text[0].split(". ")[0].rstrip(".")[:160] if text else type(error).__name__


def unwrap_state(content: Any, path: str | Path) -> dict[str, Tensor]:
    """Return the state dict inside a checkpoint, whatever it is wrapped in.

    Raises:
        InputError: there are no named tensors.
    """
    for _ in range(len(WRAPPERS)):
        inner = [content[key] for key in WRAPPERS if isinstance(content, Mapping) and _holds_tensors(content.get(key))]
        if not inner:
            break
        content = inner[0]
    tensors = content.items() if isinstance(content, Mapping) else ()
    state = {name: value for name, value in tensors if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        keys = _some([str(key) for key in content]) if isinstance(content, Mapping) and content else "nothing"
        raise InputError(f"{path}: no named tensors in the file (it holds {keys}), a state dict is needed")
    return state


def _holds_tensors(content: Any, depth: int = 4) -> bool:
    """Tell whether something is a mapping with tensors in it or in a wrapper inside."""
    if depth == 0 or not isinstance(content, Mapping):
        return False
    inside = any(isinstance(value, Tensor) for value in content.values())
    return inside or any(_holds_tensors(content.get(key), depth - 1) for key in WRAPPERS)


def _match(model: nn.Module, state: dict[str, Tensor], path: str, layout: str) -> tuple[LoadReport, dict[str, Tensor]]:
    """Return the report and the values that a renamed state dict has for a network."""
    report, values = LoadReport(path, layout), {}
    own = model.state_dict()
    other_head = _other_head(own, state)
    for name, tensor in state.items():
        if name in other_head or name.startswith(FOREIGN_HEADS):
            report.dropped[name] = other_head.get(name, "head of another network, its classes are not ours")
        elif name not in own:
            report.unexpected.append(name)
        else:
            _fit(model, name, tensor, own[name], report, values)
    report.matched = list(values)
    report.missing = [name for name in own if name not in values]
    outside = {name: p.numel() for name, p in model.named_parameters() if not name.startswith(HEADS)}
    found = sum(count for name, count in outside.items() if name in values)
    report.share = found / max(sum(outside.values()), 1)
    return report, values


def _fit(model: nn.Module, name: str, tensor: Tensor, own: Tensor, report: LoadReport, values: dict) -> None:
    """Add the value for one tensor, converted where its shape differs, or say why it was left out."""
    if tensor.shape == own.shape:
        values[name] = tensor
        return
    grids = model.position_grids() if hasattr(model, "position_grids") else {}
    if own.ndim == 5:
        value, how = inflate(tensor, own.shape), f"2D kernels inflated to {own.shape[2]} frames"
    elif own.ndim == 1:
        value, how = repeat_to(tensor, own.shape), "statistics repeated"
    else:
        resized = resize_positions(tensor, own.shape, *grids[name]) if name in grids else None
        value, how = resized if resized is not None else (None, "")
    if value is None:
        report.dropped[name] = f"shape {tuple(tensor.shape)} in the file, {tuple(own.shape)} in the network"
    else:
        values[name] = value
        report.converted[name] = how


def _other_head(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return {name: why} of the file's head when it is not of the network's shape."""
    names = [name for name in state if name.startswith(HEADS) and name in own]
    if all(state[name].shape == own[name].shape for name in names):
        return {}
    classes = next(state[name].shape[0] if state[name].ndim else 0 for name in names)
    wanted = own[names[0]].shape[0]
    return dict.fromkeys(names, f"{classes} classes in the file, {wanted} in the network")


def _refusal(report: LoadReport, smallest_share: float) -> str:
    """Return the sentence that refuses a file."""
    dropped = [f"{name} {why}" for name, why in report.dropped.items()]
    parts = [f"{len(report.matched)} tensors match"]
    for label, names in (
        ("the network misses", report.missing),
        ("the file has besides", report.unexpected),
        ("left out", dropped),
    ):
        if names:
            parts.append(f"{label} {len(names)} ({_some(names)})")
    return (
        f"{report.path}: only {100 * report.share:.1f} % of the network's parameters outside the head are in this file,"
        f" {100 * smallest_share:.0f} % are needed ({'; '.join(parts)}): check MODEL.ARCH and the sizes"
    )


def _some(names: Sequence[str]) -> str:
    """Return the first names of a list."""
    return ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
