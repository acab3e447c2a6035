"""Small students and teachers for tests of distillation, and batches for them."""

import numpy as np

from fastreid.config import get_cfg
from fastreid.modeling import build_model
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import write_weights
from test.small_backbones import TWO_CONVOLUTIONS

CLASSES = 4
SHARED = (
    *("MODEL.BACKBONE.PRETRAIN", False, "MODEL.HEADS.WITH_BNNECK", True),
    *("MODEL.HEADS.NUM_CLASSES", CLASSES),
    *("INPUT.SIZE_TRAIN", [32, 16], "INPUT.SIZE_TEST", [32, 16], "SOLVER.IMS_PER_BATCH", 8),
)
SMALL = (*SHARED, *TWO_CONVOLUTIONS)
STAGES = (
    *(*SHARED, "MODEL.BACKBONE.NAME", "build_resnet_backbone_distill"),
    *("MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", 512),
)
DISTILLER = ("MODEL.META_ARCHITECTURE", "Distiller")
OVERHAUL = ("MODEL.META_ARCHITECTURE", "DistillerOverhaul")
EMA = ("KD.EMA.ENABLED", True, "KD.EMA.MOMENTUM", 0.75)


def config(*words):
    cfg = get_cfg()
    cfg.merge_from_list(list(words))
    return cfg


def write_teacher(folder, *words, seed=0, saved=None):
    """Write config and random weights of a teacher; return the words of KD for it.

    `saved` is the number of classes in the config, where it is another one.
    """
    rng = np.random.RandomState(seed)
    cfg = config(*words)
    shapes = {name: value.shape for name, value in export_weights(build_model(cfg)).items()}
    weights = {name: 0.3 * rng.randn(*shape) for name, shape in shapes.items()}
    weights = {k: 1 + v**2 if k.endswith("running_var") else v for k, v in weights.items()}
    folder.mkdir(exist_ok=True)
    path = folder / f"teacher{seed}.pth"
    write_weights(path, {name: value.astype(np.float32) for name, value in weights.items()})
    if saved is not None:
        cfg.MODEL.HEADS.NUM_CLASSES = saved
    (folder / f"teacher{seed}.yaml").write_text(cfg.dump(), encoding="utf-8")
    return taught_by(folder / f"teacher{seed}.yaml", path)


def taught_by(*files):
    """The words of KD for teachers: config, weights, config, weights, ..."""
    paths = list(map(str, files))
    return ("KD.MODEL_CONFIG", paths[::2], "KD.MODEL_WEIGHTS", paths[1::2])


def batch(seed=0, rows=8):
    """The loader's columns for images (rows, 3, 32, 16), two rows of each class."""
    images = np.random.RandomState(seed).uniform(0, 255, (rows, 3, 32, 16)).astype(np.float32)
    return {
        "images": images,
        "targets": np.repeat(np.arange(rows // 2, dtype=np.int32), 2) % CLASSES,
        "camids": np.zeros(rows, np.int32),
        "domainids": np.zeros(rows, np.int32),
        "img_paths": np.array([f"{index}.jpg" for index in range(rows)]),
    }


def values(cell, prefix=""):
    """Name without a prefix -> copy of the value, for every parameter."""
    return {p.name[len(prefix) :]: p.asnumpy().copy() for p in cell.get_parameters()}
