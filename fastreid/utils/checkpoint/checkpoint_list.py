"""The file ``last_checkpoint``: file names of a run's checkpoints, newest first."""

from __future__ import annotations

from pathlib import Path

from ..atomic_file import replacing

CHECKPOINT_LIST = "last_checkpoint"
# Names of the checkpoints between permanent ones begin so, and the latest ones of them are kept.
ROLLING = "model_iter_"
ROLLING_KEPT = 2
_ADVICE = (
    "Write the name of a .ckpt file of that folder into it, or delete it to start from the "
    "beginning."
)


class CheckpointList:
    """The checkpoints from which a run can be resumed.

    A run that is not resumed starts a new list; the files of an earlier run are kept.

    Args:
        folder: the folder of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []

    def read(self) -> list[str]:
        """Return the names in the file, newest first; empty if there is no file.

        Raises:
            ValueError: the file is not a list of file names.
        """
        path = self._folder / CHECKPOINT_LIST
        if not path.is_file():
            return []
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is damaged: {error}. {_ADVICE}") from error
        names = [line.strip() for line in lines if line.strip()]
        strange = [name for name in names if Path(name).name != name or "\0" in name]
        if strange or not names:
            raise ValueError(f"{path} has no valid file names: {strange[:3]}. {_ADVICE}")
        return names

    def resume(self) -> list[str]:
        """Continue the list in the file.

        Returns:
            The names, newest first.
        """
        self._names = self.read()
        return list(self._names)

    def put_first(self, name: str, *, rolling: str, kept: int) -> None:
        """Put a checkpoint first in the list, then delete the oldest rolling checkpoints.

        Args:
            name: file name of the complete checkpoint.
            rolling: prefix of the names of rolling checkpoints.
            kept: number of rolling checkpoints that are kept.
        """
        names = [name, *(other for other in self._names if other != name)]
        old = [other for other in names if other.startswith(rolling)][kept:]
        self._names = [other for other in names if other not in old]
        with replacing(self._folder / CHECKPOINT_LIST) as temporary:
            temporary.write_text("\n".join(self._names) + "\n", encoding="utf-8")
        for other in old:
            (self._folder / other).unlink(missing_ok=True)
