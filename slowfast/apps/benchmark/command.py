"""The measurements of `tools/benchmark.py`, printed as Markdown."""

import functools
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from slowfast.apps.benchmark import data, networks
from slowfast.config import load_config
from slowfast.demo.large_clips import make_large_clips
from slowfast.lists.endings import find_files
from slowfast.models import build_model
from slowfast.utils.paths import argument_path, repo_path

CONFIGURATIONS = {
    "uniformer": "exp_pseudo_stage4/uniformer_b32_k600/config.yaml",
    "mvit": "exp_pseudo_stage4/mvit_b32_k600/config.yaml",
    "sf": "exp_pseudo_stage4/sf32_k700/config.yaml",
    "videomae": "configs/features/videomae_vitl_hybrid_k700.yaml",
}


def measure_network(
    model: str, opts: Sequence[str], *, batch_size: int, repeats: int, threads: int, train: bool
) -> None:
    """Measure a network on the CPU; `measure_gpu` is for GPUs.

    Args:
        model: a name of `CONFIGURATIONS`.
        opts: overrides of its configuration.
        batch_size: clips.
        repeats: timed passes of every form.
        threads: of the CPU.
        train: forward and backward instead of evaluation.
    """
    torch.set_num_threads(threads)
    cfg = load_config(repo_path(CONFIGURATIONS[model]), ["MODEL.USE_CHECKPOINT", "False", *opts])
    build = functools.partial(build_model, cfg)
    size = (batch_size, 3, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TRAIN_CROP_SIZE)
    flops = networks.count_flops(build, size)
    name = f"{_processor()}, {threads} threads"
    print(f"{model}, clips {size}, {flops / 1e9:.0f} GFLOP forward; {name}; torch {torch.__version__}")
    limits = {dtype: networks.matrix_limit(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(
        "matrix product: " + ", ".join(f"{rate / 1e9:.0f} GFLOP/s {str(dtype)[6:]}" for dtype, rate in limits.items())
    )
    half = limits[torch.bfloat16] > limits[torch.float32] / 2
    if train:
        timings = networks.time_training(build, size, repeats=repeats, threads=threads, half=half)
    else:
        timings = networks.time_evaluation(build, size, repeats=repeats, half=half)
    if not half:
        print("bfloat16 is left out: this processor has no fast arithmetic for it")
    print("training step (forward and backward)" if train else "evaluation, BatchNorm folded but in the plain form")
    print(networks.table(timings, clips=size[0], flops=flops * (3 if train else 1), limits=limits))


def measure_data(model: str, opts: Sequence[str], *, clips: str | None, repeats: int) -> None:
    """Measure the loaders of a network with one thread.

    Args:
        model: a name of `CONFIGURATIONS`.
        opts: overrides of its configuration.
        clips: folder of videos; None: rendered ones.
        repeats: timed passes of every way.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = find_files(argument_path(clips)) if clips else make_large_clips(Path(folder), 40)
        settings = ["DATA.DECODING_BACKEND", "pyav", *data.settings_of(Path(folder), paths), *opts]
        cfg = load_config(repo_path(CONFIGURATIONS[model]), settings)
        ways = data.measure_data(cfg, repeats=repeats)
    size = (
        f"{cfg.DATA.NUM_FRAMES} frames of {cfg.DATA.TEST_CROP_SIZE} pixels, {cfg.DATA.DECODING_BACKEND}, processor time"
    )
    print(f"{len(paths)} videos, clips of {size}; {_processor()}, 1 thread; torch {torch.__version__}")
    print(data.data_table(ways, len(paths)))


def _processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
