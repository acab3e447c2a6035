"""Readers and writers of weights file formats; code in a file is never executed.

``file_kinds`` detects the format. ``ckpt_*`` is MindSpore's format, ``safetensors_reader`` reads
safetensors, ``pth_reader`` and ``pth_writer`` are PyTorch's formats. A PyTorch file contains a
pickle, which ``torch_pickle`` interprets on the stack machine of ``pth_machine``; ``pth_objects``
has stand-ins for the classes and functions in it, ``pth_tensors`` those for tensors and arrays.
"""
