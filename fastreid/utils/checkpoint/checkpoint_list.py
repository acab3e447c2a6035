"""The file ``last_checkpoint``: names of a run's checkpoints, the newest first."""

from __future__ import annotations

from pathlib import Path

from ..atomic_file import replacing

CHECKPOINT_LIST = "last_checkpoint"
_ADVICE = "Write the name of a .ckpt file of that folder into it, or remove it to start afresh."


class CheckpointList:
    """The checkpoints that a run may be resumed from.

    A run that starts afresh begins a new list; files of an earlier run stay where they are.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []

    def read(self) -> list[str]:
        """Give the names in the file, the newest first; none if there is no file.

        Raises:
            ValueError: the file is no list of names.
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
            raise ValueError(f"{path} names no checkpoint of its folder: {strange[:3]}. {_ADVICE}")
        return names

    def resume(self) -> list[str]:
        """Go on with the list of the file.

        Returns:
            The names, the newest first.
        """
        self._names = self.read()
        return list(self._names)

    def put_first(self, name: str, *, rolling: str, kept: int) -> None:
        """Make a complete checkpoint the newest, then remove what it makes superfluous.

        Args:
            name: of its file.
            rolling: what the names of passing checkpoints begin with.
            kept: how many of those stay.
        """
        names = [name, *(other for other in self._names if other != name)]
        old = [other for other in names if other.startswith(rolling)][kept:]
        self._names = [other for other in names if other not in old]
        with replacing(self._folder / CHECKPOINT_LIST) as temporary:
            temporary.write_text("\n".join(self._names) + "\n", encoding="utf-8")
        for other in old:
            (self._folder / other).unlink(missing_ok=True)
