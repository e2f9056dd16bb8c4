"""What a checkpoint holds: which of its entries are the weights, and what it says of its clips."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from slowfast.utils.errors import InputError

WRAPPERS = ("model_state", "state_dict", "model_state_dict", "model", "module", "blobs")
_DEEPEST = 4
_NAMES_SHOWN = 3


def choose_state(content: Any, path: str | Path, entry: str = "") -> tuple[dict[str, Tensor], list[str]]:
    """Return the state dict inside a checkpoint, whatever it is wrapped in, and the names of other weights beside it.

    Args:
        content: what the file holds.
        path: how messages call it.
        entry: name of the entry that is wanted (EMA weights), empty for the usual one.

    Raises:
        InputError: there are no named tensors, or no such entry.
    """
    table = content if isinstance(content, Mapping) else {}
    # States of random generators hold tensors as well, but no matrices.
    others = [key for key, value in table.items() if isinstance(key, str) and _holds_tensors(value, dimensions=2)]
    if entry and not _holds_tensors(table.get(entry)):
        raise InputError(
            f"{path}: has no weights called {entry!r}, but {some(others) or 'one set without a name'}: set "
            "CHECKPOINT_WEIGHTS to one of them, or to '' for the usual ones"
        )
    chosen = entry or next((key for key in WRAPPERS if _holds_tensors(table.get(key))), "")
    others = [key for key in others if key != chosen]
    inner = table[chosen] if chosen else table
    for _ in range(_DEEPEST):
        inner = next((inner[key] for key in WRAPPERS if _holds_tensors(inner.get(key))), inner)
    state = {name: value for name, value in inner.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        keys = some([str(key) for key in table]) or "nothing"
        choice = f"CHECKPOINT_WEIGHTS may name one of {some(others)}" if others else "a state dict is needed"
        raise InputError(f"{path}: no named tensors in the file (it holds {keys}), {choice}")
    return state, others


def _holds_tensors(content: Any, dimensions: int = 0, depth: int = _DEEPEST) -> bool:
    """Tell whether something is a mapping with tensors of so many dimensions in it or in a wrapper inside."""
    if depth == 0 or not isinstance(content, Mapping):
        return False
    inside = any(isinstance(value, Tensor) and value.ndim >= dimensions for value in content.values())
    return inside or any(_holds_tensors(content.get(key), dimensions, depth - 1) for key in WRAPPERS)


def clip_size(content: Any) -> tuple[int, int] | None:
    """Return (frames, pixels of a side) of the clips of a checkpoint's network where it tells them, else None.

    Configurations of this library and of PySlowFast are known, and the arguments of VideoMAE.
    """
    table = content if isinstance(content, Mapping) else {}
    text, arguments = table.get("cfg"), getattr(table.get("args"), "__dict__", {})
    if isinstance(text, str):
        found = [
            re.findall(rf"^ +{key}: (\d{{1,6}})$", text, re.MULTILINE) for key in ("NUM_FRAMES", "TRAIN_CROP_SIZE")
        ]
        sizes = [int(values[0]) if len(values) == 1 else None for values in found]
    else:
        sizes = [arguments.get("num_frames"), arguments.get("input_size")]
    return (sizes[0], sizes[1]) if all(type(size) is int and size > 0 for size in sizes) else None


def some(names: Sequence[str]) -> str:
    """Return the first names of a list."""
    return ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
