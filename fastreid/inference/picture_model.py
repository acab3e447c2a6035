"""Open a model of any kind as a function of pictures: an exported file, or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from fastreid.config import load_config
from fastreid.deploy import Embedder
from fastreid.deploy.pictures import open_pictures, prepared

if TYPE_CHECKING:
    from fastreid.engine.mindir_model import MindirModel

_BATCH = 64


@dataclass(frozen=True)
class PictureModel:
    """A model that computes features of pictures.

    Attributes:
        source: its file, for messages.
        weights_sha256: hash of the weights' names and values; a checkpoint has that of the files
            that are exported from it.
        embed: maps paths, or PIL images, to features (N, D) float32.
    """

    source: str
    weights_sha256: str
    embed: Callable[[Sequence[Any]], np.ndarray]


def open_exported(path: Path) -> Embedder | MindirModel:
    """Open a file of tools/export.py; its suffix says which kind it is.

    Args:
        path: the file. An ONNX file needs no MindSpore.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not such a file.
    """
    if path.suffix.lower() != ".mindir":
        return Embedder(path)
    from fastreid.engine import set_device_and_mode
    from fastreid.engine.mindir_model import MindirModel

    set_device_and_mode(load_config("", []))
    return MindirModel(path)


def open_picture_model(
    exported: Path | None, config_file: Path | None = None, opts: Sequence[str] = ()
) -> PictureModel:
    """Open an exported file, or a configuration with its weights.

    Args:
        exported: a file of tools/export.py; None: the configuration is used.
        config_file: the YAML file.
        opts: KEY VALUE KEY VALUE ... for the configuration, with MODEL.WEIGHTS.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: not exactly one of both is given, or the weights do not fit the configuration.
    """
    if config_file is not None and exported is None:
        return _from_checkpoint(config_file, opts)
    if exported is None or config_file is not None:
        raise ValueError("Give a model: an exported file, or a configuration with MODEL.WEIGHTS.")
    if opts:
        raise ValueError(f"{exported} has its configuration inside; {opts[0]} cannot be changed.")
    model = open_exported(exported)
    if isinstance(model, Embedder):
        return PictureModel(str(exported), model.info.weights_sha256, model)
    run, info = model, model.info

    def embed(pictures: Sequence[Any]) -> np.ndarray:
        arrays = (prepared(p, info.resize, info.crop) for p in open_pictures(pictures, info.size))
        return run(np.stack(list(arrays)))

    return PictureModel(str(exported), info.weights_sha256, _in_batches(embed, _BATCH))


def _from_checkpoint(config_file: Path, opts: Sequence[str]) -> PictureModel:
    from fastreid.engine import DefaultPredictor, set_device_and_mode
    from fastreid.utils.checkpoint.weights_hash import hash_of_weights

    cfg = load_config(config_file, list(opts))
    cfg.freeze()
    set_device_and_mode(cfg)
    predictor = DefaultPredictor(cfg)
    digest = hash_of_weights(predictor.model)
    size = min(_BATCH, cfg.TEST.IMS_PER_BATCH)
    return PictureModel(str(cfg.MODEL.WEIGHTS), digest, _in_batches(predictor, size))


def _in_batches(embed: Callable[[Sequence[Any]], np.ndarray], size: int) -> Callable:
    def embed_all(pictures: Sequence[Any]) -> np.ndarray:
        starts = range(0, len(pictures), size)
        return np.concatenate([embed(pictures[start : start + size]) for start in starts])

    return embed_all
