"""Teachers: trained models in evaluation mode, whose weights do not change."""

from __future__ import annotations

import logging
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from fastreid.config import CfgNode, explicit_config, load_config
from fastreid.utils.checkpoint import Checkpointer

from ..baseline import Baseline, standardise
from ..build import META_ARCH_REGISTRY

logger = logging.getLogger(__name__)

_SYNCHRONISED, _PLAIN = "syncBN", "BN"


class Teacher(nn.Cell):
    """A model that stays in evaluation mode and gives logits; nothing of it is trained.

    Args:
        model: the trained model; its parameters are renamed, so that they differ from a student's.
        name: prefix of their names.
    """

    def __init__(self, model: Baseline, *, name: str) -> None:
        super().__init__(auto_prefix=False)
        for parameter in model.get_parameters():
            parameter.name = f"{name}.{parameter.name}"
            parameter.requires_grad = False
        self.model = model
        self.set_train(False)

    def construct(self, images: Tensor, targets: Tensor) -> Tensor:
        """Images (N, 3, H, W) in 0..255 and targets (N,) -> logits (N, classes)."""
        return self.logits(self.model.run_backbone(images), targets)

    def logits(self, features: Tensor, targets: Tensor) -> Tensor:
        """Classify features (N, C, h, w) of rows with targets (N,): logits (N, classes)."""
        outputs = self.model.heads.classify(features.astype(ms.float32), targets)
        return ops.stop_gradient(outputs["pred_class_logits"])

    def stage_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) in 0..255 -> maps (N, C, h, w) of the stages before their ReLU."""
        model = self.model
        return model.backbone.stage_maps(standardise(images, model.pixel_mean, model.pixel_std))


def build_teachers(cfg: CfgNode) -> list[Teacher]:
    """Build the teachers of a student, with their weights.

    Args:
        cfg: the configuration of the student, with its number of classes.

    Returns:
        The moving teacher first if KD.EMA is enabled, with random weights; then those of
        KD.MODEL_CONFIG, with the weights of KD.MODEL_WEIGHTS.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: there is no teacher, a teacher does not fit the student, or weights do not fit
            their teacher.
    """
    configs, weights = list(cfg.KD.MODEL_CONFIG), list(cfg.KD.MODEL_WEIGHTS)
    if len(configs) != len(weights):
        raise ValueError(
            f"KD.MODEL_CONFIG has {len(configs)} entries and KD.MODEL_WEIGHTS {len(weights)}; give "
            "both for each teacher, in the same order."
        )
    if not configs and not cfg.KD.EMA.ENABLED:
        raise ValueError(
            f"MODEL.META_ARCHITECTURE {cfg.MODEL.META_ARCHITECTURE} needs a teacher: set "
            "KD.MODEL_CONFIG and KD.MODEL_WEIGHTS, or KD.EMA.ENABLED True."
        )
    models = []
    if cfg.KD.EMA.ENABLED:
        models.append(Baseline(_teacher_config(cfg)))
        _check_head(models[0], "KD.EMA.ENABLED")
    for place, (config, path) in enumerate(zip(configs, weights)):
        models.append(_build_trained(cfg, place, config, path))
    return [Teacher(model, name=f"teachers.{place}") for place, model in enumerate(models)]


def _build_trained(cfg: CfgNode, place: int, config: str, path: str) -> Baseline:
    """Build the teacher of an entry of KD.MODEL_CONFIG and load its weights."""
    key = f"KD.MODEL_CONFIG[{place}] {config}"
    file = Path(config).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"{key} does not exist; set it to the config.yaml of the teacher.")
    teacher_cfg = explicit_config(load_config(file))
    _check_architecture(teacher_cfg, key)
    classes, own = cfg.MODEL.HEADS.NUM_CLASSES, teacher_cfg.MODEL.HEADS.NUM_CLASSES
    if own not in (0, classes):
        raise ValueError(
            f"{key}: the teacher has {own} classes (MODEL.HEADS.NUM_CLASSES) and the student "
            f"{classes}. Distillation compares their logits: train both on the same identities."
        )
    model = Baseline(_teacher_config(teacher_cfg, classes))
    _check_head(model, key)
    source = f"KD.MODEL_WEIGHTS[{place}] {path}"
    logger.info("Loading the weights of a teacher: %s", source)
    try:
        Checkpointer(model).load(str(Path(path).expanduser()), weights_only=True)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{source} does not exist; set it to a file of weights.") from error
    except ValueError as error:
        raise ValueError(
            f"{source} cannot be loaded into the teacher of KD.MODEL_CONFIG[{place}] with the "
            f"student's {classes} classes: {error}"
        ) from error
    return model


def _teacher_config(cfg: CfgNode, classes: int | None = None) -> CfgNode:
    """Copy a configuration for a model that gets all its weights, on one device."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.BACKBONE.PRETRAIN = False
    for part in (cfg.MODEL.BACKBONE, cfg.MODEL.HEADS):
        if part.NORM == _SYNCHRONISED:
            part.NORM = _PLAIN
    if classes is not None:
        cfg.MODEL.HEADS.NUM_CLASSES = classes
    cfg.freeze()
    return cfg


def _check_architecture(cfg: CfgNode, key: str) -> None:
    name = cfg.MODEL.META_ARCHITECTURE
    architecture = META_ARCH_REGISTRY.get(name)
    is_baseline = isinstance(architecture, type) and issubclass(architecture, Baseline)
    if not is_baseline or architecture.takes_paths:
        raise ValueError(f"{key}: MODEL.META_ARCHITECTURE is {name}; a teacher must be a Baseline.")


def _check_head(model: Baseline, key: str) -> None:
    head = model.heads
    if hasattr(head, "first_labels") or not hasattr(head, "classify"):
        raise ValueError(
            f"{key}: the head {type(head).__name__} cannot teach; use a head with one classifier "
            "and a method `classify`, such as EmbeddingHead."
        )
