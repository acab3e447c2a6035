"""QMUL i-LIDS (119 persons in an airport)."""

from __future__ import annotations

from collections.abc import Mapping

from ..bases import DATASET_REGISTRY
from ..counts import Counts
from ..layouts import Part, read_part
from ..preparation.split_file import SplitFile, drawn_order, read_or_draw
from .split_checks import names_of
from .target import TargetDataset

_FIELDS = ("train", "query", "gallery")


@DATASET_REGISTRY.register()
class iLIDS(TargetDataset):  # noqa: N801 - the name in the field's configs
    """Zheng et al., "Associating Groups of People", BMVC 2009.

    476 images of 119 persons, named like 0001002.jpg: person 1, image 2. Each of 10 splits has 59
    persons for training, and of 60 others one query and one gallery image. There are no cameras:
    the number of the image takes their place, so that no match is removed.

    fast-reid trains on another folder, ``iLIDS``, with a subfolder for each person.

    Raises:
        ValueError: a person has a single image.
    """

    dataset_name = "iLIDS"
    counts_source = "Zheng et al., BMVC 2009"
    dataset_dir = "i-LIDS_Pedestrian"
    whole_dir = "iLIDS"
    release = Part(("Persons",), r"Persons/(?P<pid>[0-9]{4})(?P<camid>[0-9]{3})", first_camera=1)
    whole = Part((".",), r"(?P<pid>[^/]+)/(?P<camid>[^/_]+)_")
    # The number of training images depends on the split.
    published = {"query": Counts(60, 60), "gallery": Counts(60, 60)}

    def _read_split_file(self) -> SplitFile:
        return read_or_draw(
            self.data_dir,
            "splits.json",
            dataset=self.dataset_name,
            fields=_FIELDS,
            draw=self._draw,
        )

    def _draw(self) -> list[dict[str, list[str]]]:
        images: dict[str, list[str]] = {}
        for path, pid, _ in read_part(
            self.release, self.data_dir, self.dataset_name, note_search=self.note_search
        ):
            images.setdefault(pid, []).append(path.name)
        single = [pid for pid, names in images.items() if len(names) < 2]
        if single:
            raise ValueError(
                f"{self.dataset_name}: person {single[0]} has a single image in "
                f"{self.data_dir / 'Persons'}; a query and a gallery image are needed."
            )
        splits = []
        for number in range(self.num_splits):
            order = drawn_order(images, draw=number)
            half = len(order) // 2
            test = {pid: drawn_order(images[pid], draw=number) for pid in sorted(order[half:])}
            splits.append(
                {
                    "train": [name for pid in sorted(order[:half]) for name in images[pid]],
                    "query": [names[0] for names in test.values()],
                    "gallery": [names[1] for names in test.values()],
                }
            )
        return splits

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        return {part: names_of(split[part], self.split_file, folder="Persons") for part in _FIELDS}
