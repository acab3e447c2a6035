"""Find the image files of a feature file, also after their folder was moved."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np

from fastreid.utils.visualizer import RankedImage, RankedQuery

from .feature_file import FeatureSet

# Maximum number of images that are looked up to find the moved folder.
_MOST_TRIED = 100

logger = logging.getLogger(__name__)


def under_root(features: FeatureSet, root: str | Path, *, source: str | Path) -> FeatureSet:
    """Change the paths of images to the folder that they were moved to.

    Args:
        features: features of N images with their old paths.
        root: new path of the folder that contained all images, or of one of its parents.
        source: the feature file, for messages.

    Returns:
        The features with the new paths. Images that exist only at their old path keep it; a warning
        is logged if that is true of all images.

    Raises:
        FileNotFoundError: no image was found below `root` or at its old path, of those tried.
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
            # --root applies to several feature files; the images of this one were not moved.
            logger.warning("%s: its images are still in %s, not in --root", source, folder)
            return features
        raise FileNotFoundError(
            f"--root {root}: none of the images of {source} is there. They were in {folder}; give "
            f"the new path of {folder} or of one of its parents."
        )
    candidates = [(path, Path(root, path.relative_to(former))) for path in paths]
    found = [
        str(old if not new.is_file() and Path(old).is_file() else new) for old, new in candidates
    ]
    return features._replace(images=features.images._replace(paths=np.array(found, np.str_)))


def common_folder(paths: Iterable[str | PurePath]) -> str:
    """Find the deepest folder that contains all images.

    Args:
        paths: paths of images.

    Returns:
        The folder; "." if relative paths have none in common, or if only some paths are absolute.
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
    """Check which of the images to be drawn exist; a warning counts the missing ones.

    Args:
        queries: queries with their ranked images.
        features: features that the gallery images come from.
        source: the feature file or its name, for messages.
        with_queries: whether to check the query images too.

    Returns:
        The same queries; missing images have `is_found` False.

    Raises:
        FileNotFoundError: none of the images exists.
    """
    shown = [image.path for query in queries for image in query.gallery]
    if with_queries:
        shown += [query.image.path for query in queries]
    missing = {path for path in shown if not Path(path).is_file()}
    if not missing:
        return list(queries)
    message = (
        f"{source}: {len(missing)} of {len(set(shown))} images to be drawn are not found, first "
        f"{min(missing)}. If they were moved, give --root the new path of the folder that "
        f"contained them all; it was {common_folder(features.images.paths.tolist())!r}."
    )
    if len(missing) == len(set(shown)):
        raise FileNotFoundError(f"{message} Nothing is drawn.")
    logger.warning("%s They are drawn as empty tiles.", message)
    return [_mark_missing(query, missing) for query in queries]


def _mark_missing(query: RankedQuery, missing: set[str]) -> RankedQuery:
    def mark(image: RankedImage) -> RankedImage:
        return image._replace(is_found=image.path not in missing)

    return query._replace(image=mark(query.image), gallery=tuple(map(mark, query.gallery)))
