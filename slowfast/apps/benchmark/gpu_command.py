"""The measurements of `tools/benchmark.py --gpu`."""

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import torch

from slowfast.apps.benchmark import gpu
from slowfast.apps.benchmark.command import CONFIGURATIONS
from slowfast.apps.benchmark.networks import count_flops
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.models.network import Network
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

# What the figures of other publications are for.
_FRAMES = {"videomae": 16}
ALL = ("plain", "ours", "both", "blocks", "whole")


def measure_gpu(
    models: Sequence[str],
    opts: Sequence[str],
    *,
    batch_size: int,
    seconds: float,
    training: Sequence[str] = ALL,
    evaluation: Sequence[str] = ALL,
    profiled: bool = False,
    path: Path | None = None,
) -> None:
    """Measure networks on the GPU and print a table; every row appears when it is measured.

    Args:
        models: names of `CONFIGURATIONS`.
        opts: overrides of their configurations.
        batch_size: clips of a step.
        seconds: time for all of it.
        training: forms of the training step, names of `gpu.WAYS`.
        evaluation: forms of evaluation.
        profiled: print the most expensive kernels.
        path: JSON file of the results, or None.

    Raises:
        InputError: there is no GPU.
    """
    if not torch.cuda.is_available():
        raise InputError("--gpu: torch finds no GPU here")
    bench = gpu.Bench(rate=gpu.matrix_rate(), seconds=seconds, profiled=profiled, path=path)
    card = f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    print(f"{card}; matrix product {bench.rate / 1e12:.0f} TFLOP/s bfloat16; {batch_size} clips", flush=True)
    print(f"{gpu.depthwise_table()}\n\n{gpu.HEAD}", flush=True)
    networks = {model: Sized(model, opts, batch_size) for model in models}
    ways = dict.fromkeys((*training, *evaluation))  # one after the other: what takes long to compile comes last
    for name, (model, network), is_training in itertools.product(ways, networks.items(), (True, False)):
        if name in (training if is_training else evaluation):
            build = functools.partial(network.build, plain=name == "plain")
            bench.run(model, build, network.size, network.flops, [name], training=is_training)


class Sized:
    """A network to measure: its configuration as published and without checkpointing, its clips, its operations."""

    def __init__(self, model: str, opts: Sequence[str], batch_size: int) -> None:
        frames = ["DATA.NUM_FRAMES", str(_FRAMES[model])] if model in _FRAMES else []
        self.plain = load_config(repo_path(CONFIGURATIONS[model]), [*frames, *opts])
        free = ["MODEL.USE_CHECKPOINT", "False"]
        self.ours = load_config(repo_path(CONFIGURATIONS[model]), [*frames, *free, *opts])
        clip = (3, self.ours.DATA.NUM_FRAMES, *2 * (self.ours.DATA.TRAIN_CROP_SIZE,))
        self.size = (batch_size, *clip)
        self.flops = count_flops(functools.partial(build_model, self.ours), (1, *clip))

    def build(self, *, plain: bool) -> Network:
        """Return a new network, as published or without checkpointing."""
        return build_model(self.plain if plain else self.ours)
