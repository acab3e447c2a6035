import shutil

import pytest

from fastreid.config import get_cfg
from fastreid.data import ClasDataset, load_dataset
from fastreid.data.classification import read_test_items, read_train_items, require_known_classes
from fastreid.data.datasets import DATASET_REGISTRY, ImageDataset
from test.data.classification.drawn import draw_classes

ITEMS = [("a.jpg", "bee", "0"), ("b.jpg", "ant", "0"), ("c.jpg", "bee", "0")]


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    cfg = get_cfg()
    cfg.DATASETS.NAMES = cfg.DATASETS.TESTS = ("ClassFolders",)
    cfg.DATASETS.IMAGE_LIST = "insects"
    return cfg


def names_of(items):
    return [name for _, name, _ in items]


def test_classes_are_numbered_in_the_order_of_their_names():
    data = ClasDataset(ITEMS)
    assert data.classes == ["ant", "bee"]
    assert data.idx_to_class == {0: "ant", 1: "bee"}
    assert data.class_to_idx == {"ant": 0, "bee": 1}
    assert data.targets.tolist() == [1, 0, 1]
    assert data.num_classes == 2
    assert data.classes_per_domain == [2]


@pytest.mark.parametrize(
    "given", [{0: "wasp", 1: "bee", 2: "ant"}, {"1": "bee", "2": "ant", "0": "w"}]
)
def test_a_given_list_of_classes_decides_the_numbers(given):
    data = ClasDataset(ITEMS, idx_to_class=given)
    assert data.targets.tolist() == [1, 2, 1]
    assert data.num_classes == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({0: "ant"}, r"'bee' of an image is none of the 1 classes"),
        ({1: "ant", 2: "bee"}, r"must have the numbers 0 to 1"),
        ({0: "bee", 1: "bee"}, r"and different names"),
        ({"first": "ant", "second": "bee"}, r"mapping from numbers to names"),
        (["ant", "bee"], r"mapping from numbers to names"),
    ],
)
def test_a_list_of_classes_that_does_not_fit_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ClasDataset(ITEMS, idx_to_class=given)


def test_the_folders_of_a_split_are_its_classes(cfg, tmp_path):
    draw_classes(tmp_path / "insects")
    deep = tmp_path / "insects" / "train" / "ants" / "more"
    deep.mkdir()
    shutil.copy(tmp_path / "insects" / "train" / "ants" / "0.jpg", deep / "9.png")
    train, test = read_train_items(cfg), read_test_items(cfg, "ClassFolders")
    assert names_of(train) == ["ants"] * 7 + ["bees"] * 6 + ["wasps"] * 6
    assert names_of(test) == ["ants"] * 4 + ["bees"] * 4 + ["wasps"] * 4
    assert "train" in train[0][0] and "val" in test[0][0]


def test_a_folder_test_takes_the_place_of_val_and_numbers_are_names(cfg, tmp_path):
    colours = {"007": (0, 0, 0), "10": (255, 255, 255)}
    draw_classes(tmp_path / "insects", colours=colours)
    (tmp_path / "insects" / "val").rename(tmp_path / "insects" / "test")
    classes = ClasDataset(read_train_items(cfg)).classes
    assert classes == ["10", "7"]
    require_known_classes("T", read_test_items(cfg, "ClassFolders"), classes)


def test_fast_reids_ants_and_bees_are_found_under_the_data_root(cfg, tmp_path):
    draw_classes(tmp_path / "hymenoptera_data", colours={"ants": (9, 9, 9), "bees": (99, 9, 9)})
    cfg.DATASETS.NAMES = ("Hymenoptera",)
    assert set(names_of(read_train_items(cfg))) == {"ants", "bees"}
    assert set(names_of(read_test_items(cfg, "Hymenoptera"))) == {"ants", "bees"}


def test_an_image_list_gives_its_identities_as_classes(cfg, tmp_path):
    draw_classes(tmp_path / "insects", val=1)
    lines = ["path,pid,camid,split"]
    for path in sorted((tmp_path / "insects").rglob("*.jpg")):
        split, name = path.relative_to(tmp_path / "insects").parts[:2]
        lines.append(f"{path},{name},0,{'train' if split == 'train' else 'query'}")
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    cfg.DATASETS.NAMES, cfg.DATASETS.IMAGE_LIST = ("ImageList",), str(tmp_path / "list.csv")
    train, test = read_train_items(cfg), read_test_items(cfg, "ImageList")
    assert sorted(set(names_of(train))) == ["ants", "bees", "wasps"]
    assert names_of(test) == ["ants", "bees", "wasps"]


def test_equal_names_in_several_sets_are_one_class(cfg, tmp_path):
    draw_classes(tmp_path / "insects")
    draw_classes(tmp_path / "hymenoptera_data", colours={"ants": (9, 9, 9), "flies": (99, 9, 9)})
    cfg.DATASETS.NAMES = ("ClassFolders", "Hymenoptera")
    data = ClasDataset(read_train_items(cfg))
    assert data.classes == ["ants", "bees", "flies", "wasps"]
    assert (data.targets == 0).sum() == 12


@pytest.mark.usefixtures("own_registries")
def test_labels_that_become_one_class_are_refused(cfg, tmp_path):
    image = str(draw_classes(tmp_path / "insects") / "train" / "ants" / "0.jpg")

    @DATASET_REGISTRY.register()
    class Own(ImageDataset):
        def __init__(self, **options):
            super().__init__([(image, "Own_x", "0"), (image, "x", "0")], [], [], **options)

    cfg.DATASETS.NAMES = ("Own",)
    with pytest.raises(ValueError, match=r"Own: .*Own_x.* would be the same class; rename"):
        read_train_items(cfg)
    with pytest.raises(ValueError, match=r"The test set Own has no query images"):
        read_test_items(cfg, "Own")


def test_what_is_missing_is_named(cfg, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*insects is missing"):
        read_train_items(cfg)
    draw_classes(tmp_path / "insects", val=0)
    with pytest.raises(ValueError, match=r"ClassFolders has no query images"):
        read_test_items(cfg, "ClassFolders")
    stray = tmp_path / "insects" / "train" / "stray.jpg"
    shutil.copy(tmp_path / "insects" / "train" / "ants" / "0.jpg", stray)
    with pytest.raises(ValueError, match=r"stray.jpg is in no folder of a class; put it into"):
        read_train_items(cfg)
    cfg.DATASETS.IMAGE_LIST = ""
    with pytest.raises(ValueError, match=r"ClassFolders needs DATASETS.IMAGE_LIST: a folder"):
        load_dataset(cfg, "ClassFolders")


def test_classes_that_only_the_test_has_are_named():
    with pytest.raises(ValueError, match=r"set T has 1 classes .* 1 training classes \(bee\)"):
        require_known_classes("T", ITEMS, ["ant"])
