"""QMUL underGround Re-IDentification (GRID)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from fastreid.utils.labels import whole_number

from ..bases import DATASET_REGISTRY
from ..counts import Counts
from ..files import require_file
from ..layouts import Labelled, Part, read_part
from ..preparation.mat_file import read_mat
from ..preparation.split_file import SplitFile, file_sha256
from .target import TargetDataset

_PARTITIONS = "features_and_partitions.mat"
_VARIABLE = "trainIdxAll"
# Third field of the struct of a split: the training identities.
_TRAIN_FIELD = 2


@DATASET_REGISTRY.register()
class GRID(TargetDataset):
    """Loy et al., "Multi-camera Activity Correlation Analysis", CVPR 2009; 8 cameras.

    250 persons have an image in ``probe`` and one in ``gallery``, which also has 775 distractors
    (identity 0). The 10 splits are those of ``features_and_partitions.mat``: 125 persons for
    training, 125 queries, and 900 gallery images. fast-reid trains on a folder ``images``.

    Raises:
        FileNotFoundError: ``features_and_partitions.mat`` is missing.
        ValueError: it is damaged, or has training identities without images.
    """

    dataset_name = "GRID"
    counts_source = "Loy et al., CVPR 2009; features_and_partitions.mat"
    dataset_dir = whole_dir = "underground_reid"
    release = Part(
        ("probe", "gallery"),
        r"(?:probe|gallery)/(?P<pid>[0-9]+)_(?P<camid>[0-9]+)_",
        first_camera=1,
    )
    whole = Part(("images",), r"images/(?P<pid>[^/_]+)_(?P<camid>[^/_]+)_")
    published = {
        "train": Counts(125, 250),
        "query": Counts(125, 125),
        "gallery": Counts(126, 900),
    }
    way_out = "Is the data set unpacked completely?"
    _junk_pids = (0,)

    def _read_split_file(self) -> SplitFile:
        path = require_file(self.data_dir / _PARTITIONS, self.dataset_name)
        try:
            cells = np.ravel(read_mat(path, [_VARIABLE])[_VARIABLE])
            splits = [
                [whole_number(pid) for pid in np.ravel(np.ravel(cell)[0][_TRAIN_FIELD])]
                for cell in cells
            ]
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.dataset_name}: {path} is not the published file of the 10 partitions "
                f"({error}); download underground_reid again."
            ) from error
        return SplitFile(path, [{"train": split} for split in splits], file_sha256(path))

    @cached_property
    def _release_images(self) -> list[Labelled]:
        return read_part(
            self.release, self.data_dir, self.dataset_name, note_search=self.note_search
        )

    def _names(self, split: Mapping) -> Mapping[str, list[str]]:
        trained = set(split["train"])
        names: dict[str, list[str]] = {"train": [], "query": [], "gallery": []}
        found = {"probe": set(), "gallery": set()}  # type: dict[str, set[int]]
        for path, pid, _ in self._release_images:
            name = path.relative_to(self.data_dir).as_posix()
            folder = name.split("/")[0]
            found[folder].add(int(pid))
            test_part = "query" if folder == "probe" else "gallery"
            names["train" if int(pid) in trained else test_part].append(name)
        for folder, pids in found.items():
            lost = sorted(trained - pids)
            if lost:
                raise ValueError(
                    f"{self.dataset_name}: {self.data_dir / folder} has no image of "
                    f"{len(lost)} training identities of split {self.split_id} in "
                    f"{self.split_file}, such as {lost[0]}. Is the data set unpacked completely?"
                )
        return names
