"""The images of a classification data set, as a loader takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastreid.utils.labels import LabelNames

from ..common import CommDataset
from ..pipeline.preparation import ImageTransform


class ClasDataset(CommDataset):
    """Images with class numbers (the class of fast-reid's project FastClas).

    Classes are numbered in the order of their sorted names, or as a given list has them. Unlike
    fast-reid's class, it does not read images: the worker processes of a loader do.

    Args:
        img_items: (img_path, class name, any text) of each image.
        transform: as in `CommDataset`.
        idx_to_class: class number, also as a text -> class name, such as those of a training set;
            None: the classes of the items.

    Attributes:
        classes: names of all classes, in the order of their numbers.
        class_to_idx: class name -> number.
        idx_to_class: number -> class name.

    Raises:
        ValueError: class numbers are not 0, 1, ..., two have the same name, or an item has another
            class.
    """

    def __init__(
        self,
        img_items: Sequence[tuple],
        transform: ImageTransform | None = None,
        idx_to_class: Mapping[int, str] | Mapping[str, str] | None = None,
    ) -> None:
        items = [(str(path), str(name), str(rest)) for path, name, rest in img_items]
        super().__init__(items, transform)
        if idx_to_class is None:
            self.classes = list(self.pids)
        else:
            self.classes = _names_in_order(idx_to_class)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.idx_to_class = dict(enumerate(self.classes))
        unknown = sorted(set(self.pids) - self.class_to_idx.keys())
        if unknown:
            raise ValueError(
                f"The class {unknown[0]!r} of an image is none of the {len(self.classes)} classes "
                "that are given."
            )
        numbers = [self.class_to_idx[name] for _, name, _ in items]
        self.pids, self.pid_dict = self.classes, self.class_to_idx
        self.classes_per_domain = [len(self.classes)]
        self.targets = np.array(numbers, np.int32)
        names, cameras = [name for _, name, _ in items], [rest for _, _, rest in items]
        self.label_names = LabelNames(np.array(names, np.str_), np.array(cameras, np.str_))


def _names_in_order(idx_to_class: Mapping[int, str] | Mapping[str, str]) -> list[str]:
    try:
        names = {int(number): str(name) for number, name in idx_to_class.items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"Classes must be a mapping from numbers to names: {error}.") from error
    if sorted(names) != list(range(len(idx_to_class))) or len(set(names.values())) < len(names):
        raise ValueError(
            f"The {len(idx_to_class)} classes must have the numbers 0 to {len(idx_to_class) - 1} "
            "and different names."
        )
    return [names[number] for number in range(len(names))]
