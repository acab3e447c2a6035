"""The checkpoint file: a MindSpore .ckpt of named arrays and two JSON texts, written atomically."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

State = Mapping[str, Union[np.ndarray, int, float, str]]

_MODEL = "model"
_EXTRA = "extra"
_STATES = "states"
_READABLE = 0o644


class CheckpointContent(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        model: parameter name -> array of the parameter's shape.
        states: object -> key -> array, number or text.
        extra: epoch, iteration and whatever else was given.
    """

    model: dict[str, np.ndarray]
    states: dict[str, dict[str, Any]]
    extra: dict[str, Any]


def write_checkpoint(
    path: Path,
    parameters: Mapping[str, Parameter | np.ndarray],
    *,
    states: Mapping[str, State],
    extra: Mapping[str, Any],
) -> None:
    """Write a checkpoint; the file appears under its name only when it is complete.

    Args:
        path: ends in ``.ckpt``; the folder must exist.
        parameters: of the model, or their values, by name.
        states: object -> what its `state_dict` gave.
        extra: what JSON can hold.
    """
    entries = [
        {"name": f"{_MODEL}/{name}", "data": _tensor(value)} for name, value in parameters.items()
    ]
    plain: dict[str, dict[str, Any]] = {}
    for owner, state in states.items():
        plain[owner] = {}
        for key, value in state.items():
            if isinstance(value, np.ndarray):
                entries.append({"name": f"{owner}/{key}", "data": _tensor(value)})
            else:
                plain[owner][key] = value
    texts = {
        _EXTRA: json.dumps(dict(extra), default=_plain_number),
        _STATES: json.dumps(plain, default=_plain_number),
    }
    with replacing(path) as temporary:
        ms.save_checkpoint(entries, str(temporary), append_dict=texts, crc_check=True)


def read_checkpoint(path: Path) -> CheckpointContent:
    """Read what `write_checkpoint` wrote.

    Args:
        path: of the file.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or another program's.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The checkpoint {path} does not exist; check the path.")
    try:
        entries = ms.load_checkpoint(str(path), crc_check=True)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"The checkpoint {path} is damaged and cannot be read; use an earlier one of the same "
            "run, or copy it again."
        ) from error
    if _EXTRA not in entries or _STATES not in entries:
        raise ValueError(
            f"{path} is not a checkpoint of this toolbox: it has {sorted(entries)[:5]}. Give a "
            "file that training wrote, such as model_final.ckpt, or PyTorch weights (.pth)."
        )
    extra = json.loads(entries.pop(_EXTRA))
    states = json.loads(entries.pop(_STATES))
    model: dict[str, np.ndarray] = {}
    for name, value in entries.items():
        owner, _, key = name.partition("/")
        group = model if owner == _MODEL else states[owner]
        group[key] = value.asnumpy()
    if not model:
        raise ValueError(f"The checkpoint {path} holds no model weights; use another one.")
    return CheckpointContent(model, states, extra)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; at the end what was written there replaces `path`.

    After an error, or a crash at any moment, `path` is what it was.

    Args:
        path: of the final file.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.chmod(_READABLE)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        # MindSpore writes x.tmp first and leaves it behind when the disk is full.
        for leftover in (temporary, temporary.with_suffix(".tmp")):
            leftover.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tensor(value: Parameter | np.ndarray) -> Tensor:
    return Tensor(value) if isinstance(value, np.ndarray) else value


def _plain_number(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"A checkpoint cannot hold {value!r}: JSON has no {type(value).__name__}.")
