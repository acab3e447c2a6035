from pathlib import Path

import pytest

from fastreid.config import find_config, load_config

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_configuration_of_the_toolbox_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("configs/demo.yml") == CONFIGS / "demo.yml"
    # With its base.
    cfg = load_config("configs/Market1501/bagtricks_R50.yml")
    assert list(cfg.DATASETS.NAMES) == ["Market1501"]
    assert cfg.INPUT.REA.ENABLED


def test_a_file_of_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "configs" / "demo.yml"
    own.parent.mkdir()
    own.write_text("SEED: 7", encoding="utf-8")
    assert load_config("configs/demo.yml").SEED == 7


@pytest.mark.parametrize("name", ["demo.yml", "configs/none.yml", "other/configs/demo.yml"])
def test_other_names_stay_and_are_named_if_there_is_no_such_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == Path(name)
    with pytest.raises(FileNotFoundError, match=name):
        load_config(name)


def test_a_name_that_leads_out_of_the_configurations_is_not_looked_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("configs/../setup.py") == Path("configs/../setup.py")
