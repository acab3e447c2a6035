from pathlib import Path

import pytest

from fastreid.config import explicit_config, get_cfg
from fastreid.modeling import build_model
from fastreid.solver import build_gradient_clipper, build_lr_scheduler
from fastreid.solver.param_groups import get_default_optimizer_params

ROOT = Path(__file__).resolve().parents[2] / "configs"
# configs/protocols holds protocols, which are no configurations.
FILES = sorted(
    str(path.relative_to(ROOT)) for path in ROOT.rglob("*.yml") if path.parent.name != "protocols"
)


def config_of(name):
    cfg = get_cfg()
    cfg.merge_from_file(ROOT / name)
    return cfg


OF_FAST_REID = [
    *("Base-AGW.yml", "Base-MGN.yml", "Base-SBS.yml", "Base-bagtricks.yml"),
    *(
        f"{data}/{method}_{network}.yml"
        for data in ("DukeMTMC", "MSMT17", "Market1501")
        for method in ("AGW", "bagtricks", "sbs")
        for network in ("R101-ibn", "R50-ibn", "R50", "S50")
    ),
    *(f"{data}/mgn_R50-ibn.yml" for data in ("DukeMTMC", "MSMT17", "Market1501")),
    *("VERIWild/bagtricks_R50-ibn.yml", "VeRi/sbs_R50-ibn.yml"),
    *("VehicleID/bagtricks_R50-ibn.yml", "Market1501/bagtricks_vit.yml"),
]


def test_each_configuration_of_fast_reid_is_there():
    assert len(OF_FAST_REID) == 47
    assert set(OF_FAST_REID) <= set(FILES)


# Many files differ in the data only: one of each kind of model is enough.
MODELS = {}
for file in FILES:
    MODELS.setdefault(str(config_of(file).MODEL), file)


def test_the_configurations_of_fast_distill_are_there():
    names = ("Base-kd", "kd-sbs_r101ibn-sbs_r34", "sbs_r101ibn", "sbs_r34")
    assert {f"distill/{name}.yml" for name in names} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_config_has_a_schedule(name):
    cfg = config_of(name)
    assert build_gradient_clipper(cfg)
    assert 0 < build_lr_scheduler(cfg, 200).rate(0, cfg.SOLVER.BASE_LR) <= cfg.SOLVER.BASE_LR


@pytest.mark.parametrize("name", sorted(MODELS.values()))
def test_a_shipped_config_builds_its_model(name):
    cfg = config_of(name)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    if explicit_config(cfg).MODEL.HEADS.CLASSIFIERS == "per_domain":
        cfg.MODEL.HEADS.CLASSES_PER_DOMAIN = [3] * len(cfg.DATASETS.NAMES)
    else:
        cfg.MODEL.HEADS.NUM_CLASSES = 9
    if cfg.KD.MODEL_CONFIG:  # files of a run that comes first
        cfg.merge_from_list(["KD.MODEL_CONFIG", "[]", "KD.MODEL_WEIGHTS", "[]"])
        cfg.KD.EMA.ENABLED = True
    cfg.freeze()
    model = build_model(cfg)
    assert type(model).__name__ == explicit_config(cfg).MODEL.META_ARCHITECTURE
    assert all(hasattr(model, part) for part in cfg.MODEL.FREEZE_LAYERS)
    assert get_default_optimizer_params(cfg, model.trainable_params())


@pytest.mark.parametrize("name", [name for name in FILES if not Path(name).name.startswith("Base")])
def test_a_shipped_config_has_the_command_that_runs_it(name):
    header = (ROOT / name).read_text(encoding="utf-8").partition("\n\n")[0]
    assert f"--config-file configs/{name}" in header
    assert "Source:" in header or "ECCV 2022" in header
    assert "Published:" in header or name not in OF_FAST_REID


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("protocol2")])
def test_protocol_2_never_trains_on_what_it_tests(name):
    cfg = config_of(name)
    sets = {"cuhkSYSU", "Market1501", "MSMT17", "CUHK03"}
    assert len(cfg.DATASETS.TESTS) == 1
    assert set(cfg.DATASETS.NAMES) == sets - set(cfg.DATASETS.TESTS)
    assert len(cfg.DATASETS.NAMES) == 3
