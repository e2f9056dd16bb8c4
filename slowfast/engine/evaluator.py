"""Scores of every video of a split, over all its views and crops; no row is padded or repeated."""

import logging
from collections.abc import Sequence
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

    def predict(self, model: nn.Module) -> Predictions:
        """Return the predictions for every video; see `predict_parts`."""
        return self.predict_parts(model, [range(self.num_views)])[0]

    @torch.no_grad()
    def predict_parts(self, model: nn.Module, parts: Sequence[Sequence[int]]) -> list[Predictions]:
        """Return the predictions from some of the clips of every video, for each of several choices of clips.

        Args:
            model: the network.
            parts: numbers of the clips that count, 0..views x crops - 1, for each result.

        Returns:
            The predictions of every part; unreadable videos are NaN rows named in `failed`.

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
        return self._collect(scores, videos, views, failed, parts)

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

    def _collect(
        self, scores: list, videos: list, views: list, failed: list, parts: Sequence[Sequence[int]]
    ) -> list[Predictions]:
        """Gather the clips of all processes and make one row per video, for each part."""
        nothing = np.zeros((0, self.num_classes), np.float32)
        local = (
            np.concatenate([nothing, *scores]),
            np.concatenate([np.zeros(0, np.int64), *videos]),
            np.concatenate([np.zeros(0, np.int64), *views]),
            failed,
        )
        gathered = distributed.gather(local)
        scores_MK, video_M, view_M = (np.concatenate([one[place] for one in gathered]) for place in range(3))
        unread = sorted({tuple(item) for one in gathered for item in one[3]})
        for _, name, reason in unread:
            logger.warning("could not read %s: %s", name, reason)
        results = []
        for part in parts:
            place_V = np.full(self.num_views, -1)
            place_V[list(part)] = np.arange(len(part))
            kept_M = place_V[view_M] >= 0
            rows_NK = aggregate_views(
                scores_MK[kept_M],
                video_M[kept_M],
                place_V[view_M[kept_M]],
                num_videos=len(self.names),
                num_views=len(part),
                method=self.method,
                failed=[index for index, _, _ in unread],
            )
            results.append(self._predictions(rows_NK, len(part), [name for _, name, _ in unread]))
        return results

    def _predictions(self, rows_NK: np.ndarray, num_views: int, failed: list[str]) -> Predictions:
        """Return rows of scores as predictions of this split."""
        return Predictions(
            video_preds=rows_NK,
            video_labels=self.labels,
            video_names=list(self.names),
            score_kind=self.score,
            num_views=num_views,
            class_names=self.class_names,
            failed=failed,
            precision=self.precision.name,
            video_targets=self.targets,
            source=f"split {self.split}",
        )
