"""Reads weights in every kind of file: of `torch.save`, safetensors in one or many files, Caffe2 pickles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.pickles import read_plain_pickle
from slowfast.utils.untrusted.tensors import first_sentence, read_tensor_file

INDEX = ".index.json"
_MAX_INDEX_BYTES = 64 << 20


def read_weights_file(path: str | Path) -> Any:
    """Return what a file of weights holds, without running anything in it.

    Args:
        path: file of `torch.save`, Caffe2 pickle, `.safetensors`, the `.index.json` of weights in several files, or a
            folder with one of the last two.

    Raises:
        InputError: the file is absent, damaged, no checkpoint or asks for other objects than tensors and plain types.
    """
    path = _inside(Path(path))
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file, check the path")
    if path.name.endswith(INDEX):
        return _read_shards(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with open(path, "rb") as handle:
            start = handle.read(2)
        if not start:
            raise InputError(f"{path}: the file is empty, fetch it again")
        if path.suffix == ".pkl" and start != b"PK":
            return _read_caffe2(path)
        return read_tensor_file(path)
    except (OSError, MemoryError) as error:
        raise InputError(f"{path}: cannot be read ({first_sentence(error)}), check the disk and its rights") from None


def _inside(path: Path) -> Path:
    """Return the file that a folder of weights stands for.

    Raises:
        InputError: the folder holds none, or several.
    """
    if not path.is_dir():
        return path
    for pattern in (f"*{INDEX}", "*.safetensors"):
        found = sorted(path.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"{path}: holds {len(found)} files {pattern}, name one of them")
    raise InputError(f"{path}: a folder without *{INDEX} or *.safetensors, name the file of weights")


def _read_shards(path: Path) -> dict[str, Tensor]:
    """Return the tensors of several files by their index: {"weight_map": {tensor: file beside the index}}."""
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            raise ValueError("it is too large")
        places = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        files = dict.fromkeys(places.values())
        if not all(isinstance(name, str) and Path(name).name == name and not name.endswith(INDEX) for name in files):
            raise ValueError("it names no files beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: no index of weights ({first_sentence(error)}), fetch it again") from None
    missing = [name for name in files if not (path.parent / name).is_file()]
    if missing:
        some = ", ".join(missing[:3])
        raise InputError(f"{path}: {len(missing)} of its {len(files)} files are missing ({some}), fetch them too")
    shards = {name: read_weights_file(path.parent / name) for name in files}
    absent = [tensor for tensor, name in places.items() if tensor not in shards[name]]
    if absent:
        raise InputError(f"{path}: {absent[0]} is not in {places[absent[0]]}, fetch both again")
    return {tensor: shards[name][tensor] for tensor, name in places.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({first_sentence(error)}), fetch it again") from error


def _read_caffe2(path: Path) -> dict[str, Tensor]:
    """Return the blobs of a Caffe2 pickle as tensors."""
    try:
        content = read_plain_pickle(path.read_bytes(), str(path))
    except InputError as error:
        reason = str(error).partition(";")[0]
        raise InputError(f"{reason}; fetch it again, a Caffe2 file holds only arrays") from None
    blobs = content.get("blobs", content) if isinstance(content, Mapping) else {}
    return {name: torch.tensor(blob) for name, blob in blobs.items() if isinstance(blob, np.ndarray)}
