"""PKU VehicleID, with its three test sizes."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path

from fastreid.utils.labels import whole_number

from ..bases import DATASET_REGISTRY, ImageDataset
from ..counts import Counts
from ..files import read_entries, require_file, require_folder, require_images, require_root
from ..items import Item
from ..preparation.split_file import drawn_order

_LISTS = "train_test_split"
_TRAIN = Counts(13164, 113346)


@DATASET_REGISTRY.register()
class VehicleID(ImageDataset):
    """Liu et al., "Deep Relative Distance Learning: Tell the Difference Between Similar Vehicles".

    CVPR 2016. One image of each test vehicle is drawn for the gallery, and the others are queries;
    papers report the mean over ten draws. Draw k is split k, and is the same on every machine.
    fast-reid draws anew in each run. There are no cameras: the number of the image takes their
    place, so that no match is removed.

    ``VehicleID`` tests on all 13,164 test vehicles; ``SmallVehicleID``, ``MediumVehicleID`` and
    ``LargeVehicleID`` on 800, 1,600 and 2,400 of them.

    Args:
        root: folder that holds ``vehicleid``.
        test_list: file of the test images; "": that of the class, in ``train_test_split``.
        split_id: number of the draw (DATASETS.SPLIT), 0 to 9.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: the folder of the data set does not exist.
        ValueError: ``split_id`` is not between 0 and 9.
    """

    dataset_name = "VehicleID"
    counts_source = "Liu et al., CVPR 2016; list files of the release"
    dataset_dir = "vehicleid"
    has_common_labels = True
    num_splits = 10
    test_size = 13164
    published = {"train": _TRAIN}

    def __init__(
        self,
        root: str | Path = "datasets",
        test_list: str | Path = "",
        *,
        split_id: int = 0,
        combineall: bool = False,
    ) -> None:
        if split_id not in range(self.num_splits):
            raise ValueError(
                f"DATASETS.SPLIT is {split_id}; {self.dataset_name} has the draws 0 to "
                f"{self.num_splits - 1}."
            )
        folder = require_root(root) / self.dataset_dir
        self.data_dir = require_folder(folder, self.dataset_name)
        self.split_id = split_id
        own_list = self.data_dir / _LISTS / f"test_list_{self.test_size}.txt"
        self.test_list = Path(test_list) if str(test_list) else own_list
        super().__init__(
            self._read_train,
            partial(self._read_test, is_gallery=False),
            partial(self._read_test, is_gallery=True),
            combineall=combineall,
            published={"train": _TRAIN} if str(test_list) else self.published,
        )

    def _read_train(self) -> list[Item]:
        name = self.dataset_name
        return [
            (path, f"{name}_{vehicle}", f"{name}_{image}")
            for path, vehicle, image in self._read(self.data_dir / _LISTS / "train_list.txt")
        ]

    def _read_test(self, *, is_gallery: bool) -> list[Item]:
        return [item for item in self._tested if (item[2] in self._drawn) == is_gallery]

    @cached_property
    def _tested(self) -> list[Item]:
        return self._read(self.test_list)

    @cached_property
    def _drawn(self) -> set[int]:
        """Numbers of the gallery images: one of each vehicle."""
        images: dict[int, list[str]] = {}
        for _, vehicle, image in self._tested:
            images.setdefault(vehicle, []).append(str(image))
        return {int(drawn_order(own, draw=self.split_id)[0]) for own in images.values()}

    def _read(self, list_file: Path) -> list[Item]:
        """Path, vehicle and number of each image."""
        require_file(list_file, self.dataset_name)
        images, vehicles = [], []
        for place, line in read_entries(list_file, self.dataset_name):
            words = line.split()
            if len(words) != 2:
                raise ValueError(f'{self.dataset_name}: {place} is {line!r}, not "image vehicle".')
            try:
                numbers = whole_number(words[0]), whole_number(words[1])
            except ValueError as error:
                raise ValueError(f"{self.dataset_name}: {place}: {error}") from error
            images.append((self.data_dir / "image" / f"{words[0]}.jpg", numbers[0]))
            vehicles.append(numbers[1])
        paths = require_images([path for path, _ in images], self.dataset_name, list_file)
        return [
            (str(path), vehicle, number)
            for path, (_, number), vehicle in zip(paths, images, vehicles)
        ]


@DATASET_REGISTRY.register()
class SmallVehicleID(VehicleID):
    """VehicleID with 800 test vehicles."""

    dataset_name = "SmallVehicleID"
    test_size = 800
    published = {"train": _TRAIN, "query": Counts(800, 5693), "gallery": Counts(800, 800)}


@DATASET_REGISTRY.register()
class MediumVehicleID(VehicleID):
    """VehicleID with 1,600 test vehicles."""

    dataset_name = "MediumVehicleID"
    test_size = 1600
    published = {"train": _TRAIN, "query": Counts(1600, 11777), "gallery": Counts(1600, 1600)}


@DATASET_REGISTRY.register()
class LargeVehicleID(VehicleID):
    """VehicleID with 2,400 test vehicles."""

    dataset_name = "LargeVehicleID"
    test_size = 2400
    published = {"train": _TRAIN, "query": Counts(2400, 17377), "gallery": Counts(2400, 2400)}
