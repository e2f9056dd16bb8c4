"""Hooks: log lines, TensorBoard, checkpoints, evaluation with the best checkpoint."""

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slowfast.engine.checkpoint import CheckpointFolder, save_checkpoint
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.tensorboard import ScalarWriter
from slowfast.engine.trainer import Hook, Trainer
from slowfast.utils import distributed
from slowfast.utils.cli import Preempted
from slowfast.utils.progress import format_seconds

logger = logging.getLogger(__name__)


class LogHook(Hook):
    """Writes `train_iter` and `train_epoch` measurements and log lines with the time left.

    Args:
        period: iterations between two lines.
        writer: of TensorBoard files.
    """

    def __init__(self, *, period: int, writer: ScalarWriter) -> None:
        self.period, self.writer = period, writer
        self.start = time.monotonic()
        self.done = 0

    def before_train(self, trainer: Trainer) -> None:
        """Start the clock, and the curves where the run goes on."""
        self.start, self.done = time.monotonic(), 0
        self.writer.start(trainer.epoch * trainer.length + trainer.iteration)

    def after_step(self, trainer: Trainer, result: dict[str, Any]) -> None:
        """Add to the epoch's means; log every `period` iterations."""
        self.done += 1
        for prefix in ("", "target_"):
            count = result.get(f"{prefix}count")
            if count and math.isfinite(result[f"{prefix}loss"]):
                trainer.means.add(f"{prefix}loss", result[f"{prefix}loss"] * count, count)
                for name in ("top1_err", "top5_err"):
                    trainer.means.add(prefix + name, 100.0 * result[prefix + name], count)
        if trainer.iteration % self.period == 0 or trainer.iteration == trainer.length:
            self._log_iteration(trainer, result)

    def _log_iteration(self, trainer: Trainer, result: dict[str, Any]) -> None:
        """Write one `train_iter` record and log line."""
        left = (trainer.max_epoch - trainer.epoch) * trainer.length - trainer.iteration
        eta = format_seconds((time.monotonic() - self.start) / self.done * left)
        values = {"loss": result["loss"], "grad_norm": result["grad_norm"], "lr": result["lr"]}
        for name in ("top1_err", "top5_err"):
            values[name] = 100.0 * result[name] / result["count"]
        if "target_loss" in result:
            values["target_loss"] = result["target_loss"]
            values["target_top1_err"] = 100.0 * result["target_top1_err"] / result["target_count"]
        place = {"epoch": trainer.epoch + 1, "iter": trainer.iteration}
        trainer.metrics.write("train_iter", **place, **values)
        text = " ".join(f"{name} {value:.4g}" for name, value in values.items())
        logger.info(
            "epoch %d/%d iter %d/%d %s ETA %s",
            trainer.epoch + 1, trainer.max_epoch, trainer.iteration, trainer.length, text, eta,
        )  # fmt: skip
        step = trainer.epoch * trainer.length + trainer.iteration
        for name, value in values.items():
            self.writer.add(f"train/{name}", value, step)

    def after_epoch(self, trainer: Trainer) -> None:
        """Write one `train_epoch` record."""
        names = sorted(trainer.means.totals)
        lr = trainer.schedule.at(trainer.epoch + (trainer.length - 1) / trainer.lr_length)
        values = {name: trainer.means.mean(name) for name in names}
        trainer.metrics.write("train_epoch", epoch=trainer.epoch + 1, lr=lr, **values)

    def after_train(self, trainer: Trainer) -> None:
        """Close the curves."""
        self.writer.close()


class CheckpointHook(Hook):
    """Saves after epochs, before their evaluation, and once more when the last evaluation is done.

    Args:
        folder: the run's checkpoints.
        period: epochs between two saves.
        every_epoch: save after every epoch and keep `checkpoint_latest.pyth`.
        evaluation: tells whether the epoch will be evaluated.
        extra: entries of every checkpoint (`cfg`).
    """

    def __init__(
        self, *, folder: CheckpointFolder, period: int, every_epoch: bool, evaluation: "EvaluationHook", extra: dict
    ) -> None:
        self.folder, self.period, self.every_epoch = folder, period, every_epoch
        self.evaluation, self.extra = evaluation, extra

    def before_train(self, trainer: Trainer) -> None:
        """Tell the loop how to save inside an epoch."""
        trainer.save_partial = self._save_partial

    def _save_partial(self, state: dict[str, Any]) -> None:
        """Save inside an epoch."""
        if distributed.is_main():
            self.folder.save_partial({**state, **self.extra})

    def after_epoch(self, trainer: Trainer) -> None:
        """Save when it is time."""
        trainer.pending_evaluation = self.evaluation.is_due(trainer)
        due = self.every_epoch or trainer.last_epoch or (trainer.epoch + 1) % self.period == 0
        stopping = trainer.stop_asked()
        if due or stopping:
            self._save(trainer)
            trainer.unsaved = None
        if stopping:
            distributed.barrier()
            raise Preempted(f"saved after epoch {trainer.epoch + 1}; call again to go on")

    def _save(self, trainer: Trainer) -> None:
        """Save the state after the present epoch."""
        state = trainer.state_dict(epoch_done=True)
        if distributed.is_main():
            self.folder.save_epoch({**state, **self.extra}, trainer.epoch, latest=self.every_epoch)

    def after_train(self, trainer: Trainer) -> None:
        """Record that nothing is left to do."""
        if trainer.pending_evaluation:
            trainer.epoch, trainer.pending_evaluation = trainer.max_epoch - 1, False
            self._save(trainer)
            trainer.epoch = trainer.max_epoch
            distributed.barrier()


class EvaluationHook(Hook):
    """Validates on every split in order; the last one chooses `best.pyth` (ties overwrite).

    Args:
        evaluators: (split, evaluator) in the order of evaluation; empty: the last epoch is the best.
        period: epochs between two evaluations.
        best_path: where the best checkpoint goes.
        extra: entries of the checkpoint (`cfg`).
        writer: of TensorBoard files.
    """

    def __init__(
        self,
        *,
        evaluators: Sequence[tuple[str, Evaluator]],
        period: int,
        best_path: Path,
        extra: dict,
        writer: ScalarWriter,
    ) -> None:
        self.evaluators, self.period, self.best_path = evaluators, period, best_path
        self.extra, self.writer = extra, writer

    def is_due(self, trainer: Trainer) -> bool:
        """Whether the present epoch is evaluated."""
        return trainer.last_epoch or (trainer.epoch + 1) % self.period == 0

    def before_train(self, trainer: Trainer) -> None:
        """Repeat an evaluation that a stop interrupted; its epoch is already finished."""
        if trainer.pending_evaluation and trainer.epoch > 0 and trainer.iteration == 0:
            trainer.epoch -= 1
            self._evaluate(trainer)
            trainer.epoch += 1

    def after_epoch(self, trainer: Trainer) -> None:
        """Evaluate when it is time."""
        if self.is_due(trainer):
            self._evaluate(trainer)

    def _evaluate(self, trainer: Trainer) -> None:
        """Evaluate all splits and keep the best state."""
        is_best = True
        for split, evaluator in self.evaluators:
            top1, top5 = evaluator.errors(trainer.model)
            is_best = top1 <= trainer.best.get(split, 100.0)
            trainer.best[split] = best = min(top1, trainer.best.get(split, 100.0))
            place = {"epoch": trainer.epoch + 1, "split": split}
            trainer.metrics.write("val_epoch", **place, top1_err=top1, top5_err=top5, min_top1_err=best)
            logger.info("epoch %d %s top-1 %.2f %% (best %.2f %%)", trainer.epoch + 1, split, 100 - top1, 100 - best)
            self.writer.add(f"val/{split}_top1", 100.0 - top1, (trainer.epoch + 1) * trainer.length)
        if is_best:
            state = trainer.state_dict(epoch_done=True)
            if distributed.is_main():
                save_checkpoint(self.best_path, {**state, **self.extra})
