"""Makes a run do something bad at a chosen moment, written ACTION@PLACE:COUNT, such as `kill@step:3`.

Actions: `kill` (SIGKILL), `term` (SIGTERM to the process), `group` (SIGTERM to it and its workers),
`nan` (clips that are not finite), `memory`, `numpy`, `cuda` (three ways to run out of memory).
"""

import io
import os
import pickle
import signal

import numpy as np
import torch


class Fault:
    """Counts how often a place is passed and acts at the chosen time."""

    def __init__(self, action: str, place: str, count: int) -> None:
        self.action, self.place, self.left = action, place, count

    def passes(self, place: str) -> bool:
        """Return whether this is the moment."""
        self.left -= place == self.place
        return place == self.place and self.left == 0

    def act(self, place: str) -> None:
        """Do it when this is the moment."""
        if self.passes(place):
            self.do()

    def do(self) -> None:
        """Do it."""
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.action == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.action == "group":
            os.killpg(os.getpgid(0), signal.SIGTERM)
        elif self.action == "memory":
            torch.empty(1 << 50)
        elif self.action == "numpy":
            np.empty(1 << 50)
        elif self.action == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def before(owner, name: str, fault: Fault, place: str) -> None:
    """Let a function or method act before it does its work."""
    original = getattr(owner, name)

    def changed(*args, **kwargs):
        fault.act(place)
        return original(*args, **kwargs)

    setattr(owner, name, changed)


def install(text: str) -> None:
    """Prepare the fault described by a text."""
    from slowfast.engine import evaluator, trainer
    from slowfast.engine.adapt import batchnorm
    from slowfast.engine.hooks import metrics
    from slowfast.utils import files

    action, rest = text.split("@")
    place, count = rest.split(":")
    fault = Fault(action, place, int(count))
    before(trainer.Trainer, "step", fault, "step")
    before(evaluator, "check_stop", fault, "eval")
    before(batchnorm, "check_stop", fault, "bn")
    before(trainer.Trainer, "_save", fault, "epoch")
    before(files, "_sync_folder", fault, "renamed")
    original_save, original_dump, original_open = torch.save, pickle.dump, open

    def save(state, handle, **kwargs):
        if fault.passes("write"):
            buffer = io.BytesIO()
            original_save(state, buffer)
            handle.write(buffer.getvalue()[: buffer.tell() // 2])
            handle.flush()
            fault.do()
        original_save(state, handle, **kwargs)

    def dump(content, handle, **kwargs):
        if fault.passes("pkl"):
            handle.write(b"\x80\x04half")
            handle.flush()
            fault.do()
        original_dump(content, handle, **kwargs)

    def write(self, kind, **values):
        if fault.passes("metrics"):
            with original_open(self.path, "a", encoding="utf-8") as handle:
                handle.write('{"_type": "tra')
            fault.do()
        original_write(self, kind, **values)

    original_write = metrics.MetricsLog.write
    torch.save, pickle.dump, metrics.MetricsLog.write = save, dump, write
    if action == "nan":
        poison(fault)


def poison(fault: Fault) -> None:
    """Make the clips of one batch not finite."""
    from slowfast.engine.hooks import pace

    original = pace.to_device

    def to_device(batch, device):
        batch = original(batch, device)
        return {**batch, "clips": batch["clips"] * float("nan")} if fault.passes("batch") else batch

    pace.to_device = to_device
