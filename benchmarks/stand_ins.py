"""Stand-ins that make a checkout of the PyTorch original run with current torch on a CPU.

The original is from 2022 and needs a GPU. Names that torch no longer has, or not on a CPU, are
replaced. None of the stand-ins is part of the measured work.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import torch


def prepare(checkout: str) -> torch.library.Library | None:
    """Install the stand-ins, and add the checkout to the import path.

    Args:
        checkout: folder of the original.

    Returns:
        An object that must stay alive while the original is used.
    """
    _stand_in_for_2022()
    library = _stand_in_for_nms()
    sys.path.insert(1, checkout)
    return library


class _NoStream:
    def __init__(self, *_: object) -> None: ...

    def wait_stream(self, *_: object) -> None: ...


def _stand_in_for_2022() -> None:
    six: Any = types.ModuleType("torch._six")
    six.string_classes = (str, bytes)
    sys.modules["torch._six"] = six
    vars(collections)["Mapping"] = collections.abc.Mapping
    torch.cuda.Stream = _NoStream
    torch.cuda.stream = lambda _: contextlib.nullcontext()
    torch.cuda.current_stream = _NoStream
    torch.cuda.set_device = lambda _: None
    # The loader moves batches to device 0, its rank. On a CPU nothing has to be moved.
    torch.Tensor.to = lambda tensor, *_, **__: tensor


def _stand_in_for_nms() -> torch.library.Library | None:
    """Load torchvision's compiled operators, or declare them, so that it can be imported."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise SystemExit("The original needs torchvision: pip install --no-deps torchvision.")
    compiled = next(Path(spec.origin).parent.glob("_C*"), None)
    with contextlib.suppress(OSError):
        if compiled is not None:
            torch.ops.load_library(compiled)
            return None
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
