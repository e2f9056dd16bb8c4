"""BatchNorm statistics of another domain: the population mean and variance over clips of a split.

Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021; used for domain adaptation as in Li et al., AdaBN, 2016.
"""

import itertools
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from slowfast.engine.adapt.base import ADAPTATIONS, Adaptation, Pool
from slowfast.utils import distributed
from slowfast.utils.progress import Progress
from slowfast.utils.stop import check_stop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fvcore.nn.precise_bn import BN_MODULE_TYPES, get_bn_modules, update_bn_stats

logger = logging.getLogger(__name__)


def adapt_batchnorm(
    model: nn.Module,
    loader: Iterable[dict[str, Any]],
    *,
    num_batches: int,
    clips_of: Callable[[dict[str, Any]], torch.Tensor],
    combine: bool = True,
) -> int:
    """Replace the running statistics of every BatchNorm by those of the loader's clips.

    The network runs in training mode without gradients, so that each layer sees inputs normalised by batch
    statistics; the layers' momentum is restored.

    Args:
        model: the network (without wrappers); its training flag is restored.
        loader: batches; needs `len()`.
        num_batches: at most this many.
        clips_of: network input (B, 3, T, H, W) of a batch.
        combine: with several processes, each with batches of its own, combine the statistics of all.

    Returns:
        The number of adapted layers; 0 when the network has no BatchNorm (nothing is read then).

    Raises:
        Preempted: this process was asked to stop.
    """
    was_training = model.training
    model.train()
    layers = get_bn_modules(model)
    if layers:
        count = min(num_batches, len(loader))
        progress = Progress(count, "BatchNorm adaptation", emit=logger.info)
        update_bn_stats(model, _inputs(loader, count, clips_of, progress), count)
        if combine:
            _combine(layers)
    model.train(was_training)
    return len(layers)


def _inputs(loader: Iterable, count: int, clips_of: Callable, progress: Progress) -> Iterator[torch.Tensor]:
    """Yield the network inputs of `count` batches."""
    for batch in itertools.islice(loader, count):
        check_stop("a BatchNorm adaptation")
        yield clips_of(batch)
        progress.update()


def _combine(layers: list[nn.Module]) -> None:
    """Give every process the statistics over the batches of all processes, which have equal weight."""
    world = distributed.world_size()
    if world == 1:
        return
    for layer in layers:
        mean = distributed.sum_(layer.running_mean.clone()) / world
        square = distributed.sum_(layer.running_var + layer.running_mean**2) / world
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(square - mean**2)


@ADAPTATIONS.register("batchnorm")
class BatchNormStatistics(Adaptation):
    """The statistics of every BatchNorm are those of the pool."""

    training_views = True
    needs = "a BatchNorm"

    @property
    def limit(self) -> int:
        """Return BN.NUM_BATCHES_PRECISE."""
        return self.cfg.BN.NUM_BATCHES_PRECISE

    def can_adapt(self, model: nn.Module) -> bool:
        """Return whether the network has a BatchNorm."""
        return any(isinstance(module, BN_MODULE_TYPES) for module in model.modules())

    def adapt(self, model: nn.Module, pool: Pool) -> nn.Module:
        """Return the network with the statistics of the pool."""
        take_statistics(model, pool)
        return model


def take_statistics(model: nn.Module, pool: Pool) -> None:
    """Replace the BatchNorm statistics of a network by those of a pool, which all processes see whole."""
    adapt_batchnorm(model, pool, num_batches=len(pool), clips_of=lambda clips: clips, combine=False)
