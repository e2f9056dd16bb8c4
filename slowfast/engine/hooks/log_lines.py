"""Log lines with the time left."""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slowfast.engine.hooks import Hook
from slowfast.utils.progress import format_seconds

if TYPE_CHECKING:
    from slowfast.engine.trainer import Trainer

logger = logging.getLogger(__name__)


class LogLines(Hook):
    """Writes measures of iterations and evaluations to the log.

    Args:
        clips: split -> which clips it holds, in words.
    """

    def __init__(self, clips: Mapping[str, str] | None = None) -> None:
        self.clips = clips or {}

    def start(self, trainer: "Trainer") -> None:
        """Start the clock."""
        self.began, self.first = time.monotonic(), trainer.steps_done

    def record(self, trainer: "Trainer", kind: str, values: dict[str, Any]) -> None:
        """Write one line."""
        if kind == "val_epoch":
            right, best = 100 - values["top1_err"], 100 - values["min_top1_err"]
            split = values["split"]
            kind = f" ({self.clips[split]})" if split in self.clips else ""
            logger.info("epoch %d %s%s top-1 %.2f %% (best %.2f %%)", values["epoch"], split, kind, right, best)
        elif kind == "train_iter":
            left = trainer.max_epoch * trainer.length - trainer.steps_done
            each = (time.monotonic() - self.began) / (trainer.steps_done - self.first)
            text = " ".join(f"{name} {value:.4g}" for name, value in values.items() if name not in ("epoch", "iter"))
            logger.info(
                "epoch %d/%d iter %d/%d %s ETA %s",
                values["epoch"], trainer.max_epoch, values["iter"], trainer.length, text, format_seconds(each * left),
            )  # fmt: skip
