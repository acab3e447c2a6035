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
_MERGE_TAG = "tag:yaml.org,2002:merge"


class TextInt(int):
    """A whole number that knows the text it was written as, such as "007"."""

    text: str


class TextFloat(float):
    """A number that knows the text it was written as, such as "2024.10"."""

    text: str


def plain(value: Any) -> Any:
    """Turn numbers that know their text into ordinary ones, in lists and mappings too.

    Args:
        value: as `read_yaml` gives it.
    """
    if isinstance(value, TextInt):
        return int(value)
    if isinstance(value, TextFloat):
        return float(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return value


class _Loader(yaml.SafeLoader):
    """Plain YAML; keeps the text of numbers and dates, and refuses a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE_TAG:
                continue
            if key.value in seen:
                message = f"the key {key.value} comes twice"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_text_int(self, node: yaml.ScalarNode) -> TextInt:
        number = TextInt(self.construct_yaml_int(node))
        number.text = node.value
        return number

    def construct_text_float(self, node: yaml.ScalarNode) -> TextFloat:
        number = TextFloat(self.construct_yaml_float(node))
        number.text = node.value
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_text_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_text_float)
# No setting is a date, but a folder may be named after one.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read keys and values: plain YAML, without tags that make objects.

    Args:
        path: of the file.

    Returns:
        The values; at most ten thousand, all aliases followed.

    Raises:
        ValueError: the file is broken, unsafe or enormous, or holds no keys; the message names it.
    """
    return parse_yaml(path.read_bytes(), f"{path}")


def parse_yaml(text: bytes, source: str) -> dict[str, Any]:
    """Read keys and values out of a text, as `read_yaml` does.

    Args:
        text: plain YAML.
        source: where it comes from, for messages.

    Returns:
        The values.

    Raises:
        ValueError: the text is broken, unsafe or enormous, or holds no keys.
    """
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError(f"it has {len(text)} bytes, more than a configuration can need")
        _check_depth(text)
        values = yaml.load(text, _Loader)
        _check_size(values)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The place is named by line and column alone: the parser knows no name of the text.
        message = str(error).replace('in "<byte string>", ', "")
        raise ValueError(f"{source} is not plain YAML: {message}") from error
    if values is None:
        raise ValueError(f"{source} must hold keys and values, but is empty.")
    if not isinstance(values, Mapping):
        raise ValueError(f"{source} must hold keys and values, but holds {type(values).__name__}.")
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
