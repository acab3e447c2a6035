"""Write files, and folders that are there completely or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from fastreid.utils.atomic_file import make_folder

MARKER = ".fastreid-demo.json"


def save_jpeg(path: Path, image: np.ndarray, *, quality: int) -> None:
    """Save a picture; folders are made where they are missing.

    Args:
        path: of the file.
        image: (H, W, 3) uint8 RGB.
        quality: of the JPEG, 1 to 95.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=quality)


def is_present(folder: Path, settings: Mapping[str, int], *, overwrite: bool) -> bool:
    """Look at a folder that is to be written.

    Args:
        folder: may exist.
        settings: what the data are made from.
        overwrite: whether demo data that differ may be replaced.

    Returns:
        Whether it holds just these demo data, so that nothing is to do.

    Raises:
        FileExistsError: it holds something that must not be replaced.
    """
    if not folder.exists():
        return False
    found = _read_marker(folder)
    if found is None:
        raise FileExistsError(
            f"{folder} exists and was not made by this tool (it has no {MARKER}); it stays "
            "untouched. Choose another --root."
        )
    if overwrite:
        return False
    if found != settings:
        raise FileExistsError(
            f"{folder} holds demo data of other settings ({found}, wanted {dict(settings)}). "
            "Choose another folder, or replace them with tools/make_demo_data.py --overwrite."
        )
    return True


def write_folder(
    folder: Path,
    settings: Mapping[str, int],
    write: Callable[[Path], None],
    *,
    overwrite: bool = False,
) -> bool:
    """Write a folder of demo data under another name, and rename it when it is complete.

    Args:
        folder: where the data go; ``is_present`` has allowed it.
        settings: for the marker file.
        write: writes the data into the folder it is given.
        overwrite: replace an older folder.

    Returns:
        False where another process made the same data meanwhile; those are kept.

    Raises:
        FileExistsError: another process made other data meanwhile.
    """

    def fill(fresh: Path) -> None:
        write(fresh)
        (fresh / MARKER).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    folder.parent.mkdir(parents=True, exist_ok=True)
    return make_folder(
        folder, fill, is_complete=lambda found: _read_marker(found) == settings, replaces=overwrite
    )


def _read_marker(folder: Path) -> dict | None:
    try:
        return json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
