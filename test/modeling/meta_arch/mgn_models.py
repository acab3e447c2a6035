"""Small MGNs for tests, and batches for them."""

import numpy as np

from fastreid.config import get_cfg
from fastreid.modeling import build_model

CLASSES = 4
WORDS = (
    *("MODEL.META_ARCHITECTURE", "MGN", "MODEL.BACKBONE.PRETRAIN", False),
    *("MODEL.BACKBONE.DEPTH", "tiny", "MODEL.BACKBONE.FEAT_DIM", 512),
    *("MODEL.BACKBONE.WITH_IBN", True, "MODEL.HEADS.EMBEDDING_DIM", 8),
    *("MODEL.HEADS.WITH_BNNECK", True, "MODEL.HEADS.NUM_CLASSES", CLASSES),
    *("MODEL.LOSSES.NAME", ("CrossEntropyLoss", "TripletLoss")),
    *("INPUT.SIZE_TRAIN", [80, 32], "INPUT.SIZE_TEST", [80, 32]),
)
HEADS = ("b1", "b2", "b21", "b22", "b3", "b31", "b32", "b33")


def mgn_config(*words):
    cfg = get_cfg()
    cfg.merge_from_list([*WORDS, *words])
    return cfg


def small_mgn(*words):
    return build_model(mgn_config(*words))


def batch(rows=8, size=(80, 32)):
    """Images (rows, 3, H, W) in 0..255 and targets (rows,), two of each class."""
    images = np.random.RandomState(0).uniform(0, 255, (rows, 3, *size)).astype(np.float32)
    return images, np.repeat(np.arange(rows // 2, dtype=np.int32), 2) % CLASSES
