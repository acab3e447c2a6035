"""Run an exported model without MindSpore: NumPy, Pillow and onnxruntime are enough.

    from fastreid.deploy import Embedder

    features = Embedder("model.onnx")(["query.jpg", "gallery.jpg"])   # (2, D) float32

``embedder`` runs the model, ``pictures`` turns what users have into arrays, ``model_info``
describes an exported file.
"""

from .embedder import Embedder
from .model_info import ModelInfo
from .pictures import PictureError

__all__ = ["Embedder", "ModelInfo", "PictureError"]
