"""Training as it is, with its loaders, against its step alone on a batch that is there already."""

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from slowfast.apps.benchmark.command import CONFIGURATIONS
from slowfast.apps.benchmark.data import settings_of
from slowfast.config import load_config
from slowfast.demo.large_clips import make_large_clips
from slowfast.engine.build import build_trainer
from slowfast.engine.hooks import Hook
from slowfast.engine.hooks.pace import in_words, on_device
from slowfast.engine.launch import process_setup
from slowfast.engine.parents import Origin
from slowfast.engine.trainer import Trainer
from slowfast.lists.endings import find_files
from slowfast.models import build_model
from slowfast.models.accelerate import accelerate
from slowfast.models.compile import compiled
from slowfast.parents import MadeOf
from slowfast.utils.paths import argument_path, repo_path

_RENDERED = 12  # clips; they are read again and again under other names
_LINES, _WARM = 4, 2
_ALONE = (
    "TRAIN.METHOD", "supervised", "DATA.PSEUDO_CSV", "", "TRAIN.EVAL_SPLITS", "[]", "BN.USE_PRECISE_STATS", "False",
    "TRAIN.LABELLED_BALANCED", "False", "TRAIN.CLASS_WEIGHTS", "[]", "TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1",
)  # fmt: skip


class _Rates(Hook):
    """Keeps what `Pace` measured between two lines."""

    def __init__(self) -> None:
        self.all: list[dict[str, float]] = []

    def record(self, trainer: Trainer, kind: str, values: dict[str, Any]) -> None:
        """Keep the rates of an iteration's line."""
        if kind == "train_iter":
            self.all.append(trainer.rates)


def measure_epoch(model: str, opts: Sequence[str], *, batch_size: int, clips: str | None, steps: int) -> None:
    """Train a network on rendered clips and print clips/s of the step alone and of the whole tool.

    Args:
        model: a name of `CONFIGURATIONS`.
        opts: overrides of its configuration.
        batch_size: clips of a step, before AUG.NUM_SAMPLE.
        clips: folder of videos; None: rendered ones.
        steps: between two of the lines of which all but the first count.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, length = Path(name), steps * _LINES
        paths = find_files(argument_path(clips)) if clips else make_large_clips(folder, _RENDERED)
        links = [
            folder / f"clip{number}{path.suffix}"
            for number, path in zip(range(length * batch_size), itertools.cycle(paths))
        ]
        for link, path in zip(links, itertools.cycle(paths)):
            link.symlink_to(path.absolute())
        run = ("OUTPUT_DIR", str(folder / "out"), "LOG_PERIOD", str(steps), "TRAIN.BATCH_SIZE", str(batch_size))
        cfg = load_config(repo_path(CONFIGURATIONS[model]), [*settings_of(folder, links), *_ALONE, *run, *opts])
        with process_setup(cfg) as device:
            network = accelerate(build_model(cfg).to(device), device=device, training=True)
            network = compiled(network, cfg.TRAIN.COMPILE, training=True)
            origin = Origin(MadeOf("training"), {}, {})  # nothing is saved
            trainer = build_trainer(cfg, network, folder / "out", device, origin)
            trainer.hooks = [rates := _Rates()]
            alone = _alone(trainer, device, steps)
            trainer.train_epoch()
    counted = rates.all[1:]
    whole = len(counted) / sum(1 / rate["clips/s"] for rate in counted)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{model}, {card}, torch {torch.__version__}, {cfg.DATA_LOADER.NUM_WORKERS} decoding processes")
    print(f"step alone {alone:.1f} clips/s, whole tool {whole:.1f} clips/s: {whole / alone:.0%} of it")
    print(f"the last {steps} iterations: {in_words(rates.all[-1])}")


def _alone(trainer: Trainer, device: torch.device, steps: int) -> float:
    """Return the clips per second of iterations on one batch."""
    (name, loader), *_ = trainer.loaders.items()
    loader.set_epoch(0)
    batch = next(on_device(iter(loader), device))
    for step in range(_WARM + steps):
        if step == _WARM:
            _wait(device)
            start = time.perf_counter()
        trainer.step({name: batch}, 1e-6)
    _wait(device)
    return steps * len(batch["names"]) / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    """Wait until everything that was launched is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
