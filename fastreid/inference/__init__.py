"""Trained models of every kind as functions of pictures: exported files and checkpoints.

    from pathlib import Path

    from fastreid.inference import open_picture_model

    model = open_picture_model(Path("model.onnx"))
    features = model.embed(["query.jpg", "gallery.jpg"])   # (2, D) float32

`tools/search.py`, `tools/extract_features.py` and `fastreid.serve` open their models here.
MindSpore is imported for MINDIR files and checkpoints only.
"""

from .picture_model import PictureModel, device_of, open_exported, open_picture_model

__all__ = ["PictureModel", "device_of", "open_exported", "open_picture_model"]
