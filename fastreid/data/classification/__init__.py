"""Images with a class each, for training and testing a classifier.

`clas_dataset` has the form in which a loader takes them, `class_items` reads them from any
registered data set, and `class_folders` registers data sets with one folder for each class.
"""

from .clas_dataset import ClasDataset
from .class_folders import ClassFolders, Hymenoptera
from .class_items import read_test_items, read_train_items, require_known_classes

__all__ = [
    "ClasDataset",
    "ClassFolders",
    "Hymenoptera",
    "require_known_classes",
    "read_test_items",
    "read_train_items",
]
