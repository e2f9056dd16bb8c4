"""Processes of one job: who am I, sums over all, waiting for each other. One process needs no set-up."""

import contextlib
import datetime
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from slowfast.utils.cli import EXIT_PREEMPTED, Preempted
from slowfast.utils.errors import InputError
from slowfast.utils.gpu import use_gpu
from slowfast.utils.stop import obey_defaults, stop_requested

Value = TypeVar("Value")

TIMEOUT = datetime.timedelta(minutes=30)
# Seconds that a process leaves to another one whose message says more; the launcher ends it meanwhile.
_AFTER_MAIN, _AFTER_PEER = 3.0, 15.0
_LAST_TENSORS = 0.1  # seconds for gloo's thread to free what the last operation worked on
_LOST = ("gloo", "connection closed", "connection reset", "broken pipe", "nccl", "tcpstore")


class PeerLost(InputError):
    """Another process of the job has ended; its own message says why."""


def rank() -> int:
    """Return the index of this process in the job, 0 without a process group."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes in the job."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Return whether this process writes the files."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here."""
    if dist.is_initialized():
        dist.barrier()


def gather(value: Any) -> list[Any]:
    """Return the values of all processes in the order of rank; every process gets the list."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def sum_(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


def share_(*tensors: torch.Tensor) -> None:
    """Give every process the values of the main one; those of one kind travel together, copied on the way."""
    if world_size() == 1:
        return
    kinds: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach())
    for alike in kinds.values():
        joined = torch.cat([tensor.flatten() for tensor in alike])
        dist.broadcast(joined, src=0)
        if not is_main():
            for tensor, values in zip(alike, joined.split([tensor.numel() for tensor in alike])):
                tensor.copy_(values.view(tensor.shape))


def sum_numbers(values: list[float]) -> list[float]:
    """Return the sums of numbers (float64) over all processes, in the order of rank; one process: the numbers.

    They go from processor to processor (gloo): nothing waits for a GPU.
    """
    if world_size() == 1:
        return values
    parts = [torch.empty(len(values), dtype=torch.float64) for _ in range(world_size())]
    dist.all_gather(parts, torch.tensor(values, dtype=torch.float64))
    return [sum(column) for column in zip(*(part.tolist() for part in parts))]


def any_(flag: bool) -> bool:
    """Return whether the flag is set in any process."""
    return bool(flag) if world_size() == 1 else sum_numbers([float(flag)])[0] > 0


def seed_generators(seed: int) -> None:
    """Seed every random generator of this process: the main one with `seed`, the others with what follows."""
    seed += rank()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def from_main(action: Callable[[], Value]) -> Value:
    """Run `action` in the main process only; every process returns its value or raises its error.

    The value goes to the other processes as a pickle, so it is plain.
    """
    if world_size() == 1:
        return action()
    outcome: list[Any] = [None, None]
    if is_main():
        try:
            outcome[0] = action()
        except Exception as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome, src=0)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


@contextlib.contextmanager
def process_group(num_gpus: int, backend: str) -> Iterator[torch.device]:
    """Join the job that torchrun started, if any, and yield this process's device.

    Args:
        num_gpus: GPUs that may be used; 0 keeps to the CPU.
        backend: torch.distributed backend on GPUs; gloo is used on the CPU.

    Raises:
        PeerLost: a collective operation failed because another process has ended.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = use_gpu(num_gpus)
    device = torch.device("cuda", local % torch.cuda.device_count()) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        yield device
        return
    # Tensors of the CPU, such as flags and counts, always go over gloo.
    dist.init_process_group(f"cpu:gloo,cuda:{backend}" if on_gpu else "gloo", timeout=TIMEOUT)
    index = dist.get_rank()
    try:
        yield device
    except Exception as error:
        _let_the_first_speak(index, error)
        raise
    # Older torch joins gloo's thread while it holds Python's lock, which that thread needs to free its last tensors.
    time.sleep(_LAST_TENSORS)
    dist.destroy_process_group()


def _let_the_first_speak(index: int, error: Exception) -> None:
    """Hold back what other processes say better, so that a job ends with one message: that of the cause.

    A lost connection is a consequence, and an error that all processes share is the main one's to report. The
    launcher ends the job as soon as the process with the cause has left.
    """
    lost = isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _LOST)
    if (lost and stop_requested()) or (isinstance(error, Preempted) and index):
        raise SystemExit(EXIT_PREEMPTED) from None
    obey_defaults()
    if lost:
        time.sleep(_AFTER_PEER)
        raise PeerLost(
            f"process {index} lost the others of its job ({str(error).strip().splitlines()[0]}): the one that ended "
            "first says why; call the same command again to go on from the last checkpoint"
        ) from None
    if index and not isinstance(error, Preempted):
        time.sleep(_AFTER_MAIN)
