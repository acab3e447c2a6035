import os

import pytest
import yaml

from fastreid.config import get_cfg
from fastreid.data import CommDataset
from fastreid.engine import complete_config
from fastreid.engine.resume.run_record import check_resumable, record_run

ITEMS = [(f"/here/{n}.jpg", f"A_{n // 2}", f"A_{n % 2}") for n in range(6)]


def record(*words, items=ITEMS):
    cfg = get_cfg()
    cfg.merge_from_list(list(words))
    return record_run(cfg, CommDataset(items, domains=["A"]))


def test_an_unchanged_run_is_resumed_without_a_warning(caplog):
    check_resumable(record(), record())
    assert caplog.text == ""


def test_names_that_are_not_utf8_are_distinguished():
    names = [os.fsdecode(name) for name in (b"\xc4.jpg", b"\xe3.jpg")]
    one, other = (record(items=[(name, "A_0", "A_0")])["data"] for name in names)
    assert one["images"] == other["images"] == 1
    assert one["check_sum"] != other["check_sum"]


def test_settings_without_effect_on_results_may_change_and_the_data_may_move(caplog):
    words = [
        "OUTPUT_DIR",
        "x",
        "MODULES",
        "['elsewhere/own.py']",
        "DATALOADER.NUM_WORKERS",
        "3",
        "SOLVER.CHECKPOINT_PERIOD_ITERS",
        "9",
    ]
    moved = [(f"/there/{path.rsplit('/', 1)[1]}", pid, camid) for path, pid, camid in ITEMS]
    check_resumable(record(*words, items=moved), record())
    assert caplog.text == ""


def test_changed_settings_that_affect_results_are_listed(caplog):
    before = record()
    before["versions"]["mindspore"] = "2.7.0"
    words = ["SOLVER.BASE_LR", "0.5", "INPUT.REA.ENABLED", "True", "DATALOADER.NUM_WORKERS", "1"]
    check_resumable(record(*words), before)
    assert "SOLVER.BASE_LR 0.0003 -> 0.5" in caplog.text
    assert "INPUT.REA.ENABLED False -> True" in caplog.text
    assert "mindspore 2.7.0 -> " in caplog.text
    assert "NUM_WORKERS" not in caplog.text


def test_all_settings_that_must_not_change_are_named_at_once():
    words = ["SEED", "4", "MODEL.BACKBONE.DEPTH", "tiny", "SOLVER.BASE_LR", "0.5"]
    message = r"had MODEL\.BACKBONE\.DEPTH '50x', not 'tiny'; SEED 0, not 4\. Set it back"
    with pytest.raises(ValueError, match=message):
        check_resumable(record(*words), record())


@pytest.mark.parametrize(
    "items", [ITEMS[:-1], [*ITEMS[:-1], ("/here/x.jpg", "A_2", "A_1")]], ids=["fewer", "others"]
)
def test_other_images_are_refused(items):
    with pytest.raises(ValueError, match=f"had 6 training images. This run has {len(items)}"):
        check_resumable(record(items=items), record())


def test_weights_alone_cannot_be_resumed():
    with pytest.raises(ValueError, match="lacks .*'data'.*Start from it with MODEL.WEIGHTS"):
        check_resumable(record(), {"config": "{}"})


def test_a_key_that_the_old_version_did_not_have_is_not_a_difference(caplog):
    before = record()
    before["config"] = "SEED: 0\n"
    check_resumable(record(), before)
    assert caplog.text == ""


ACL = ("MODEL.HEADS.NAME", "MetaEmbeddingHead")


def completed_record(*words):
    cfg = get_cfg()
    cfg.merge_from_list(list(words))
    return record_run(complete_config(cfg, [2, 1]), CommDataset(ITEMS, domains=["A"]))


def record_of_release_01(*words):
    """The record that release 0.1 made of these words: implied settings stood there as given."""
    made = completed_record(*words)
    settings = yaml.safe_load(made["config"])
    given = get_cfg()
    given.merge_from_list(list(words))
    settings["MODEL"]["META_ARCHITECTURE"] = given.MODEL.META_ARCHITECTURE
    settings["SOLVER"]["META"]["PERIOD"] = given.SOLVER.META.PERIOD
    for name in ("CJ", "AFFINE", "AUGMIX", "RPT"):
        settings["INPUT"][name]["ENABLED"] = given.INPUT[name].ENABLED
    del settings["MODEL"]["HEADS"]["CLASSIFIERS"]
    del settings["SOLVER"]["WARMUP_UNIT"], settings["SOLVER"]["STEPS_FROM"]
    return {**made, "config": yaml.safe_dump(settings)}


@pytest.mark.parametrize("words", [(), ACL, (*ACL, "INPUT.RPT.ENABLED", "True")])
def test_a_run_of_release_01_is_resumed_and_no_setting_is_reported(words, caplog):
    now, before = completed_record(*words), record_of_release_01(*words)
    caplog.clear()
    check_resumable(now, before)
    assert caplog.text == ""


def test_implied_settings_of_a_run_of_release_01_are_compared(caplog):
    now = completed_record(*ACL, "SOLVER.WARMUP_UNIT", "iteration")
    check_resumable(now, record_of_release_01(*ACL))
    assert "SOLVER.WARMUP_UNIT 'epoch' -> 'iteration'" in caplog.text
    message = r"had MODEL\.HEADS\.NAME 'EmbeddingHead', not 'MetaEmb.*; .*META\.PERIOD 0, not 3\."
    with pytest.raises(ValueError, match=message):
        check_resumable(completed_record(*ACL), record_of_release_01())


def test_a_run_is_described(monkeypatch):
    monkeypatch.setattr("sys.argv", ["tools/train_net.py", "--resume"])
    described = record("SEED", "7")
    assert "SEED: 7" in described["config"]
    assert described["data"]["images"] == 6
    assert {"python", "mindspore", "numpy"} <= set(described["versions"])
    assert described["device"] == "CPU"
    assert described["git"]
    assert described["command"] == "tools/train_net.py --resume"


def test_a_run_goes_on_from_another_folder_and_with_its_list_elsewhere(
    tmp_path, monkeypatch, caplog
):
    words = ["OUTPUT_DIR", "logs", "MODEL.WEIGHTS", "w.ckpt", "DATASETS.IMAGE_LIST", "list.csv"]
    (tmp_path / "list.csv").touch()
    monkeypatch.chdir(tmp_path)
    before = record(*words)
    assert f"OUTPUT_DIR: {tmp_path / 'logs'}" in before["config"]
    older = {**before, "config": before["config"].replace(f"{tmp_path}/", "")}
    monkeypatch.chdir(tmp_path.parent)
    for kept in (before, older):
        check_resumable(record(*words[:4], "DATASETS.IMAGE_LIST", "elsewhere.csv"), kept)
    assert caplog.text == ""
