"""A small data set on disk and the config of a run on it, for tests of whole trainers."""

import os

import mindspore as ms
import pytest

from demo_data import Sizes, make_demo_data
from fastreid.config import get_cfg
from test.small_backbones import TWO_CONVOLUTIONS


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    make_demo_data(root, sizes=Sizes(5, 5, 4), names=["Market1501", "cuhkSYSU"])
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        image = min((root / "Market-1501-v15.09.15" / folder).glob("*.jpg"))
        # Names that are not UTF-8 are names like others.
        image.rename(image.with_name(os.fsdecode(b"%b_\xc4\xe3.jpg" % os.fsencode(image.stem))))
    return root


@pytest.fixture
def cfg(data, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(data))
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(0)
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *TWO_CONVOLUTIONS,
            *("MODEL.HEADS.WITH_BNNECK", "True", "MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"),
            *("INPUT.SIZE_TRAIN", "(64, 32)", "INPUT.SIZE_TEST", "(64, 32)"),
            *("SOLVER.IMS_PER_BATCH", "10", "SOLVER.MAX_EPOCH", "2", "SOLVER.LOG_PERIOD", "1"),
            *("SOLVER.WARMUP_ITERS", "0", "SOLVER.CHECKPOINT_PERIOD", "1"),
            *("TEST.EVAL_PERIOD", "1", "TEST.IMS_PER_BATCH", "16", "DATALOADER.NUM_WORKERS", "0"),
            *("OUTPUT_DIR", str(tmp_path)),
        ]
    )
    return cfg
