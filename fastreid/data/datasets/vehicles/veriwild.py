"""VERI-Wild, with its three test sizes."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path

from fastreid.utils.labels import whole_number

from ..bases import DATASET_REGISTRY, ImageDataset
from ..counts import Counts
from ..files import read_entries, require_file, require_folder, require_images, require_root
from ..items import Item

_LISTS = "train_test_split"
_INFO = "vehicle_info.txt"
_TRAIN = Counts(30671, 277797)


@DATASET_REGISTRY.register()
class VeRiWild(ImageDataset):
    """Lou et al., "A Large-Scale Dataset for Vehicle Re-Identification in the Wild", CVPR 2019.

    174 cameras, which ``vehicle_info.txt`` gives for each image. ``VeRiWild`` and ``LargeVeRiWild``
    test on 10,000 vehicles; ``SmallVeRiWild`` and ``MediumVeRiWild`` on 3,000 and 5,000.

    Args:
        root: folder that holds ``VERI-Wild``.
        query_list: file of the queries; "": that of the class, in ``train_test_split``.
        gallery_list: file of the gallery images, likewise; used only together with `query_list`.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: the folder of the data set does not exist.
    """

    dataset_name = "VeRiWild"
    counts_source = "Lou et al., CVPR 2019; list files of the release"
    dataset_dir = "VERI-Wild"
    has_common_labels = True
    test_size = 10000
    published = {"train": _TRAIN, "query": Counts(10000, 10000), "gallery": Counts(10000, 128517)}

    def __init__(
        self,
        root: str | Path = "datasets",
        query_list: str | Path = "",
        gallery_list: str | Path = "",
        *,
        combineall: bool = False,
    ) -> None:
        folder = require_root(root) / self.dataset_dir
        self.data_dir = require_folder(folder, self.dataset_name)
        has_own_lists = bool(str(query_list) and str(gallery_list))
        lists = self.data_dir / _LISTS
        self.query_list = lists / f"test_{self.test_size}_query.txt"
        self.gallery_list = lists / f"test_{self.test_size}.txt"
        if has_own_lists:
            self.query_list, self.gallery_list = Path(query_list), Path(gallery_list)
        super().__init__(
            self._read_train,
            partial(self._read, self.query_list),
            partial(self._read, self.gallery_list),
            combineall=combineall,
            published={"train": _TRAIN} if has_own_lists else self.published,
        )

    def _read_train(self) -> list[Item]:
        name = self.dataset_name
        return [
            (path, f"{name}_{vehicle}", f"{name}_{camera}")
            for path, vehicle, camera in self._read(self.data_dir / _LISTS / "train_list.txt")
        ]

    def _read(self, list_file: Path) -> list[Item]:
        require_file(list_file, self.dataset_name)
        paths, labels = [], []
        for place, line in read_entries(list_file, self.dataset_name):
            vehicle, image = self._vehicle_and_image(line, place)
            if image not in self._cameras:
                raise ValueError(
                    f"{self.dataset_name}: the image {image} in {place} is not in "
                    f"{self.data_dir / _LISTS / _INFO}; are both files of the same release?"
                )
            own_vehicle, camera = self._cameras[image]
            paths.append(self.data_dir / "images" / own_vehicle / f"{image}.jpg")
            labels.append((whole_number(vehicle), camera))
        found = require_images(paths, self.dataset_name, list_file)
        return [(str(path), *pair) for path, pair in zip(found, labels)]

    @cached_property
    def _cameras(self) -> dict[str, tuple[str, int]]:
        """Image -> folder of its vehicle, and camera."""
        info = require_file(self.data_dir / _LISTS / _INFO, self.dataset_name)
        cameras = {}
        for number, (place, line) in enumerate(read_entries(info, self.dataset_name)):
            image_field, _, others = line.partition(";")
            camera = others.partition(";")[0].strip()
            if number == 0 and not camera.isdecimal():
                # The names of the columns.
                continue
            vehicle, image = self._vehicle_and_image(image_field, place)
            try:
                cameras[image] = vehicle, whole_number(camera)
            except ValueError as error:
                raise ValueError(f"{self.dataset_name}: {place}, camera: {error}") from error
        return cameras

    def _vehicle_and_image(self, text: str, place: str) -> tuple[str, str]:
        """The folder of the vehicle, and the name of the image without suffix."""
        vehicle, _, image = text.replace("\\", "/").partition("/")
        if not vehicle.isdecimal() or not image or "/" in image:
            raise ValueError(
                f"{self.dataset_name}: {place} has {text!r}, which is not <vehicle>/<image>."
            )
        return vehicle, image.split(".")[0]


@DATASET_REGISTRY.register()
class SmallVeRiWild(VeRiWild):
    """VERI-Wild with 3,000 test vehicles."""

    dataset_name = "SmallVeRiWild"
    test_size = 3000
    published = {"train": _TRAIN, "query": Counts(3000, 3000), "gallery": Counts(3000, 38816)}


@DATASET_REGISTRY.register()
class MediumVeRiWild(VeRiWild):
    """VERI-Wild with 5,000 test vehicles."""

    dataset_name = "MediumVeRiWild"
    test_size = 5000
    published = {"train": _TRAIN, "query": Counts(5000, 5000), "gallery": Counts(5000, 64389)}


@DATASET_REGISTRY.register()
class LargeVeRiWild(VeRiWild):
    """VERI-Wild with 10,000 test vehicles, as ``VeRiWild``."""

    dataset_name = "LargeVeRiWild"
