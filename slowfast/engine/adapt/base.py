"""What adaptations share: their registry, their form, the clips they are given."""

from collections.abc import Callable, Iterator
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.utils.errors import InputError
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import Progress
from slowfast.utils.registry import Registry
from slowfast.utils.stop import check_stop

logger = get_logger(__name__)

# `@ADAPTATIONS.register("name")` makes a class a value of TEST.ADAPT.
ADAPTATIONS: Registry[type["Adaptation"]] = Registry("TEST.ADAPT")


class Pool:
    """The clips that a network is adapted to, in shuffled batches.

    Several processes all get the same batches, so that the answer does not depend on their number.

    Args:
        loader: batches with `clips`, a sized iterable.
        limit: at most this many batches.
        clips_of: network input (B, 3, T, H, W) of a batch.
        name: split or folder, for messages.
    """

    def __init__(self, loader: Any, *, limit: int, clips_of: Callable[[dict[str, Any]], Tensor], name: str) -> None:
        self._loader, self._clips_of, self.name = loader, clips_of, name
        self._count = min(limit, len(loader))

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._count

    def __iter__(self) -> Iterator[Tensor]:
        """Yield clips (B, 3, T, H, W) of every batch; a batch in which no video can be read is replaced by another.

        Raises:
            InputError: no video of the pool can be read.
            Preempted: this process was asked to stop.
        """
        progress = Progress(self._count, f"adaptation to {self.name}", emit=logger.info)
        left = self._count
        while left:
            before = left
            for batch in self._loader:
                check_stop("an adaptation")
                if len(batch["clips"]):
                    yield self._clips_of(batch)
                    progress.update()
                    left -= 1
                if not left:
                    return
            if left == before:
                raise InputError(f"{self.name}: no video can be read, so there is nothing to adapt to; check its list")


class Adaptation:
    """One way to fit a trained network to a pool; a subclass registers itself and defines `adapt`.

    Args:
        cfg: the configuration; own keys are added by `slowfast.config.add_keys`.

    Attributes:
        trains: `adapt` changes the network it is given, a copy of the plain one; else it gets the network as it is
            tested (BatchNorm folded, forms of the device), and leaves it as it is.
        training_views: batches as in training (augmented, TRAIN.BATCH_SIZE), not as in testing (ADAPT.BATCH_SIZE).
        needs: what a network needs to have, for the message when it has not.
    """

    trains = True
    training_views = False
    needs = ""

    def __init__(self, cfg: CfgNode) -> None:
        self.cfg = cfg

    @property
    def limit(self) -> int:
        """Return the largest number of batches that are read."""
        return self.cfg.ADAPT.BATCHES

    def can_adapt(self, model: nn.Module) -> bool:
        """Return whether the network has what this adaptation changes."""
        return True

    def adapt(self, model: nn.Module, pool: Pool) -> nn.Module:
        """Return the network to test, with `forward`, `forward_features` and `forward_head`.

        Args:
            model: in evaluation mode; see `trains`.
            pool: clips (B, 3, T, H, W) in batches, without labels.
        """
        raise NotImplementedError
