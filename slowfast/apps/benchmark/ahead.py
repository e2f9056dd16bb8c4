"""Compilation ahead of the measurements: several networks beside each other, into the compiler's own cache."""

import concurrent.futures
import functools
import multiprocessing
import os
import time
from collections.abc import Sequence

import torch

from slowfast.apps.benchmark import gpu
from slowfast.apps.benchmark.gpu_command import Sized
from slowfast.utils.errors import InputError

# Bytes of the device that a training step of 16 clips takes while it is compiled (UniFormer: 33.7 GB on an H200).
_STEP = 35e9


def compile_ahead(models: Sequence[str], opts: Sequence[str], *, batch_size: int, device: str = "cuda") -> None:
    """Compile the blocks of networks for training and evaluation, as many at once as the device has room for.

    Later processes of the same versions read them from the compiler's cache, which takes seconds instead of minutes.
    For every network and pass a line is printed when it is done: the seconds, or why it was not compiled.

    Args:
        models: names of `CONFIGURATIONS`.
        opts: overrides of their configurations.
        batch_size: clips of a step; what is compiled holds for this one.
        device: where.

    Raises:
        InputError: there is no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--ahead: torch finds no GPU here")
    room = torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0
    at_once = max(1, min(int(room / _STEP), 2 * len(models)))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(max(1, (os.cpu_count() or 1) // at_once)))
    spawn = multiprocessing.get_context("spawn")

    def run(job: tuple[str, bool]) -> None:
        process = spawn.Process(target=compile_one, args=(*job, opts, batch_size, device))
        process.start()
        process.join()

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:  # a process each: its memory is free at its end
        list(pool.map(run, [(model, is_training) for is_training in (True, False) for model in models]))


def compile_one(model: str, is_training: bool, opts: Sequence[str], batch_size: int, device: str) -> None:
    """Compile one network for one pass and print a line."""
    name = f"compiled ahead: {model}, {'training' if is_training else 'evaluation'}"
    begin = time.perf_counter()
    try:
        torch.backends.cudnn.benchmark = True  # as in the measurements
        sized = Sized(model, opts, batch_size)
        make = gpu.training_step if is_training else gpu.evaluation_step
        make(functools.partial(sized.build, plain=False), sized.size, gpu.WAYS["blocks"], device)()
    except Exception as error:  # the measurement says it too, or compiles by itself
        print(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}", flush=True)
    else:
        print(f"{name}, {time.perf_counter() - begin:.0f} s", flush=True)
