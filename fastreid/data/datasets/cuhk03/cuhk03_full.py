"""CUHK03 in the form of open-reid, which ACL's Protocol 1 trains on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..bases import DATASET_REGISTRY, ImageDataset
from ..files import (
    read_text,
    require_file,
    require_folder,
    require_images,
    require_plain_name,
    require_root,
)
from ..items import Item

_META, _SPLITS = "meta.json", "splits.json"


@DATASET_REGISTRY.register()
class CUHK03FULL(ImageDataset):
    """CUHK03 as the toolbox open-reid prepares it.

    ``meta.json`` lists the images of each person by camera; ``splits.json`` has the persons of
    "trainval", "query" and "gallery" for each split. The last image of each camera is a query, the
    others are the gallery; a single image is both, as in ACL.

    Args:
        root: folder that holds ``cuhk03/cuhk03_release``.
        split_id: number of the split in ``splits.json``; DATASETS.SPLIT has no effect.
        combineall: whether ``train`` includes query and gallery.

    Raises:
        FileNotFoundError: the folder does not exist.
    """

    dataset_name = "CUHK03FULL"

    def __init__(
        self, root: str | Path = "datasets", *, split_id: int = 0, combineall: bool = False
    ) -> None:
        folder = require_root(root) / "cuhk03" / "cuhk03_release"
        self.data_dir = require_folder(folder, self.dataset_name)
        self._split_id = split_id
        super().__init__(
            self._read_train,
            partial(self._read_test, "query", lambda images: images[-1:]),
            partial(self._read_test, "gallery", lambda images: images[:-1] or images),
            combineall=combineall,
        )

    @classmethod
    def from_config(cls, cfg: Any, *, root: str, combineall: bool = False) -> CUHK03FULL:  # noqa: ARG003
        """Make the data set with its first split.

        Args:
            cfg: not used.
            root: folder that holds the data sets.
            combineall: whether ``train`` includes query and gallery.
        """
        return cls(root, combineall=combineall)

    def identities_in_both(self) -> set:
        """Give the training identities, as in ``splits.json``, that are in query or gallery too."""
        tested = {*self._identities("query"), *self._identities("gallery")}
        return tested & set(self._identities("trainval"))

    def _read_train(self) -> list[Item]:
        name = self.dataset_name
        # Classes are numbered in the order of the identities, as in ACL.
        return [
            (path, f"{name}_{number}", f"{name}_{camid}")
            for number, pid in enumerate(sorted(self._identities("trainval")))
            for path, _, camid in self._images(pid, list)
        ]

    def _read_test(self, part: str, choose: Callable[[list], list]) -> list[Item]:
        return [item for pid in self._identities(part) for item in self._images(pid, choose)]

    def _images(self, pid: int, choose: Callable[[list], list]) -> list[Item]:
        """The chosen images of each camera of a person."""
        meta = self.data_dir / _META
        try:
            cameras: Sequence[list[str]] = self._meta["identities"][pid]
            names = [(name, camid) for camid, own in enumerate(cameras) for name in choose(own)]
            listed = [require_plain_name(name, name.split("/")) for name, _ in names]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.dataset_name}: {meta} does not list the images of person {pid} by camera "
                f"({error}); is it of the same version as {_SPLITS}?"
            ) from error
        paths = [self.data_dir / "images" / name for name in listed]
        found = require_images(paths, self.dataset_name, meta)
        return [(str(path), pid, camid) for path, (_, camid) in zip(found, names)]

    def _identities(self, part: str) -> list[int]:
        path = self.data_dir / _SPLITS
        splits = self._splits
        if not isinstance(splits, list) or self._split_id not in range(len(splits)):
            raise ValueError(f"{self.dataset_name}: {path} has no split {self._split_id}.")
        split = splits[self._split_id]
        pids = split.get(part) if isinstance(split, dict) else None
        if not isinstance(pids, list) or not all(type(pid) is int for pid in pids):
            raise ValueError(
                f"{self.dataset_name}: split {self._split_id} of {path} has no identities "
                f"{part!r}; it is of another program or version."
            )
        negative = [pid for pid in pids if pid < 0]
        if negative:
            raise ValueError(
                f"{self.dataset_name}: split {self._split_id} of {path} has the identity "
                f"{negative[0]} in {part!r}; identities are numbered from 0."
            )
        return pids

    @cached_property
    def _splits(self) -> Any:
        return self._read_json(_SPLITS)

    @cached_property
    def _meta(self) -> Any:
        return self._read_json(_META)

    def _read_json(self, name: str) -> Any:
        path = require_file(self.data_dir / name, self.dataset_name)
        try:
            return json.loads(read_text(path))
        except ValueError as error:
            raise ValueError(f"{self.dataset_name}: {path} is not JSON ({error}).") from error
