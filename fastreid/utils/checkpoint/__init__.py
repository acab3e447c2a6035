"""Training checkpoints, and weights files of PyTorch, MindSpore and safetensors.

Training checkpoints:
    ``checkpointer`` saves and resumes a run, ``periodic_checkpointer`` decides what is saved after
    an epoch, ``checkpoint_list`` is the file ``last_checkpoint``, ``files`` is the layout of a
    checkpoint file.
Weights:
    ``weights_file`` reads and writes weights files, ``weights`` loads arrays into a model,
    ``names`` translates between PyTorch's and MindSpore's names, ``release_names`` between the
    releases of fast-reid, ``expected_weights`` lists what a model needs, ``pixel_buffers`` compares
    the normalization of images.
Folders:
    ``formats`` has the readers and writers of the file formats, ``recognition`` finds the weights
    in a file and describes them.
"""

from ..file_io import PathManager
from .checkpointer import Checkpointable, Checkpointer
from .periodic_checkpointer import PeriodicCheckpointer

__all__ = ["Checkpointable", "Checkpointer", "PathManager", "PeriodicCheckpointer"]
