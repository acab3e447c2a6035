"""Check before training that a run of a configuration can use its data sets."""

from __future__ import annotations

from collections.abc import Sequence

from fastreid.config import CfgNode, explicit_config, named_classes

from .checks import CheckResult, check_dataset, explained
from .common import CommDataset
from .datasets import load_dataset
from .samplers.build import build_domain_sampler, build_train_sampler
from .train_set import require_names, skips_unreadable


def check_for_run(
    cfg: CfgNode,
    name: str,
    *,
    uses: Sequence[str] = (),
    quick: bool = False,
    num_workers: int = 0,
    with_sampler: bool = False,
) -> CheckResult:
    """Check a data set with the settings of a configuration.

    Args:
        cfg: the whole configuration.
        name: registered name.
        uses: "train", "test" or both; empty for all uses that the data set has images for.
        quick: True to check that files exist without opening them.
        num_workers: processes that read images; 0 for the calling process.
        with_sampler: True to check also that batches can be drawn, from all of DATASETS.NAMES if
            the data set is among them, else from it alone; and that the class counts of the
            configuration are those of DATASETS.NAMES.

    Returns:
        Faults, remarks and counts.

    Raises:
        KeyError: no data set of that name is registered.
        ValueError: DATALOADER.ON_ERROR or a use is unknown.
    """
    # COMBINEALL applies to training only.
    combineall = cfg.DATASETS.COMBINEALL and tuple(uses) != ("test",)
    try:
        data = load_dataset(cfg, name, combineall=combineall)
    except (OSError, ValueError, ImportError) as error:
        return CheckResult({}, [explained(error)], [], tuple(uses))
    result = check_dataset(
        data,
        name=name,
        uses=uses,
        quick=quick,
        num_workers=num_workers,
        skips_unreadable=skips_unreadable(cfg),
    )
    if with_sampler and result.counts.get("train", (0, 0, 0))[1]:
        return result._replace(faults=[*result.faults, *_why_no_batches(cfg, name)])
    return result


def iters_per_epoch(cfg: CfgNode, num_images: int) -> int:
    """Count the iterations of an epoch, which consists of full batches.

    Args:
        cfg: the whole configuration; SOLVER.IMS_PER_BATCH and DATASETS.NAMES.
        num_images: number of images in all training sets.

    Raises:
        ValueError: there are fewer images than a batch needs.
    """
    iters = num_images // cfg.SOLVER.IMS_PER_BATCH
    if iters == 0:
        raise ValueError(
            f"The training sets {tuple(cfg.DATASETS.NAMES)} have {num_images} images, fewer than "
            f"SOLVER.IMS_PER_BATCH ({cfg.SOLVER.IMS_PER_BATCH})."
        )
    return iters


def check_class_counts(cfg: CfgNode, classes_per_domain: Sequence[int]) -> None:
    """Check the class counts of the configuration, where it has any, against the training sets.

    Args:
        cfg: the whole configuration; DATASETS.NAMES and MODEL.HEADS.
        classes_per_domain: identities of each training set, in the order of DATASETS.NAMES.

    Raises:
        ValueError: ACL has a single training set, or the counts of the configuration differ from
            those of the data.
    """
    if explicit_config(cfg).MODEL.HEADS.CLASSIFIERS == "joint":
        total = cfg.MODEL.HEADS.NUM_CLASSES
        _compare([total] if total else [], [sum(classes_per_domain)], "MODEL.HEADS.NUM_CLASSES")
        return
    if len(classes_per_domain) < 2:
        raise ValueError(
            f"ACL needs two or more source domains, but DATASETS.NAMES is "
            f"{tuple(cfg.DATASETS.NAMES)}."
        )
    key, named = named_classes(cfg)
    _compare(named, list(classes_per_domain), key)


def _compare(named: list[int], found: list[int], key: str) -> None:
    if named and named != found:
        unset = "[]" if key.endswith("CLASSES_PER_DOMAIN") else "0"
        raise ValueError(
            f"{key} is {named}, but the training sets have {found} identities. Unset it to use the "
            f"number of the data: {key} {unset}. (A config.yaml written by an earlier version "
            "contains the number of the data of its run.)"
        )


def _why_no_batches(cfg: CfgNode, name: str) -> list[str]:
    cfg = explicit_config(cfg).clone()
    cfg.defrost()
    is_source = name in cfg.DATASETS.NAMES
    if not is_source:
        cfg.DATASETS.NAMES = (name,)
    names, combineall = cfg.DATASETS.NAMES, cfg.DATASETS.COMBINEALL
    try:
        require_names(cfg)
        sets = {name: load_dataset(cfg, name, combineall=combineall).train for name in names}
        train_set = CommDataset.of_sets(sets)
        # In the order of a training run, so that the first error is the same.
        build_train_sampler(cfg, train_set)
        if is_source:
            check_class_counts(cfg, train_set.classes_per_domain)
        iters_per_epoch(cfg, len(train_set))
        if cfg.SOLVER.META.PERIOD > 0:
            for domain in range(len(names)):
                build_domain_sampler(cfg, train_set, domain)
    except (OSError, ValueError) as error:
        return [explained(error)]
    return []
