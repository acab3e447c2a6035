"""Where the images of a feature file are now: looked for before anything is drawn."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np

from fastreid.utils.visualizer import RankedImage, RankedQuery

from .feature_file import FeatureSet

# Images that are looked for to find out what a folder holds.
_MOST_TRIED = 100

logger = logging.getLogger(__name__)


def under_root(features: FeatureSet, root: str | Path, *, source: str | Path) -> FeatureSet:
    """Point the paths of images to a folder that they were moved to.

    Args:
        features: N images, whose paths are those of their former place.
        root: the folder that held all of them, or one above it, where it is now.
        source: the feature file, for the message.

    Returns:
        The same features; images that are not below the root, but still in their former place,
        keep their paths. Where that holds for all, a warning says so.

    Raises:
        FileNotFoundError: none of the images that were tried is below the root, nor in its former
            place.
    """
    paths = [PurePath(path) for path in features.images.paths.tolist()]
    tried = paths[:: max(len(paths) // _MOST_TRIED, 1)]
    folder = PurePath(common_folder(paths))
    for former in (folder, *folder.parents):
        moved = [Path(root, path.relative_to(former)) for path in tried]
        if any(path.is_file() for path in moved):
            break
    else:
        if any(Path(path).is_file() for path in tried):
            # Of several files that are compared, only some may have been moved.
            logger.warning("%s: its images are still in %s, not in --root", source, folder)
            return features
        raise FileNotFoundError(
            f"--root {root}: none of the images of {source} is there. They were in {folder}; name "
            f"the folder that was {folder}, or one above it, where it is now."
        )
    candidates = [(path, Path(root, path.relative_to(former))) for path in paths]
    found = [
        str(old if not new.is_file() and Path(old).is_file() else new) for old, new in candidates
    ]
    return features._replace(images=features.images._replace(paths=np.array(found, np.str_)))


def common_folder(paths: Iterable[str | PurePath]) -> str:
    """Find the deepest folder that holds all images.

    Args:
        paths: of images.

    Returns:
        The folder; "." where relative paths have none in common, and where some are absolute.
    """
    folders = {str(PurePath(path).parent) for path in paths}
    if len({PurePath(folder).is_absolute() for folder in folders}) != 1:
        return "."
    return os.path.commonpath(folders) or "."


def look_for_images(
    queries: Sequence[RankedQuery],
    features: FeatureSet,
    *,
    source: str,
    with_queries: bool = True,
) -> list[RankedQuery]:
    """Look for the images that are to be drawn, and say which are not where they were.

    Args:
        queries: what is to be drawn.
        features: where the gallery images are from.
        source: the feature file or its name, for messages.
        with_queries: look for the query images too.

    Returns:
        The same, with a mark at images that are not found.

    Raises:
        FileNotFoundError: none is found.
    """
    shown = [image.path for query in queries for image in query.gallery]
    if with_queries:
        shown += [query.image.path for query in queries]
    missing = {path for path in shown if not Path(path).is_file()}
    if not missing:
        return list(queries)
    told = (
        f"{source}: {len(missing)} of {len(set(shown))} images to be drawn are not found, first "
        f"{min(missing)}. If they were moved, say with --root where the folder is now that held "
        f"them all; it was {common_folder(features.images.paths.tolist())!r}."
    )
    if len(missing) == len(set(shown)):
        raise FileNotFoundError(f"{told} Nothing is drawn.")
    logger.warning("%s They are drawn as empty tiles.", told)
    return [_marked(query, missing) for query in queries]


def _marked(query: RankedQuery, missing: set[str]) -> RankedQuery:
    def mark(image: RankedImage) -> RankedImage:
        return image._replace(is_found=image.path not in missing)

    return query._replace(image=mark(query.image), gallery=tuple(map(mark, query.gallery)))
