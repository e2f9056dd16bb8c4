"""Processes of one job: who am I, sums over all, waiting for each other. One process needs no set-up."""

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist


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


def any_(flag: bool) -> bool:
    """Return whether the flag is set in any process."""
    return any(gather(flag))


@contextlib.contextmanager
def process_group(num_gpus: int, backend: str) -> Iterator[torch.device]:
    """Join the job that torchrun started, if any, and yield this process's device.

    Args:
        num_gpus: GPUs that may be used; 0 keeps to the CPU.
        backend: torch.distributed backend on GPUs; gloo is used on the CPU.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    use_gpu = num_gpus > 0 and torch.cuda.is_available()
    device = torch.device("cuda", local % torch.cuda.device_count()) if use_gpu else torch.device("cpu")
    if use_gpu:
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        kind = backend if use_gpu else "gloo"
        dist.init_process_group(kind, timeout=datetime.timedelta(minutes=30))
    try:
        yield device
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
