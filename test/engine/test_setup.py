import colorsys
import logging

import mindspore as ms
import pytest

from fastreid.config import get_cfg
from fastreid.engine import (
    complete_config,
    default_argument_parser,
    default_setup,
    set_device_and_mode,
)
from fastreid.engine.setup import write_config


@pytest.fixture
def cfg():
    return get_cfg()


@pytest.fixture
def acl_cfg(cfg):
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.DATASETS.NAMES = ("A", "B")
    return cfg


@pytest.fixture
def rank_1_of_2(monkeypatch):
    variables = {"MS_ROLE": "MS_WORKER", "MS_WORKER_NUM": "2", "RANK_ID": "1", "DEVICE_ID": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("fastreid.utils.comm.join", lambda: None)


@pytest.fixture(autouse=True)
def graph_mode():
    yield
    ms.set_context(mode=ms.GRAPH_MODE)


def test_a_plain_model_classifies_the_identities_of_all_sets_together(cfg):
    cfg.freeze()
    completed = complete_config(cfg, [5, 4])
    assert completed.MODEL.HEADS.NUM_CLASSES == 9
    assert completed.is_frozen()
    assert cfg.MODEL.HEADS.NUM_CLASSES == 0
    assert complete_config(completed, [5, 4]) == completed


def test_acl_classifies_domain_by_domain(acl_cfg):
    completed = complete_config(acl_cfg, [5, 4])
    assert completed.MODEL.HEADS.CLASSES_PER_DOMAIN == [5, 4]
    assert completed.MODEL.HEADS.NUM_CLASSES == 0
    assert acl_cfg.MODEL.HEADS.CLASSES_PER_DOMAIN == []


def test_counts_that_fit_the_data_are_kept(acl_cfg):
    acl_cfg.MODEL.HEADS.NUM_CLASSES1, acl_cfg.MODEL.HEADS.NUM_CLASSES2 = 5, 4
    assert complete_config(acl_cfg, [5, 4]).MODEL.HEADS.CLASSES_PER_DOMAIN == [5, 4]


def test_acl_does_not_learn_from_one_domain(acl_cfg):
    acl_cfg.DATASETS.NAMES = ("A",)
    with pytest.raises(ValueError, match=r"two or more source domains.*NAMES is \('A',\)"):
        complete_config(acl_cfg, [5])


@pytest.mark.parametrize("key", ["CLASSES_PER_DOMAIN", "NUM_CLASSES1"])
def test_counts_that_are_not_the_datas_are_refused(acl_cfg, key):
    if key == "CLASSES_PER_DOMAIN":
        acl_cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [5, 3]
    else:
        acl_cfg.MODEL.HEADS.NUM_CLASSES1, acl_cfg.MODEL.HEADS.NUM_CLASSES2 = 5, 3
    message = rf"{key}.* is \[5, 3\], but the training sets have \[5, 4\] .*Unset"
    with pytest.raises(ValueError, match=message):
        complete_config(acl_cfg, [5, 4])


def test_a_plain_count_that_is_not_the_datas_is_refused(cfg):
    cfg.MODEL.HEADS.NUM_CLASSES = 8
    with pytest.raises(ValueError, match=r"NUM_CLASSES is \[8\], but .* have \[9\] identities"):
        complete_config(cfg, [5, 4])


def test_device_and_mode_are_set(cfg):
    cfg.MODEL.DEVICE, cfg.MODE = "cpu", "pynative"
    assert set_device_and_mode(cfg) == "CPU"
    assert ms.get_context("mode") == ms.PYNATIVE_MODE
    cfg.MODEL.DEVICE, cfg.MODE = "CPU:0", "graph"
    assert set_device_and_mode(cfg) == "CPU"
    assert ms.get_context("mode") == ms.GRAPH_MODE


def only_cpu(monkeypatch):
    monkeypatch.setattr(ms.hal, "is_available", lambda target: target == "CPU")


def test_auto_takes_the_best_device_present(cfg, monkeypatch):
    only_cpu(monkeypatch)
    assert set_device_and_mode(cfg) == "CPU"
    taken = []
    monkeypatch.setattr(ms.hal, "is_available", lambda target: target != "Ascend")
    monkeypatch.setattr(ms, "set_device", lambda *args: taken.append(args))
    assert set_device_and_mode(cfg) == "GPU"
    cfg.MODEL.DEVICE = "cuda:1"
    assert set_device_and_mode(cfg) == "GPU"
    assert taken == [("GPU",), ("GPU", 1)]


@pytest.mark.parametrize(
    ("device", "target"), [("cuda:0", "GPU"), ("gpu", "GPU"), ("npu:1", "Ascend")]
)
def test_an_absent_device_lists_the_present_ones(cfg, monkeypatch, device, target):
    only_cpu(monkeypatch)
    cfg.MODEL.DEVICE = device
    message = rf"MODEL\.DEVICE '{device}' needs {target}, .* only \['CPU'\] .*DEVICE auto"
    with pytest.raises(ValueError, match=message):
        set_device_and_mode(cfg)


def test_an_unknown_device_names_the_choices(cfg):
    cfg.MODEL.DEVICE = "tpu"
    with pytest.raises(ValueError, match=r"MODEL\.DEVICE 'tpu' is unknown; .*'ascend', 'cpu'"):
        set_device_and_mode(cfg)


def test_an_invalid_device_number_is_refused(cfg):
    cfg.MODEL.DEVICE = "cpu:first"
    with pytest.raises(
        ValueError, match="'cpu:first': the colon must be followed by a device number"
    ):
        set_device_and_mode(cfg)


def test_an_unknown_mode_names_the_choices(cfg):
    cfg.MODE = "eager"
    with pytest.raises(ValueError, match=r"MODE 'eager' is unknown; .*\['graph', 'pynative'\]"):
        set_device_and_mode(cfg)


def test_a_cache_that_confuses_graphs_is_refused(cfg, monkeypatch):
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "1")
    with pytest.raises(ValueError, match="MS_COMPILER_CACHE_ENABLE is 1.*Unset it"):
        set_device_and_mode(cfg)


def test_the_written_config_reads_back_as_it_was(cfg, tmp_path):
    cfg.OUTPUT_DIR = str(tmp_path)
    cfg.SOLVER.BASE_LR = 0.125
    write_config(cfg)
    again = get_cfg()
    again.merge_from_file(tmp_path / "config.yaml")
    assert again == cfg


def test_the_command_line_is_fast_reids():
    parse = default_argument_parser().parse_args
    args = parse([])
    assert (args.config_file, args.resume, args.eval_only) == ("", False, False)
    assert (args.num_gpus, args.num_machines, args.machine_rank, args.opts) == (1, 1, 0, [])
    words = "--config-file c.yml --eval-only --num-gpus 2 --dist-url tcp://h:1 MODEL.WEIGHTS w.ckpt"
    args = parse(words.split())
    assert (args.config_file, args.eval_only, args.num_gpus) == ("c.yml", True, 2)
    assert args.dist_url == "tcp://h:1"
    assert args.opts == ["MODEL.WEIGHTS", "w.ckpt"]


def test_settings_without_effect_are_named(cfg, tmp_path, caplog):
    cfg.merge_from_list(["SOLVER.AMP.ENABLED", "True", "KD.MODEL_CONFIG", "['a.yml']"])
    cfg.KD.EMA.ENABLED = True
    cfg.merge_from_list(["OUTPUT_DIR", str(tmp_path)])
    logger = logging.getLogger("fastreid")
    try:
        default_setup(cfg, default_argument_parser().parse_args([]))
        written = (tmp_path / "log.txt").read_text()
    finally:
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)
        logger.propagate = True
    assert "WARNING: KD.MODEL_CONFIG is set, but has no effect" in written
    assert "WARNING: KD.EMA.ENABLED is set, but has no effect" in written
    assert "WARNING: SOLVER.AMP.ENABLED is ignored on CPU" in written
    assert (tmp_path / "config.yaml").is_file()


@pytest.mark.parametrize("has_own", [False, True])
def test_a_warning_names_the_checkpoints_of_a_run_that_was_moved(
    cfg, tmp_path, caplog, monkeypatch, has_own
):
    moved, output = tmp_path / "archive", tmp_path / "logs"
    for folder in (moved, output):
        folder.mkdir()
    for folder in [moved, output][: 1 + has_own]:
        (folder / "last_checkpoint").write_text("model_final.ckpt")
    monkeypatch.setattr("fastreid.engine.setup.setup_logger", lambda *_: None)
    cfg.OUTPUT_DIR = str(output)
    words = ["--resume", "--config-file", str(moved / "config.yaml")]
    default_setup(cfg, default_argument_parser().parse_args(words))
    reported = f"If the run was moved, resume it with OUTPUT_DIR {moved}"
    assert (reported in caplog.text) is not has_own


def test_a_process_of_several_writes_its_own_log_and_no_config(cfg, tmp_path, rank_1_of_2):
    cfg.OUTPUT_DIR = str(tmp_path)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODULES = ["colorsys"]
    cfg.freeze()
    logger = logging.getLogger("fastreid")
    handlers = list(logger.handlers)
    try:
        default_setup(cfg, default_argument_parser().parse_args([]))
    finally:
        for handler in [each for each in logger.handlers if each not in handlers]:
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
    written = (tmp_path / "log" / "rank_1.txt").read_text(encoding="utf-8")
    assert "Rank 1 of 2" in written
    assert f"MODULES: imported colorsys ({colorsys.__file__})" in written
    assert {path.name for path in tmp_path.iterdir()} == {"log"}


def test_a_process_without_a_device_of_its_own_is_refused(cfg, rank_1_of_2, monkeypatch):
    monkeypatch.setattr(ms.hal, "is_available", lambda target: True)
    monkeypatch.setattr(ms.hal, "device_count", lambda target: 1)
    cfg.MODEL.DEVICE = "cuda:0"
    with pytest.raises(
        ValueError, match="Rank 1 needs GPU number 1, but this machine has 1; decrease"
    ):
        set_device_and_mode(cfg)


def test_every_process_gets_the_device_of_its_number(cfg, rank_1_of_2, monkeypatch):
    chosen = []
    monkeypatch.setattr(ms.hal, "is_available", lambda target: True)
    monkeypatch.setattr(ms.hal, "device_count", lambda target: 2)
    monkeypatch.setattr(ms, "set_device", lambda *device: chosen.append(device))
    cfg.MODEL.DEVICE = "cuda:0"
    set_device_and_mode(cfg)
    assert chosen == [("GPU", 1)]
