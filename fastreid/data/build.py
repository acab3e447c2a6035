"""Data loaders from the config; the only reader of the environment variable FASTREID_DATASETS."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastreid.config import CfgNode, explicit_config
from fastreid.utils import comm
from fastreid.utils.file_io.paths import absolute_path, expand_home
from fastreid.utils.labels import LabelNames
from fastreid.utils.messages.own_code import locating_errors

from .checks import require_files, require_sound
from .common import CommDataset
from .datasets import DATASET_REGISTRY, ImageDataset
from .pipeline.loader import ReidDataLoader
from .pipeline.shards import (
    META_SHARDS,
    Place,
    RowsOf,
    check_shares,
    contiguous_share,
    held_out_domain,
    meta_share,
)
from .pipeline.workers import WorkerPool
from .samplers import InferenceSampler
from .samplers.build import build_domain_sampler, build_train_sampler, draws_identities
from .transforms import build_batch_transform, build_transforms

_ON_ERROR = ("raise", "skip")


def build_reid_train_loader(cfg: CfgNode, *, pool: WorkerPool | None = None) -> ReidDataLoader:
    """Build the endless loader over all of DATASETS.NAMES.

    Args:
        cfg: DATASETS, DATALOADER, INPUT, SOLVER.IMS_PER_BATCH, SEED.
        pool: worker processes to share; None makes DATALOADER.NUM_WORKERS of its own.

    Returns:
        Loader of batches of IMS_PER_BATCH images, or of this process's part of them; its
        ``dataset`` has the class counts, and its ``pool`` may serve further loaders.

    Raises:
        ValueError: a setting that does not fit the data; the message names the key.
    """
    cfg = explicit_config(cfg)
    train_set = _build_train_set(cfg)
    # First: what a sampler takes for the nearest size knows nothing of the processes.
    _check_shares(cfg)
    sampler = build_train_sampler(cfg, train_set)
    return ReidDataLoader(
        train_set,
        sampler,
        batch_size=cfg.SOLVER.IMS_PER_BATCH,
        rows_of=contiguous_share(cfg.SOLVER.IMS_PER_BATCH, _place()),
        transforms=build_transforms(cfg, is_train=True, dtype=np.uint8),
        batch_transform=build_batch_transform(cfg),
        seed=cfg.SEED,
        stream=0,
        skip_unreadable=skips_unreadable(cfg),
        pool=pool or WorkerPool(cfg.DATALOADER.NUM_WORKERS),
    )


def build_domain_train_loaders(
    cfg: CfgNode, train_set: CommDataset, *, pool: WorkerPool | None = None
) -> list[ReidDataLoader]:
    """Build an endless loader for each source domain, as the meta steps need them.

    Each draws IMS_PER_BATCH // 2 images by a NaiveIdentitySampler; of several processes, each takes
    the part of SOLVER.META_SHARD. The original seeds every
    sampler anew at random; here domain d's seed is the first word of NumPy's
    ``SeedSequence([SEED, d + 1])``, and its augmentation is stream d + 1.

    Args:
        cfg: DATALOADER, INPUT, SOLVER.IMS_PER_BATCH, SEED.
        train_set: of ``build_reid_train_loader``.
        pool: worker processes to share; None makes DATALOADER.NUM_WORKERS for them all.

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
            transforms=build_transforms(cfg, is_train=True, dtype=np.uint8),
            batch_transform=build_batch_transform(cfg),
            seed=cfg.SEED,
            stream=domain + 1,
            rows_of=_meta_rows(cfg, domain, len(samplers)),
            skip_unreadable=skips_unreadable(cfg),
            pool=pool,
        )
        for domain, sampler in enumerate(samplers)
    ]


def build_reid_test_loader(
    cfg: CfgNode, dataset_name: str, *, pool: WorkerPool | None = None
) -> tuple[ReidDataLoader, int]:
    """Build the loader of a test set: every query, then every gallery image, in order.

    Args:
        cfg: DATASETS, DATALOADER.NUM_WORKERS, INPUT, TEST.IMS_PER_BATCH.
        dataset_name: registered name.
        pool: worker processes to share; None makes DATALOADER.NUM_WORKERS of its own.

    Returns:
        Loader of batches of TEST.IMS_PER_BATCH images, the last one smaller, and the number of
        queries. Of several processes, each takes whole batches in turn.

    Raises:
        ValueError: the data set has no query or no gallery images, or no query has a match.
    """
    data = load_dataset(cfg, dataset_name)
    require_sound(dataset_name, data, use="test")
    data.show_test()
    test_set = CommDataset(
        [*data.query, *data.gallery], relabel=False, label_names=data.label_names()
    )
    return _build_ordered_loader(cfg, test_set, pool=pool, place=_place()), len(data.query)


def check_test_sets(cfg: CfgNode) -> None:
    """Make the quick check of every set of DATASETS.TESTS, before training and not epochs later.

    Args:
        cfg: DATASETS.

    Raises:
        KeyError: a name is not registered.
        ValueError: a set cannot be scored, or files of it are missing or empty.
        FileNotFoundError: a set is not there.
    """
    for name in cfg.DATASETS.TESTS:
        DATASET_REGISTRY.get(name)
    for name in cfg.DATASETS.TESTS:
        require_sound(name, load_dataset(cfg, name), use="test")


def build_image_loader(
    cfg: CfgNode,
    items: Sequence[tuple],
    *,
    pool: WorkerPool | None = None,
    label_names: LabelNames | None = None,
) -> ReidDataLoader:
    """Build the loader of any images, as a test set's are prepared, in order.

    Args:
        cfg: DATALOADER.NUM_WORKERS, INPUT, TEST.IMS_PER_BATCH.
        items: (path, pid, camid), both whole numbers.
        pool: worker processes to share; None makes DATALOADER.NUM_WORKERS of its own.
        label_names: identities and cameras of the items as they are written; None: not known.

    Returns:
        Loader of batches of TEST.IMS_PER_BATCH images, the last one smaller.

    Raises:
        ValueError: TEST.IMS_PER_BATCH is below 1, or files are missing or empty.
    """
    require_files(str(path) for path, _, _ in items)
    test_set = CommDataset(items, relabel=False, label_names=label_names)
    return _build_ordered_loader(cfg, test_set, pool=pool, place=Place())


def _build_ordered_loader(
    cfg: CfgNode, test_set: CommDataset, *, pool: WorkerPool | None, place: Place
) -> ReidDataLoader:
    batch_size = cfg.TEST.IMS_PER_BATCH
    if batch_size < 1:
        raise ValueError(f"TEST.IMS_PER_BATCH is {batch_size}; it must be at least 1.")
    return ReidDataLoader(
        test_set,
        InferenceSampler(len(test_set), batch_size=batch_size, **place._asdict()),
        batch_size=batch_size,
        transforms=build_transforms(cfg, is_train=False, dtype=np.uint8),
        pool=pool or WorkerPool(cfg.DATALOADER.NUM_WORKERS),
    )


def _place() -> Place:
    return Place(comm.get_rank(), comm.get_world_size())


def _check_shares(cfg: CfgNode) -> None:
    if cfg.SOLVER.META_SHARD not in META_SHARDS:
        raise ValueError(
            f"SOLVER.META_SHARD is {cfg.SOLVER.META_SHARD!r}; it must be one of {META_SHARDS}."
        )
    check_shares(
        cfg.SOLVER.IMS_PER_BATCH,
        # Less than 1 is for the sampler to refuse.
        max(cfg.DATALOADER.NUM_INSTANCE, 1) if draws_identities(cfg) else 1,
        comm.get_world_size(),
        has_meta_steps=cfg.SOLVER.META.PERIOD > 0,
    )


def _meta_rows(cfg: CfgNode, domain: int, num_domains: int) -> RowsOf:
    batch_size, place = cfg.SOLVER.IMS_PER_BATCH // 2, _place()
    if cfg.SOLVER.META_SHARD == "mixed" or place.world_size == 1:
        return contiguous_share(batch_size, place)
    seed, period = cfg.SEED, cfg.SOLVER.META.PERIOD
    return meta_share(
        domain,
        num_domains=num_domains,
        batch_size=batch_size,
        place=place,
        held_out=lambda number: held_out_domain(seed, number * period, num_domains),
    )


def load_dataset(cfg: CfgNode, name: str, *, combineall: bool = False) -> ImageDataset:
    """Find a data set under $FASTREID_DATASETS.

    Args:
        cfg: DATASETS.
        name: registered name.
        combineall: train on query and gallery too.

    Returns:
        The data set; its lists are read when they are asked for.

    Raises:
        KeyError: no data set of that name is registered.
        FileNotFoundError: its files are not there.
        ValueError: the registered class cannot be made in this way, or is no data set.
    """
    # Paths of images go into files that are read from other folders.
    root = expand_home(os.environ.get("FASTREID_DATASETS", "datasets"), "FASTREID_DATASETS")
    make = DATASET_REGISTRY.get(name)
    options = {"root": str(absolute_path(root)), "combineall": combineall}
    if name == "CUHK03":
        options["cuhk03_labeled"] = cfg.DATASETS.CUHK03.LABELED
        options["cuhk03_classic_split"] = cfg.DATASETS.CUHK03.CLASSIC_SPLIT
    if name == "ImageList":
        options["image_list"] = cfg.DATASETS.IMAGE_LIST
    options = _accepted_options(name, make, options)
    # Some data sets extract their images at the first use.
    with comm.local_rank_zero_first(), locating_errors(f"Data set {name}", make):
        data = make(**options)
        if not isinstance(data, ImageDataset):
            raise ValueError(
                f"What is registered as data set {name} gives {type(data).__name__}; it must be a "
                "class that inherits from fastreid.data.datasets.ImageDataset."
            )
        if comm.get_world_size() > 1:
            data.prepare()
    return data


def _accepted_options(name: str, make: Callable, options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a user's class does not take."""
    signature = inspect.signature(make)
    if not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        if options["combineall"] and "combineall" not in signature.parameters:
            raise ValueError(
                f"Data set {name}: its constructor does not take combineall, which "
                "DATASETS.COMBINEALL asks for; let it take **kwargs and pass them to "
                "super().__init__."
            )
        options = {key: value for key, value in options.items() if key in signature.parameters}
    try:
        signature.bind(**options)
    except TypeError as error:
        raise ValueError(
            f"Data set {name} cannot be made with {', '.join(options) or 'no arguments'}: {error}. "
            "Its constructor must do with root and **kwargs; docs/own_code.md has an example."
        ) from error
    return options


def _build_train_set(cfg: CfgNode) -> CommDataset:
    require_names(cfg)
    items = {}
    for name in cfg.DATASETS.NAMES:
        data = load_dataset(cfg, name, combineall=cfg.DATASETS.COMBINEALL)
        data.show_train()
        require_sound(name, data, use="train", skips_unreadable=skips_unreadable(cfg))
        items[name] = data.train
    return CommDataset.of_sets(items)


def require_names(cfg: CfgNode) -> None:
    """Check that DATASETS.NAMES names at least one data set, and each once.

    Args:
        cfg: DATASETS.NAMES.

    Raises:
        ValueError: it does not.
    """
    names = cfg.DATASETS.NAMES
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not names or twice:
        fault = f"lists {twice} more than once" if twice else "is empty"
        raise ValueError(f"DATASETS.NAMES {tuple(names)} {fault}; name each source domain once.")


def skips_unreadable(cfg: CfgNode) -> bool:
    """Tell whether training replaces images that cannot be read.

    Args:
        cfg: DATALOADER.ON_ERROR.

    Raises:
        ValueError: it has another value than "raise" and "skip".
    """
    value = cfg.DATALOADER.ON_ERROR
    if value not in _ON_ERROR:
        raise ValueError(f"DATALOADER.ON_ERROR is {value!r}; it can be one of {_ON_ERROR}.")
    return value == "skip"
