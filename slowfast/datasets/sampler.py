"""The order in which training visits a list: a function of seed, epoch and position, so that runs resume exactly."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from slowfast.utils.errors import InputError


class Key(NamedTuple):
    """What identifies a training item, and seeds its augmentation.

    Args:
        index: row of the list.
        epoch: of the run.
        draw: how often this row came before in this epoch (class-balanced drawing repeats rows).
    """

    index: int
    epoch: int = 0
    draw: int = 0


def epoch_order(num_rows: int, seed: int, epoch: int) -> list[Key]:
    """Return every row once, shuffled."""
    order = np.random.default_rng([seed, epoch, 0]).permutation(num_rows)
    return [Key(int(index), epoch) for index in order]


def balanced_order(labels: Sequence[int], seed: int, epoch: int) -> list[Key]:
    """Return as many rows as the list has, drawn so that all classes that occur are equally frequent.

    Every class is gone through in shuffled order again and again; each round takes one row of every class.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    labels = np.asarray(labels)
    pools = {int(label): rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)}
    keys: list[Key] = []
    taken = 0
    while len(keys) < len(labels):
        for label in rng.permutation(list(pools)):
            pool = pools[int(label)]
            keys.append(Key(int(pool[taken % len(pool)]), epoch, taken // len(pool)))
        taken += 1
    return keys[: len(labels)]


class EpochSampler:
    """Batches of keys for one process; the last, incomplete batch is left out.

    A batch over all processes is the same set of rows whatever their number is.

    Args:
        num_rows: rows of the list.
        batch_size: rows per batch in this process.
        seed: of the run and split.
        rank: this process.
        world_size: number of processes.
        labels: class numbers for class-balanced drawing, or None.

    Raises:
        InputError: when the list is shorter than one batch.
    """

    def __init__(
        self,
        *,
        num_rows: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        labels: Sequence[int] | None = None,
    ) -> None:
        if num_rows < batch_size * world_size:
            raise InputError(
                f"the list has {num_rows} rows, fewer than one batch of {batch_size * world_size}:"
                " lower TRAIN.BATCH_SIZE or add rows"
            )
        self.num_rows, self.batch_size, self.seed = num_rows, batch_size, seed
        self.rank, self.world_size, self.labels = rank, world_size, labels
        self.epoch = self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch, and the batch with which the next iteration begins."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return self.num_rows // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[list[Key]]:
        if self.labels is None:
            order = epoch_order(self.num_rows, self.seed, self.epoch)
        else:
            order = balanced_order(self.labels, self.seed, self.epoch)
        for batch in range(self.start_batch, len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size]


class EvalSampler:
    """Batches of rows in list order for one process: rows rank, rank + world_size, ...; nothing padded or repeated.

    Args:
        num_rows: rows of the list.
        batch_size: videos per batch.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, *, num_rows: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self.rows = range(rank, num_rows, world_size)
        self.batch_size = batch_size
        self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the batch with which the next iteration begins; the epoch does not matter."""
        self.start_batch = start_batch

    def __len__(self) -> int:
        """Return the number of batches, the last one may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        for first in range(self.start_batch * self.batch_size, len(self.rows), self.batch_size):
            yield [Key(row) for row in self.rows[first : first + self.batch_size]]


class PoolSampler:
    """Every row once in shuffled order, in batches of at least two rows and of nearly equal sizes, for every process.

    Args:
        num_rows: rows of the list, 2 or more.
        batch_size: rows of a batch (of two at most one more, so that no batch has one row).
        seed: of the run and split.
    """

    def __init__(self, *, num_rows: int, batch_size: int, seed: int) -> None:
        self.num_rows, self.seed = num_rows, seed
        self._count = max(1, min(-(-num_rows // batch_size), num_rows // 2))
        self.epoch = self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the order, and the batch with which the next iteration begins."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._count

    def __iter__(self) -> Iterator[list[Key]]:
        order = epoch_order(self.num_rows, self.seed, self.epoch)
        edges = [self.num_rows * part // self._count for part in range(self._count + 1)]
        for batch in range(self.start_batch, self._count):
            yield order[edges[batch] : edges[batch + 1]]


class GivenKeys:
    """Given keys in their order, in batches.

    Args:
        keys: of the items.
        batch_size: keys of a batch; the last one may have fewer.
    """

    def __init__(self, keys: Sequence[Key], batch_size: int) -> None:
        self.batches = [list(keys[first : first + batch_size]) for first in range(0, len(keys), batch_size)]
        self.start_batch = 0

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Key]]:
        yield from self.batches[self.start_batch :]
