import json
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.data import CommDataset, build_reid_train_loader
from fastreid.engine import ClasTrainer, DefaultPredictor, classifies
from test.data.classification.drawn import COLOURS, draw_classes
from test.small_backbones import TWO_CONVOLUTIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    draw_classes(root / "insects")
    draw_classes(root / "other", colours={"ants": COLOURS["ants"], "moths": (9, 9, 9)})
    return root


@pytest.fixture
def cfg(root, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    ms.set_seed(0)
    cfg = get_cfg()
    cfg.merge_from_list(
        [
            *TWO_CONVOLUTIONS,
            *("MODEL.HEADS.NAME", "ClasHead", "MODEL.HEADS.WITH_BNNECK", "True"),
            *("DATASETS.NAMES", "['ClassFolders']", "DATASETS.TESTS", "['ClassFolders']"),
            *("DATASETS.IMAGE_LIST", "insects", "DATALOADER.NUM_WORKERS", "0"),
            *("INPUT.SIZE_TRAIN", "[32, 32]", "INPUT.SIZE_TEST", "[32, 32]"),
            *("SOLVER.IMS_PER_BATCH", "6", "SOLVER.MAX_EPOCH", "8", "SOLVER.BASE_LR", "0.01"),
            *("SOLVER.WARMUP_ITERS", "0", "SOLVER.LOG_PERIOD", "1", "TEST.EVAL_PERIOD", "0"),
            *("TEST.IMS_PER_BATCH", "5", "OUTPUT_DIR", str(tmp_path / "run")),
        ]
    )
    return cfg


def test_a_classifier_of_colours_learns_them_and_its_file_is_evaluated_alone(cfg, tmp_path):
    assert classifies(cfg)
    trainer = ClasTrainer(cfg)
    results = trainer.train()
    assert results == {"ClassFolders": {"Acc@1": 100.0, "metric": 100.0}}
    classes = json.loads((tmp_path / "run" / "idx2class.json").read_text("utf-8"))
    assert classes == {"0": "ants", "1": "bees", "2": "wasps"}
    assert trainer.best_metric == 100

    cfg.MODEL.WEIGHTS = str(tmp_path / "run" / "model_final.ckpt")
    assert ClasTrainer.evaluate(cfg) == results
    # A classifier that names the classes in another order is wrong as often as it must be.
    swapped = {"0": "wasps", "1": "bees", "2": "ants"}
    (tmp_path / "run" / "idx2class.json").write_text(json.dumps(swapped), encoding="utf-8")
    assert ClasTrainer.evaluate(cfg)["ClassFolders"]["Acc@1"] == pytest.approx(100 / 3)

    cfg.MODEL.HEADS.NUM_CLASSES = 3
    image = np.full((1, 3, 32, 32), 40, np.float32)
    image[:, 1] = 200
    assert DefaultPredictor(cfg)(image).argmax(1).tolist() == [1]


@pytest.mark.slow
def test_the_command_trains_and_evaluates_a_classifier_by_its_head(cfg, tmp_path):
    cfg.SOLVER.STOP_ITERS = 1
    cfg.MODULES = ["test.small_backbones"]
    path = tmp_path / "clas.yml"
    path.write_text(cfg.dump(), encoding="utf-8")
    weights = str(tmp_path / "run" / "model_final.ckpt")
    folder = str(tmp_path / "evaluated")
    for words in ([], ["--eval-only", "MODEL.WEIGHTS", weights, "OUTPUT_DIR", folder]):
        command = [sys.executable, "tools/train_net.py", "--config-file", str(path), *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "| Dataset      | Acc@1" in done.stdout + done.stderr


def test_a_test_set_with_unknown_classes_is_refused_before_training(cfg, root):
    cfg.DATASETS.NAMES = ("Hymenoptera",)
    draw_classes(root / "hymenoptera_data", colours={"ants": (9, 9, 9), "bees": (99, 9, 9)})
    with pytest.raises(ValueError, match=r"ClassFolders has 1 classes .* \(wasps\)"):
        ClasTrainer(cfg)


def test_an_evaluation_without_the_list_of_classes_names_the_file(cfg, tmp_path):
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.ckpt")
    with pytest.raises(FileNotFoundError, match=r"idx2class.json does not exist. Training a class"):
        ClasTrainer.evaluate(cfg)
    (tmp_path / "idx2class.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"idx2class.json is not a list of classes"):
        ClasTrainer.evaluate(cfg)


def test_a_loader_without_class_names_is_refused(cfg):
    class Trainer(ClasTrainer):
        @classmethod
        def build_train_loader(cls, cfg):
            items = super().build_train_loader(cfg).dataset.img_items
            return build_reid_train_loader(cfg, train_set=CommDataset(items))

    with pytest.raises(TypeError, match=r"must give images as a ClasDataset, not as a CommDataset"):
        Trainer(cfg)
