"""Speed of a network on a GPU: its plain form against the fast ones, training steps and evaluation.

Every form is measured by itself and printed at once; what fails or does not fit says so and the rest goes on.
"""

import contextlib
import functools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile

from slowfast.engine.update import Update
from slowfast.models.accelerate import accelerate
from slowfast.models.compile import compile_blocks
from slowfast.models.fold import fold_batchnorm
from slowfast.models.kernels.operator import DepthwiseConv3d
from slowfast.models.network import Network
from slowfast.models.replay import replay
from slowfast.solver import construct_optimizer, parameter_groups

Build = Callable[[], Network]
Size = tuple[int, int, int, int, int]
_WARM, _TIMED, _LEAST = 3, 7, 3
_MATRIX = 8192
_KERNELS = 12


@dataclass(frozen=True)
class Way:
    """One way to run a network.

    Attributes:
        name: what the tables call it.
        dtype: of autocast.
        plain: nothing is applied to the network, attention is explicit.
        compiled: "", "blocks" or "whole".
        graph: the launches are recorded once and replayed.
    """

    name: str
    dtype: torch.dtype = torch.bfloat16
    plain: bool = False
    compiled: str = ""
    graph: bool = False


WAYS = {
    "plain": Way("plain, fp16", dtype=torch.float16, plain=True),
    "ours": Way("ours, bf16"),
    "graph": Way("ours, bf16, replayed", graph=True),
    "blocks": Way("ours, bf16, compiled blocks", compiled="blocks"),
    "both": Way("ours, bf16, compiled blocks, replayed", compiled="blocks", graph=True),
    "whole": Way("ours, bf16, compiled whole", compiled="whole"),
}


@dataclass
class Measured:
    """What one way gave.

    Attributes:
        network: name of the network.
        way: name of the way.
        training: a training step, else evaluation.
        seconds: of a step, the median.
        clips: of a step.
        memory: peak of the device in bytes.
        share: of the card's matrix rate.
        problem: why there are no figures, or "".
    """

    network: str
    way: str
    training: bool
    seconds: float = 0.0
    clips: int = 0
    memory: int = 0
    share: float = 0.0
    problem: str = ""

    def row(self) -> str:
        """Return a row of a Markdown table."""
        start = f"| {self.network} | {'training' if self.training else 'evaluation'} | {self.way} |"
        if self.problem:
            return f"{start} {self.problem} | | | |"
        rate = self.clips / self.seconds
        return f"{start} {rate:.1f} | {1000 * self.seconds:.1f} | {self.memory / 1e9:.1f} | {self.share:.1%} |"


HEAD = "| network | pass | form | clips/s | ms | peak GB | share of the matrix rate |\n|---|---|---|---|---|---|---|"


def matrix_rate() -> float:
    """Return the operations per second of a bfloat16 product of large random matrices on this card."""
    left, right = (torch.randn(_MATRIX, _MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2.0 * _MATRIX**3 / _median_seconds(lambda: left @ right, time.perf_counter() + 5.0)


def depthwise_table(size: Size = (16, 64, 16, 56, 56), device: str = "cuda") -> str:
    """Return the times of UniFormer's 5x5x5 depthwise convolution in bfloat16, the library's and ours, replayed.

    Args:
        size: (B, C, T, H, W).
        device: where.
    """
    library = nn.Conv3d(size[1], size[1], 5, padding=2, groups=size[1]).to(device, torch.bfloat16)
    clips = _clips(size, device).bfloat16().contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    seconds_of = device_seconds if device == "cuda" else functools.partial(_median_seconds, end=math.inf)
    lines = ["| depthwise 5x5x5 | forward ms | forward and backward ms |", "|---|---|---|"]
    for name, layer in (("library", library), ("ours", DepthwiseConv3d.of(library))):
        wanted, gradient = (clips, *layer.parameters()), torch.randn_like(layer(clips))
        forward = seconds_of(lambda layer=layer: layer(clips))
        both = seconds_of(
            lambda layer=layer, wanted=wanted, gradient=gradient: torch.autograd.grad(layer(clips), wanted, gradient)
        )
        lines.append(f"| {name} | {1000 * forward:.2f} | {1000 * both:.2f} |")
    return "\n".join(lines)


def device_seconds(work: Callable[[], Any]) -> float:
    """Return the median time that the card alone needs for some work: its launches are recorded and replayed."""
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        work()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2 * _TIMED)]
    for start, end in zip(marks[::2], marks[1::2]):
        start.record()
        graph.replay()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in zip(marks[::2], marks[1::2])) / 1000


class Bench:
    """All measurements of one call.

    Args:
        rate: operations per second of the card's matrix product.
        seconds: time that the measurements may take in all.
        profiled: print the most expensive kernels of every measured step.
        path: JSON file for the results, or None.
    """

    def __init__(self, *, rate: float, seconds: float, profiled: bool = False, path: Path | None = None) -> None:
        self.rate, self.profiled, self.path = rate, profiled, path
        self.end = time.perf_counter() + seconds
        self.results: list[Measured] = []

    def run(self, network: str, build: Build, size: Size, flops: float, ways: list[str], *, training: bool) -> None:
        """Measure ways of a network and print a row for each.

        Args:
            network: what the table calls it.
            build: makes the network on the CPU.
            size: (B, 3, T, H, W).
            flops: operations of a forward pass of one clip.
            ways: names of `WAYS`.
            training: training steps, else evaluation.
        """
        for way in (WAYS[name] for name in ways):
            found = Measured(network, way.name, training, clips=size[0])
            try:
                self._measure(found, build, size, way)
                found.share = flops * size[0] * (3 if training else 1) / found.seconds / self.rate
            except torch.cuda.OutOfMemoryError:
                found.problem = "not enough memory"
            except Exception as error:  # one form of several: the others still say something
                found.problem = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self._add(found)
            torch.compiler.reset()
            torch.cuda.empty_cache()

    def _measure(self, found: Measured, build: Build, size: Size, way: Way) -> None:
        """Fill in the figures of one way."""
        if time.perf_counter() > self.end:
            raise TimeoutError("no time left")
        torch.cuda.reset_peak_memory_stats()
        torch.backends.cudnn.benchmark = not way.plain
        begin = time.perf_counter()
        make = training_step if found.training else evaluation_step
        with way_context(way):
            step = make(build, size, way)
            found.seconds = _median_seconds(step, self.end)
            found.memory = torch.cuda.max_memory_allocated()
            print(f"    {found.way}: {time.perf_counter() - begin:.0f} s in all", flush=True)
            if self.profiled:
                print(kernel_table(step), flush=True)

    def _add(self, found: Measured) -> None:
        """Print a result and write all so far."""
        self.results.append(found)
        print(found.row(), flush=True)
        if self.path is not None:
            self.path.write_text(json.dumps([vars(result) for result in self.results], indent=1))


@contextlib.contextmanager
def way_context(way: Way) -> Iterator[None]:
    """Run what stands inside as a way says, apart from the network."""
    with sdpa_kernel(SDPBackend.MATH) if way.plain else contextlib.nullcontext():
        yield


def training_step(build: Build, size: Size, way: Way, device: str = "cuda") -> Callable[[], Any]:
    """Return a function that does a whole training step: forward, backward, unscaling, clipping, AdamW.

    Args:
        build: makes the network.
        size: (B, 3, T, H, W).
        way: how.
        device: where.
    """
    model = _built(build, device).train()
    clips = _clips(size, device)
    if not way.plain:
        accelerate(model, device=torch.device(device), training=True)
    network = _compiled(model, way, training=True)
    groups = parameter_groups(model, weight_decay=0.05, zero_1d=True)
    optimizer = construct_optimizer(groups, method="adamw", lr=1e-5)
    update = Update(networks=[network], optimizer=optimizer, device=torch.device(device), autocast_dtype=way.dtype)
    labels = torch.zeros(size[0], dtype=torch.long, device=device)
    batch = {"clips": clips, "labels": labels, "names": ["random"] * size[0]}
    return lambda: update(
        lambda part: nn.functional.cross_entropy(network(part["clips"]).float(), part["labels"]), batch
    )


def evaluation_step(build: Build, size: Size, way: Way, device: str = "cuda") -> Callable[[], Any]:
    """Return a function that gives the logits of a batch; BatchNorm is folded but in the plain form."""
    model = _built(build, device).eval()
    clips = _clips(size, device)
    if not way.plain:
        model = accelerate(fold_batchnorm(model), device=torch.device(device), training=False)
    network = _compiled(model, way, training=False)

    @torch.no_grad()
    def step() -> Tensor:
        with torch.autocast(device, way.dtype, cache_enabled=False):
            return network(clips).float()

    return step


def _built(build: Build, device: str) -> Network:
    """Return the network; its weights are drawn on the device, which is faster for large ones."""
    torch.manual_seed(0)
    with torch.device(device):
        return build().to(device)


def _compiled(model: Network, way: Way, *, training: bool) -> nn.Module:
    """Return the network as a way compiles and replays it."""
    if way.compiled == "blocks":
        compile_blocks(model)
    if way.graph:
        replay(model, training=training)
    return torch.compile(model, dynamic=False) if way.compiled == "whole" else model


def _clips(size: Size, device: str) -> Tensor:
    """Return random clips."""
    return torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)


def _median_seconds(step: Callable[[], Any], end: float) -> float:
    """Return the median time of a step after warm-up; near the end fewer steps are timed."""
    for _ in range(_WARM):
        step()
    torch.cuda.synchronize()
    seconds: list[float] = []
    while len(seconds) < _LEAST or (len(seconds) < _TIMED and sum(seconds) < 2.0 and time.perf_counter() < end):
        start = time.perf_counter()
        step()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def kernel_table(step: Callable[[], Any]) -> str:
    """Return the most expensive kernels of one step, by name, with their share of the time on the device."""
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        step()
        torch.cuda.synchronize()
        wall = time.perf_counter() - start
    kernels = [item for item in profiler.key_averages() if item.self_device_time_total > 0]
    total = sum(item.self_device_time_total for item in kernels) or 1.0
    kernels.sort(key=lambda item: -item.self_device_time_total)
    launches = sum(item.count for item in kernels)
    lines = [f"    {total / 1000:.1f} ms on the device in {launches} launches, {1000 * wall:.1f} ms with the profiler"]
    for item in kernels[:_KERNELS]:
        share, ms = item.self_device_time_total / total, item.self_device_time_total / 1000
        lines.append(f"    {share:6.1%} {ms:8.2f} ms {item.count:5d} x {item.key[:150]}")
    return "\n".join(lines)
