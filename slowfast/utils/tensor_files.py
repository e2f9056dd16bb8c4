"""Reads files of `torch.save` from strangers: tensors and plain types, no code, no size that is only claimed.

`weights_only` keeps torch from calling arbitrary functions, but it believes sizes: a file of 1 KB may ask for a
`bytearray` of 100 GB, unpack a compressed record of zeros without end, or spread one number over 10^12 elements.
Here the archive and the operations of its pickle are looked at before torch sees the file, the tensors afterwards.
"""

import io
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from slowfast.utils.errors import InputError

_MAX_OPERATIONS = 4_000_000
_MAX_PICKLE_BYTES = 256 << 20
_MAX_DEPTH = 32
# Tensors may share their numbers (tied weights), but not all of them many times.
_MAX_SHARING = 8
# Pickles at the start of a file without an archive: magic number, protocol, system, content, storage keys.
_OLD_PICKLES = 5
# Operations that name something to call; torch writes and reads the first one only.
_NAMING = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
_ALLOWED = re.compile(
    r"collections (OrderedDict|Counter)|torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter)"
    r"|torch(\.cuda)? (\w+Storage|Size|device|Tensor|\w*float\w*|bfloat16|u?int\d+|long|short|half|double|bool"
    r"|complex\d+)|torch\.storage (UntypedStorage|TypedStorage)|torch\.nn\.parameter Parameter"
    r"|torch\.serialization _get_layout|_codecs encode|(builtins|__builtin__) set"
)


class TensorFileError(InputError):
    """A file that is damaged, or holds or claims something else than tensors and plain types."""


def read_tensor_file(path: str | Path) -> Any:
    """Return the content of a `torch.save` file, tensors on the CPU.

    Raises:
        TensorFileError: the file is damaged, holds something else, or claims more than it has.
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
    """
    with open(path, "rb") as handle:
        reason = _refusal(handle)
    if reason:
        raise TensorFileError(f"{path}: refused, because {reason}; use another file, or save its tensors again")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise TensorFileError(f"{path}: damaged, or no file of torch.save ({reason}); use another one") from None
    reason = _claims_too_much(content, Path(path).stat().st_size)
    if reason:
        raise TensorFileError(f"{path}: refused, because {reason}; use another file")
    return content


def _refusal(handle: BinaryIO) -> str:
    """Return why a file must not be given to torch, or an empty string."""
    try:
        if handle.read(4) == b"PK\x03\x04":
            return _archive_refusal(handle)
        handle.seek(0)
        for _ in range(_OLD_PICKLES):
            reason = _pickle_refusal(handle)
            if reason:
                return reason
    except (ValueError, IndexError, KeyError, OverflowError, UnicodeDecodeError, zipfile.BadZipFile, EOFError):
        return "it is damaged or no file of torch.save"
    return ""


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
    for count, (operation, argument, _) in enumerate(pickletools.genops(handle)):
        if count > _MAX_OPERATIONS:
            return f"it has more than {_MAX_OPERATIONS} operations"
        if operation.name in _NAMING and not (argument and _ALLOWED.fullmatch(str(argument))):
            return f"it asks for {str(argument or 'a function')[:80]!r}"
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
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            if depth > _MAX_DEPTH:
                return "it is nested too deeply"
            seen.add(id(value))
            items = value.values() if isinstance(value, dict) else value
            stack += [(item, depth + 1) for item in items]
    return ""
