"""What is wrong with a test set, said before any image goes through the model."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastreid.utils.messages.texts import list_some

# Bytes at the end of a file that tell most files of one size apart.
_TAIL = 1024


def why_not_scored(
    name: str, query: Sequence[tuple], gallery: Sequence[tuple], findings: Sequence[str]
) -> str:
    """Say why a test set cannot be scored.

    Args:
        name: of the data set.
        query: (path, pid, camid).
        gallery: the same.
        findings: of `diagnose`.

    Returns:
        What is missing; "" if some query has a match.
    """
    if not query or not gallery:
        return (
            f"The test set {name} has {len(query)} query and {len(gallery)} gallery images; it "
            "needs both."
        )
    if not _queries_with_a_match(query, gallery):
        return (
            f"No query of the test set {name} has a match in the gallery: an image of its "
            f"identity from another camera. {' '.join(findings)} Are identities and cameras read "
            "rightly from the file names?"
        )
    return ""


def diagnose(
    query: Sequence[tuple], gallery: Sequence[tuple], *, junk_pids: Iterable[int] = ()
) -> list[str]:
    """Find what makes scores of a test set wrong or hard to compare.

    Args:
        query: (path, pid, camid).
        gallery: the same.
        junk_pids: identities that are no persons to find.

    Returns:
        One sentence for each finding; none if all is well.
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
        f"{count} queries are of junk identities ({list_some(junk_pids)}), which are no persons."
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
    """Find copies under other names; size and tail sort out nearly all files without reading them.

    Args:
        paths: of files; what cannot be read is passed over.

    Returns:
        Each copy with the first file of its content.
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
            # Empty files are no images; reading them names them.
            return (size, zlib.crc32(file.read())) if size else None
    except OSError:
        # The loader names a file that cannot be read.
        return None
