"""A trained model that computes features."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from mindspore import Tensor, nn
from PIL import Image

from fastreid.config import CfgNode, without_pretraining
from fastreid.data import build_transforms
from fastreid.deploy.pictures import check_batch, is_batch, open_pictures
from fastreid.evaluation import FeatureCollector, FeatureSet, inference_on_dataset
from fastreid.modeling import build_model, unused_in_evaluation
from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.machine import CoreSharing

from .cpu import moves_kernels
from .resume.saved_config import dump_for_keeping

logger = logging.getLogger(__name__)


class DefaultPredictor:
    """The model of a config with its weights, in evaluation (fast-reid's ``DefaultPredictor``).

    Args:
        cfg: the whole configuration; MODEL.WEIGHTS are the weights.

    Raises:
        ValueError: MODEL.WEIGHTS is empty, or the weights do not fit this model.
        FileNotFoundError: the file of weights does not exist.
    """

    def __init__(self, cfg: CfgNode) -> None:
        if not cfg.MODEL.WEIGHTS:
            raise ValueError(
                "Features need a trained model: set MODEL.WEIGHTS, for example "
                "MODEL.WEIGHTS logs/model_final.ckpt"
            )
        self.cfg = cfg = without_pretraining(cfg)
        self.model: nn.Cell = build_model(cfg)
        Checkpointer(self.model).load(
            cfg.MODEL.WEIGHTS, ignore=unused_in_evaluation(self.model), weights_only=True
        )
        self.model.set_train(False)
        self._sharing = CoreSharing(moves=moves_kernels(cfg))

    def __call__(self, images: Any, *, bgr: bool = False) -> np.ndarray:
        """Compute features.

        Args:
            images: a path, a PIL image, a uint8 array (H, W, 3), or a list of these, of any sizes;
                or (N, 3, H, W) floats of the size of the tests, RGB, 0 to 255, as
                ``build_transforms`` makes them.
            bgr: whether uint8 arrays have the channels blue, green, red, as OpenCV gives them.

        Returns:
            (N, D) float32, not normalized.

        Raises:
            PictureError: if something else is given.
            ImageError: if a file is missing or cannot be read.
        """
        self._sharing.report(logger)
        return self.model(Tensor(self.prepare(images, bgr=bgr))).asnumpy()

    def prepare(self, images: Any, *, bgr: bool = False) -> np.ndarray:
        """Read images and resize them as the tests of the configuration do.

        Args:
            images: as for a call of the predictor.
            bgr: as for a call of the predictor.

        Returns:
            (N, 3, H, W) float32, RGB, 0 to 255: what the model gets.

        Raises:
            PictureError: if something else is given.
            ImageError: if a file is missing or cannot be read.
        """
        if is_batch(images):
            return check_batch(images)
        return check_batch(self._transformed(open_pictures(images, bgr=bgr)))

    def _transformed(self, pictures: Iterable[Image.Image]) -> np.ndarray:
        transform, rng = build_transforms(self.cfg, is_train=False), np.random.default_rng(0)
        return np.stack([transform(picture, rng) for picture in pictures])

    def extract(self, loader: Any, *, num_query: int = 0, name: str = "") -> FeatureSet:
        """Compute the features of all images of a loader, and close the loader.

        Args:
            loader: result of `build_reid_test_loader` or `build_image_loader`.
            num_query: number of queries, which come first.
            name: name of the data set.

        Returns:
            Features, labels and paths, and the configuration with absolute paths.
        """
        with loader:
            features = inference_on_dataset(
                self.model,
                loader,
                FeatureCollector(num_query, name, label_names=loader.dataset.label_names),
                flip_test=self.cfg.TEST.FLIP.ENABLED,
                sharing=self._sharing,
            )
        return features._replace(config=dump_for_keeping(self.cfg))
