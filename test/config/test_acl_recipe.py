import ast
from pathlib import Path

import pytest
import yaml

from fastreid.config import explicit_config, explicit_settings, get_cfg, load_config

PACKAGE = Path(__file__).resolve().parents[2] / "fastreid"
ROOT = PACKAGE.parent / "configs"
FILE_OF_ACL = ROOT / "bagtricks_DR50_mix.yml"
FILE_OF_FASTREID = ROOT / "Market1501" / "bagtricks_R50.yml"
ACL_HEAD = ("MODEL.HEADS.NAME", "MetaEmbeddingHead")
OF_ACL = {
    "MODEL.META_ARCHITECTURE": "ACL",
    "MODEL.HEADS.CLASSIFIERS": "per_domain",
    "SOLVER.WARMUP_UNIT": "epoch",
    "SOLVER.STEPS_FROM": "start",
    "SOLVER.META.PERIOD": 3,
    "INPUT.CJ.ENABLED": True,
    "INPUT.AFFINE.ENABLED": False,
    "INPUT.AUGMIX.ENABLED": False,
    "INPUT.RPT.ENABLED": False,
}
OF_PLAIN = {
    "MODEL.META_ARCHITECTURE": "Baseline",
    "MODEL.HEADS.CLASSIFIERS": "joint",
    "SOLVER.WARMUP_UNIT": "iteration",
    "SOLVER.STEPS_FROM": "warmup",
    "SOLVER.META.PERIOD": 0,
    "INPUT.CJ.ENABLED": False,
}


def flat(cfg, above=""):
    settings = {}
    for key, value in cfg.items():
        if isinstance(value, dict):
            settings.update(flat(value, f"{above}{key}."))
        else:
            settings[f"{above}{key}"] = value
    return settings


def config(*words):
    cfg = get_cfg()
    cfg.merge_from_list(list(words))
    return cfg


@pytest.mark.parametrize(
    ("path", "expected"),
    [(FILE_OF_ACL, OF_ACL), (FILE_OF_FASTREID, OF_PLAIN)],
    ids=["acl", "plain"],
)
def test_an_original_file_becomes_explicit_settings_and_nothing_else_changes(path, expected):
    cfg = load_config(path)
    given, explicit = flat(cfg), flat(explicit_config(cfg))
    assert {key: explicit[key] for key in expected} == expected
    assert {key for key in given if given[key] != explicit[key]} <= set(expected)
    assert flat(cfg) == given


def test_the_result_is_frozen_and_a_second_call_returns_it():
    for cfg in (config(), config(*ACL_HEAD)):
        explicit = explicit_config(cfg)
        assert explicit.is_frozen()
        assert explicit_config(explicit) is explicit
        cfg.freeze()
        assert explicit_config(cfg) == explicit


def test_words_of_the_command_line_decide_as_a_file_does():
    plain = load_config(FILE_OF_ACL, ["MODEL.HEADS.NAME", "EmbeddingHead"])
    assert explicit_config(plain).SOLVER.META.PERIOD == 0
    assert explicit_config(plain).MODEL.META_ARCHITECTURE == "Baseline"
    acl = explicit_config(load_config(FILE_OF_FASTREID, [*ACL_HEAD, "INPUT.CJ.PROB", "0.7"]))
    assert {key: flat(acl)[key] for key in OF_ACL} == OF_ACL
    assert acl.INPUT.CJ.PROB == 0.7


def test_what_the_user_sets_wins_over_auto():
    words = ("SOLVER.WARMUP_UNIT", "iteration", "SOLVER.STEPS_FROM", "warmup")
    explicit = explicit_config(config(*ACL_HEAD, *words, "SOLVER.META.PERIOD", "5"))
    assert explicit.SOLVER.WARMUP_UNIT == "iteration"
    assert explicit.SOLVER.STEPS_FROM == "warmup"
    assert explicit.SOLVER.META.PERIOD == 5
    assert explicit_config(config("SOLVER.WARMUP_UNIT", "epoch")).SOLVER.WARMUP_UNIT == "epoch"


def test_an_explicit_file_gives_the_settings_of_the_originals(tmp_path):
    explicit = explicit_config(load_config(FILE_OF_ACL))
    path = tmp_path / "explicit.yml"
    path.write_text(explicit.dump(), encoding="utf-8")
    assert explicit_config(load_config(path)) == explicit


def test_a_model_of_the_users_own_keeps_its_name():
    own = config("MODEL.META_ARCHITECTURE", "Own")
    assert explicit_config(own).MODEL.META_ARCHITECTURE == "Own"
    own.merge_from_list(list(ACL_HEAD))
    assert explicit_config(own).MODEL.META_ARCHITECTURE == "Own"
    assert explicit_config(own).SOLVER.META.PERIOD == 3


@pytest.mark.parametrize("key", ["SOLVER.WARMUP_UNIT", "SOLVER.STEPS_FROM"])
def test_an_unknown_value_is_refused_with_the_choices(key):
    with pytest.raises(ValueError, match=rf"{key} is 'epochs'; it must be auto, \w+ or \w+"):
        config(key, "epochs")
    cfg = get_cfg()
    cfg.SOLVER[key.rpartition(".")[2]] = "epochs"
    with pytest.raises(ValueError, match=rf"the configuration: {key} is 'epochs'"):
        explicit_config(cfg)


@pytest.mark.parametrize(("words", "expected"), [(ACL_HEAD, OF_ACL), ((), OF_PLAIN)])
def test_a_text_of_an_earlier_release_gives_the_same_settings(words, expected):
    stored = yaml.safe_load(config(*words).dump())
    for group, key in (("HEADS", "CLASSIFIERS"), (None, "WARMUP_UNIT"), (None, "STEPS_FROM")):
        del (stored["MODEL"][group] if group else stored["SOLVER"])[key]
    settings = explicit_settings(stored)
    assert {**flat(stored), **settings}.items() >= expected.items()


@pytest.mark.parametrize("package", ["data", "engine", "evaluation", "solver"])
def test_no_package_below_names_architectures_or_heads(package):
    names = {"ACL", "Baseline", "EmbeddingHead", "MetaEmbeddingHead"}
    for path in (PACKAGE / package).rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
        assert not names & texts, path
