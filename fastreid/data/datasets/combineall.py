"""Training on query and gallery too (DATASETS.COMBINEALL)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from fastreid.utils.labels import normal_form

from .items import Item

logger = logging.getLogger(__name__)


def warn_of_two_classes(name: str, in_both: Collection | None) -> None:
    """Log a warning if identities are in training and in test.

    Args:
        name: name of the data set.
        in_both: these identities; None: unknown.
    """
    if in_both:
        logger.warning(
            "%s: %d identities are in training and in test; with DATASETS.COMBINEALL each of them "
            "is two classes",
            *(name, len(in_both)),
        )


def with_test_items(
    name: str,
    train: Sequence[Item],
    test: Sequence[Item],
    test_numbers: Sequence[int],
    *,
    junk: Collection[int],
) -> list[Item]:
    """Append the test items to the training items, labelled "<name>_test_<label>".

    Args:
        name: name of the data set.
        train: training items.
        test: items of query and gallery, with their original labels.
        test_numbers: integer identity of each test item.
        junk: integer identities of the items to leave out.

    Returns:
        The training items, followed by the test items.

    Raises:
        ValueError: a training identity has a name that a test identity would get.
    """
    prefix = f"{name}_test_"
    forms = {label: normal_form(str(label)) for item in test for label in item[1:]}
    added = [
        (path, f"{prefix}{forms[pid]}", f"{prefix}{forms[camid]}")
        for (path, pid, camid), number in zip(test, test_numbers)
        if number not in junk
    ]
    clashing = {pid for _, pid, _ in train} & {pid for _, pid, _ in added}
    if clashing:
        raise ValueError(
            f"{name}: {len(clashing)} training identities, such as {min(clashing)!r}, have the "
            "names that DATASETS.COMBINEALL gives to test identities: two persons would get the "
            "same label. Rename them."
        )
    return [*train, *added]
