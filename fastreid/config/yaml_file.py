"""Read a YAML file that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# No configuration comes near these; files that want to exhaust a machine go beyond.
_DEEPEST = 20
_MOST_BYTES = 1 << 20
_MOST_VALUES = 10_000


def read_yaml(path: Path) -> dict[str, Any]:
    """Read keys and values: plain YAML, without tags that make objects.

    Args:
        path: of the file.

    Returns:
        The values; at most ten thousand, all aliases followed.

    Raises:
        ValueError: the file is broken, unsafe or enormous, or holds no keys; the message names it.
    """
    try:
        text = path.read_bytes()
        if len(text) > _MOST_BYTES:
            raise ValueError(f"it has {len(text)} bytes, more than a configuration can need")
        _check_depth(text)
        values = yaml.safe_load(text)
        _check_size(values)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not plain YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise ValueError(f"{path} must hold keys and values, but holds {type(values).__name__}.")
    return dict(values)


def _check_depth(text: bytes) -> None:
    """Deep nesting costs the square of its depth to read, or the whole stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def _check_size(values: Any) -> None:
    """A few lines of aliases can stand for more values than any memory holds, or for themselves."""
    count, waiting = 0, [values]
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            raise ValueError(f"it holds more than {_MOST_VALUES} values, its aliases followed")
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend(value)
