"""Scores of every video of a split, over all its views and crops; no row is padded or repeated."""

import logging
from typing import Any

import numpy as np
import torch
from torch import nn

from slowfast.ensemble.aggregate import aggregate_views
from slowfast.ensemble.predictions import Predictions
from slowfast.losses import class_shares
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.precision import FULL, Precision
from slowfast.utils.progress import Progress
from slowfast.utils.scores import mean_average_precision, top_errors
from slowfast.utils.stop import check_stop

logger = logging.getLogger(__name__)


class Evaluator:
    """Runs a network over an evaluation loader.

    Args:
        loader: evaluation batches (all views and crops of a video together).
        names: names of all N videos in list order.
        labels: int64 (N,), -1 where unknown.
        num_classes: K.
        num_views: clips per video, views x crops.
        device: where the network runs.
        split: for messages.
        clip_batch: clips of one forward pass.
        score: `logits` or `probs`: what is summed over the clips.
        method: `sum` or `max`.
        max_failed: a larger share of unreadable videos stops the run.
        class_names: K names.
        precision: of the forward pass.
        several: a video may have several labels: `probs` are the sigmoid of every class, else the softmax.
        targets: float32 (N, K) where a video may have several labels: 1 for each, 0 elsewhere, NaN where unknown.
    """

    def __init__(
        self,
        *,
        loader: Any,
        names: list[str],
        labels: np.ndarray,
        num_classes: int,
        num_views: int,
        device: torch.device,
        split: str,
        clip_batch: int,
        score: str = "logits",
        method: str = "sum",
        max_failed: float = 1.0,
        class_names: list[str] | None = None,
        precision: Precision = FULL,
        several: bool = False,
        targets: np.ndarray | None = None,
    ) -> None:
        self.several, self.targets = several, targets
        self.loader, self.names, self.labels = loader, names, labels
        self.num_classes, self.num_views, self.device, self.split = num_classes, num_views, device, split
        self.clip_batch, self.score, self.method, self.max_failed = clip_batch, score, method, max_failed
        self.class_names, self.precision = class_names, precision

    @torch.no_grad()
    def predict(self, model: nn.Module) -> Predictions:
        """Return the predictions for every video; unreadable ones are NaN rows named in `failed`.

        Raises:
            InputError: more than `max_failed` of the videos cannot be read.
            Preempted: this process was asked to stop.
        """
        was_training = model.training
        model.eval()
        progress = Progress(len(self.names) // distributed.world_size(), f"testing {self.split}", emit=logger.info)
        scores, videos, views, failed = [], [], [], []
        for batch in self.loader:
            check_stop(f"the evaluation of {self.split}")
            failed += batch["failed"]
            self._check_failed(failed)
            if len(batch["index"]):
                scores.append(self._scores(model, batch))
                index = np.asarray(batch["index"], dtype=np.int64)
                videos.append(np.repeat(index, self.num_views))
                views.append(np.tile(np.arange(self.num_views), len(index)))
            progress.update(len(batch["index"]) + len(batch["failed"]))
        model.train(was_training)
        return self._collect(scores, videos, views, failed)

    def errors(self, model: nn.Module) -> dict[str, float]:
        """Return errors in percent over the labelled, readable videos; the first one is to be small.

        They are `top1_err` and `top5_err`, or where a video may have several labels `map_err` and the mean average
        precision `map` itself.
        """
        predictions = self.predict(model)
        known = predictions.known
        if not known.any():
            raise InputError(f"split {self.split}: no readable video has a label, so it cannot be evaluated")
        scores_NK = predictions.video_preds[known]
        if predictions.video_targets is None:
            return dict(zip(("top1_err", "top5_err"), top_errors(scores_NK, predictions.video_labels[known])))
        mean, classes = mean_average_precision(scores_NK, predictions.video_targets[known])
        if not classes:
            raise InputError(f"split {self.split}: no readable video has one of the classes, so there is no mAP")
        return {"map_err": 100.0 - mean, "map": mean}

    def _scores(self, model: nn.Module, batch: dict[str, Any]) -> np.ndarray:
        """Return float32 (B*V, K) scores of the clips of a batch."""
        parts = []
        for part in batch["clips"].split(self.clip_batch):
            with self.precision.active(self.device):
                logits_BK = model(part.to(self.device, non_blocking=True))
            logits_BK = logits_BK.float()
            is_shares = self.score == "probs"
            scores_BK = class_shares(logits_BK, several=self.several) if is_shares else logits_BK
            parts.append(scores_BK.cpu().numpy())
        return np.concatenate(parts)

    def _check_failed(self, failed: list[tuple[int, str, str]]) -> None:
        """Stop when too many videos cannot be read."""
        if len(failed) > self.max_failed * len(self.names):
            _, name, reason = failed[0]
            raise InputError(
                f"split {self.split}: {len(failed)} of {len(self.names)} videos cannot be read, more than the share "
                f"DATA.MAX_FAILED {self.max_failed}; the first is {name} ({reason}); run tools/check_videos.py"
            )

    def _collect(self, scores: list, videos: list, views: list, failed: list) -> Predictions:
        """Gather the clips of all processes and make one row per video."""
        nothing = np.zeros((0, self.num_classes), np.float32)
        local = (
            np.concatenate([nothing, *scores]),
            np.concatenate([np.zeros(0, np.int64), *videos]),
            np.concatenate([np.zeros(0, np.int64), *views]),
            failed,
        )
        gathered = distributed.gather(local)
        failed = sorted({tuple(item) for part in gathered for item in part[3]})
        rows = aggregate_views(
            np.concatenate([part[0] for part in gathered]),
            np.concatenate([part[1] for part in gathered]),
            np.concatenate([part[2] for part in gathered]),
            num_videos=len(self.names),
            num_views=self.num_views,
            method=self.method,
            failed=[index for index, _, _ in failed],
        )
        for _, name, reason in failed:
            logger.warning("could not read %s: %s", name, reason)
        return Predictions(
            video_preds=rows,
            video_labels=self.labels,
            video_names=list(self.names),
            score_kind=self.score,
            num_views=self.num_views,
            class_names=self.class_names,
            failed=[name for _, name, _ in failed],
            precision=self.precision.name,
            video_targets=self.targets,
            source=f"split {self.split}",
        )
