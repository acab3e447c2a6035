"""One rule for identities and cameras: which texts mean the same, and which number each gets.

Decimal digits with or without a sign are a whole number: "7", "007" and "+7" are the same. Any
other text is a name: names are compared exactly. Numbers have 64 bits.
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
# Identity and camera of an image that nothing is known about.
UNKNOWN = -1
# Of floating-point numbers, those above this are not exact.
_LARGEST_EXACT_FLOAT = 2**53
_MOST_DIGITS = 19
# Other scripts have digits too, which Python's int() and \d accept.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_SHOWN_CHARACTERS = 60


class LabelNames(NamedTuple):
    """Identities and cameras of N images as they were written, (N,) texts each; "": not known."""

    pids: np.ndarray
    camids: np.ndarray


def normal_form(text: str) -> int | str:
    """Bring an identity or a camera into the form in which two that are equal mean the same.

    Args:
        text: as somebody wrote it; white space around it does not count.

    Returns:
        A whole number, or the name.

    Raises:
        ValueError: the text is empty, or a number that 64 bits do not hold.
    """
    text = text.strip()
    if not text:
        raise ValueError("there is no text.")
    if not _WHOLE_NUMBER.fullmatch(text):
        return text
    digits = text.lstrip("+-").lstrip("0") or "0"
    # Python refuses to read numbers of thousands of digits.
    if len(digits) <= _MOST_DIGITS:
        number = -int(digits) if text.startswith("-") else int(digits)
        if SMALLEST <= number <= LARGEST:
            return number
    raise ValueError(_too_large(text))


def whole_number(value: Any) -> int:
    """Read a whole number of 64 bits.

    Args:
        value: an int of Python or NumPy, a float without a fraction, or a text that
            `normal_form` reads as a number.

    Returns:
        The number.

    Raises:
        ValueError: it is none, or 64 bits do not hold it; the message shows the value.
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
    """Turn a column of numbers into 64-bit integers, or refuse it.

    Args:
        values: (N,) whole numbers of any type; floating-point ones must be exact.
        what: name of the column, for messages.

    Returns:
        (N,) int64.

    Raises:
        ValueError: a value is not a whole number, or 64 bits do not hold it.
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
    """Choose a number for each identity or camera.

    Whole numbers keep their values. Names get the smallest numbers from 0 on that are not taken, in
    the order of the sorted names.

    Args:
        texts: as somebody wrote them.

    Returns:
        Text -> number.

    Raises:
        ValueError: a text is empty, or a number that 64 bits do not hold.
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
        texts: as somebody wrote them.

    Returns:
        Text -> the only spelling of what it means, or the plain number where there are several.

    Raises:
        ValueError: a text is empty, or a number that 64 bits do not hold.
    """
    chosen = {}
    for form, spellings in _spellings_of(texts).items():
        single = next(iter(spellings)) if len(spellings) == 1 else str(form)
        chosen.update(dict.fromkeys(spellings, single))
    return chosen


def describe_labels(texts: Iterable[str], what: str) -> list[str]:
    """Say what the rule for identities and cameras does to some texts, where it may surprise.

    Args:
        texts: as somebody wrote them.
        what: "identities" or "cameras".

    Returns:
        A sentence about several spellings of one number, and one about names that look like
        numbers; none where there are no such texts.

    Raises:
        ValueError: a text is empty, or a number that 64 bits do not hold.
    """
    spellings_of = _spellings_of(texts)
    joined = [sorted(group) for group in spellings_of.values() if len(group) > 1]
    odd = [form for form in spellings_of if isinstance(form, str) and _is_float(form)]
    said = []
    if joined:
        shown = ["/".join(group) for group in joined]
        said.append(
            f"{len(joined)} {what} are written in several ways, which count as one: "
            f"{list_some(shown)}."
        )
    if odd:
        said.append(
            f"{len(odd)} {what} look like numbers, but are taken as names: {list_some(odd)}. Only "
            "the digits 0 to 9, with or without a sign, make a number."
        )
    return said


def shown_label(number: int, name: str = "") -> str:
    """Choose what to print for an identity or a camera.

    Args:
        number: that stands for it.
        name: as it was written; "": not known.

    Returns:
        The name, or the number where the name is only another spelling of it.
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
        f"the number {_shown(value)} does not fit into 64 bits ({SMALLEST} to {LARGEST}). With a "
        "letter before it, it is a name, which can be of any length."
    )


def _shown(value: Any) -> Any:
    text = str(value)
    return value if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
