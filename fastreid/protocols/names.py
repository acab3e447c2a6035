"""Short names of data sets, as tables of papers write them."""

from __future__ import annotations

from collections.abc import Iterable

SHORT_NAMES = {
    "CUHK02": "C2",
    "CUHK03": "C3",
    "DukeMTMC": "D",
    "Market1501": "M",
    "MSMT17": "MS",
    "cuhkSYSU": "CS",
}


def short_name(name: str) -> str:
    """Shorten the registered name of a data set; a name without a short form stays as it is.

    Args:
        name: registered name, such as "Market1501".
    """
    return SHORT_NAMES.get(name, name)


def short_names(names: Iterable[str]) -> str:
    """Join short names: "M+MS+CS".

    Args:
        names: registered names.

    Examples:
        >>> from fastreid.protocols.names import short_names
        >>> short_names(["Market1501", "MSMT17", "cuhkSYSU"])
        'M+MS+CS'
    """
    return "+".join(map(short_name, names))
