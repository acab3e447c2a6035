"""The network of an extraction, as it is passed to other processes and machines."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from fastreid.config import CfgNode, load_config, load_stored_config
from fastreid.deploy import Embedder, ModelInfo
from fastreid.evaluation import FeatureCollector, run_on_dataset
from fastreid.evaluation.features.part_file import PartInfo

# Sections that decide features; the rest of a configuration is about training and evaluation.
_SECTIONS = ("MODEL", "INPUT")

# Maps images (N, 3, H, W), 0..255, of paths to features (N, D) float32.
Compute = Callable[[np.ndarray, Sequence[str]], np.ndarray]


class LoadedModel(NamedTuple):
    """A network that a process has loaded.

    Attributes:
        compute: computes features.
        weights_sha256: hash of the weights' names and values.
    """

    compute: Compute
    weights_sha256: str


@dataclass(frozen=True)
class ExtractionModel:
    """A network that other processes can load.

    Attributes:
        info: what the parts say about it; of a checkpoint, the hash of the weights is known only
            when it is loaded.
        config: YAML of the configuration, options of the command line included.
        modules: own modules that the configuration imports.
        onnx: content of the ONNX file; None: MindSpore computes the features.
        device: where an ONNX file runs, see `Embedder`.
    """

    info: PartInfo
    config: str
    modules: tuple[str, ...] = ()
    onnx: bytes | None = None
    device: str = "auto"

    @classmethod
    def from_file(
        cls, path: Path, cfg: CfgNode, info: ModelInfo, *, device: str = "auto"
    ) -> ExtractionModel:
        """Take a file of tools/export.py.

        Args:
            path: the ONNX file.
            cfg: the configuration inside it, with the options of the command line.
            info: the description inside it.
            device: where it runs, see `Embedder`; "auto": on the GPU of a process if it has one.

        Raises:
            ValueError: it is another file than an ONNX file.
        """
        if path.suffix.lower() != ".onnx":
            raise ValueError(
                f"{path} cannot be distributed; give an .onnx file, or --config-file and the "
                "weights."
            )
        content = path.read_bytes()
        digest = hashlib.sha256(content + _flip(cfg))
        part = PartInfo(digest.hexdigest(), path.name, info.config, info.weights_sha256)
        return cls(part, cfg.dump(), (), content, device)

    @classmethod
    def from_config(cls, config_file: Path, opts: Sequence[str]) -> ExtractionModel:
        """Take the model of a configuration and its weights, which MindSpore runs.

        Args:
            config_file: the YAML file.
            opts: KEY VALUE KEY VALUE ...

        Raises:
            ValueError: MODEL.WEIGHTS is empty.
            FileNotFoundError: the configuration or the weights do not exist.
        """
        from fastreid.engine.resume.saved_config import dump_for_keeping
        from fastreid.utils.checkpoint.weights_file import split_key_path

        cfg = load_config(config_file, list(opts))
        weights = split_key_path(cfg.MODEL.WEIGHTS)[0] if cfg.MODEL.WEIGHTS else None
        if weights is None or not weights.is_file():
            raise ValueError(
                f"MODEL.WEIGHTS is {cfg.MODEL.WEIGHTS!r}; features need a file of trained weights."
            )
        text = dump_for_keeping(cfg)
        digest = hashlib.sha256(weights.read_bytes() + _flip(cfg))
        without_files = cfg.clone()
        without_files.defrost()
        without_files.MODEL.WEIGHTS = without_files.MODEL.WEIGHTS.partition("::")[2]
        without_files.MODEL.BACKBONE.PRETRAIN_PATH = without_files.MODEL.DEVICE = ""
        for name in _SECTIONS:
            digest.update(without_files[name].dump().encode())
        return cls(PartInfo(digest.hexdigest(), weights.name, text), text, tuple(cfg.MODULES))

    def read_cfg(self) -> CfgNode:
        """Return the configuration, frozen; its own modules are imported."""
        opts = ["MODULES", str(list(self.modules))] if self.modules else []
        cfg = load_stored_config(self.config, opts, source=self.info.model_name)
        cfg.freeze()
        return cfg

    def load(self, threads: int) -> LoadedModel:
        """Load the network.

        Args:
            threads: threads of the processor that it may use.

        Raises:
            ValueError: the weights do not fit the configuration.
        """
        cfg = self.read_cfg()
        if self.onnx is None:
            return _load_mindspore(cfg)
        with tempfile.TemporaryDirectory(prefix="fastreid-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(self.onnx)
            embed = Embedder(path, device=self.device, threads=threads)

        def compute(images: np.ndarray, paths: Sequence[str]) -> np.ndarray:
            batches = _Batches(images, paths, cfg.TEST.IMS_PER_BATCH)
            flip = cfg.TEST.FLIP.ENABLED
            return run_on_dataset(
                embed, batches, FeatureCollector(), flip_test=flip
            ).images.features

        return LoadedModel(compute, embed.info.weights_sha256)


class _Batches:
    """Images in memory, in the form of a data loader and of its data set."""

    label_names = None

    def __init__(self, images: np.ndarray, paths: Sequence[str], batch_size: int) -> None:
        self.dataset = self
        self.batch_size = batch_size
        self._images, self._paths = images, np.array(paths, np.str_)

    def __enter__(self) -> _Batches:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self._images), self.batch_size):
            rows = slice(start, start + self.batch_size)
            paths = self._paths[rows]
            unknown = np.zeros(len(paths), np.int64)
            yield {
                "images": self._images[rows].astype(np.float32),
                "targets": unknown,
                "camids": unknown,
                "img_paths": paths,
            }


def _load_mindspore(cfg: CfgNode) -> LoadedModel:
    from fastreid.engine import DefaultPredictor, set_device_and_mode
    from fastreid.utils.checkpoint.weights_hash import hash_of_weights

    set_device_and_mode(cfg)
    predictor = DefaultPredictor(cfg)

    def compute(images: np.ndarray, paths: Sequence[str]) -> np.ndarray:
        batches = _Batches(images, paths, cfg.TEST.IMS_PER_BATCH)
        with _without_progress():
            return predictor.extract(batches).images.features

    return LoadedModel(compute, hash_of_weights(predictor.model))


@contextmanager
def _without_progress() -> Iterator[None]:
    """Turn off the log lines of an evaluation, which are about a part only."""
    log = logging.getLogger(run_on_dataset.__module__)
    was_disabled, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = was_disabled


def _flip(cfg: CfgNode) -> bytes:
    return b"flip" if cfg.TEST.FLIP.ENABLED else b""
