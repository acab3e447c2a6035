"""Find faults of a test set before its features are extracted."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastreid.utils.messages.texts import list_some

# Bytes at the end of a file; they differ for most files of the same size.
_TAIL = 1024


def why_not_scored(
    name: str, query: Sequence[tuple], gallery: Sequence[tuple], findings: Sequence[str]
) -> str:
    """Describe why a test set cannot be scored.

    Args:
        name: name of the data set.
        query: (path, pid, camid) of each query.
        gallery: (path, pid, camid) of each gallery image.
        findings: result of `diagnose`.

    Returns:
        The reason; "" if at least one query has a match.
    """
    if not query or not gallery:
        return (
            f"The test set {name} has {len(query)} query and {len(gallery)} gallery images; it "
            "needs both."
        )
    if not _queries_with_a_match(query, gallery):
        return (
            f"No query of the test set {name} has a match in the gallery: an image of its "
            f"identity from another camera. {' '.join(findings)} Check that "
            "identities and cameras are read correctly from the file names."
        )
    return ""


def diagnose(
    query: Sequence[tuple], gallery: Sequence[tuple], *, junk_pids: Iterable[int] = ()
) -> list[str]:
    """Find properties of a test set that make its scores wrong or hard to compare.

    Args:
        query: (path, pid, camid) of each query.
        gallery: (path, pid, camid) of each gallery image.
        junk_pids: identities that are not persons to retrieve.

    Returns:
        One sentence for each finding.
    """
    return [
        *_absent_identities(query, gallery),
        *_cameras(query, gallery),
        *_junk(query, set(junk_pids)),
        *_listed_twice(query, gallery),
        *_same_content({path for path, _, _ in [*query, *gallery]}),
    ]


def _queries_with_a_match(query: Sequence[tuple], gallery: Sequence[tuple]) -> int:
    cameras_of = defaultdict(set)
    for _, pid, camid in gallery:
        cameras_of[pid].add(camid)
    return sum(bool(cameras_of[pid] - {camid}) for _, pid, camid in query)


def _absent_identities(query: Sequence[tuple], gallery: Sequence[tuple]) -> list[str]:
    wanted, present = {pid for _, pid, _ in query}, {pid for _, pid, _ in gallery}
    absent = wanted - present
    if not absent:
        return []
    left_out = sum(pid in absent for _, pid, _ in query)
    return [
        f"{len(absent)} of {len(wanted)} query identities are not in the gallery "
        f"({list_some(absent)}); their {left_out} queries are left out."
    ]


def _cameras(query: Sequence[tuple], gallery: Sequence[tuple]) -> list[str]:
    cameras = {camid for _, _, camid in [*query, *gallery]}
    if len(cameras) == 1:
        return [
            f"All images are from one camera ({list_some(cameras)}), and gallery images of the "
            "query's identity from the query's camera do not count."
        ]
    present = {pid for _, pid, _ in gallery}
    in_gallery = [item for item in query if item[1] in present]
    own_only = len(in_gallery) - _queries_with_a_match(query, gallery)
    if not own_only:
        return []
    return [
        f"{own_only} queries have images of their identity in the gallery only from their own "
        "camera, which do not count; they are left out."
    ]


def _junk(query: Sequence[tuple], junk_pids: set[int]) -> list[str]:
    count = sum(pid in junk_pids for _, pid, _ in query)
    if not count:
        return []
    return [
        f"{count} queries are of junk identities ({list_some(junk_pids)}), which are not persons."
    ]


def _listed_twice(query: Sequence[tuple], gallery: Sequence[tuple]) -> list[str]:
    counts = Counter(path for path, _, _ in [*query, *gallery])
    twice = [path for path, count in counts.items() if count > 1]
    if not twice:
        return []
    both = {path for path, _, _ in query} & {path for path, _, _ in gallery}
    return [
        f"{len(twice)} files are listed more than once, {len(both)} of them as query and as "
        f"gallery ({list_some(twice)})."
    ]


def _same_content(paths: Iterable[str]) -> list[str]:
    copies = [f"{path} is {original}" for path, original in files_with_the_same_content(paths)]
    return [f"{len(copies)} files are copies of others ({list_some(copies)})."] if copies else []


def files_with_the_same_content(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Find copies of files under other names.

    Only files whose size and last bytes are equal are read completely.

    Args:
        paths: paths of the files; unreadable files are skipped.

    Returns:
        Each copy, with the first file of the same content.
    """
    groups = defaultdict(list)
    for path in sorted(paths):
        key = _size_and_tail(Path(path))
        if key is not None:
            groups[key].append(path)
    copies = []
    for group in groups.values():
        if len(group) > 1:
            first_with: dict[bytes, str] = {}
            for path in group:
                original = first_with.setdefault(Path(path).read_bytes(), path)
                if original != path:
                    copies.append((path, original))
    return copies


def _size_and_tail(path: Path) -> tuple[int, int] | None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL, 0))
            # Empty files are not images; the check of image files reports them.
            return (size, zlib.crc32(file.read())) if size else None
    except OSError:
        # The check of image files reports it.
        return None
