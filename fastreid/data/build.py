"""Data loaders for training and testing, built from the config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np

from fastreid.config import CfgNode, explicit_config
from fastreid.utils.labels import LabelNames

from .checks import require_files, require_usable
from .common import CommDataset
from .datasets import DATASET_REGISTRY, load_dataset
from .pipeline.loader import ReidDataLoader
from .pipeline.preparation import ImageTransform
from .pipeline.shards import Shard, contiguous_shard_rows
from .pipeline.workers import WorkerPool
from .process_shards import check_shards, meta_rows, own_shard
from .samplers import InferenceSampler
from .samplers.build import build_domain_sampler, build_train_sampler, draws_identities
from .samplers.own_sampler import CheckedSampler
from .train_set import build_train_set, skips_unreadable
from .transforms import build_batch_transform, build_transforms

# Projects written for fast-reid import this name; `datasets.data_root` gives the checked path.
_root = os.environ.get("FASTREID_DATASETS", "datasets")


def build_reid_train_loader(
    cfg: CfgNode,
    train_set: CommDataset | None = None,
    *,
    sampler: Iterable[int] | None = None,
    transforms: ImageTransform | None = None,
    combineall: bool | None = None,
    pool: WorkerPool | None = None,
) -> ReidDataLoader:
    """Build the endless loader over all training images.

    Args:
        cfg: DATASETS, DATALOADER, INPUT, SOLVER.IMS_PER_BATCH, SEED.
        train_set: training images; None: those of all data sets in DATASETS.NAMES.
        sampler: gives indices into the training images without end, the same ones at every
            iteration and in every process; each SOLVER.IMS_PER_BATCH indices make a batch. None:
            DATALOADER.SAMPLER_TRAIN.
        transforms: called with an RGB image of PIL and a ``numpy.random.Generator``; gives
            (3, H, W) uint8 or float32. It is used if ``train_set`` has no ``transform``. None: the
            transforms of the config. INPUT.RPT, which works on whole batches, is applied after any
            of them. The loaders of ACL's meta steps use ``train_set.transform`` too, but not this
            argument: pass it to ``build_domain_train_loaders``.
        combineall: whether query and gallery of DATASETS.NAMES are training images too; None:
            DATASETS.COMBINEALL. No effect if ``train_set`` is given.
        pool: worker processes, which several loaders may share; None: a new pool of
            DATALOADER.NUM_WORKERS processes.

    Returns:
        Loader of batches of IMS_PER_BATCH images, or of this process's shard of them. Its
        ``dataset`` has the class counts, and its ``pool`` can be shared with other loaders.

    Raises:
        ValueError: a setting does not match the data, in a message that names the key; or image
            files are missing or empty.
        TypeError: ``train_set`` is not a CommDataset.
    """
    cfg = explicit_config(cfg)
    if train_set is None:
        train_set = build_train_set(
            cfg, combineall=cfg.DATASETS.COMBINEALL if combineall is None else combineall
        )
    else:
        _check_own_set("train_set", train_set, skips_unreadable=skips_unreadable(cfg))
    # Checked before the samplers: the sizes that they propose do not consider the processes.
    check_shards(cfg, by_identity=sampler is None and draws_identities(cfg))
    if sampler is None:
        sampler = build_train_sampler(cfg, train_set)
    else:
        sampler = CheckedSampler(type(sampler).__name__, sampler, len(train_set))
    return ReidDataLoader(
        train_set,
        sampler,
        batch_size=cfg.SOLVER.IMS_PER_BATCH,
        shard_rows=contiguous_shard_rows(cfg.SOLVER.IMS_PER_BATCH, own_shard()),
        transforms=_choose_transforms(cfg, train_set, transforms, is_train=True),
        batch_transform=build_batch_transform(cfg),
        seed=cfg.SEED,
        stream=0,
        skip_unreadable=skips_unreadable(cfg),
        pool=pool or WorkerPool(cfg.DATALOADER.NUM_WORKERS),
    )


def build_domain_train_loaders(
    cfg: CfgNode,
    train_set: CommDataset,
    *,
    transforms: ImageTransform | None = None,
    pool: WorkerPool | None = None,
) -> list[ReidDataLoader]:
    """Build an endless loader for each source domain, for the meta steps.

    Each loader draws IMS_PER_BATCH // 2 images by a NaiveIdentitySampler; if there are several
    processes, each takes the shard that SOLVER.META_SHARD names. The original seeds every sampler
    at random; here the seed of domain d is the first word of NumPy's
    ``SeedSequence([SEED, d + 1])``, and its augmentation is stream d + 1.

    Args:
        cfg: DATALOADER, INPUT, SOLVER.IMS_PER_BATCH, SEED.
        train_set: training images of all domains.
        transforms: as in ``build_reid_train_loader``.
        pool: worker processes, which several loaders may share; None: a new pool for all domains,
            of DATALOADER.NUM_WORKERS processes.

    Returns:
        One loader per domain, in the order of DATASETS.NAMES.

    Raises:
        ValueError: a domain has too few identities, or NUM_INSTANCE does not divide the batch.
    """
    cfg = explicit_config(cfg)
    pool = pool or WorkerPool(cfg.DATALOADER.NUM_WORKERS)
    batch_size = cfg.SOLVER.IMS_PER_BATCH // 2
    samplers = [
        build_domain_sampler(cfg, train_set, domain)
        for domain in range(len(train_set.classes_per_domain))
    ]
    return [
        ReidDataLoader(
            train_set,
            sampler,
            batch_size=batch_size,
            transforms=_choose_transforms(cfg, train_set, transforms, is_train=True),
            batch_transform=build_batch_transform(cfg),
            seed=cfg.SEED,
            stream=domain + 1,
            shard_rows=meta_rows(cfg, domain, len(samplers)),
            skip_unreadable=skips_unreadable(cfg),
            pool=pool,
        )
        for domain, sampler in enumerate(samplers)
    ]


def build_reid_test_loader(
    cfg: CfgNode,
    dataset_name: str | None = None,
    *,
    test_set: CommDataset | None = None,
    num_query: int | None = None,
    transforms: ImageTransform | None = None,
    pool: WorkerPool | None = None,
) -> tuple[ReidDataLoader, int]:
    """Build the loader of a test set: all queries, then all gallery images, in order.

    Args:
        cfg: DATASETS, DATALOADER.NUM_WORKERS, INPUT, TEST.IMS_PER_BATCH.
        dataset_name: registered name of the data set; not used if ``test_set`` is given.
        test_set: the images, queries first, made with ``relabel=False``.
        num_query: number of queries in ``test_set``; None: 0. Not used without ``test_set``.
        transforms: as in ``build_reid_train_loader``, for ``test_set`` or the data set.
        pool: worker processes, which several loaders may share; None: a new pool of
            DATALOADER.NUM_WORKERS processes.

    Returns:
        Loader of batches of TEST.IMS_PER_BATCH images, the last one smaller; and the number of
        queries. If there are several processes, they take whole batches in turn.

    Raises:
        ValueError: the data set has no query or no gallery images, no query has a match, image
            files are missing or empty, ``num_query`` is not between 0 and the number of images, or
            neither a name nor a set is given.
        TypeError: ``test_set`` is not a CommDataset.
    """
    if test_set is not None:
        _check_own_set("test_set", test_set)
        num_query = num_query or 0
        if not 0 <= num_query <= len(test_set):
            raise ValueError(
                f"num_query is {num_query}, but test_set has {len(test_set)} images; it must be "
                "the number of queries at the start of test_set."
            )
    elif dataset_name is None:
        raise ValueError("build_reid_test_loader needs a dataset_name or a test_set.")
    else:
        data = load_dataset(cfg, dataset_name)
        require_usable(dataset_name, data, use="test")
        data.show_test()
        test_set = CommDataset(
            [*data.query, *data.gallery], relabel=False, label_names=data.label_names()
        )
        num_query = len(data.query)
    loader = _build_ordered_loader(
        cfg, test_set, transforms=transforms, pool=pool, shard=own_shard()
    )
    return loader, num_query


def check_test_sets(cfg: CfgNode) -> None:
    """Check all test sets quickly, so that training does not start if one cannot be scored.

    Args:
        cfg: DATASETS.TESTS.

    Raises:
        KeyError: a name is not registered.
        ValueError: a test set cannot be scored, or image files are missing or empty.
        FileNotFoundError: a test set does not exist.
    """
    for name in cfg.DATASETS.TESTS:
        DATASET_REGISTRY.get(name)
    for name in cfg.DATASETS.TESTS:
        require_usable(name, load_dataset(cfg, name), use="test")


def build_image_loader(
    cfg: CfgNode,
    items: Sequence[tuple],
    *,
    pool: WorkerPool | None = None,
    label_names: LabelNames | None = None,
) -> ReidDataLoader:
    """Build a loader of any images in order, with the transforms of a test set.

    Args:
        cfg: DATALOADER.NUM_WORKERS, INPUT, TEST.IMS_PER_BATCH.
        items: (path, pid, camid) of each image, with integer pid and camid.
        pool: worker processes, which several loaders may share; None: a new pool of
            DATALOADER.NUM_WORKERS processes.
        label_names: original identities and cameras of the items; None: unknown.

    Returns:
        Loader of batches of TEST.IMS_PER_BATCH images, the last one smaller.

    Raises:
        ValueError: TEST.IMS_PER_BATCH is below 1, or image files are missing or empty.
    """
    require_files(str(path) for path, _, _ in items)
    test_set = CommDataset(items, relabel=False, label_names=label_names)
    return _build_ordered_loader(cfg, test_set, transforms=None, pool=pool, shard=Shard())


def _build_ordered_loader(
    cfg: CfgNode,
    test_set: CommDataset,
    *,
    transforms: ImageTransform | None,
    pool: WorkerPool | None,
    shard: Shard,
) -> ReidDataLoader:
    batch_size = cfg.TEST.IMS_PER_BATCH
    if batch_size < 1:
        raise ValueError(f"TEST.IMS_PER_BATCH is {batch_size}; it must be at least 1.")
    return ReidDataLoader(
        test_set,
        InferenceSampler(len(test_set), batch_size=batch_size, **shard._asdict()),
        batch_size=batch_size,
        transforms=_choose_transforms(cfg, test_set, transforms, is_train=False),
        pool=pool or WorkerPool(cfg.DATALOADER.NUM_WORKERS),
    )


def _choose_transforms(
    cfg: CfgNode, dataset: CommDataset, transforms: ImageTransform | None, *, is_train: bool
) -> ImageTransform:
    chosen = transforms if dataset.transform is None else dataset.transform
    if chosen is None:
        chosen = build_transforms(cfg, is_train=is_train, dtype=np.uint8)
    return chosen


def _check_own_set(name: str, dataset: CommDataset, *, skips_unreadable: bool = False) -> None:
    if not isinstance(dataset, CommDataset):
        raise TypeError(
            f"{name} must be a fastreid.data.CommDataset, not {type(dataset).__name__}."
        )
    if not skips_unreadable:
        require_files(dataset.paths)
