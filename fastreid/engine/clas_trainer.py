"""`ClasTrainer`: the training of a classifier that a config describes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.data import (
    CommDataset,
    ReidDataLoader,
    WorkerPool,
    build_reid_test_loader,
    build_reid_train_loader,
)
from fastreid.data.classification import (
    ClasDataset,
    read_test_items,
    read_train_items,
    require_known_classes,
)
from fastreid.evaluation import ClasEvaluator, DatasetEvaluator
from fastreid.modeling import REID_HEADS_REGISTRY
from fastreid.utils import comm
from fastreid.utils.atomic_file import replacing
from fastreid.utils.checkpoint.weights_file import split_key_path

from .default_parts import Results
from .defaults import DefaultTrainer

# fast-reid's name of the file in OUTPUT_DIR that lists the classes of a run.
CLASS_FILE = "idx2class.json"

logger = logging.getLogger(__name__)

ClassNames = Mapping[int, str]


def classifies(cfg: CfgNode) -> bool:
    """Tell whether the head of a config gives logits of classes in evaluation.

    Args:
        cfg: MODEL.HEADS.NAME.

    Raises:
        KeyError: the head is not registered.
    """
    return bool(getattr(REID_HEADS_REGISTRY.get(cfg.MODEL.HEADS.NAME), "gives_logits", False))


class ClasTrainer(DefaultTrainer):
    """A `DefaultTrainer` whose classes are known in the test (that of fast-reid's FastClas).

    Training images of all data sets with the same identity are one class. Tests measure the
    accuracy on the queries of each test set. ``idx2class.json`` in OUTPUT_DIR lists the classes.

    Args:
        cfg: the whole configuration, frozen, with a head such as ClasHead.

    Raises:
        ValueError: a test set has classes that the training sets lack.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        with ExitStack() as until_complete:
            until_complete.callback(self.close)
            self.idx2class = _classes_of(self.data_loader.dataset)
            for name in cfg.DATASETS.TESTS:
                require_known_classes(name, read_test_items(cfg, name), self.idx2class.values())
            until_complete.pop_all()
        if comm.is_main_process():
            path = Path(cfg.OUTPUT_DIR) / CLASS_FILE
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(dict(self.idx2class)), encoding="utf-8")

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> ReidDataLoader:
        """Build the endless loader of the training set; its ``dataset`` is a `ClasDataset`.

        Args:
            cfg: the whole configuration.
        """
        return build_reid_train_loader(cfg, train_set=ClasDataset(read_train_items(cfg)))

    @classmethod
    def build_test_loader(
        cls,
        cfg: CfgNode,
        dataset_name: str,
        *,
        pool: WorkerPool | None = None,
        idx2class: ClassNames | None = None,
    ) -> tuple[ReidDataLoader, int]:
        """Build the loader of a test set.

        Args:
            cfg: the whole configuration.
            dataset_name: one of DATASETS.TESTS.
            pool: worker processes to share.
            idx2class: class number -> name; None: the list in the folder of MODEL.WEIGHTS.

        Returns:
            The loader and its number of images.
        """
        items = read_test_items(cfg, dataset_name)
        classes = read_classes(cfg) if idx2class is None else idx2class
        require_known_classes(dataset_name, items, classes.values())
        test_set = ClasDataset(items, idx_to_class=classes)
        return build_reid_test_loader(cfg, test_set=test_set, num_query=len(items), pool=pool)

    @classmethod
    def build_evaluator(
        cls,
        cfg: CfgNode,
        dataset_name: str,
        output_dir: str | None = None,
        *,
        pool: WorkerPool | None = None,
        idx2class: ClassNames | None = None,
    ) -> tuple[ReidDataLoader, DatasetEvaluator]:
        """Build the loader of a test set and the evaluator of its logits.

        Args:
            cfg: the whole configuration.
            dataset_name: one of DATASETS.TESTS.
            output_dir: not used.
            pool: worker processes to share.
            idx2class: as in `build_test_loader`.

        Returns:
            The loader and the evaluator.
        """
        loader, _ = cls.build_test_loader(cfg, dataset_name, pool=pool, idx2class=idx2class)
        return loader, ClasEvaluator(cfg, output_dir)

    def test_options(self) -> dict[str, Any]:
        """Return keyword arguments of `test`: worker processes, and the classes of this run."""
        return {**super().test_options(), "idx2class": self.idx2class}

    @classmethod
    def evaluate(cls, cfg: CfgNode, **options: Any) -> Results:
        """Evaluate MODEL.WEIGHTS, with the list of classes in the same folder.

        Args:
            cfg: the whole configuration.
            **options: further keyword arguments of `test`.

        Returns:
            Test set -> Acc@1, Acc@5 and metric, in percent.

        Raises:
            FileNotFoundError: there are no weights, or no list of classes.
            ValueError: the weights do not fit, or a test set has other classes.
        """
        idx2class = read_classes(cfg)
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.HEADS.NUM_CLASSES = len(idx2class)
        cfg.freeze()
        return super().evaluate(cfg, idx2class=idx2class, **options)


def _classes_of(train_set: CommDataset) -> ClassNames:
    if not isinstance(train_set, ClasDataset):
        raise TypeError(
            f"build_train_loader of a ClasTrainer must give images as a ClasDataset, not as a "
            f"{type(train_set).__name__}."
        )
    return train_set.idx_to_class


def read_classes(cfg: CfgNode) -> dict[int, str]:
    """Read the list of classes that lies beside MODEL.WEIGHTS.

    Args:
        cfg: MODEL.WEIGHTS.

    Returns:
        Class number -> name.

    Raises:
        FileNotFoundError: there is no list.
        ValueError: the file is not such a list.
    """
    path = split_key_path(cfg.MODEL.WEIGHTS)[0].expanduser().parent / CLASS_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist. Training a classifier writes {CLASS_FILE}, the list of its "
            "classes, to OUTPUT_DIR; copy it to the folder of MODEL.WEIGHTS."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {int(number): str(name) for number, name in content.items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a list of classes, such as {{'0': 'ant', '1': 'bee'}}: {error}."
        ) from error
    return names
