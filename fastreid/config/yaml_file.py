"""Read a YAML file from an untrusted source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# Far more than a configuration needs; malicious files exceed these limits.
_DEEPEST = 20
_MOST_BYTES = 1 << 20
_MOST_VALUES = 10_000
_MERGE_TAG = "tag:yaml.org,2002:merge"


class TextInt(int):
    """An integer with its spelling in the file, such as "007"."""

    text: str


class TextFloat(float):
    """A number with its spelling in the file, such as "2024.10"."""

    text: str


def plain(value: Any) -> Any:
    """Convert `TextInt` and `TextFloat` to int and float, also inside lists and mappings.

    Args:
        value: any value that `read_yaml` returns.

    Examples:
        >>> from fastreid.config.yaml_file import parse_yaml, plain
        >>> split = parse_yaml(b"DATASETS: {SPLIT: 007}", "my.yml")["DATASETS"]["SPLIT"]
        >>> split.text, plain(split)
        ('007', 7)
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
    """Safe loader that keeps the spelling of numbers and dates and rejects duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE_TAG:
                continue
            if key.value in seen:
                message = f"duplicate key {key.value}"
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
# No setting is a date, but the name of a folder may look like one.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of plain YAML, without tags that construct objects.

    Args:
        path: path of the file.

    Returns:
        The settings, at most ten thousand with aliases expanded.

    Raises:
        ValueError: the file is malformed, unsafe or too large, or has no keys.
    """
    return parse_yaml(path.read_bytes(), f"{path}")


def parse_yaml(text: bytes, source: str) -> dict[str, Any]:
    """Parse plain YAML, with the limits of `read_yaml`.

    Args:
        text: plain YAML.
        source: origin of the text, for messages.

    Returns:
        The settings.

    Raises:
        ValueError: the text is malformed, unsafe or too large, or has no keys.

    Examples:
        >>> from fastreid.config.yaml_file import parse_yaml
        >>> parse_yaml(b"SOLVER: {BASE_LR: 0.1}", "my.yml")
        {'SOLVER': {'BASE_LR': 0.1}}
        >>> parse_yaml(b"", "my.yml")
        Traceback (most recent call last):
            ...
        ValueError: my.yml must contain keys and values, but is empty.
    """
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError(f"it has {len(text)} bytes, more than the limit of {_MOST_BYTES}")
        _check_depth(text)
        values = yaml.load(text, _Loader)
        _check_size(values)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # The parser has no file name; drop its placeholder and keep line and column.
        message = str(error).replace('in "<byte string>", ', "")
        raise ValueError(f"{source} is not plain YAML: {message}") from error
    if values is None:
        raise ValueError(f"{source} must contain keys and values, but is empty.")
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{source} must contain keys and values, but contains {type(values).__name__}."
        )
    return dict(values)


def _check_depth(text: bytes) -> None:
    """Limit the nesting: the parser's time is quadratic in the depth, and it recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def _check_size(values: Any) -> None:
    """Limit the expanded size: a few lines of aliases can expand to any number of values."""
    count, waiting = 0, [values]
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            raise ValueError(f"it has more than {_MOST_VALUES} values with its aliases expanded")
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend(value)
