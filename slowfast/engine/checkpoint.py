"""Checkpoints that are whole, verified and free of code: tensors and plain types with a digest."""

import errno
import hashlib
import logging
import os
import random
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write
from slowfast.utils.untrusted.tensors import TensorFileError, read_tensor_file

logger = logging.getLogger(__name__)

DIGEST = "digest"
_NUMBERED = re.compile(r"^checkpoint_epoch_(\d{5,})\.pyth$")
LATEST = "checkpoint_latest.pyth"
PARTIAL = "checkpoint_partial.pyth"


class DamagedCheckpoint(InputError):
    """A checkpoint that cannot be read or does not match its digest."""


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain types) with its digest; the file appears whole or not at all.

    Raises:
        OSError: the disk is full or the folder cannot be written; an older file of that name is untouched.
    """
    state = {**state, DIGEST: state_digest(state)}
    with atomic_write(path) as aside, open(aside, "wb") as handle:
        try:
            torch.save(state, handle)
        except RuntimeError as error:
            # The writer of torch hides why a write failed; then nearly always the disk is full.
            raise OSError(errno.ENOSPC, "no space left on the disk", str(path)) from error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's state on the CPU, after checking its digest.

    Raises:
        DamagedCheckpoint: the file is damaged, holds other objects than tensors and plain types, claims more than it
            has, or does not match its digest.
        InputError: there is no such file, or it cannot be read.
    """
    try:
        state = read_tensor_file(path)
    except TensorFileError as error:
        raise DamagedCheckpoint(str(error)) from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; check the path or train first") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the disk and its rights") from None
    if not isinstance(state, dict) or "model_state" not in state:
        raise DamagedCheckpoint(f"{path}: has no 'model_state', so it is not a checkpoint of this library")
    _check_digest(path, state)
    return state


def stored_training(path: str | Path) -> dict[str, Any] | None:
    """Return the state that a training may go on from, or None for a file of another kind (weights only).

    Whatever the file is: when this library wrote it, it has to match its digest.

    Raises:
        DamagedCheckpoint: the digest does not match.
    """
    try:
        state = read_tensor_file(path)
    except (TensorFileError, OSError):
        return None
    if not isinstance(state, dict):
        return None
    _check_digest(path, state)
    whole = {"model_state", "optimizer_state"} <= state.keys() and type(state.get("epoch")) is int
    return state if whole else None


def verify_checkpoint(path: str | Path) -> None:
    """Refuse a checkpoint of this library whose content does not match its digest; other files pass.

    Raises:
        DamagedCheckpoint: naming the file.
    """
    if Path(path).suffix == ".pyth" and Path(path).is_file():
        stored_training(path)


def _check_digest(path: str | Path, state: dict[str, Any]) -> None:
    """Take the digest out of a state and compare it; every state of this library has one, others may have none.

    Raises:
        DamagedCheckpoint: naming the file.
    """
    digest = state.pop(DIGEST, None)
    if digest is None and "metrics_position" not in state:
        return
    if digest != state_digest(state):
        raise DamagedCheckpoint(f"{path}: damaged (its digest does not match its content); use another checkpoint")


def state_digest(state: Any) -> str:
    """Return the SHA-256 over all keys, plain values and tensor bytes of a nested state."""
    digest = hashlib.sha256()
    _feed(digest, state)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    """Add one value to the digest, with its type, so that different structures differ."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu().contiguous()
        digest.update(f"T{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy() if tensor.numel() else b"")
    elif isinstance(value, dict):
        digest.update(f"D{len(value)}".encode())
        for key, item in value.items():
            digest.update(repr(key).encode())
            _feed(digest, item)
    elif isinstance(value, (list, tuple)):
        digest.update(f"L{len(value)}".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(repr(value).encode())


class CheckpointFolder:
    """The checkpoints of one run: numbered ones, the latest, and one inside an epoch.

    Args:
        folder: `<OUTPUT_DIR>/checkpoints`.
        keep: numbered checkpoints kept, 0 keeps all.
    """

    def __init__(self, folder: str | Path, *, keep: int = 0) -> None:
        self.folder, self.keep = Path(folder), keep

    def save_epoch(self, state: dict[str, Any], epoch: int, *, latest: bool) -> Path:
        """Save after epoch `epoch` (from 0), prune old files, and point `checkpoint_latest.pyth` at it."""
        path = self.folder / f"checkpoint_epoch_{epoch + 1:05d}.pyth"
        save_checkpoint(path, state)
        (self.folder / PARTIAL).unlink(missing_ok=True)
        if latest:
            self._link_latest(path)
        for old in self.numbered()[: -self.keep] if self.keep else []:
            old.unlink(missing_ok=True)
        return path

    def save_partial(self, state: dict[str, Any]) -> None:
        """Save inside an epoch."""
        save_checkpoint(self.folder / PARTIAL, state)

    def numbered(self) -> list[Path]:
        """Return the numbered checkpoints, oldest first."""
        found = [path for path in self.folder.glob("checkpoint_epoch_*.pyth") if _NUMBERED.match(path.name)]
        return sorted(found, key=lambda path: int(_NUMBERED.match(path.name)[1]))

    def clear(self) -> None:
        """Remove all checkpoints, for a run that starts over."""
        for path in [*self.numbered(), self.folder / PARTIAL, self.folder / LATEST]:
            path.unlink(missing_ok=True)

    def find_last(self) -> Path | None:
        """Return the undamaged checkpoint that is furthest in the run, or None.

        A damaged file is named in a warning and renamed to `<name>.damaged`, so that it is not taken again.
        """
        partial = self._progress(self.folder / PARTIAL)
        for path in [*reversed(self.numbered()), self.folder / LATEST]:
            progress = self._progress(path)
            if progress is not None:
                return self.folder / PARTIAL if partial is not None and partial > progress else path
        return self.folder / PARTIAL if partial is not None else None

    def _progress(self, path: Path) -> tuple[int, int] | None:
        """Return (whole epochs, iterations after them) of one file; None when there is none or it is damaged."""
        if not path.is_file():
            return None
        try:
            state = load_checkpoint(path)
            return int(state["epoch"]) + 1, int(state["iteration"])
        except DamagedCheckpoint as error:
            logger.warning("%s; it is kept as %s.damaged", error, path.name)
        except (KeyError, TypeError, ValueError):
            logger.warning("%s does not say where in a run it was made; it is kept as %s.damaged", path, path.name)
        os.replace(path, path.with_name(f"{path.name}.damaged"))
        return None

    def _link_latest(self, path: Path) -> None:
        """Let `checkpoint_latest.pyth` be the same file as `path`, without a moment in between."""
        aside = self.folder / f".{LATEST}.{os.getpid()}.tmp"
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:
            save_checkpoint(aside, load_checkpoint(path))
        os.replace(aside, self.folder / LATEST)


class Saves:
    """The files that a training writes from its states; only the main process writes.

    Args:
        folder: the run's checkpoints.
        best_path: where the best one goes.
        extra: entries of every checkpoint (`cfg`, `made_of`).
        every_epoch: keep `checkpoint_latest.pyth`.
        record: writes what the best weights are made from beside them.
    """

    def __init__(
        self,
        *,
        folder: CheckpointFolder,
        best_path: Path,
        extra: dict[str, Any],
        every_epoch: bool,
        record: Callable[[Path], None] = lambda path: None,
    ) -> None:
        self.folder, self.best_path, self.extra, self.every_epoch = folder, best_path, extra, every_epoch
        self.record = record

    def epoch(self, state: dict[str, Any], epoch: int) -> None:
        """Save after epoch `epoch` (from 0)."""
        if distributed.is_main():
            self.folder.save_epoch({**state, **self.extra}, epoch, latest=self.every_epoch)

    def partial(self, state: dict[str, Any]) -> None:
        """Save inside an epoch."""
        if distributed.is_main():
            self.folder.save_partial({**state, **self.extra})

    def best(self, state: dict[str, Any]) -> None:
        """Save the best weights."""
        if distributed.is_main():
            save_checkpoint(self.best_path, {**state, **self.extra})
            self.record(self.best_path)


def rng_state() -> dict[str, Any]:
    """Return the states of the python, numpy and torch generators as tensors and plain types."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    state = {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(gauss)],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore the generators from `rng_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def plain_state(module: torch.nn.Module) -> "OrderedDict[str, torch.Tensor]":
    """Return a module's state dict on the CPU, copied, without the prefix of a wrapper."""
    inner = unwrap(module)
    return OrderedDict((name, tensor.detach().cpu().clone()) for name, tensor in inner.state_dict().items())


def unwrap(module: torch.nn.Module) -> torch.nn.Module:
    """Return the network inside DistributedDataParallel or torch.compile."""
    while True:
        inner = getattr(module, "module", None) or getattr(module, "_orig_mod", None)
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner
