import json
import sys

import pytest

from demo_data import DEMO_DATASETS, Sizes, make_demo_data
from demo_data.files import MARKER, write_folder

SMALL = Sizes(train_ids=5, test_ids=5, images=4)
MARKET = "Market-1501-v15.09.15"


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make_market(root, **options):
    return make_demo_data(root, sizes=SMALL, names=["Market1501"], **options)


def test_the_same_seed_gives_the_same_bytes(demo_root, demo_sizes, tmp_path):
    make_demo_data(tmp_path, seed=3, sizes=demo_sizes)
    expected = contents(demo_root)
    assert len(expected) > 150
    assert contents(tmp_path) == expected


def test_another_seed_gives_other_pictures(demo_root, demo_sizes, tmp_path):
    make_demo_data(tmp_path, seed=4, sizes=demo_sizes, names=["MSMT17"])
    ours = {bytes_ for name, bytes_ in contents(tmp_path).items() if name.endswith(".jpg")}
    theirs = set(contents(demo_root / "MSMT17_V1").values())
    assert ours
    assert not ours & theirs


def test_a_person_does_not_depend_on_the_number_of_persons(tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    make_demo_data(few, sizes=SMALL, names=["MSMT17"])
    make_demo_data(many, sizes=Sizes(7, 6, 4), names=["MSMT17"])
    known = {name: data for name, data in contents(few).items() if name.endswith(".jpg")}
    assert known.items() <= contents(many).items()


def test_nothing_is_written_outside_the_folders_of_the_layouts(demo_root):
    assert sorted(path.name for path in demo_root.iterdir()) == [
        "MSMT17_V1",
        MARKET,
        "cuhk03_new",
        "cuhk_sysu",
        "cuhksysu4reid",
    ]


def test_data_of_the_same_settings_are_kept(tmp_path):
    (first,) = make_market(tmp_path)
    picture = next((tmp_path / MARKET / "query").iterdir())
    written = picture.stat().st_mtime_ns
    (second,) = make_market(tmp_path)
    assert (first.kept, second.kept) == (False, True)
    assert picture.stat().st_mtime_ns == written


def test_data_of_other_settings_are_replaced_only_with_overwrite(tmp_path):
    make_market(tmp_path, seed=1)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="demo data of other settings.*--overwrite"):
        make_market(tmp_path, seed=2)
    assert contents(tmp_path) == before
    make_market(tmp_path, seed=2, overwrite=True)
    assert json.loads((tmp_path / MARKET / MARKER).read_text())["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == [MARKET]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_not_demo_data_is_never_changed(tmp_path, overwrite):
    real = tmp_path / "cuhksysu4reid" / "query" / "real.jpg"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="cuhksysu4reid exists and was not made by this tool"):
        make_demo_data(tmp_path, sizes=SMALL, overwrite=overwrite)
    # Nor is any other data set begun.
    assert contents(tmp_path) == {"cuhksysu4reid/query/real.jpg": b"precious"}


def test_a_failure_leaves_the_old_data_and_no_incomplete_files(tmp_path):
    make_market(tmp_path)
    before = contents(tmp_path)

    def fail(folder):
        (folder / "half.jpg").write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_folder(tmp_path / MARKET, {}, fail)
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [MARKET]


def test_cuhk03_without_h5py_says_what_to_install_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match="pip install h5py"):
        make_demo_data(tmp_path, sizes=SMALL)
    assert not list(tmp_path.iterdir())


def test_the_other_sets_do_not_need_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    make_market(tmp_path)
    assert (tmp_path / MARKET).is_dir()


def test_an_unknown_data_set_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no demo data for 'CIFAR10'.*'Market1501'"):
        make_demo_data(tmp_path, names=["CIFAR10"])


def test_a_negative_seed_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="The seed is -1; it must be 0 or more"):
        make_demo_data(tmp_path, seed=-1)


@pytest.mark.parametrize("name", ["train_ids", "test_ids"])
def test_too_few_persons_are_an_error(name):
    with pytest.raises(ValueError, match=f"{name} is 4; it must be 5 or more"):
        Sizes(**{name: 4})


@pytest.mark.parametrize("images", [3, 11])
def test_images_out_of_bounds_are_an_error(images):
    with pytest.raises(ValueError, match=f"images is {images}; it must be 4 to 10"):
        Sizes(images=images)


def test_the_names_are_those_of_the_registry():
    assert DEMO_DATASETS == ("Market1501", "MSMT17", "CUHK03", "cuhkSYSU")
