"""Reads files of `torch.save` from strangers: tensors and plain types, no code, no size that is only claimed.

`weights_only` keeps torch from calling arbitrary functions, but it believes sizes: a file of 1 KB may ask for a
`bytearray` of 100 GB, copy one list a million times, unpack a compressed record of zeros without end, or spread one
number over 10^12 elements. Here the archive and the operations of its pickle are looked at before torch sees the
file, the tensors afterwards.
"""

import argparse
import codecs
import contextlib
import io
import pickle
import pickletools
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.calls import Refused, Walk

_MAX_OPERATIONS = 4_000_000
_MAX_PICKLE_BYTES = 256 << 20
_MAX_DEPTH = 32
# Tensors may share their numbers (tied weights), but not all of them many times.
_MAX_SHARING = 8
# Pickles at the start of a file without an archive: magic number, protocol, system, content, storage keys.
_OLD_PICKLES = 5
_FORBIDDEN = ("bytearray", "_rebuild_wrapper_subclass")
_NUMPY_TYPES = {type(np.dtype(code)) for code in "bBhHiIlLqQefd?"}
_PLAIN_OBJECTS = (
    argparse.Namespace, codecs.encode, complex, set, np.ndarray, np.dtype, Counter, OrderedDict, *_NUMPY_TYPES,
)  # fmt: skip
_NUMPY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray")


class TensorFileError(InputError):
    """A file that is damaged, or holds or claims something else than tensors and plain types."""


def read_tensor_file(path: str | Path) -> Any:
    """Return the content of a `torch.save` file, tensors on the CPU; nothing in the file is run.

    Raises:
        TensorFileError: the file is damaged, holds other objects than tensors and plain types, or claims more than it
            has.
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
    """
    refuse_before_loading(path)
    try:
        with _allowed_in_files([*_PLAIN_OBJECTS, *_numpy_constructors()]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except pickle.UnpicklingError as error:
        raise TensorFileError(f"{path}: {_unpickling_problem(str(error))}") from None
    except Exception as error:
        what = "damaged or truncated" if zipfile.is_zipfile(path) else "not a checkpoint of torch.save, or damaged"
        raise TensorFileError(f"{path}: the file is {what} ({first_sentence(error)}), fetch it again") from None
    refuse_after_loading(content, path)
    return content


@contextlib.contextmanager
def _allowed_in_files(objects: Sequence) -> Iterator[None]:
    """Let `torch.load` build further objects; `torch.serialization.safe_globals` does so only from torch 2.5 on."""
    before = list(torch.serialization.get_safe_globals())  # torch 2.4 gives the list that it then adds to
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


def _unpickling_problem(text: str) -> str:
    """Return what is wrong with a pickle, from the text of the error."""
    words = text.replace("`", " ").split()
    if "GLOBAL" in words:
        found = words[words.index("GLOBAL") + 1]
        return f"the file holds a pickled object ({found}) beside tensors and is refused, save its state dict alone"
    return f"not a checkpoint of torch.save, or damaged ({first_sentence(text)}), fetch it again"


def first_sentence(error: Any) -> str:
    """Return the first sentence of an error, at most 160 characters."""
    text = str(error).strip().splitlines()
    return text[0].split(". ")[0].rstrip(".")[:160] if text else type(error).__name__


def refuse_before_loading(path: str | Path) -> None:
    """Refuse a file that torch would read with more memory than the file is worth.

    Raises:
        TensorFileError: naming file and reason.
        OSError: it cannot be read.
    """
    with open(path, "rb") as handle:
        reason = _refusal(handle)
    if reason:
        raise TensorFileError(f"{path}: refused, because {reason}; fetch it again or use another file")


def refuse_after_loading(content: Any, path: str | Path) -> None:
    """Refuse tensors that are larger than the file they come from.

    Raises:
        TensorFileError: naming file and tensor.
    """
    reason = _claims_too_much(content, Path(path).stat().st_size)
    if reason:
        raise TensorFileError(f"{path}: refused, because {reason}; use another file")


def _refusal(handle: BinaryIO) -> str:
    """Return why a file must not be given to torch, or an empty string."""
    if handle.read(4) == b"PK\x03\x04":
        try:
            return _archive_refusal(handle)
        except (ValueError, NotImplementedError, OverflowError, zipfile.BadZipFile, EOFError):
            return "the file is truncated or damaged"
    handle.seek(0)
    reasons = (_pickle_refusal(handle) for _ in range(_OLD_PICKLES))
    return next(filter(None, reasons), "")


def _archive_refusal(handle: BinaryIO) -> str:
    """Look at the records of an archive and at its pickle."""
    size = handle.seek(0, io.SEEK_END)
    with zipfile.ZipFile(handle) as archive:
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            return "its records are compressed"
        if sum(record.file_size for record in records) > size:
            return "its records claim more bytes than the file has"
        pickles = [record for record in records if record.filename.endswith("data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > _MAX_PICKLE_BYTES:
            return "it has no description of its tensors"
        return _pickle_refusal(io.BytesIO(archive.read(pickles[0])))


def _pickle_refusal(handle: BinaryIO) -> str:
    """Walk the operations of one pickle; the handle is left behind it."""
    walk = Walk()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(handle)):
            if count > _MAX_OPERATIONS:
                return f"it has more than {_MAX_OPERATIONS} operations"
            if operation.name == "GLOBAL" and str(argument).split(" ")[-1] in _FORBIDDEN:
                return f"it asks for {argument!r}"
            walk.step(operation.name, argument)
    except Refused as reason:
        return str(reason)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError) as error:
        return f"it is not a checkpoint of torch.save, or damaged ({first_sentence(error)})"
    return ""


def _claims_too_much(content: Any, size: int) -> str:
    """Return why the tensors of a file cannot be real, or an empty string."""
    stack, seen, claimed = [(content, 0)], set(), 0
    while stack:
        value, depth = stack.pop()
        if isinstance(value, torch.Tensor):
            if value.layout is not torch.strided or value.device.type != "cpu":
                return "it holds a tensor of a kind that weights never have"
            claimed += value.numel() * value.element_size()
            if value.numel() * value.element_size() > size or claimed > _MAX_SHARING * size:
                return f"it claims a tensor of shape {tuple(value.shape)} and has {size} bytes"
        elif isinstance(value, np.ndarray) and value.size > size:
            return f"it claims an array of shape {value.shape} and has {size} bytes"
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            if depth > _MAX_DEPTH:
                return "it is nested too deeply"
            seen.add(id(value))
            items = value.values() if isinstance(value, dict) else value
            stack += [(item, depth + 1) for item in items]
    return ""
