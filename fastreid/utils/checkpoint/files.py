"""Layout of a checkpoint file: a MindSpore .ckpt of named arrays and two JSON texts.

The arrays are ``model/<parameter>`` and ``<object>/<key>``; the texts are ``extra`` (epoch,
iteration and the like) and ``states`` (numbers and texts of the objects' states).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np
from mindspore import Parameter

from ..atomic_file import replacing
from ..processes import is_running
from .formats.ckpt_reader import plain_weights, read_ckpt
from .formats.ckpt_writer import write_ckpt

State = Mapping[str, Union[np.ndarray, int, float, str]]

_MODEL = "model"
_EXTRA = "extra"
_STATES = "states"
# Names of the temporary files of `replacing`.
_TEMPORARY = re.compile(
    r"\.(?:last_checkpoint(?:\.[0-9a-f]{8})?|.+(?=\.\d+\.(?:ckpt|json|pth|safetensors)$))\.(?P<pid>\d{1,10})(?:\.\w+)?"
)


class DamagedCheckpointError(ValueError):
    """The file is not a complete checkpoint of this toolbox."""


class OnlyWeightsError(DamagedCheckpointError):
    """The file was written by MindSpore and has weights only; no run can be resumed from it."""


class CheckpointContent(NamedTuple):
    """Content of a checkpoint.

    Attributes:
        model: arrays of the parameters' shapes, by parameter name.
        states: states of the other objects, by object: arrays, numbers and texts by key.
        extra: epoch, iteration and other values passed to `write_checkpoint`.
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
    """Write a checkpoint atomically.

    Args:
        path: path that ends in ``.ckpt``; the folder must exist.
        parameters: parameters of the model, or their values, by name.
        states: results of `state_dict`, by object.
        extra: JSON values by name.
    """
    entries: dict[str, np.ndarray | str] = {
        f"{_MODEL}/{name}": _array(value) for name, value in parameters.items()
    }
    plain: dict[str, dict[str, Any]] = {}
    for owner, state in states.items():
        plain[owner] = {}
        for key, value in state.items():
            if isinstance(value, np.ndarray):
                entries[f"{owner}/{key}"] = value
            else:
                plain[owner][key] = value
    entries[_EXTRA] = json.dumps(dict(extra), default=_plain_number)
    entries[_STATES] = json.dumps(plain, default=_plain_number)
    with replacing(path) as temporary:
        write_ckpt(temporary, entries)


def read_checkpoint(path: Path) -> CheckpointContent:
    """Read a checkpoint that `write_checkpoint` wrote.

    Args:
        path: the file.

    Returns:
        Its content; the arrays are read-only.

    Raises:
        FileNotFoundError: the file does not exist.
        OnlyWeightsError: the file has weights only, as ``mindspore.save_checkpoint`` writes them.
        DamagedCheckpointError: the file is damaged, or was written by another program.
    """
    content, entries = _read(path)
    if content is not None:
        return content
    if _is_plain(entries):
        raise OnlyWeightsError(
            f"{path} is not a checkpoint of this toolbox: it holds only weights, as "
            "mindspore.save_checkpoint writes them, so a run cannot be resumed from it. Start from "
            "the weights with MODEL.WEIGHTS, without --resume."
        )
    raise DamagedCheckpointError(_foreign_file_message(path, entries))


def read_ckpt_weights(path: Path) -> CheckpointContent:
    """Read the weights of a checkpoint of this toolbox or of ``mindspore.save_checkpoint``.

    Args:
        path: the file.

    Returns:
        Its content; for a file of MindSpore only the weights, without the optimizer's state.

    Raises:
        FileNotFoundError: the file does not exist.
        DamagedCheckpointError: the file is damaged or has no weights.
    """
    content, entries = _read(path)
    if content is not None:
        return content
    weights = plain_weights(entries) if _is_plain(entries) else {}
    if not weights:
        raise DamagedCheckpointError(_foreign_file_message(path, entries))
    return CheckpointContent(weights, {}, {})


def _read(path: Path) -> tuple[CheckpointContent | None, dict[str, np.ndarray | str]]:
    """Read a file: the content of a checkpoint of this toolbox, or else the raw entries."""
    if not path.is_file():
        raise FileNotFoundError(f"The checkpoint {path} does not exist; check the path.")
    try:
        entries, is_checked = read_ckpt(path)
        if _EXTRA in entries and _STATES in entries:
            return _group_entries(entries, is_checked=is_checked), {}
    except (OSError, ValueError, MemoryError, RecursionError) as error:
        raise DamagedCheckpointError(
            f"The checkpoint {path} is damaged and cannot be read ({error}); use an earlier one of "
            "the same run, or copy it again."
        ) from error
    return None, entries


def _is_plain(entries: Mapping[str, np.ndarray | str]) -> bool:
    """Return whether MindSpore wrote the file; False for a truncated file of this toolbox."""
    arrays = [name for name, value in entries.items() if isinstance(value, np.ndarray)]
    return bool(arrays) and not any(name.startswith(f"{_MODEL}/") for name in arrays)


def _foreign_file_message(path: Path, entries: Mapping[str, np.ndarray | str]) -> str:
    return (
        f"{path} is not a checkpoint of this toolbox, or its end is missing: it has "
        f"{sorted(entries)[:5]}. Give a file that training wrote, such as model_final.ckpt, or "
        "PyTorch weights (.pth)."
    )


def _group_entries(entries: dict[str, np.ndarray | str], *, is_checked: bool) -> CheckpointContent:
    if not is_checked:
        raise ValueError("its checksum is missing")
    extra, states = (_parse(entries.pop(key), key) for key in (_EXTRA, _STATES))
    model: dict[str, np.ndarray] = {}
    for name, value in entries.items():
        owner, _, key = name.partition("/")
        group = model if owner == _MODEL else states.get(owner)
        if not isinstance(group, dict) or not isinstance(value, np.ndarray):
            raise ValueError(f"it holds {name!r}, which is not part of a checkpoint")
        group[key] = value
    if not model:
        raise ValueError("it holds no model weights")
    return CheckpointContent(model, states, extra)


def _parse(text: np.ndarray | str, key: str) -> dict[str, Any]:
    values = json.loads(text) if isinstance(text, str) else None
    if not isinstance(values, dict):
        raise ValueError(f"its {key!r} is not a JSON object")
    return values


def remove_leftovers(folder: Path) -> list[str]:
    """Remove the temporary files of killed processes.

    Args:
        folder: folder of checkpoints; files of running processes are kept.

    Returns:
        The names of the removed files, sorted.
    """
    found = []
    for path in sorted(folder.glob(".*")):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not is_running(int(match["pid"])):
            path.unlink(missing_ok=True)
            found.append(path.name)
    return found


def _array(value: Parameter | np.ndarray) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else value.asnumpy()


def _plain_number(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"A checkpoint cannot hold {value!r}: JSON has no {type(value).__name__}.")
