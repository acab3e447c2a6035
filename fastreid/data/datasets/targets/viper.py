"""VIPeR."""

from __future__ import annotations

from collections.abc import Mapping

from ..bases import DATASET_REGISTRY
from ..counts import Counts
from ..layouts import Part, read_part
from ..preparation.split_file import SplitFile, drawn_order, read_or_draw
from .split_checks import names_of
from .target import TargetDataset

_DRAWS = 10
_FIELDS = ("train", "query", "gallery")


@DATASET_REGISTRY.register()
class VIPeR(TargetDataset):
    """Gray et al., "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking".

    PETS 2007. 632 persons with one image from each of two cameras. Each of 10 draws has 316 persons
    for training and 316 for testing. Draw k is split 2k, with queries from camera A and the gallery
    from camera B, and split 2k + 1, with the cameras exchanged: a mean over all 20 splits is one
    over both directions, and a mean over the even ones is one over direction A to B.

    Raises:
        ValueError: a person is seen by one camera only.
    """

    dataset_name = "VIPeR"
    counts_source = "Gray et al., PETS 2007"
    dataset_dir = whole_dir = "VIPeR"
    num_splits = 2 * _DRAWS
    release = whole = Part(("cam_a", "cam_b"), r"(?P<camid>cam_[ab])/(?P<pid>[^/_]+)_")
    published = {
        "train": Counts(316, 632),
        "query": Counts(316, 316),
        "gallery": Counts(316, 316),
    }

    def _read_split_file(self) -> SplitFile:
        return read_or_draw(
            self.data_dir,
            "splits.json",
            dataset=self.dataset_name,
            fields=_FIELDS,
            draw=self._draw,
        )

    def _draw(self) -> list[dict[str, list]]:
        pairs = self._pairs()
        splits = []
        for number in range(_DRAWS):
            order = drawn_order(pairs, draw=number)
            half = len(order) // 2
            train = [image for pid in sorted(order[:half]) for image in pairs[pid]]
            test = [pairs[pid] for pid in sorted(order[half:])]
            camera_a, camera_b = ([pair[side] for pair in test] for side in (0, 1))
            splits.append({"train": train, "query": camera_a, "gallery": camera_b})
            splits.append({"train": train, "query": camera_b, "gallery": camera_a})
        return splits

    def _pairs(self) -> dict[str, list[list]]:
        """Identity -> its two images, as ACL's files list them: name, identity, camera."""
        images = read_part(
            self.release, self.data_dir, self.dataset_name, note_search=self.note_search
        )
        pairs: dict[str, list[list]] = {}
        for path, pid, camid in images:
            name = path.relative_to(self.data_dir).as_posix()
            pairs.setdefault(pid, []).append([name, pid, camid])
        for pid, pair in pairs.items():
            if [camid for _, _, camid in pair] != ["cam_a", "cam_b"]:
                raise ValueError(
                    f"{self.dataset_name}: person {pid} must have one image in cam_a and one "
                    f"in cam_b of {self.data_dir}; it has {', '.join(name for name, *_ in pair)}."
                )
        return pairs

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        return {part: names_of(split[part], self.split_file) for part in _FIELDS}
