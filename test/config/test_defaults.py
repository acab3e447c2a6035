import re
from pathlib import Path

from fastreid.config import CfgNode, get_cfg

SOURCE = Path(__file__).resolve().parents[2] / "fastreid" / "config" / "defaults.py"
# Keys of our own; all others are fast-reid's or ACL's.
NEW = {
    "SEED": 0,
    "MODE": "graph",
    "DISPATCH_THREADS": 0,
    "MODEL.DEVICE": "auto",
    "MODEL.HEADS.CLASSES_PER_DOMAIN": [],
    "MODEL.HEADS.CLASSIFIERS": "auto",
    "SOLVER.WARMUP_EPOCHS": -1,
    "SOLVER.WARMUP_UNIT": "auto",
    "SOLVER.STEPS_FROM": "auto",
    "SOLVER.STOP_ITERS": 0,
    "SOLVER.LOG_PERIOD": 20,
    "SOLVER.META.PERIOD": 3,
    "SOLVER.META.FIRST_BASIC_STEPS": 10,
    "SOLVER.META.ADAPTOR_LR_FACTOR": 0.5,
    "DATASETS.CUHK03.LABELED": True,
    "DATASETS.CUHK03.CLASSIC_SPLIT": False,
    "TEST.PLOTS": True,
}
UPSTREAM = {
    "MODEL.META_ARCHITECTURE": "Baseline",
    "MODEL.BACKBONE.NAME": "build_resnet_backbone",
    "MODEL.BACKBONE.DEPTH": "50x",
    "MODEL.BACKBONE.FEAT_DIM": 2048,
    "MODEL.HEADS.NUM_CLASSES": 0,
    "MODEL.LOSSES.NAME": ("CrossEntropyLoss",),
    "MODEL.LOSSES.TRI.MARGIN": 0.3,
    "SOLVER.OPT": "Adam",
    "SOLVER.BASE_LR": 3e-4,
    "SOLVER.WEIGHT_DECAY_BIAS": 0.0005,
    "SOLVER.WARMUP_ITERS": 1000,
    "SOLVER.IMS_PER_BATCH": 64,
    "TEST.METRIC": "cosine",
    "TEST.RERANK.K1": 20,
    "OUTPUT_DIR": "logs/",
}


def value_at(cfg, key):
    for part in key.split("."):
        cfg = cfg[part]
    return cfg


def test_new_keys_have_their_documented_defaults():
    cfg = get_cfg()
    for key, value in {**NEW, **UPSTREAM}.items():
        assert value_at(cfg, key) == value, key
        assert type(value_at(cfg, key)) is type(value), key


def test_every_call_gives_a_copy_of_its_own():
    first = get_cfg()
    first.SOLVER.STEPS.append(99)
    first.MODEL.HEADS.CLASSES_PER_DOMAIN.append(3)
    first.SEED = 7
    assert get_cfg().SOLVER.STEPS == [30, 55]
    assert get_cfg().MODEL.HEADS.CLASSES_PER_DOMAIN == []
    assert get_cfg().SEED == 0


def leaves(node, above=""):
    for key, value in node.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def test_every_default_has_a_kind_that_overrides_can_be_checked_against():
    for key, value in leaves(get_cfg()):
        assert isinstance(value, (bool, int, float, str, list, tuple)), key


def test_keys_are_spelled_in_capitals():
    for key, _ in leaves(get_cfg()):
        assert re.fullmatch(r"[A-Z0-9_.]+", key), key


def test_new_keys_are_marked_in_the_source():
    assert SOURCE.read_text(encoding="utf-8").count("(new)") >= 9
