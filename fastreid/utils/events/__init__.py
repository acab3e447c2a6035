"""Metrics, images and histograms of a training run.

`storage.py` holds them, `writers.py` writes them to files, and `printer.py` to the log.
"""

from .printer import CommonMetricPrinter, max_memory_gb
from .storage import EventStorage, Histogram, LoggedImage, get_event_storage
from .writers import EventWriter, JSONWriter, TensorboardXWriter

__all__ = [
    "CommonMetricPrinter",
    "EventStorage",
    "EventWriter",
    "Histogram",
    "JSONWriter",
    "LoggedImage",
    "TensorboardXWriter",
    "get_event_storage",
    "max_memory_gb",
]
