"""The measurements of `tools/benchmark.py --gpu`."""

import functools
from collections.abc import Sequence
from pathlib import Path

import torch

from slowfast.apps.benchmark import gpu
from slowfast.apps.benchmark.networks import count_flops
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path

CONFIGURATIONS = {
    "uniformer": "exp_pseudo_stage4/uniformer_b32_k600/config.yaml",
    "mvit": "exp_pseudo_stage4/mvit_b32_k600/config.yaml",
    "sf": "exp_pseudo_stage4/sf32_k700/config.yaml",
    "videomae": "configs/features/videomae_vitl_hybrid_k700.yaml",
}
# What the figures of other publications are for.
_FRAMES = {"videomae": 16}
ALL = ("plain", "ours", "blocks", "both", "whole")


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
    for model in models:
        frames = ["DATA.NUM_FRAMES", str(_FRAMES[model])] if model in _FRAMES else []
        plain = load_config(repo_path(CONFIGURATIONS[model]), [*frames, *opts])
        ours = load_config(repo_path(CONFIGURATIONS[model]), [*frames, "MODEL.USE_CHECKPOINT", "False", *opts])
        side = ours.DATA.TRAIN_CROP_SIZE
        flops = count_flops(functools.partial(build_model, ours), (1, 3, ours.DATA.NUM_FRAMES, side, side))
        size = (batch_size, 3, ours.DATA.NUM_FRAMES, side, side)
        for names, is_training in ((training, True), (evaluation, False)):
            for name in names:
                cfg = plain if name == "plain" else ours
                build = functools.partial(build_model, cfg)
                bench.run(model, build, size, flops, [name], training=is_training)
