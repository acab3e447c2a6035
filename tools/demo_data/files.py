"""Write picture files, and folders that exist only when they are complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from fastreid.utils.atomic_file import make_folder

MARKER = ".fastreid-demo.json"


def save_jpeg(path: Path, image: np.ndarray, *, quality: int) -> None:
    """Save a picture as JPEG; missing folders are created.

    Args:
        path: path of the file.
        image: (H, W, 3) uint8 RGB.
        quality: quality of the JPEG, 1 to 95.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=quality)


def is_present(folder: Path, settings: Mapping[str, int], *, overwrite: bool) -> bool:
    """Check whether a folder already contains the demo data that are to be written.

    Args:
        folder: path of the folder; it need not exist.
        settings: settings that determine the data.
        overwrite: whether other demo data may be replaced.

    Returns:
        Whether the folder contains demo data with these settings, which need not be written again.

    Raises:
        FileExistsError: the folder contains something that must not be replaced.
    """
    if not folder.exists():
        return False
    found = _read_marker(folder)
    if found is None:
        raise FileExistsError(
            f"{folder} exists and was not made by this tool (it has no {MARKER}); it is not "
            "changed. Choose another --root."
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
        folder: folder of the data, which has passed ``is_present``.
        settings: contents of the marker file.
        write: function that writes the data into a given folder.
        overwrite: whether an existing folder is replaced.

    Returns:
        False if another process made the same data in the meantime; those are kept.

    Raises:
        FileExistsError: another process made other data in the meantime.
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
