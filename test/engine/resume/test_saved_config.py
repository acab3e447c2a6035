import pytest
import yaml

from fastreid.config import get_cfg
from fastreid.engine import complete_config
from fastreid.engine.resume.saved_config import dump_for_keeping, write_config

PATHS = {
    "OUTPUT_DIR": "logs/a",
    "MODEL.WEIGHTS": "../base/model_final.ckpt",
    "MODEL.BACKBONE.PRETRAIN_PATH": "r50.pth",
}


def read(path):
    cfg = get_cfg()
    cfg.merge_from_file(path)
    return cfg


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    cfg = get_cfg()
    cfg.merge_from_list([word for pair in PATHS.items() for word in pair])
    cfg.KD.MODEL_WEIGHTS = ["t1.pth", "/abs/t2.pth"]
    return cfg


def test_paths_are_kept_so_that_they_mean_the_same_elsewhere(cfg, tmp_path, monkeypatch):
    cfg.freeze()
    write_config(cfg)
    kept = dump_for_keeping(cfg)
    monkeypatch.chdir(tmp_path)
    again = read(tmp_path / "here" / "logs" / "a" / "config.yaml")
    assert str(tmp_path / "here" / "logs" / "a") == again.OUTPUT_DIR
    assert str(tmp_path / "base" / "model_final.ckpt") == again.MODEL.WEIGHTS
    assert str(tmp_path / "here" / "r50.pth") == again.MODEL.BACKBONE.PRETRAIN_PATH
    assert [str(tmp_path / "here" / "t1.pth"), "/abs/t2.pth"] == again.KD.MODEL_WEIGHTS
    # The run itself goes on with what it was given.
    assert cfg.OUTPUT_DIR == "logs/a"
    assert yaml.safe_load(dump_for_keeping(again)) == yaml.safe_load(kept)


def test_empty_paths_homes_and_addresses_stay(cfg):
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.BACKBONE.PRETRAIN_PATH = "~/r50.pth"
    cfg.KD.MODEL_WEIGHTS = ["https://host/t.pth"]
    kept = dump_for_keeping(cfg)
    assert "WEIGHTS: ''" in kept
    assert "PRETRAIN_PATH: ~/r50.pth" in kept
    assert "- https://host/t.pth" in kept


def test_an_image_list_is_absolute_unless_it_lies_under_the_data_root(cfg, tmp_path):
    cfg.DATASETS.IMAGE_LIST = "list.csv"
    assert "IMAGE_LIST: list.csv\n" in dump_for_keeping(cfg)
    (tmp_path / "here" / "list.csv").touch()
    assert f"IMAGE_LIST: {tmp_path / 'here' / 'list.csv'}\n" in dump_for_keeping(cfg)


@pytest.mark.parametrize("head", ["EmbeddingHead", "MetaEmbeddingHead"])
def test_values_derived_from_the_data_are_derived_again_from_other_data(cfg, tmp_path, head):
    cfg.MODEL.HEADS.NAME, cfg.DATASETS.NAMES = head, ("A", "B")
    write_config(complete_config(cfg, [5, 4]), cfg)
    path = tmp_path / "here" / "logs" / "a" / "config.yaml"
    derived = {
        "EmbeddingHead": "#   MODEL.HEADS.NUM_CLASSES: 9",
        "MetaEmbeddingHead": "#   MODEL.HEADS.CLASSES_PER_DOMAIN: [5, 4]",
    }
    first, second, *_ = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# Derived from the training data of this run, and derived again")
    assert second == derived[head]
    again = complete_config(read(path), [3, 7])
    assert (10 if head == "EmbeddingHead" else 0) == again.MODEL.HEADS.NUM_CLASSES
    assert ([] if head == "EmbeddingHead" else [3, 7]) == again.MODEL.HEADS.CLASSES_PER_DOMAIN


@pytest.mark.parametrize("key", ["NUM_CLASSES", "CLASSES_PER_DOMAIN", "NUM_CLASSES1"])
def test_a_count_that_the_user_set_is_still_checked(cfg, tmp_path, key):
    heads = cfg.MODEL.HEADS
    if key == "NUM_CLASSES":
        heads.NUM_CLASSES = 9
    else:
        heads.NAME, cfg.DATASETS.NAMES = "MetaEmbeddingHead", ("A", "B")
    if key == "CLASSES_PER_DOMAIN":
        heads.CLASSES_PER_DOMAIN = [5, 4]
    if key == "NUM_CLASSES1":
        heads.NUM_CLASSES1, heads.NUM_CLASSES2 = 5, 4
    write_config(complete_config(cfg, [5, 4]), cfg)
    again = read(tmp_path / "here" / "logs" / "a" / "config.yaml")
    assert complete_config(again, [5, 4])
    # A file of an earlier version looks the same, so the message has the remedy.
    unset = r"\[\]" if key == "CLASSES_PER_DOMAIN" else "0"
    message = rf"MODEL.HEADS.{key}.* Unset .*{key}\S* {unset}\. \(A config.yaml written by"
    with pytest.raises(ValueError, match=message):
        complete_config(again, [3, 7])
