"""Check the items of data sets and convert them to one form."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastreid.utils.labels import normal_form

Item = tuple

_FIELDS = ("path", "identity", "camera")
_FORM = "(path, identity, camera)"
_PLAIN_LABELS = (str, int)
_MOST_SHOWN = 200


class CheckedItems(NamedTuple):
    """Result of `check_items`.

    Attributes:
        items: tuples of a path (str), an identity and a camera (int or str each).
        extra_fields: largest number of further fields in an item; they are removed.
    """

    items: list[Item]
    extra_fields: int


def check_items(items: Any, place: str) -> CheckedItems:
    """Check the items of a split and convert them to one form.

    Args:
        items: iterable of tuples or lists of path, identity, camera and further fields. Paths are
            strings or path objects; identities and cameras are integers, also NumPy's, or strings.
        place: data set and split, for error messages.

    Returns:
        The items, in the same order.

    Raises:
        ValueError: an item has another form, or an integer of more than 64 bits; the message names
            the item and says what it must be.

    Examples:
        >>> from pathlib import Path
        >>> from fastreid.data.datasets.items import check_items
        >>> check_items([[Path("a.jpg"), 5, "door", "sunny"]], "Shop, query")
        CheckedItems(items=[('a.jpg', 5, 'door')], extra_fields=1)
        >>> check_items([("a.jpg", 5)], "Shop, query")
        Traceback (most recent call last):
            ...
        ValueError: Shop, query, item 0 is ('a.jpg', 5); it must be (path, identity, camera).
    """
    if isinstance(items, (str, bytes, dict)) or not isinstance(items, Iterable):
        raise ValueError(
            f"{place} must be a list of items {_FORM}, or a function that returns one, but is "
            f"{_shown(items)}."
        )
    checked, extra = [], 0
    for number, item in enumerate(items):
        # A fast path without function calls, for nearly all items.
        if type(item) is tuple and len(item) == len(_FIELDS):
            path, pid, camid = item
            if (
                type(path) is str
                and type(pid) in _PLAIN_LABELS
                and type(camid) in _PLAIN_LABELS
                and not (path == "" or pid == "" or camid == "")
            ):
                checked.append(item)
                continue
        checked.append(_plain_item(item, f"{place}, item {number}"))
        extra = max(extra, len(item) - len(_FIELDS))
    _check_forms(checked, place)
    return CheckedItems(checked, extra)


def _check_forms(items: Sequence[Item], place: str) -> None:
    """Check that each identity and camera has a normal form."""
    for label in dict.fromkeys(label for item in items for label in item[1:]):
        try:
            normal_form(str(label))
        except ValueError as error:
            number = next(i for i, item in enumerate(items) if label in item[1:])
            raise ValueError(f"{place}, item {number}: {error}") from error


def _plain_item(item: Any, place: str) -> Item:
    if not isinstance(item, (tuple, list)) or len(item) < len(_FIELDS):
        raise ValueError(f"{place} is {_shown(item)}; it must be {_FORM}.")
    path, *labels = item[: len(_FIELDS)]
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise ValueError(
            f"{place} is {_shown(item)}: the path must be a string or a path object, not "
            f"{_kind(path)}."
        )
    plain = [_plain_label(label) for label in labels]
    for name, label, found in zip(_FIELDS[1:], labels, plain):
        if found is None:
            raise ValueError(
                f"{place} is {_shown(item)}: the {name} must be an integer or a string, not "
                f"{_kind(label)}."
            )
    return (os.fsdecode(path), *plain)


def _plain_label(label: Any) -> int | str | None:
    """Convert a label to int or str; None if it is neither."""
    if isinstance(label, str):
        return str(label) or None
    if isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, np.integer)):
        return None
    return int(label)


def _kind(value: Any) -> str:
    return "an empty string" if isinstance(value, str) else type(value).__name__


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def name_labels(items: Sequence[Item], name: str) -> list[Item]:
    """Convert identities and cameras that are integers to strings: 5 becomes "<name>_5".

    Args:
        items: checked training items.
        name: name of the data set.

    Returns:
        The items; surrounding white space is removed from strings that are not integers.

    Raises:
        ValueError: an integer gets a name that another item has as a string.

    Examples:
        >>> from fastreid.data.datasets.items import name_labels
        >>> name_labels([("a.jpg", 5, "door")], "Shop")
        [('a.jpg', 'Shop_5', 'door')]
    """
    pids, camids = (_training_names({item[column] for item in items}, name) for column in (1, 2))
    return [(path, pids[pid], camids[camid]) for path, pid, camid in items]


def _training_names(labels: Iterable[int | str], name: str) -> dict[int | str, str]:
    forms = {label: normal_form(str(label)) for label in labels}
    texts = {form for form in forms.values() if isinstance(form, str)}
    named: dict[int | str, str] = {}
    for label, form in forms.items():
        named[label] = form if isinstance(form, str) else f"{name}_{form}"
        if named[label] in texts and not isinstance(form, str):
            raise ValueError(
                f"Data set {name}, train: the number {form} is named {named[label]!r}, which is "
                "also a label of another item: both would get the same label. Rename the label."
            )
    return named


def has_names(items: Sequence[Item]) -> bool:
    """Tell whether any identity or camera is a string.

    Args:
        items: checked items.
    """
    return any(isinstance(pid, str) or isinstance(camid, str) for _, pid, camid in items)
