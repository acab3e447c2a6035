"""The loaders of the real sets read the demo sets."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from demo_data import DEMO_DATASETS
from fastreid.data.data_utils import read_image
from fastreid.data.datasets import DATASET_REGISTRY


@pytest.fixture(scope="module")
def demo_root(demo_root, tmp_path_factory):
    """A copy, because the loader of CUHK03 extracts pictures beside the file that holds them."""
    return shutil.copytree(demo_root, tmp_path_factory.mktemp("copy") / "datasets")


def load(name, root):
    return DATASET_REGISTRY.get(name)(str(root))


@pytest.mark.parametrize("name", DEMO_DATASETS)
def test_the_data_set_classes_find_all_persons(name, demo_root, demo_sizes):
    dataset = load(name, demo_root)
    assert dataset.parse_data(dataset.train)[0] == demo_sizes.train_ids
    assert len({pid for _, pid, _ in dataset.query}) == demo_sizes.test_ids
    found = {pid for _, pid, _ in dataset.gallery}
    assert {pid for _, pid, _ in dataset.query} <= found
    assert found - {pid for _, pid, _ in dataset.query} <= {0}


@pytest.mark.parametrize("name", DEMO_DATASETS)
def test_every_query_has_a_match_from_another_camera(name, demo_root):
    dataset = load(name, demo_root)
    seen = {(pid, camid) for _, pid, camid in dataset.gallery}
    for path, pid, camid in dataset.query:
        assert any(p == pid and c != camid for p, c in seen), path


@pytest.mark.parametrize("name", DEMO_DATASETS)
def test_every_listed_picture_is_readable(name, demo_root):
    dataset = load(name, demo_root)
    for path, _, _ in [*dataset.train, *dataset.query, *dataset.gallery]:
        width, height = read_image(path).size
        assert 40 <= width < height <= 240


@pytest.mark.parametrize("name", DEMO_DATASETS)
def test_training_and_test_have_no_picture_in_common(name, demo_root):
    dataset = load(name, demo_root)
    splits = (dataset.train, dataset.query, dataset.gallery)
    files = [Path(path).read_bytes() for items in splits for path, _, _ in items]
    assert len(set(files)) == len(files)


def test_training_and_test_identities_of_market_differ(demo_root):
    dataset = load("Market1501", demo_root)
    train = {int(pid.rsplit("_", 1)[1]) for _, pid, _ in dataset.train}
    assert not train & {pid for _, pid, _ in [*dataset.query, *dataset.gallery]}


def test_market_has_distractors_and_junk(demo_root):
    folder = demo_root / "Market-1501-v15.09.15" / "bounding_box_test"
    names = [path.name for path in folder.glob("*.jpg")]
    assert any(name.startswith("0000_") for name in names)
    assert any(name.startswith("-1_") for name in names)
    assert all(re.fullmatch(r"(-1|\d{4})_c[1-6]s1_\d{6}_\d\d\.jpg", name) for name in names)


def test_msmt17_has_files_and_lists_like_the_real_ones(demo_root, demo_sizes):
    folder = demo_root / "MSMT17_V1"
    lines = (folder / "list_train.txt").read_text().splitlines()
    assert len(lines) == demo_sizes.train_ids * (demo_sizes.images - 1)
    pattern = r"(\d{4})/\1_\d{3}_\d\d_\d{4}(morning|noon|afternoon)_\d{4}_\d\.jpg \d+"
    assert all(re.fullmatch(pattern, line) for line in lines)
    assert len((folder / "list_val.txt").read_text().splitlines()) == demo_sizes.train_ids
    assert (folder / "list_query.txt").read_text().startswith("0000/")


def test_sysu_has_file_names_like_the_real_set(demo_root):
    crops = [path.name for path in (demo_root / "cuhk_sysu" / "cropped_images").glob("*.jpg")]
    assert crops
    assert all(re.fullmatch(r"p\d+_s\d+_\d+\.jpg", name) for name in crops)
    reid = [path.name for path in (demo_root / "cuhksysu4reid").glob("*/*.jpg")]
    assert all(re.fullmatch(r"\d{5}_s\d+_\d{7}_\d\.jpg", name) for name in reid)


def test_the_mat_file_of_cuhk03_is_read_like_the_real_one(demo_root, demo_sizes):
    h5py = pytest.importorskip("h5py")
    path = demo_root / "cuhk03_new" / "cuhk03_release" / "cuhk-03.mat"
    assert path.read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    with h5py.File(path, "r") as mat:
        for kind in ("labeled", "detected"):
            pairs = [mat[reference][:].T for reference in mat[kind][0]]
            assert [pair.shape for pair in pairs] == [(3, 10), *[(2, 10)] * 4]
            image = mat[pairs[0][0, 0]][:].T
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            assert image.shape[0] > 2 * image.shape[1]
            # Two pictures of each view; the other cells are empty.
            filled = [mat[cell][:].ndim == 3 for cell in pairs[0][0]]
            assert filled == [True, True, False, False, False] * 2
        splits = [mat[reference][:].T for reference in mat["testsets"][0]]
        assert len(splits) == 20
        assert {split.shape for split in splits} == {(demo_sizes.test_ids, 2)}
