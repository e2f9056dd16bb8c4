"""Log lines with the time left."""

import logging
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slowfast.engine.hooks import Hook
from slowfast.engine.hooks.pace import in_words
from slowfast.engine.run import Mean
from slowfast.utils.progress import format_seconds

if TYPE_CHECKING:
    from slowfast.engine.methods import Measure
    from slowfast.engine.trainer import Trainer

logger = logging.getLogger(__name__)


# Seconds after which a line is due, however few iterations there were.
_LONGEST = 30.0


class LogLines(Hook):
    """Writes means since the line before, and evaluations, to the log; accuracies throughout.

    Args:
        num_classes: of the network; where there are no more than five, top-5 says nothing and is left out.
        clips: split -> which clips it holds, in words.
    """

    def __init__(self, num_classes: int, clips: Mapping[str, str] | None = None) -> None:
        self.num_classes, self.clips = num_classes, clips or {}
        self.means = Mean()

    def start(self, trainer: "Trainer") -> None:
        """Start the clock."""
        self.began = self.said = time.monotonic()
        self.first = trainer.steps_done

    def step(self, trainer: "Trainer", iteration: int, measures: "dict[str, Measure]", lr: float) -> None:
        """Write one line every LOG_PERIOD iterations, at the end of an epoch, and when half a minute has gone by."""
        for name, measure in measures.items():
            if measure.every_iteration:
                weight = (measure.weight or 1.0) * math.isfinite(measure.value)
                self.means.add(name, measure.value * weight if weight else 0.0, weight)
        now = time.monotonic()
        if iteration % trainer.log_period and iteration != trainer.length and now - self.said < _LONGEST:
            return
        values = {name: self.means.mean(name) for name in self.means.totals}
        left = trainer.max_epoch * trainer.length - trainer.steps_done
        each = (now - self.began) / (trainer.steps_done - self.first)
        logger.info(
            "epoch %d/%d iter %d/%d %s lr %.4g %sETA %s",
            trainer.run.epoch + 1, trainer.max_epoch, iteration, trainer.length,
            " ".join(filter(None, map(self._words, values.items()))), lr, in_words(trainer.rates),
            format_seconds(each * left),
        )  # fmt: skip
        self.said, self.means = now, Mean()

    def _words(self, measure: tuple[str, float]) -> str:
        """Return a mean as it stands in a line: errors as accuracies."""
        name, value = measure
        start, top, _ = name.partition("top1_err")
        if top:
            return f"{start.replace('_', ' ')}top-1 {100 - value:.2f} %"
        start, top, _ = name.partition("top5_err")
        if top:
            return f"{start.replace('_', ' ')}top-5 {100 - value:.2f} %" if self.num_classes > 5 else ""
        return f"{name} {value:.4g}"

    def record(self, trainer: "Trainer", kind: str, values: dict[str, Any]) -> None:
        """Write one line about an evaluation."""
        if kind == "val_epoch":
            error, name = ("map_err", "mAP") if "map_err" in values else ("top1_err", "top-1")
            right, best = 100 - values[error], 100 - values[f"min_{error}"]
            split = values["split"]
            kind = f" ({self.clips[split]})" if split in self.clips else ""
            logger.info("epoch %d %s%s %s %.2f %% (best %.2f %%)", values["epoch"], split, kind, name, right, best)
