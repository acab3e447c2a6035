"""Counts of identities, images and cameras of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tabulate import tabulate
from termcolor import colored

from .items import Item

# A data set with a smaller fraction of the published images is taken for a sample of the published
# set, not for a damaged copy.
_SAMPLE_FRACTION = 0.25


class Counts(NamedTuple):
    """Published size of a split: identities and images."""

    ids: int
    images: int


def count_labels(items: Sequence[Item]) -> tuple[int, int]:
    """Count the identities and the cameras of items.

    Args:
        items: items of a split.

    Returns:
        Number of identities, number of cameras.

    Examples:
        >>> from fastreid.data.datasets.counts import count_labels
        >>> count_labels([("a.jpg", 5, 0), ("b.jpg", 5, 1), ("c.jpg", 9, 1)])
        (2, 2)
    """
    return len({item[1] for item in items}), len({item[2] for item in items})


def difference_from_published(
    split: str, items: Sequence[Item], published: Mapping[str, Counts]
) -> str:
    """Describe the difference between the counts of a split and the published ones.

    Args:
        split: name of the split.
        items: its items.
        published: published counts by split; splits that are not in it are not compared.

    Returns:
        A sentence; "" if the counts are equal or the split is only a sample of the published one.

    Examples:
        >>> from fastreid.data.datasets.counts import Counts, difference_from_published
        >>> items = [("a.jpg", 5, 0), ("b.jpg", 5, 1)]
        >>> difference_from_published("query", items, {"query": Counts(ids=1, images=2)})
        ''
        >>> difference_from_published("query", items, {"query": Counts(ids=2, images=3)})
        'query: 1 identities and 2 images; the published set has 2 and 3.'
    """
    found = Counts(count_labels(items)[0], len(items))
    expected = published.get(split, found)
    if found == expected or found.images < _SAMPLE_FRACTION * expected.images:
        return ""
    return (
        f"{split}: {found.ids} identities and {found.images} images; the published set has "
        f"{expected.ids} and {expected.images}."
    )


def describe_published(published: Mapping[str, Counts], splits: Sequence[str], source: str) -> str:
    """Describe published counts, in a sentence.

    Args:
        published: published counts by split.
        splits: splits to describe.
        source: paper or toolbox that they come from; "": unknown.

    Returns:
        The sentence; "" if there are no published counts of the splits.
    """
    sizes = [
        f"{split} {published[split].ids} ids, {published[split].images} images"
        for split in splits
        if split in published
    ]
    if not sizes:
        return ""
    return f"published: {'; '.join(sizes)}{f' ({source})' if source else ''}."


def counts_table(splits: Mapping[str, Sequence[Item]]) -> str:
    """Format a table with a row of counts for each split.

    Args:
        splits: name of each split -> its items.
    """
    rows = []
    for name, items in splits.items():
        num_pids, num_cams = count_labels(items)
        rows.append([name, num_pids, len(items), num_cams])
    headers = ["subset", "# ids", "# images", "# cameras"]
    return colored(tabulate(rows, headers=headers, tablefmt="pipe", numalign="left"), "cyan")
