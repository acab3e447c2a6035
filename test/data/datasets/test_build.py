"""`load_dataset`: how registered classes are constructed from the config."""

import pytest

from fastreid.config import get_cfg
from fastreid.data import load_dataset
from fastreid.data.datasets import CUHK03, DATASET_REGISTRY, ImageDataset, ImageList


@pytest.fixture
def register(monkeypatch, own_registries):
    def add(make):
        DATASET_REGISTRY.register(make, name="Own")

    monkeypatch.setenv("FASTREID_DATASETS", "/data")
    return add


class RootOnly(ImageDataset):
    """Does not take combineall, and is registered under another name than that of the class."""

    def __init__(self, root):
        super().__init__([(f"{root}/a.jpg", 1, 0)], [], [])


def test_a_class_gets_the_options_that_its_constructor_takes(register):
    register(RootOnly)
    assert load_dataset(get_cfg(), "Own").train[0][0] == "/data/a.jpg"
    message = "RootOnly: its constructor does not take combineall, which DATASETS.COMBINEALL needs"
    with pytest.raises(ValueError, match=message):
        load_dataset(get_cfg(), "Own", combineall=True)


def test_a_function_that_returns_a_data_set_can_be_registered(register):
    register(lambda root: RootOnly(root))
    assert load_dataset(get_cfg(), "Own").train[0][0] == "/data/a.jpg"


def test_a_class_that_overrides_from_config_reads_its_options_from_the_config(register):
    class Seeded(ImageDataset):
        def __init__(self, root, seed, combineall):
            items = [(f"{root}/{seed}.jpg", 1, 0)]
            super().__init__(items, [], [], combineall=combineall)

        @classmethod
        def from_config(cls, cfg, *, root, combineall=False):
            return cls(root, cfg.SEED, combineall)

    register(Seeded)
    cfg = get_cfg()
    cfg.SEED = 7
    data = load_dataset(cfg, "Own", combineall=True)
    assert data.train[0][0] == "/data/7.jpg"
    assert data.combineall


def test_cuhk03_takes_boxes_and_protocol_from_the_config():
    class Recorded(CUHK03):
        def __init__(self, root, *, combineall, cuhk03_labeled, cuhk03_classic_split):
            self.options = (root, combineall, cuhk03_labeled, cuhk03_classic_split)

    cfg = get_cfg()
    cfg.DATASETS.CUHK03.LABELED, cfg.DATASETS.CUHK03.CLASSIC_SPLIT = False, True
    data = Recorded.from_config(cfg, root="/data", combineall=True)
    assert data.options == ("/data", True, False, True)


def test_a_subclass_of_cuhk03_may_take_fewer_options(tmp_path):
    class Fixed(CUHK03):
        def __init__(self, root, combineall=False):
            (tmp_path / "cuhk03_new").mkdir()
            super().__init__(root, cuhk03_labeled=False, combineall=combineall)

    assert isinstance(Fixed.from_config(get_cfg(), root=str(tmp_path)), Fixed)


def test_image_list_takes_its_file_from_the_config(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.csv").write_text("path,pid,camid,split\na.jpg,1,0,train\n")
    cfg = get_cfg()
    cfg.DATASETS.IMAGE_LIST = "list.csv"
    data = ImageList.from_config(cfg, root=str(tmp_path))
    assert data.train == [(str(tmp_path / "a.jpg"), "ImageList_1", "ImageList_0")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            type("Own", (ImageDataset,), {}),
            "Own cannot be constructed with root, combineall: missing .* argument: 'train'",
        ),
        (
            lambda folder: None,
            "Own cannot be constructed with no arguments: missing .* argument: 'folder'",
        ),
        (lambda **_: [], "What is registered as data set Own gives list; it must be a class that"),
    ],
)
def test_an_entry_that_is_not_a_data_set_is_rejected(register, make, message):
    register(make)
    with pytest.raises(ValueError, match=message):
        load_dataset(get_cfg(), "Own")


def test_a_subclass_may_choose_an_option_that_its_base_reads_from_the_config(register, tmp_path):
    class OneList(ImageList):
        def __init__(self, root, **kwargs):
            super().__init__(root, image_list=tmp_path, **kwargs)

    register(OneList)
    assert isinstance(load_dataset(get_cfg(), "Own", combineall=True), OneList)
