import itertools

import numpy as np
import pytest

from fastreid.data import held_out_domain
from fastreid.data.pipeline.shards import (
    Shard,
    check_shard_sizes,
    contiguous_shard_rows,
    meta_shard_rows,
)
from fastreid.data.pipeline.workers import WorkerPool
from fastreid.data.samplers import InferenceSampler
from fastreid.data.transforms import Compose, Resize, ToTensor
from test.data import pipeline_case as case


def rows_by_definition(batches, held_out, world_size, rank):
    """Scatter a meta step: (domain, row) of the meta-train part and of the meta-test part."""
    seen = [row for domain, batch in enumerate(batches) if domain != held_out for row in batch]
    return [
        np.array(rows).reshape(world_size, -1, 2)[rank].tolist()
        for rows in (seen, batches[held_out])
    ]


def meta_rows(batches, held_out, world_size, rank):
    shards = [
        meta_shard_rows(
            domain,
            num_domains=len(batches),
            batch_size=len(batches[0]),
            shard=Shard(rank, world_size),
            held_out=lambda _: held_out,
        )(0)
        for domain in range(len(batches))
    ]
    taken = [[list(row) for row in batch[rows]] for batch, rows in zip(batches, shards)]
    seen = [row for domain, rows in enumerate(taken) if domain != held_out for row in rows]
    return [seen, taken[held_out]]


@pytest.mark.parametrize("num_domains", [2, 3, 4, 5])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_a_meta_step_is_divided_as_in_the_original(num_domains, world_size):
    batches = [[(domain, row) for row in range(12)] for domain in range(num_domains)]
    for held_out, rank in itertools.product(range(num_domains), range(world_size)):
        expected = rows_by_definition(batches, held_out, world_size, rank)
        assert meta_rows(batches, held_out, world_size, rank) == expected


def test_with_two_seen_domains_each_of_two_processes_gets_one():
    batches = [[(domain, row) for row in range(4)] for domain in range(3)]
    seen, tested = meta_rows(batches, 1, 2, 1)
    assert {domain for domain, _ in seen} == {2}
    assert tested == [[1, 2], [1, 3]]


def test_the_held_out_domain_depends_on_the_number_of_the_step():
    held_out = [held_out_domain(0, number * 3, 3) for number in range(20)]
    shard_rows = meta_shard_rows(
        0, num_domains=3, batch_size=8, shard=Shard(1, 2), held_out=held_out.__getitem__
    )
    assert {(held_out[n], shard_rows(n).start, shard_rows(n).stop) for n in range(20)} == {
        (0, 4, 8),
        (1, 8, 8),
        (2, 8, 8),
    }


@pytest.mark.parametrize(
    ("batch_size", "instances", "world_size", "meta", "message"),
    [
        (30, 1, 4, False, r"multiple of 4 \(4 processes\); the nearest: 28 and 32"),
        (24, 4, 4, False, r"of 16 \(4 processes times DATALOADER.NUM_INSTANCE 4\)"),
        (24, 4, 3, False, None),
        (12, 4, 3, True, r"half as many images of each domain\); the nearest: 24\."),
        (64, 2, 4, True, None),
        (7, 2, 1, True, None),
    ],
)
def test_a_batch_that_cannot_be_divided_into_whole_identities_is_rejected(
    batch_size, instances, world_size, meta, message
):
    if message is None:
        check_shard_sizes(batch_size, instances, world_size, has_meta_steps=meta)
        return
    with pytest.raises(ValueError, match=message):
        check_shard_sizes(batch_size, instances, world_size, has_meta_steps=meta)


@pytest.fixture
def items(tmp_path):
    return case.write_items(tmp_path)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_shards_of_all_processes_make_up_the_batch_of_one_process(items, num_workers):
    def batches(rank, world_size):
        shard_rows = contiguous_shard_rows(8, Shard(rank, world_size))
        with case.train_loader(items, WorkerPool(num_workers), shard_rows=shard_rows) as loader:
            loader.seek(1)
            return case.take(loader, 2)

    for whole, *parts in zip(batches(0, 1), batches(0, 2), batches(1, 2)):
        assert all(len(part["targets"]) == 4 for part in parts)
        for column, values in whole.items():
            joined = np.concatenate([part[column] for part in parts])
            np.testing.assert_array_equal(joined, values)


def test_a_batch_without_rows_is_empty_is_counted_and_no_image_is_read(items):
    read = []

    def noting(image, rng):
        read.append(1)
        return Compose([Resize(case.SIZE), ToTensor()])(image, rng)

    with case.train_loader(
        items,
        WorkerPool(0),
        transforms=noting,
        shard_rows=lambda number: slice(2, 4 if number == 2 else 2),
    ) as loader:
        batches = iter(loader)
        lengths = [[len(column) for column in next(batches).values()] for _ in range(3)]
        assert lengths == [[0] * 5, [0] * 5, [2] * 5]
        assert loader.position == 3
    assert len(read) == 2


@pytest.mark.parametrize(("size", "world_size"), [(23, 1), (23, 2), (24, 4), (25, 3), (3, 4)])
def test_ranks_take_whole_test_batches_in_turn(size, world_size):
    shards = [
        list(InferenceSampler(size, rank=rank, world_size=world_size, batch_size=4))
        for rank in range(world_size)
    ]
    batches = [
        indices[first : first + 4] for indices in shards for first in range(0, len(indices), 4)
    ]
    expected = [list(range(first, min(first + 4, size))) for first in range(0, size, 4)]
    assert sorted(batches) == expected
    assert max(map(len, shards)) - min(map(len, shards)) <= 4
