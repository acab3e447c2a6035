"""PRID 2011, single-shot version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..bases import DATASET_REGISTRY
from ..counts import Counts
from ..layouts import Labelled, Part, read_part
from ..preparation.split_file import SplitFile, drawn_order, read_or_draw
from .split_checks import identities_of
from .target import TargetDataset

# Persons up to this number are seen by both cameras; others are different persons in each.
_LAST_SHARED = 200
_LAST = 749


@DATASET_REGISTRY.register()
class PRID(TargetDataset):
    """Hirzer et al., "Person Re-identification by Descriptive and Discriminative Classification".

    SCIA 2011. Two cameras see 385 and 749 persons, of whom 200 are the same. Each of 10 splits has
    100 of these for training; the others are 100 queries (camera A), to be found among 649 gallery
    images (camera B), 549 of them distractors.

    fast-reid trains on ``slim_train``, images chosen from the multi-shot version.
    """

    dataset_name = "PRID"
    counts_source = "Hirzer et al., SCIA 2011"
    dataset_dir = whole_dir = "prid_2011"
    release = Part(
        ("single_shot/cam_a", "single_shot/cam_b"),
        r"single_shot/cam_(?P<camid>[ab])/person_(?P<pid>[0-9]+)\.",
    )
    whole = Part(("slim_train",), r"slim_train/(?:.*/)?[^/_]+_(?P<pid>[^/_]+)/(?P<camid>[^/_]+)_")
    published = {
        "train": Counts(100, 200),
        "query": Counts(100, 100),
        "gallery": Counts(649, 649),
    }
    _junk_pids = tuple(range(_LAST_SHARED + 1, _LAST + 1))

    @cached_property
    def _cameras(self) -> Mapping[str, Mapping[int, str]]:
        """Camera -> identity -> name of the image."""
        images: list[Labelled] = read_part(
            self.release, self.data_dir, self.dataset_name, note_search=self.note_search
        )
        names: dict[str, dict[int, str]] = {"a": {}, "b": {}}
        for path, pid, camid in images:
            names[camid][int(pid)] = path.relative_to(self.data_dir).as_posix()
        return names

    def _read_split_file(self) -> SplitFile:
        return read_or_draw(
            self.data_dir,
            "splits_single_shot.json",
            dataset=self.dataset_name,
            fields=("train", "test"),
            draw=self._draw,
        )

    def _draw(self) -> list[dict[str, list[int]]]:
        shared = self._shared_identities()
        splits = []
        for number in range(self.num_splits):
            order = [int(pid) for pid in drawn_order(map(str, shared), draw=number)]
            half = len(order) // 2
            splits.append({"train": sorted(order[:half]), "test": sorted(order[half:])})
        return splits

    def _shared_identities(self) -> list[int]:
        seen_by_a, seen_by_b = (
            {pid for pid in self._cameras[camera] if pid <= _LAST_SHARED} for camera in "ab"
        )
        if seen_by_a != seen_by_b:
            pid = min(seen_by_a ^ seen_by_b)
            raise ValueError(
                f"{self.dataset_name}: person {pid} has an image in only one of the folders cam_a "
                f"and cam_b of {self.data_dir / 'single_shot'}; persons 1 to {_LAST_SHARED} must "
                "be in both."
            )
        return sorted(seen_by_a)

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        train, test = (identities_of(split[part], self.split_file) for part in ("train", "test"))
        distractors = [pid for pid in sorted(self._cameras["b"]) if pid > _LAST_SHARED]
        return {
            "train": [self._name(pid, camera) for pid in train for camera in "ab"],
            "query": [self._name(pid, "a") for pid in test],
            "gallery": [self._name(pid, "b") for pid in [*test, *distractors]],
        }

    def _name(self, pid: int, camera: str) -> str:
        """Name of an image; that of the published set if there is no such file."""
        return self._cameras[camera].get(pid, f"single_shot/cam_{camera}/person_{pid:04d}.png")
