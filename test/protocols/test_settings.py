import pytest

from fastreid.protocols import METHODS, find_method, plan_runs, read_protocol
from fastreid.protocols.settings import (
    check_user_settings,
    deciding_settings,
    run_config,
    run_words,
    setting_differences,
)

from .files import FOLDER, ROOT, changed, write_protocol

CONFIGS = ROOT / "configs"


@pytest.fixture
def protocol(tmp_path):
    return read_protocol(write_protocol(tmp_path / "small.yml"))


def configured(protocol, tmp_path, *opts, method="demo.yml"):
    run = plan_runs(protocol.routes, [3])[0]
    return run_config(CONFIGS / method, run_words(protocol, run, opts, tmp_path / "out"))


def test_a_run_has_the_data_sets_the_seed_and_the_settings_of_the_protocol(protocol, tmp_path):
    cfg = configured(protocol, tmp_path, "SOLVER.MAX_EPOCH", "2")
    assert cfg.DATASETS.NAMES == ("cuhkSYSU", "Market1501")
    assert cfg.DATASETS.TESTS == ("CUHK03", "MSMT17")
    assert (cfg.SEED, cfg.SOLVER.MAX_EPOCH) == (3, 2)
    assert str(tmp_path / "out") == cfg.OUTPUT_DIR
    assert setting_differences(protocol, cfg) == []


def test_protocol_3_trains_on_all_images_whatever_the_method_says(tmp_path):
    cfg = configured(read_protocol(FOLDER / "protocol3.yml"), tmp_path)
    assert cfg.DATASETS.COMBINEALL


def test_a_setting_of_the_user_wins_and_is_reported(protocol, tmp_path):
    cfg = configured(protocol, tmp_path, "TEST.METRIC", "euclidean")
    assert cfg.TEST.METRIC == "euclidean"
    assert setting_differences(protocol, cfg) == [
        "TEST.METRIC is euclidean; the protocol has cosine."
    ]


@pytest.mark.parametrize(
    ("key", "option"),
    [
        *(("DATASETS.NAMES", "the protocol"), ("DATASETS.TESTS", "--targets")),
        *(("DATASETS.SPLIT", "--splits"), ("SEED", "--seeds"), ("OUTPUT_DIR", "--output")),
    ],
)
def test_settings_that_options_decide_are_refused(key, option):
    with pytest.raises(ValueError, match=f"{key} cannot be set for a protocol: {option} decides"):
        check_user_settings(["SOLVER.MAX_EPOCH", "2", key, "1"])


def test_acl_with_a_single_source_is_refused_before_it_runs(tmp_path):
    protocol = read_protocol(FOLDER / "single_source.yml")
    with pytest.raises(ValueError, match="needs two or more sources.*Market1501 alone.*bagtricks"):
        configured(protocol, tmp_path)
    configured(protocol, tmp_path, method=METHODS["bagtricks"])


@pytest.mark.parametrize("name", METHODS)
def test_the_file_of_each_method_exists(name):
    assert find_method(name, CONFIGS) == (name, CONFIGS / METHODS[name])
    assert (CONFIGS / METHODS[name]).is_file()


def test_a_method_may_be_a_file_of_the_user(tmp_path):
    own = tmp_path / "mine.yml"
    own.write_text("SEED: 1\n", encoding="utf-8")
    assert find_method(str(own), CONFIGS) == ("mine", own)


@pytest.mark.parametrize(
    ("word", "message"),
    [("ACL2", "no method 'ACL2'. Did you mean 'ACL'"), ("none.yml", "none.yml does not exist")],
)
def test_an_unknown_method_is_refused(word, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_method(word, CONFIGS)


def test_settings_without_effect_on_scores_do_not_decide(protocol, tmp_path):
    before = deciding_settings(configured(protocol, tmp_path))
    speed = ("DATALOADER.NUM_WORKERS", "3", "SOLVER.LOG_PERIOD", "7", "MODEL.DEVICE", "cpu")
    assert deciding_settings(configured(protocol, tmp_path, *speed)) == before
    assert deciding_settings(configured(protocol, tmp_path, "SOLVER.BASE_LR", "0.1")) != before


def test_a_protocol_of_a_user_may_have_other_settings(tmp_path):
    values = changed(SETTINGS={"TEST.FLIP.ENABLED": True})
    protocol = read_protocol(write_protocol(tmp_path / "small.yml", values))
    assert configured(protocol, tmp_path).TEST.FLIP.ENABLED
