"""The folder of a run: what is written into it, and how far the run has come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastreid.utils.atomic_file import replacing

from .spec import Run

_BLOCK = 1 << 20
_TAIL = 1 << 16


class RunFolder:
    """Files of a run beside those of its training.

    Args:
        path: OUTPUT_DIR of the training.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def final(self) -> Path:
        """The checkpoint of the finished training."""
        return self.path / "model_final.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the best scores on the targets."""
        return self.path / "model_best.ckpt"

    @property
    def output(self) -> Path:
        """What the process of the run prints."""
        return self.path / "output.txt"

    def claim(self, settings: Mapping[str, Any]) -> None:
        """Record the settings of the run, or check that they are those of an earlier start.

        Args:
            settings: dotted key -> value of the settings that decide the scores.

        Raises:
            ValueError: the folder has a run with other settings.
        """
        path = self.path / "settings.json"
        if not path.is_file():
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(path, dict(settings))
            return
        # Keys of another version of this toolbox are not compared.
        before, now = read_json(path), json.loads(json.dumps(settings))
        changed = [key for key in sorted(before) if key in now and before[key] != now[key]]
        if changed:
            listed = "; ".join(f"{key} {before[key]!r}, now {now[key]!r}" for key in changed[:5])
            more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
            raise ValueError(
                f"{self.path} has a run with other settings: {listed}{more}. Choose another "
                "--output, or remove the folder to run it again."
            )

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write the result of the run.

        Args:
            result: values that JSON can hold.
        """
        write_json(self.path / "result.json", dict(result))

    def result(self) -> dict[str, Any] | None:
        """Read the result; None if there is none yet.

        Raises:
            ValueError: the file is damaged.
        """
        path = self.path / "result.json"
        return read_json(path) if path.is_file() else None

    def iterations(self) -> int:
        """Return the number of iterations that the training has logged."""
        for line in reversed(_tail(self.path / "metrics.json").splitlines()):
            try:
                return int(json.loads(line)["iteration"]) + 1
            except (ValueError, KeyError, TypeError):
                continue
        return 0

    def last_words(self, count: int = 3) -> str:
        """Return the last lines that the run printed.

        Args:
            count: number of lines.
        """
        lines = [line for line in _tail(self.output).splitlines() if line.strip()]
        return "\n".join(lines[-count:])


def is_done(folder: RunFolder, run: Run) -> bool:
    """Tell whether a run has scores of all its targets and splits.

    Args:
        folder: its folder.
        run: the run.
    """
    result = folder.result()
    return result is not None and not missing_scores(result, run)


def missing_scores(result: Mapping[str, Any], run: Run) -> list[tuple[str, int]]:
    """List the targets and splits of which a result has no scores.

    Args:
        result: content of ``result.json``.
        run: the run.

    Returns:
        Pairs of target and split.
    """
    there = {(score["target"], score["split"]) for score in result["scores"]}
    wanted = [(route.target, split) for route in run.routes for split in route.splits]
    return [pair for pair in wanted if pair not in there]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically.

    Args:
        path: the file.
        value: what it holds.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.

    Raises:
        ValueError: it is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; remove it.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: it holds no object; remove it.")
    return value


def hash_of_file(path: Path) -> str:
    """Compute the SHA-256 of a file.

    Args:
        path: the file.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
