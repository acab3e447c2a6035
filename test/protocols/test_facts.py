import json
import shutil

import pytest

from demo_data import Sizes, make_demo_data
from fastreid.config import get_cfg
from fastreid.data import DATASET_REGISTRY
from fastreid.data.datasets import Market1501
from fastreid.protocols import Route, Run, read_protocol
from fastreid.protocols.facts import data_differences, describe_data

from .files import changed, write_protocol

ROUTE = Route(("Market1501", "cuhkSYSU"), "MSMT17")


@pytest.fixture(scope="module")
def shared_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    names = ["Market1501", "MSMT17", "cuhkSYSU"]
    make_demo_data(folder, sizes=Sizes(5, 5, 4), names=names)
    return folder


@pytest.fixture
def data(shared_data, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    shutil.copytree(shared_data, folder)
    monkeypatch.setenv("FASTREID_DATASETS", str(folder))
    return folder


def described(*routes):
    return describe_data(get_cfg(), Run(routes or (ROUTE,), 0))


def test_facts_are_counts_versions_and_hashes_of_sources_and_targets(data):
    facts = described()
    assert list(facts) == ["Market1501", "cuhkSYSU", "MSMT17"]
    assert list(facts["Market1501"]["subsets"]) == ["train"]
    assert list(facts["MSMT17"]["subsets"]) == ["query", "gallery"]
    train = facts["Market1501"]["subsets"]["train"]
    assert (train["ids"], train["images"], len(train["hash"])) == (5, 20, 64)
    assert facts["MSMT17"]["version"] == "MSMT17_V1"
    assert all(fact["is_demo"] for fact in facts.values())


def test_the_hash_stays_when_the_data_move_and_changes_with_an_image(data, monkeypatch, tmp_path):
    before = described()
    moved = tmp_path / "elsewhere"
    data.rename(moved)
    monkeypatch.setenv("FASTREID_DATASETS", str(moved))
    assert described() == before
    (moved / "Market-1501-v15.09.15" / "bounding_box_train").glob("*.jpg").__next__().unlink()
    after = described()
    assert after["Market1501"] != before["Market1501"]
    assert after["MSMT17"] == before["MSMT17"]


def test_differences_name_demo_data_versions_and_counts(data, tmp_path):
    values = changed(
        DATA={"Market1501": {"TRAIN": [751, 12936]}, "MSMT17": {"VERSION": "MSMT17_V2"}}
    )
    protocol = read_protocol(write_protocol(tmp_path / "small.yml", values))
    found = data_differences(protocol, described())
    assert found == [
        "Market1501 is demo data: the persons are drawn by a program.",
        "Market1501, train: 5 identities and 20 images; the protocol has 751 and 12936.",
        "cuhkSYSU is demo data: the persons are drawn by a program.",
        "MSMT17 is demo data: the persons are drawn by a program.",
        "MSMT17: the version is MSMT17_V1; the protocol has MSMT17_V2.",
    ]


def test_data_as_the_protocol_demands_have_no_differences(data, tmp_path):
    for marker in data.rglob(".fastreid-demo.json"):
        marker.unlink()
    values = changed(DATA={"Market1501": {"TRAIN": [5, 20]}, "MSMT17": {"VERSION": "MSMT17_V1"}})
    protocol = read_protocol(write_protocol(tmp_path / "small.yml", values))
    assert data_differences(protocol, described()) == []


def test_combineall_counts_query_and_gallery_as_training_images(data):
    cfg = get_cfg()
    cfg.DATASETS.COMBINEALL = True
    facts = describe_data(cfg, Run((ROUTE,), 0))
    assert facts["Market1501"]["subsets"]["train"]["ids"] == 10


def test_two_names_for_one_data_set_are_refused(data, own_registries):
    class AlsoMarket(Market1501):
        dataset_name = "AlsoMarket"

    DATASET_REGISTRY.register(AlsoMarket)
    with pytest.raises(ValueError, match=r"20 images, such as .*jpg, are in both: the sources "):
        described(Route(("Market1501", "AlsoMarket"), "MSMT17"))


def test_training_on_the_target_under_another_name_is_refused(data, own_registries):
    class AllOfMarket(Market1501):
        dataset_name = "AllOfMarket"
        splits = {**Market1501.splits, "train": "query"}

    DATASET_REGISTRY.register(AllOfMarket)
    with pytest.raises(ValueError, match="trained, as AllOfMarket, on the data set Market1501"):
        described(Route(("cuhkSYSU", "AllOfMarket"), "Market1501"))


def test_the_same_data_set_behind_a_link_is_refused(data, own_registries):
    (data / "Linked").symlink_to(data / "Market-1501-v15.09.15")

    class LinkedMarket(Market1501):
        dataset_name = "LinkedMarket"
        dataset_dir = "Linked"

    DATASET_REGISTRY.register(LinkedMarket)
    with pytest.raises(ValueError, match="two names for one data set"):
        described(Route(("Market1501", "LinkedMarket"), "MSMT17"))


def test_fewer_test_splits_than_asked_are_refused_with_the_way_out(data):
    route = Route(("cuhkSYSU",), "Market1501", tuple(range(10)))
    message = r"Market1501 has 1 test split\(s\) here, but the protocol asks for 10, .*--splits 1 "
    with pytest.raises(ValueError, match=message):
        described(route)


def test_protocol_1_with_fewer_splits_of_prid_than_asked_is_refused(data):
    make_demo_data(data, sizes=Sizes(5, 5, 4), names=["PRID"])
    ten, twelve = (Route(("cuhkSYSU",), "PRID", tuple(range(count))) for count in (10, 12))
    facts = described(ten)["PRID"]
    assert facts["subsets"]["query"]["ids"] > 1
    with pytest.raises(
        ValueError, match=r"PRID has 10 test split\(s\) here, .* asks for 12, up to"
    ):
        described(twelve)


def test_a_split_file_with_fewer_splits_than_asked_is_refused(data):
    make_demo_data(data, sizes=Sizes(5, 5, 4), names=["PRID"])
    two, one = (Route(("cuhkSYSU",), "PRID", tuple(range(count))) for count in (2, 1))
    described(two)
    path = data / "prid_2011" / "splits_single_shot.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    described(one)
    with pytest.raises(ValueError, match=r"SPLIT is 1, but .*splits_single_shot\.json .* has 1 sp"):
        described(two)


def test_all_test_splits_of_a_target_are_read_and_hashed(data, own_registries):
    class ThreeSplits(Market1501):
        dataset_name = "ThreeSplits"
        num_splits = 3

        def __init__(self, root="datasets", *, combineall=False, split_id=0):
            super().__init__(root, combineall=combineall)
            self.split_id = split_id

        @classmethod
        def from_config(cls, cfg, *, root, combineall=False):
            return cls(root, split_id=cfg.DATASETS.SPLIT)

        @property
        def query(self):
            return super().query[self.split_id :]

    DATASET_REGISTRY.register(ThreeSplits)
    hashes = {
        described(Route(("cuhkSYSU",), "ThreeSplits", splits))["ThreeSplits"]["subsets"]["query"][
            "hash"
        ]
        for splits in [(0,), (0, 1), (0, 1, 2), (0, 2)]
    }
    assert len(hashes) == 4


def test_a_missing_data_set_is_named(data):
    shutil.rmtree(data / "MSMT17_V1")
    with pytest.raises(FileNotFoundError, match="MSMT17"):
        described()
