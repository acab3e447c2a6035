"""Construct data sets whose constructors take different arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def construct(make: Callable, options: Mapping[str, Any], *, name: str = "") -> Any:
    """Call a data set class with those options that its constructor takes.

    A constructor with ``**kwargs`` gets "root" and "combineall", and other options only if it names
    them: a subclass may pass its own value of an option to the constructor of its base.

    Args:
        make: the class, or a function that returns a data set.
        options: possible keyword arguments, among them "combineall".
        name: name of the data set for error messages; "" takes the name of the class.

    Returns:
        The result of the call.

    Raises:
        ValueError: combineall is set and not taken, or an argument without a default is missing.
    """
    name = name or make.__name__
    signature = inspect.signature(make)
    taken = set(signature.parameters)
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        taken |= {"root", "combineall"}
    if options["combineall"] and "combineall" not in taken:
        raise ValueError(
            f"Data set {name}: its constructor does not take combineall, which DATASETS.COMBINEALL "
            "needs; let it take **kwargs and pass them to super().__init__."
        )
    options = {key: value for key, value in options.items() if key in taken}
    try:
        signature.bind(**options)
    except TypeError as error:
        raise ValueError(
            f"Data set {name} cannot be constructed with {', '.join(options) or 'no arguments'}: "
            f"{error}. Its constructor must accept root and **kwargs and have defaults for all "
            "other arguments; docs/own_code.md has an example."
        ) from error
    return make(**options)
