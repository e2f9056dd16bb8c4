"""How fast a network is here, against its plainest form: explicit softmax attention, BatchNorm apart, contiguous.

Both forms run in turns in one measurement, so that a busy machine slows both.
"""

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from slowfast.models.accelerate import accelerate
from slowfast.models.fold import fold_batchnorm
from slowfast.models.network import Network

Build = Callable[[], Network]
Size = tuple[int, int, int, int, int]
_SMALL_MATRIX, _MATRIX = 256, 2048
# Operations per second below which a large product is not waited for.
_SLOW = 5e9


@dataclass(frozen=True)
class Form:
    """One way to run a network.

    Attributes:
        name: what tables call it.
        plain: the plainest form.
        dtype: autocast dtype, or None for float32.
    """

    name: str
    plain: bool = False
    dtype: torch.dtype | None = None

    @contextlib.contextmanager
    def active(self, device: str) -> Iterator[None]:
        """Run what stands inside in this form."""
        with contextlib.ExitStack() as stack:
            if self.plain:
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if self.dtype is not None:
                stack.enter_context(torch.autocast(device, self.dtype))
            yield


PLAIN = Form("plain float32", plain=True)
FAST = Form("float32")
HALF = Form("bfloat16 autocast", dtype=torch.bfloat16)


@dataclass
class Timing:
    """Seconds of every repetition of one form.

    Attributes:
        form: the form.
        seconds: one value per repetition.
        memory: peak memory in bytes, 0 where it was not measured.
        too_large: the memory of the machine was not enough.
    """

    form: Form
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    too_large: bool = False

    @property
    def median(self) -> float:
        """Median seconds of a repetition."""
        return statistics.median(self.seconds)


def count_flops(build: Build, size: Size) -> float:
    """Return the floating point operations (two per multiply-add) of a forward pass, without computing it."""
    with torch.device("meta"):
        model, clips = build().eval(), torch.empty(size)
    with torch.no_grad(), PLAIN.active("cpu"), FlopCounterMode(display=False) as counter:
        model(clips)
    return float(counter.get_total_flops())


def matrix_limit(dtype: torch.dtype, device: str = "cpu", repeats: int = 5) -> float:
    """Return the operations per second of a large matrix product, the machine's own limit.

    Where already a small product is slow (a dtype that the processor has no arithmetic for), its rate is returned.
    """
    small = _matrix_rate(_SMALL_MATRIX, dtype, device, repeats)
    return small if small < _SLOW else _matrix_rate(_MATRIX, dtype, device, repeats)


def _matrix_rate(size: int, dtype: torch.dtype, device: str, repeats: int) -> float:
    """Return the operations per second of a product of square matrices, the best of `repeats` after one more."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2.0 * size**3 / min(_timed(lambda: left @ right, device) for _ in range(repeats + 1))


def time_evaluation(build: Build, size: Size, *, repeats: int, half: bool = True) -> list[Timing]:
    """Time evaluation on the CPU: the plain form, float32 and bfloat16 with folded BatchNorm, in turns.

    Args:
        build: makes the network.
        size: (B, 3, T, H, W).
        repeats: timed passes of every form, after one that is not timed.
        half: also bfloat16.
    """
    model, clips = build().eval(), _clips(size, "cpu")
    folded = accelerate(fold_batchnorm(model), device=clips.device, training=False)
    timings = [Timing(form) for form in (PLAIN, FAST, *([HALF] if half else []))]
    with torch.inference_mode():
        for repeat, timing in itertools.product(range(repeats + 1), timings):
            network = model if timing.form.plain else folded
            with timing.form.active("cpu"):
                seconds = _timed(lambda network=network: network(clips), "cpu")
            timing.seconds += [seconds] if repeat else []
    return timings


def time_training(build: Build, size: Size, *, repeats: int, threads: int, half: bool = True) -> list[Timing]:
    """Time forward and backward on the CPU, every form in a process of its own so that its peak memory is its own.

    Args:
        build: makes the network; it is sent to the processes and must be picklable.
        size: (B, 3, T, H, W).
        repeats: timed steps of every form, after one that is not timed.
        threads: threads of each process; only one process works at a time.
        half: also bfloat16.
    """
    spawn = multiprocessing.get_context("spawn")
    timings = [Timing(form) for form in (PLAIN, FAST, *([HALF] if half else []))]
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn)) for _ in timings]
        for repeat, (timing, pool) in itertools.product(range(repeats + 1), list(zip(timings, pools))):
            if timing.too_large:
                continue
            try:
                seconds, timing.memory = pool.submit(_training_process_step, build, size, timing.form, threads).result()
                timing.seconds += [seconds] if repeat else []
            except concurrent.futures.process.BrokenProcessPool:  # the system ended it, which it does for memory
                timing.too_large = True
    return timings


_STEP: list[Callable[[], float]] = []


def _training_process_step(build: Build, size: Size, form: Form, threads: int) -> tuple[float, int]:
    """Return seconds of a step and the peak memory of the process so far; the first call builds the network."""
    if not _STEP:
        torch.set_num_threads(threads)
        _STEP.append(_training_step(build, size, form, "cpu"))
    seconds = _STEP[0]()
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _training_step(build: Build, size: Size, form: Form, device: str) -> Callable[[], float]:
    """Return a function that does one forward and backward pass and returns its seconds."""
    torch.manual_seed(0)
    model = build().to(device).train()
    if not form.plain:
        accelerate(model, device=torch.device(device), training=True)
    clips = _clips(size, device)

    def step() -> None:
        model.zero_grad(set_to_none=True)
        with form.active(device):
            loss = model(clips).float().logsumexp(1).sum()
            loss.backward()

    return lambda: _timed(step, device)


def _clips(size: Size, device: str) -> Tensor:
    """Return random clips."""
    return torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)


def _timed(function: Callable[[], object], device: str) -> float:
    """Return the seconds of a call."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def table(timings: list[Timing], *, clips: int, flops: float, limits: dict[torch.dtype, float]) -> str:
    """Return the timings as a Markdown table.

    Args:
        timings: the first one is the plain form; a form that did not fit into the memory has no figures.
        clips: clips of one repetition.
        flops: operations of one repetition.
        limits: operations per second of the machine's matrix product by dtype.
    """
    lines = [
        "| form | median s | clips/s | against plain | GFLOP/s | share of the matrix product's | peak memory GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for timing in timings:
        if timing.too_large:
            lines.append(f"| {timing.form.name} | not enough memory | | | | | |")
            continue
        rate = flops / timing.median
        share = rate / limits[timing.form.dtype or torch.float32]
        memory = f"{timing.memory / 1e9:.2f}" if timing.memory else ""
        ratio = "" if timings[0].too_large else f"{timings[0].median / timing.median:.2f}x"
        lines.append(
            f"| {timing.form.name} | {timing.median:.3f} | {clips / timing.median:.2f} "
            f"| {ratio} | {rate / 1e9:.0f} | {share:.0%} | {memory} |"
        )
    return "\n".join(lines)
