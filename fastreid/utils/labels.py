"""Labels of identities and cameras: converting their texts to numbers.

A text of decimal digits, with or without a sign, is a whole number: "7", "007" and "+7" are the
same label. Any other text is a name, and names are compared exactly. Numbers are 64-bit integers.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .messages.texts import list_some

SMALLEST, LARGEST = -(2**63), 2**63 - 1
# Identity and camera of an image that has no labels.
UNKNOWN = -1
# The beginning of a file name that has identity and camera, as in Market-1501: 0002_c1s1_...
FILE_NAME = re.compile(r"(?P<pid>-?[0-9]+)_c(?P<camid>[0-9]+)")
# Whole numbers above this cannot all be represented as float64.
_LARGEST_EXACT_FLOAT = 2**53
_MOST_DIGITS = 19
# Not \d, which also matches the digits of other scripts.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_SHOWN_CHARACTERS = 60


class LabelNames(NamedTuple):
    """Original texts of the identities and cameras of N images.

    Attributes:
        pids: (N,) texts; "" if unknown.
        camids: (N,) texts; "" if unknown.
    """

    pids: np.ndarray
    camids: np.ndarray


def normal_form(text: str) -> int | str:
    """Normalize a label, so that equal results mean equal labels.

    Args:
        text: text of an identity or a camera; surrounding white space is ignored.

    Returns:
        The whole number, or the name.

    Raises:
        ValueError: the text is empty, or a number that does not fit into 64 bits.

    Examples:
        >>> from fastreid.utils.labels import normal_form
        >>> normal_form("007"), normal_form(" +7"), normal_form("c7"), normal_form("7.0")
        (7, 7, 'c7', '7.0')
    """
    text = text.strip()
    if not text:
        raise ValueError("the label is empty.")
    if not _WHOLE_NUMBER.fullmatch(text):
        return text
    digits = text.lstrip("+-").lstrip("0") or "0"
    # int() raises an error for numbers of thousands of digits.
    if len(digits) <= _MOST_DIGITS:
        number = -int(digits) if text.startswith("-") else int(digits)
        if SMALLEST <= number <= LARGEST:
            return number
    raise ValueError(_too_large(text))


def whole_number(value: Any) -> int:
    """Convert a value to a whole number of 64 bits.

    Args:
        value: a Python or NumPy integer, a float without a fraction, or a text that `normal_form`
            converts to a number.

    Returns:
        The number.

    Raises:
        ValueError: the value is not a whole number or does not fit into 64 bits; the message shows
            the value.

    Examples:
        >>> from fastreid.utils.labels import whole_number
        >>> whole_number("007"), whole_number(7.0)
        (7, 7)
        >>> whole_number(7.5)
        Traceback (most recent call last):
            ...
        ValueError: 7.5 is not a whole number.
    """
    number = normal_form(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer() and abs(number) <= _LARGEST_EXACT_FLOAT:
        number = int(number)
    if isinstance(number, (str, bool)) or not hasattr(number, "__index__"):
        raise ValueError(f"{_shown(value)!r} is not a whole number.")
    number = operator.index(number)
    if not SMALLEST <= number <= LARGEST:
        raise ValueError(_too_large(number))
    return number


def whole_numbers(values: Any, what: str) -> np.ndarray:
    """Convert a column of numbers to 64-bit integers.

    Args:
        values: (N,) whole numbers of any type; floats must be small enough to be exact.
        what: name of the column, for messages.

    Returns:
        (N,) int64.

    Raises:
        ValueError: a value is not a whole number or does not fit into 64 bits.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        fits = array.dtype.kind != "u" or not array.size or int(array.max()) <= LARGEST
        if fits:
            return array.astype(np.int64, copy=False)
    if array.dtype.kind == "f":
        is_exact = np.isfinite(array) & (array == np.floor(array))
        is_exact &= np.abs(array) <= _LARGEST_EXACT_FLOAT
        if is_exact.all():
            return array.astype(np.int64)
        raise ValueError(
            f"{what} {array[~is_exact].ravel()[0]!r} is not a whole number that a floating-point "
            "column holds exactly; give a column of int64."
        )
    try:
        return np.array([whole_number(value) for value in array.ravel()], np.int64)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def number_labels(texts: Iterable[str]) -> dict[str, int]:
    """Assign a number to each identity or camera.

    Whole numbers keep their values. Names, in sorted order, get the smallest numbers from 0 on that
    are not in use.

    Args:
        texts: texts of identities or cameras.

    Returns:
        A dict from text to number.

    Raises:
        ValueError: a text is empty, or a number that does not fit into 64 bits.

    Examples:
        >>> from fastreid.utils.labels import number_labels
        >>> number_labels(["anna", "bob", "0", "007"])  # 0 is taken, so the names get 1 and 2
        {'anna': 1, 'bob': 2, '0': 0, '007': 7}
    """
    forms = {text: normal_form(text) for text in texts}
    taken = {form for form in forms.values() if isinstance(form, int)}
    names = sorted({form for form in forms.values() if isinstance(form, str)})
    free = (number for number in itertools.count() if number not in taken)
    number_of = dict(zip(names, free))
    return {
        text: form if isinstance(form, int) else number_of[form] for text, form in forms.items()
    }


def common_spellings(texts: Iterable[str]) -> dict[str, str]:
    """Choose one spelling for each identity or camera.

    Args:
        texts: texts of identities or cameras.

    Returns:
        A dict from text to spelling: the text itself, or the plain number if several texts stand
        for that number.

    Raises:
        ValueError: a text is empty, or a number that does not fit into 64 bits.

    Examples:
        >>> from fastreid.utils.labels import common_spellings
        >>> sorted(common_spellings(["007", "7", "08", "anna"]).items())
        [('007', '7'), ('08', '08'), ('7', '7'), ('anna', 'anna')]
    """
    chosen = {}
    for form, spellings in _spellings_of(texts).items():
        single = next(iter(spellings)) if len(spellings) == 1 else str(form)
        chosen.update(dict.fromkeys(spellings, single))
    return chosen


def describe_labels(texts: Iterable[str], what: str) -> list[str]:
    """Describe conversions of labels that a user may not expect.

    Args:
        texts: texts of identities or cameras.
        what: "identities" or "cameras", for the sentences.

    Returns:
        At most two sentences: one about several spellings of the same number, one about names that
        look like numbers.

    Raises:
        ValueError: a text is empty, or a number that does not fit into 64 bits.
    """
    spellings_of = _spellings_of(texts)
    joined = [sorted(group) for group in spellings_of.values() if len(group) > 1]
    odd = [form for form in spellings_of if isinstance(form, str) and _is_float(form)]
    sentences = []
    if joined:
        shown = ["/".join(group) for group in joined]
        sentences.append(
            f"{len(joined)} {what} have several spellings, which are treated as one: "
            f"{list_some(shown)}."
        )
    if odd:
        sentences.append(
            f"{len(odd)} {what} look like numbers but are treated as names: {list_some(odd)}. Only "
            "the digits 0 to 9, with or without a sign, form a number."
        )
    return sentences


def shown_label(number: int, name: str = "") -> str:
    """Choose the text to print for an identity or a camera.

    Args:
        number: the label's number.
        name: the label's original text; "" if unknown.

    Returns:
        The name, or the number if the name is only another spelling of it.

    Examples:
        >>> from fastreid.utils.labels import shown_label
        >>> shown_label(7, "007"), shown_label(0, "anna"), shown_label(12)
        ('7', 'anna', '12')
    """
    name = name.strip()
    if not name:
        return str(number)
    try:
        return str(number) if normal_form(name) == number else name
    except ValueError:
        return name


def _spellings_of(texts: Iterable[str]) -> dict[int | str, set[str]]:
    spellings: dict[int | str, set[str]] = defaultdict(set)
    for text in texts:
        spellings[normal_form(text)].add(text)
    return spellings


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _too_large(value: Any) -> str:
    return (
        f"the number {_shown(value)} does not fit into 64 bits ({SMALLEST} to {LARGEST}). Put a "
        "letter before it to make it a name, which can have any length."
    )


def _shown(value: Any) -> Any:
    text = str(value)
    return value if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
