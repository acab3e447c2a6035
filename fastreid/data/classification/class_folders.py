"""Data sets with one folder of images for each class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fastreid.config import CfgNode
from fastreid.utils.file_io.paths import absolute_path

from ..datasets import DATASET_REGISTRY, ImageDataset
from ..datasets.construction import construct
from ..datasets.files import require_folder, require_root, search_images
from ..datasets.items import Item

_CAMERA = "0"


@DATASET_REGISTRY.register()
class ClassFolders(ImageDataset):
    """Images in folders <split>/<class>, for classifiers.

    The folder ``train`` has the training images, ``val``, or ``test`` if there is none, those of
    the test. Each has one folder for each class, which may have subfolders of its own.

    Args:
        root: folder that a relative ``image_list`` starts from.
        image_list: DATASETS.IMAGE_LIST, the folder with train and val.
        combineall: whether ``train`` includes the test images.

    Raises:
        FileNotFoundError: a folder does not exist.
        ValueError: there is no folder, or images are in no class.
    """

    dataset_name = "ClassFolders"
    dataset_dir = ""

    def __init__(
        self,
        root: str | Path = "datasets",
        *,
        image_list: str | Path = "",
        combineall: bool = False,
    ) -> None:
        source = self.dataset_dir or str(image_list)
        if not source:
            raise ValueError(
                "The data set ClassFolders needs DATASETS.IMAGE_LIST: a folder with train and val, "
                "each with one folder of images for each class."
            )
        folder = Path(source).expanduser()
        if self.dataset_dir or not (folder.is_absolute() or folder.exists()):
            folder = require_root(root) / folder
        self.folder = absolute_path(folder)
        super().__init__(
            partial(self._read, ("train",)),
            partial(self._read, ("val", "test")),
            [],
            combineall=combineall,
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, *, root: str, combineall: bool = False) -> ClassFolders:
        """Make the data set from the folder DATASETS.IMAGE_LIST.

        Args:
            cfg: DATASETS.IMAGE_LIST.
            root: folder that a relative DATASETS.IMAGE_LIST starts from.
            combineall: whether ``train`` includes the test images.
        """
        image_list = cfg.DATASETS.IMAGE_LIST
        return construct(cls, {"root": root, "combineall": combineall, "image_list": image_list})

    def _read(self, splits: tuple[str, ...]) -> list[Item]:
        """Items of the first of some splits that exists."""
        require_folder(self.folder, self.dataset_name)
        present = [split for split in splits if (self.folder / split).is_dir()]
        folder = require_folder(self.folder / (present or splits)[0], self.dataset_name)
        found = search_images(folder)
        self.note_search(found)
        items = []
        for path in found.images:
            parts = path.relative_to(folder).parts
            if len(parts) < 2:
                raise ValueError(
                    f"{path} is in no folder of a class; put it into {folder}/<class>, or remove "
                    "it."
                )
            items.append((str(path), parts[0], _CAMERA))
        return items


@DATASET_REGISTRY.register()
class Hymenoptera(ClassFolders):
    """Ants and bees, the example of PyTorch's transfer learning tutorial and of FastClas."""

    dataset_name = "Hymenoptera"
    dataset_dir = "hymenoptera_data"
