from collections import Counter

import pytest

from slowfast.datasets.sampler import EpochSampler, EvalSampler, PoolSampler, balanced_order
from slowfast.utils.errors import InputError


def rows(sampler) -> list[int]:
    return [key.index for batch in sampler for key in batch]


def test_every_row_at_most_once_and_incomplete_batches_left_out():
    sampler = EpochSampler(num_rows=11, batch_size=3, seed=1)
    assert len(sampler) == 3 and len(rows(sampler)) == 9 == len(set(rows(sampler)))


def test_order_depends_on_seed_and_epoch_only():
    sampler, other = (EpochSampler(num_rows=50, batch_size=5, seed=1) for _ in range(2))
    sampler.set_epoch(3)
    first = rows(sampler)
    other.set_epoch(2)
    assert rows(other) != first
    other.set_epoch(3)
    assert rows(other) == first
    assert rows(EpochSampler(num_rows=50, batch_size=5, seed=2)) != rows(
        EpochSampler(num_rows=50, batch_size=5, seed=1)
    )


def test_resuming_inside_an_epoch():
    sampler = EpochSampler(num_rows=20, batch_size=4, seed=1)
    sampler.set_epoch(7)
    whole = list(sampler)
    sampler.set_epoch(7, start_batch=3)
    assert list(sampler) == whole[3:] and len(sampler) == 5


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_out_the_same_batches(world_size):
    alone = list(EpochSampler(num_rows=30, batch_size=8, seed=5))
    parts = [
        list(EpochSampler(num_rows=30, batch_size=8 // world_size, seed=5, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert [sum(batches, []) for batches in zip(*parts)] == alone


def test_lists_shorter_than_a_batch():
    with pytest.raises(InputError, match="3 rows.*batch of 4.*TRAIN.BATCH_SIZE"):
        EpochSampler(num_rows=3, batch_size=2, seed=0, world_size=2)


def test_balanced_classes():
    labels = [0] * 90 + [1] * 9 + [4]
    keys = balanced_order(labels, seed=3, epoch=1)
    counts = Counter(labels[key.index] for key in keys)
    assert len(keys) == 100 and max(counts.values()) - min(counts.values()) <= 1
    assert len(set(keys)) == 100, "a row that comes again is another draw"
    ones = Counter(key.index for key in keys if labels[key.index] == 1)
    assert max(ones.values()) - min(ones.values()) <= 1
    assert keys == balanced_order(labels, seed=3, epoch=1) != balanced_order(labels, seed=3, epoch=2)
    sampler = EpochSampler(num_rows=100, batch_size=10, seed=3, labels=labels)
    assert Counter(labels[row] for row in rows(sampler))[4] in (33, 34)


@pytest.mark.parametrize("world_size", [1, 3])
def test_evaluation_reads_every_row_once_without_padding(world_size):
    parts = [rows(EvalSampler(num_rows=10, batch_size=4, rank=r, world_size=world_size)) for r in range(world_size)]
    assert sorted(sum(parts, [])) == list(range(10))
    assert parts[0][:2] == [0, world_size]


def test_evaluation_can_start_later():
    sampler = EvalSampler(num_rows=10, batch_size=4)
    sampler.set_epoch(0, start_batch=2)
    assert rows(sampler) == [8, 9] and len(sampler) == 3
    assert list(EvalSampler(num_rows=2, batch_size=4, rank=3, world_size=4)) == []


@pytest.mark.parametrize(("count", "batch"), [(2, 16), (3, 2), (5, 2), (16, 16), (17, 16), (33, 16), (7, 1)])
def test_pools_show_every_row_once_and_no_batch_is_a_single_one(count, batch):
    sampler = PoolSampler(num_rows=count, batch_size=batch, seed=1)
    batches = [[key.index for key in keys] for keys in sampler]
    sizes = [len(keys) for keys in batches]
    assert len(batches) == len(sampler) and sorted(sum(batches, [])) == list(range(count))
    assert min(sizes) >= 2 and max(sizes) - min(sizes) <= 1 and max(sizes) <= max(batch, 3)
    other = PoolSampler(num_rows=count, batch_size=batch, seed=2)
    assert rows(other) != rows(sampler) or count < 4
