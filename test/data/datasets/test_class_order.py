"""Class and camera numbers of data sets are those of fast-reid.

The expected numbers were printed by fast-reid's own data sets and CommDataset for these file names.
"""

import json
from pathlib import Path

import pytest

from fastreid.config import get_cfg
from fastreid.data import CommDataset
from fastreid.data.datasets import load_dataset
from test.data.datasets.layouts import touch

DUKE, MARKET = "DukeMTMC-reID", "Market-1501-v15.09.15"
FILES = {
    f"{DUKE}/bounding_box_train": [
        "0002_c1_f1.jpg",
        "0010_c2_f1.jpg",
        "0007_c8_f1.jpg",
        "0100_c3_f1.jpg",
        "0033_c1_f1.jpg",
        "0002_c5_f1.jpg",
    ],
    f"{DUKE}/query": ["0005_c8_f1.jpg", "0012_c1_f1.jpg"],
    f"{DUKE}/bounding_box_test": ["0005_c2_f1.jpg", "0012_c3_f1.jpg", "0200_c4_f1.jpg"],
    f"{MARKET}/bounding_box_train": ["0002_c1s1_1.jpg", "0011_c6s1_1.jpg", "0007_c3s1_1.jpg"],
    f"{MARKET}/query": ["0003_c1s1_1.jpg"],
    f"{MARKET}/bounding_box_test": ["0003_c2s1_1.jpg", "0000_c2s1_1.jpg"],
    "PKUv1a_128x48": ["0001_1_a.png", "0010_2_a.png", "0002_1_a.png"],
}
GOLDEN = json.loads(Path(__file__).with_name("class_order.json").read_text())


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Give (folder and name, class, camera) of the training items of some data sets."""
    for folder, names in FILES.items():
        touch(tmp_path / folder, *names)
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))

    def number(names, *, combineall):
        sets = {name: load_dataset(get_cfg(), name, combineall=combineall).train for name in names}
        train_set = CommDataset.of_sets(sets)
        paths = ["/".join(path.split("/")[-2:]) for path in train_set.paths]
        numbers = zip(paths, train_set.targets.tolist(), train_set.camids.tolist())
        return train_set, sorted(map(list, numbers))

    return number


@pytest.mark.parametrize("case", [case for case in GOLDEN if "Market1501+DukeMTMC" not in case])
def test_labels_are_those_of_fast_reid(case, labels):
    names = case.removesuffix("+all").split("+")
    assert labels(names, combineall=case.endswith("+all"))[1] == GOLDEN[case]


@pytest.mark.parametrize("combineall", [False, True])
def test_data_sets_follow_each_other_in_the_order_of_their_names(combineall, labels):
    both, numbered = labels(["Market1501", "DukeMTMC"], combineall=combineall)
    ending = "+all" if combineall else ""
    offset = both.classes_per_domain[0]
    expected = [
        *GOLDEN[f"Market1501{ending}"],
        *([path, pid + offset, None] for path, pid, _ in GOLDEN[f"DukeMTMC{ending}"]),
    ]
    assert [item[:2] for item in numbered] == sorted(item[:2] for item in expected)
    assert offset == len({pid for _, pid, _ in GOLDEN[f"Market1501{ending}"]})


def test_three_data_sets_with_the_same_numbers_share_no_class_and_no_camera(labels):
    names = ["PKU", "DukeMTMC", "Market1501"]
    train_set, _ = labels(names, combineall=True)
    assert train_set.num_classes == sum(train_set.classes_per_domain) == 3 + 8 + 4
    for column in (train_set.targets, train_set.camids):
        owners = {(int(label), int(domain)) for label, domain in zip(column, train_set.domainids)}
        assert len(owners) == len({label for label, _ in owners})
