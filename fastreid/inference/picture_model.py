"""Open a model of any kind as a function of pictures: an exported file, or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
from PIL import Image

from fastreid.config import load_config
from fastreid.deploy import Embedder
from fastreid.deploy.pictures import open_pictures, prepared

if TYPE_CHECKING:
    from fastreid.engine import DefaultPredictor
    from fastreid.engine.mindir_model import MindirModel

_ONNX, _MINDIR = ".onnx", ".mindir"
_BATCH = 64
# The settings of an exported file that are not inside it.
_DEVICE, _THREADS = "MODEL.DEVICE", "DISPATCH_THREADS"


@dataclass(frozen=True)
class PictureModel:
    """A model that computes features of pictures.

    Attributes:
        source: its file, for messages.
        weights_sha256: hash of the weights' names and values; a checkpoint has that of the files
            that are exported from it.
        embed: maps paths, or PIL images, to features (N, D) float32.
        predictor: the network of a checkpoint; None: the model is an exported file.
    """

    source: str
    weights_sha256: str
    embed: Callable[[Sequence[Any]], np.ndarray]
    predictor: DefaultPredictor | None = None

    @cached_property
    def dimension(self) -> int:
        """D, the length of a feature: that of a picture, which is computed for it."""
        return self.embed([Image.new("RGB", (8, 16))]).shape[1]


def device_of(opts: Sequence[str]) -> str:
    """Return the device that settings choose for an exported file; "auto" if none does.

    Args:
        opts: KEY VALUE KEY VALUE ...
    """
    pairs = dict(zip(opts[::2], opts[1::2]))
    return pairs.get(_DEVICE, "auto")


def open_exported(
    path: Path, *, device: str = "auto", opts: Sequence[str] = ()
) -> Embedder | MindirModel:
    """Open a file of tools/export.py; its suffix says which kind it is.

    Args:
        path: the file. An ONNX file needs no MindSpore.
        device: as MODEL.DEVICE; an ONNX file takes "auto", "cpu", and "cuda" or "gpu" with or
            without an index.
        opts: KEY VALUE KEY VALUE ... for MindSpore, such as DISPATCH_THREADS.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not such a file, or the device is not available.
    """
    kind = path.suffix.lower()
    if kind == _ONNX:
        return Embedder(path, device=device)
    if kind != _MINDIR:
        raise ValueError(
            f"{path} is not an exported model, whose name ends with {_ONNX} or {_MINDIR}. A "
            f"checkpoint needs its configuration: --config-file F, MODEL.WEIGHTS {path}"
        )
    from fastreid.engine.mindir_model import MindirModel

    return MindirModel(path, device=device, opts=opts)


def open_picture_model(
    file: Path | None,
    config_file: Path | None = None,
    opts: Sequence[str] = (),
    *,
    batch_size: int = _BATCH,
) -> PictureModel:
    """Open an exported file, or a checkpoint with its configuration.

    Args:
        file: a file of tools/export.py, or a checkpoint in any format that MODEL.WEIGHTS takes;
            None: the checkpoint is MODEL.WEIGHTS.
        config_file: the YAML file of a checkpoint.
        opts: KEY VALUE KEY VALUE ... for the configuration; of an exported file, MODEL.DEVICE and,
            for MINDIR, DISPATCH_THREADS only.
        batch_size: how many pictures MindSpore gets at once, at most; it compiles the network of a
            checkpoint again for each number.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the configuration is missing, or inside the file already, the weights do not fit
            it, or the device is not available.
        ImportError: onnxruntime is not installed.
    """
    if file is None:
        if config_file is None:
            raise ValueError(
                "Give a model: an exported file, or a configuration with MODEL.WEIGHTS."
            )
        return _from_checkpoint(config_file, opts, batch_size)
    if file.suffix.lower() in (_ONNX, _MINDIR):
        _refuse_settings(file, config_file, opts)
        model = open_exported(file, device=device_of(opts), opts=opts)
        return _from_exported(file, model, batch_size)
    if config_file is None:
        raise ValueError(
            f"{file} is read as a checkpoint, which needs its configuration: add --config-file, or "
            "give an exported model, FILE.onnx."
        )
    return _from_checkpoint(config_file, [*opts, "MODEL.WEIGHTS", str(file)], batch_size)


def _refuse_settings(file: Path, config_file: Path | None, opts: Sequence[str]) -> None:
    if len(opts) % 2:
        raise ValueError(f"{opts[-1]} has no value; settings are KEY VALUE pairs.")
    if config_file is not None:
        raise ValueError(
            f"The configuration is inside {file}: --config-file is for checkpoints only."
        )
    free = [_DEVICE] if file.suffix.lower() == _ONNX else [_DEVICE, _THREADS]
    fixed = [key for key in opts[::2] if key not in free]
    if fixed:
        raise ValueError(
            f"{file} has its configuration inside; {fixed[0]} cannot be changed, only "
            f"{' and '.join(free)}. Export the model again with tools/export.py."
        )


def _from_exported(file: Path, model: Embedder | MindirModel, batch_size: int) -> PictureModel:
    if isinstance(model, Embedder):
        return PictureModel(str(file), model.info.weights_sha256, model)
    run, info = model, model.info

    def embed(pictures: Sequence[Any]) -> np.ndarray:
        arrays = (prepared(p, info.resize, info.crop) for p in open_pictures(pictures, info.size))
        return run(np.stack(list(arrays)))

    return PictureModel(str(file), info.weights_sha256, _in_batches(embed, batch_size))


def _from_checkpoint(config_file: Path, opts: Sequence[str], batch_size: int) -> PictureModel:
    from fastreid.engine import DefaultPredictor, set_device_and_mode
    from fastreid.utils.checkpoint.weights_hash import hash_of_weights

    cfg = load_config(config_file, list(opts))
    cfg.freeze()
    batch_size = min(batch_size, cfg.TEST.IMS_PER_BATCH)
    set_device_and_mode(cfg)
    predictor = DefaultPredictor(cfg)
    digest = hash_of_weights(predictor.model)
    embed = _in_batches(predictor, batch_size)
    return PictureModel(str(cfg.MODEL.WEIGHTS), digest, embed, predictor)


def _in_batches(embed: Callable[[Sequence[Any]], np.ndarray], size: int) -> Callable:
    def embed_all(pictures: Sequence[Any]) -> np.ndarray:
        starts = range(0, len(pictures), size)
        return np.concatenate([embed(pictures[start : start + size]) for start in starts])

    return embed_all
