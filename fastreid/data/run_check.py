"""Would a run of this configuration start with this data set?"""

from __future__ import annotations

from collections.abc import Sequence

from fastreid.config import CfgNode, is_acl, named_classes

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
        cfg: DATASETS, DATALOADER.ON_ERROR, and what samplers need.
        name: registered name.
        uses: "train", "test"; none: whatever the data set has images for.
        quick: look at files from outside only.
        num_workers: processes that read images; 0: this one.
        with_sampler: also say whether batches can be drawn: from all of DATASETS.NAMES if the data
            set is among them, else from it alone; and whether the class counts that the
            configuration names are those of DATASETS.NAMES.

    Returns:
        What was found.

    Raises:
        KeyError: no data set of that name is registered.
        ValueError: DATALOADER.ON_ERROR or a use is not known.
    """
    # Evaluation never trains on query and gallery.
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
    """Count the iterations of an epoch: full batches only.

    Args:
        cfg: SOLVER.IMS_PER_BATCH, DATASETS.NAMES.
        num_images: in all training sets.

    Raises:
        ValueError: there are fewer images than a batch takes.
    """
    iters = num_images // cfg.SOLVER.IMS_PER_BATCH
    if iters == 0:
        raise ValueError(
            f"The training sets {tuple(cfg.DATASETS.NAMES)} have {num_images} images, fewer than "
            f"SOLVER.IMS_PER_BATCH ({cfg.SOLVER.IMS_PER_BATCH})."
        )
    return iters


def check_class_counts(cfg: CfgNode, classes_per_domain: Sequence[int]) -> None:
    """Check the training sets against what the configuration says about their identities.

    Args:
        cfg: DATASETS.NAMES, MODEL.HEADS.
        classes_per_domain: identities of each training set, in the order of DATASETS.NAMES.

    Raises:
        ValueError: if ACL is to learn from a single training set, or the counts that the
            configuration names are not the data's.
    """
    if not is_acl(cfg):
        total = cfg.MODEL.HEADS.NUM_CLASSES
        _compare([total] if total else [], [sum(classes_per_domain)], "MODEL.HEADS.NUM_CLASSES")
        return
    if len(classes_per_domain) < 2:
        raise ValueError(
            f"ACL learns from two or more source domains, but DATASETS.NAMES is "
            f"{tuple(cfg.DATASETS.NAMES)}."
        )
    key, named = named_classes(cfg)
    _compare(named, list(classes_per_domain), key)


def _compare(named: list[int], found: list[int], key: str) -> None:
    if named and named != found:
        unset = "[]" if key.endswith("CLASSES_PER_DOMAIN") else "0"
        raise ValueError(
            f"{key} is {named}, but the training sets have {found} identities; leave it unset to "
            f"take the number from the data: {key} {unset}. (A config.yaml that an earlier version "
            "of this toolbox wrote holds the number of its own data.)"
        )


def _why_no_batches(cfg: CfgNode, name: str) -> list[str]:
    cfg = cfg.clone()
    cfg.defrost()
    is_source = name in cfg.DATASETS.NAMES
    if not is_source:
        cfg.DATASETS.NAMES = (name,)
    names, combineall = cfg.DATASETS.NAMES, cfg.DATASETS.COMBINEALL
    try:
        require_names(cfg)
        sets = {name: load_dataset(cfg, name, combineall=combineall).train for name in names}
        train_set = CommDataset.of_sets(sets)
        # In the order of a run, whose first error is told.
        build_train_sampler(cfg, train_set)
        if is_source:
            check_class_counts(cfg, train_set.classes_per_domain)
        iters_per_epoch(cfg, len(train_set))
        if is_acl(cfg) and cfg.SOLVER.META.PERIOD > 0:
            for domain in range(len(names)):
                build_domain_sampler(cfg, train_set, domain)
    except (OSError, ValueError) as error:
        return [explained(error)]
    return []
