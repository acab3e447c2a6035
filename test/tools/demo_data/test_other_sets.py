"""Every data set can be loaded from its demo layout."""

import numpy as np
import pytest
from PIL import Image

from demo_data import ALL_DATASETS, SMALL, make_demo_data
from fastreid.config import get_cfg
from fastreid.data.checks import check_dataset
from fastreid.data.datasets import DATASET_REGISTRY, load_dataset
from tools.make_demo_data import main

TRAIN_ONLY = {
    "AirportALERT",
    "CAVIARa",
    "LPW",
    "PKU",
    "PRAI",
    "PeS3D",
    "SAIVT",
    "SYSU_mm",
    "SenseReID",
    "Shinpuhkan",
    "Thermalworld",
    "WildTrackCrop",
}
TEST_ONLY = {"OccludedREID", "PartialREID", "PartialiLIDS"}


@pytest.fixture
def load(all_sets, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(all_sets))
    return lambda name, **options: load_dataset(get_cfg(), name, **options)


# Lists of images, and images of classes instead of persons.
OF_THE_USER = ("ImageList", "ClassFolders", "Hymenoptera")


def test_every_registered_data_set_has_demo_data():
    ours = {
        name
        for name, entry in DATASET_REGISTRY
        if entry.__module__.startswith("fastreid.") and name not in OF_THE_USER
    }
    assert set(ALL_DATASETS) == ours


@pytest.mark.parametrize("name", ALL_DATASETS)
def test_the_demo_layout_is_read_without_faults(name, load, all_sizes):
    data = load(name)
    uses = () if name not in TRAIN_ONLY else ("train",)
    result = check_dataset(data, name=name, uses=uses, quick=True)
    assert result.faults == []
    if name not in TEST_ONLY:
        assert data.num_train_pids >= all_sizes.train_ids // 2
    else:
        assert data.train == []
    if name in TRAIN_ONLY:
        assert data.query == data.gallery == []
    else:
        assert data.get_num_pids(data.query) >= all_sizes.test_ids
    for path, _, _ in [*data.train[:1], *data.query[:1], *data.gallery[-1:]]:
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image)) > 50


@pytest.mark.parametrize("name", sorted({*ALL_DATASETS} - TRAIN_ONLY))
def test_with_combineall_the_test_persons_are_trained_on_too(name, load):
    data, combined = load(name), load(name, combineall=True)
    assert combined.train[: len(data.train)] == data.train or name == "MSMT17"
    added = combined.num_train_pids - data.num_train_pids
    persons = {pid for _, pid, _ in [*data.query, *data.gallery]} - set(data.junk_pids)
    assert added == (0 if name == "cuhkSYSU" else len(persons))


def test_other_sets_are_small_unless_a_size_is_given(tmp_path):
    (made,) = make_demo_data(tmp_path, names=["PKU"])
    assert made.sizes == SMALL
    assert len(list(made.folder.glob("*.png"))) == SMALL.train_ids * SMALL.images


def test_names_that_share_folders_are_written_once(tmp_path):
    made = make_demo_data(tmp_path, names=["SmallVehicleID", "VehicleID", "LargeVehicleID"])
    assert [entry.folder.name for entry in made] == ["vehicleid"]


def test_all_writes_every_data_set(tmp_path, capsys):
    sizes = ["--train-ids", "5", "--test-ids", "5", "--images", "4"]
    assert main(["--root", str(tmp_path), "--datasets", "all", *sizes]) == 0
    folders = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert set(folders) == {str(path) for path in tmp_path.iterdir()}
    assert len(folders) == 32
