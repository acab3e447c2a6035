"""Data: data sets, samplers, transforms, and the loaders that combine them into batches.

The docstring of each folder describes its content and how to extend it:
    datasets: lists of images with identity and camera.
    samplers: which images are drawn, in which order.
    transforms: augmentation and conversion of images.
    pipeline: worker processes that read images and make batches.
    checks: checks of a data set before a run.
    classification: images with a class each, for classifiers.

`build` has the functions that make loaders from the config; `common` has ``CommDataset``, the form
in which a loader takes the images.
"""

from .build import (
    build_domain_train_loaders,
    build_image_loader,
    build_reid_test_loader,
    build_reid_train_loader,
    check_test_sets,
)
from .checks import CheckResult, check_dataset
from .classification import ClasDataset
from .common import BATCH_COLUMNS, CommDataset
from .data_utils import ImageError, read_image
from .datasets import DATASET_REGISTRY, ImageDataset, load_dataset
from .pipeline.loader import ReidDataLoader
from .pipeline.shards import held_out_domain
from .pipeline.workers import WorkerError, WorkerPool
from .run_check import check_class_counts, check_for_run, iters_per_epoch
from .samplers.build import draws_identities
from .transforms import build_transforms

__all__ = [
    "BATCH_COLUMNS",
    "DATASET_REGISTRY",
    "CheckResult",
    "ClasDataset",
    "CommDataset",
    "ImageDataset",
    "ImageError",
    "ReidDataLoader",
    "WorkerError",
    "WorkerPool",
    "build_domain_train_loaders",
    "build_image_loader",
    "build_reid_test_loader",
    "build_reid_train_loader",
    "build_transforms",
    "check_class_counts",
    "check_dataset",
    "check_for_run",
    "check_test_sets",
    "draws_identities",
    "held_out_domain",
    "iters_per_epoch",
    "load_dataset",
    "read_image",
]
