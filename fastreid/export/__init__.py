"""Write a trained model as one file for other programs: ONNX, or MindSpore's MINDIR.

``exporting`` writes and checks a file. MindSpore writes every network as a MINDIR file, a flat list
of primitives; ``mindir`` reads it, ``translate`` and ``operators`` turn it into ONNX,
``onnx_graph`` holds the ONNX graph meanwhile. ``check`` compares the file with the model, ``half``
stores weights in float16, ``network`` is what is exported. `fastreid.deploy` runs the files.

Needs the extra ``onnx``.
"""

from .exporting import ExportOptions, export_model

__all__ = ["ExportOptions", "export_model"]
