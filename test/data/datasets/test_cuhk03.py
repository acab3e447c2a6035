import errno
import json
import logging
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import io

from fastreid.config import get_cfg
from fastreid.data.datasets import CUHK03, load_dataset
from test.data.datasets.layouts import names_of, touch, write_cuhk03_splits

# Camera pair, person, cell -> gray value; persons 1_002 and 2_002 are there to be found.
CELLS = {
    (1, 1, 1): 10,
    (1, 1, 6): 20,
    (1, 2, 1): 30,
    (1, 2, 6): 40,
    (1, 2, 7): 50,
    (2, 1, 1): 60,
    (2, 2, 10): 70,
}
NAMES = [
    f"{pair}_{person:03d}_{1 if cell <= 5 else 2}_{cell:02d}.png" for pair, person, cell in CELLS
]


def write_release(root, splits=((1, 2), (2, 2))):
    """cuhk-03.mat as MATLAB 7.3 writes it: references, and axes in reverse order."""
    h5py = pytest.importorskip("h5py")
    folder = root / "cuhk03_new" / "cuhk03_release"
    folder.mkdir(parents=True)
    with h5py.File(folder / "cuhk-03.mat", "w") as mat:

        def store(values):
            members = mat.require_group("#refs#")
            return members.create_dataset(str(len(members)), data=values).ref

        for kind in ("labeled", "detected"):
            pairs = np.empty((1, 2), h5py.ref_dtype)
            for pair in (1, 2):
                cells = np.empty((10, 2), h5py.ref_dtype)
                for person in (1, 2):
                    for cell in range(1, 11):
                        gray = CELLS.get((pair, person, cell))
                        empty = np.zeros(2, np.uint64)
                        image = empty if gray is None else np.full((3, 4, 8), gray, np.uint8)
                        cells[cell - 1, person - 1] = store(image)
                pairs[0, pair - 1] = store(cells)
            mat[kind] = pairs
        testsets = np.empty((1, 20), h5py.ref_dtype)
        testsets[0] = [store(np.array(splits, float).T) for _ in range(20)]
        mat["testsets"] = testsets
    return folder / "cuhk-03.mat"


def write_protocol(root, boxes="labeled"):
    files = np.empty((len(NAMES), 1), object)
    files[:, 0] = NAMES
    table = {
        "filelist": files,
        "labels": np.array([[5, 5, 9, 9, 9, 3, 4]], float).T,
        "train_idx": np.array([[1, 2, 6]], float).T,
        "query_idx": np.array([[3, 7]], float).T,
        "gallery_idx": np.array([[4, 5]], float).T,
    }
    path = root / "cuhk03_new" / f"cuhk03_new_protocol_config_{boxes}.mat"
    io.savemat(path, table)
    return path


def test_prepared_files_of_another_machine_are_used(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    folder = write_cuhk03_splits(tmp_path)
    cuhk03 = CUHK03(tmp_path)
    assert names_of(cuhk03.train) == [
        ("1_001_1_01.png", "CUHK03_0", "CUHK03_0"),
        ("1_001_2_06.png", "CUHK03_0", "CUHK03_1"),
        ("2_001_1_01.png", "CUHK03_1", "CUHK03_0"),
    ]
    assert names_of(cuhk03.query) == [("1_002_1_01.png", 41, 0)]
    assert names_of(cuhk03.gallery) == [("1_002_2_06.png", 41, 1)]
    assert {Path(path).parent for path, _, _ in cuhk03.train} == {folder / "images_labeled"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_prepared_files_from_windows_are_read(tmp_path, encoding):
    folder = write_cuhk03_splits(tmp_path, written_at="C:\\\\data")
    expected = CUHK03(tmp_path).train
    path = folder / "splits_new_labeled.json"
    text = path.read_text(encoding="utf-8").replace("/", "\\\\")
    path.write_bytes(text.encode(encoding))
    image = folder / "images_labeled" / "1_001_1_01.png"
    image.rename(image.with_suffix(".PNG"))
    (first, *others) = CUHK03(tmp_path).train
    assert (Path(first[0]).name, others) == ("1_001_1_01.PNG", expected[1:])


def test_paths_of_windows_are_resolved(tmp_path):
    write_cuhk03_splits(tmp_path, written_at="D:\\reid\\cuhk03_new")
    split = tmp_path / "cuhk03_new" / "splits_new_labeled.json"
    split.write_text(split.read_text().replace("/", "\\\\"))
    assert len(CUHK03(tmp_path).train) == 3


@pytest.mark.parametrize("number", [7.5, 2**63])
def test_an_identity_that_is_not_an_integer_of_64_bits_is_rejected(tmp_path, number):
    split = {name: [["images_labeled/1_001_1_01.png", number, 0]] for name in ("train", "query")}
    folder = tmp_path / "cuhk03_new"
    folder.mkdir()
    text = json.dumps([{**split, "gallery": []}])
    (folder / "splits_new_labeled.json").write_text(text)
    with pytest.raises(ValueError, match=f"splits_new_labeled.json, query: .*{number}"):
        CUHK03(tmp_path).query  # noqa: B018


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": []}, "labeled.json is not a list of splits; remove it"),
        ([[1]], "labeled.json is not a list of splits; remove it"),
        (None, "labeled.json is not a list of splits; remove it"),
        ([], "split_id is 0; .*labeled.json has 0 split"),
        ([{"train": 5, "query": [], "gallery": []}], "labeled.json, train: it is not a list"),
        (
            [{"train": [["a.png", 1]], "query": [], "gallery": []}],
            r"train: \['a.png', 1\] is not \[path, identity",
        ),
        ([{"train": [[3, 1, 0]], "query": [], "gallery": []}], r"train: \[3, 1, 0\] is not"),
    ],
)
def test_a_split_file_of_another_form_is_named(tmp_path, content, message):
    write_cuhk03_splits(tmp_path)
    path = tmp_path / "cuhk03_new" / "splits_new_labeled.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        CUHK03(tmp_path).train  # noqa: B018


def test_the_new_protocol_is_prepared_from_the_mat_files(tmp_path):
    write_release(tmp_path)
    write_protocol(tmp_path)
    cuhk03 = CUHK03(tmp_path)
    # Training identities are numbered anew, in the order of their labels: 3 and 5.
    assert names_of(cuhk03.train) == [
        ("1_001_1_01.png", "CUHK03_1", "CUHK03_0"),
        ("1_001_2_06.png", "CUHK03_1", "CUHK03_1"),
        ("2_001_1_01.png", "CUHK03_0", "CUHK03_0"),
    ]
    assert names_of(cuhk03.query) == [("1_002_1_01.png", 9, 0), ("2_002_2_10.png", 4, 1)]
    assert names_of(cuhk03.gallery) == [("1_002_2_06.png", 9, 1), ("1_002_2_07.png", 9, 1)]
    folder = tmp_path / "cuhk03_new"
    assert sorted(path.name for path in (folder / "images_labeled").iterdir()) == sorted(NAMES)
    image = Image.open(folder / "images_labeled" / "1_002_2_07.png")
    assert image.size == (4, 8)
    assert image.getpixel((0, 0)) == (50, 50, 50)
    (split,) = json.loads((folder / "splits_new_labeled.json").read_text())
    assert (split["num_train_pids"], split["num_train_imgs"]) == (2, 3)
    assert not (folder / "images_detected").exists()


def test_the_classic_protocol_has_twenty_splits(tmp_path):
    write_release(tmp_path)
    cuhk03 = CUHK03(tmp_path, cuhk03_labeled=False, cuhk03_classic_split=True, split_id=19)
    assert names_of(cuhk03.train) == [
        ("1_001_1_01.png", "CUHK03_0", "CUHK03_0"),
        ("1_001_2_06.png", "CUHK03_0", "CUHK03_1"),
        ("2_001_1_01.png", "CUHK03_1", "CUHK03_0"),
    ]
    assert names_of(cuhk03.query) == names_of(cuhk03.gallery)
    assert names_of(cuhk03.query)[0] == ("1_002_1_01.png", 0, 0)
    assert names_of(cuhk03.query)[-1] == ("2_002_2_10.png", 1, 1)
    with pytest.raises(ValueError, match=r"split_id is 20; .*classic_detected\.json has 20 split"):
        CUHK03(tmp_path, cuhk03_labeled=False, cuhk03_classic_split=True, split_id=20).train  # noqa: B018


def test_combineall_trains_on_the_test_persons_too(tmp_path):
    write_cuhk03_splits(tmp_path)
    added = names_of(CUHK03(tmp_path, combineall=True).train)[3:]
    assert added == [
        ("1_002_1_01.png", "CUHK03_test_41", "CUHK03_test_0"),
        ("1_002_2_06.png", "CUHK03_test_41", "CUHK03_test_1"),
    ]


def test_an_interrupted_preparation_leaves_no_files_and_can_be_repeated(tmp_path, monkeypatch):
    write_release(tmp_path)
    write_protocol(tmp_path)
    save, calls = Image.Image.save, []

    def fail_late(self, path):
        calls.append(path)
        if len(calls) == 4:
            raise OSError("No space left on device")
        save(self, path)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Image.Image, "save", fail_late)
        CUHK03(tmp_path).train  # noqa: B018
    left = sorted(path.name for path in (tmp_path / "cuhk03_new").iterdir())
    assert left == ["cuhk03_new_protocol_config_labeled.mat", "cuhk03_release"]
    assert len(CUHK03(tmp_path).train) == 3


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the folder .*cuhk03_new is missing"):
        CUHK03(tmp_path)
    (tmp_path / "cuhk03_new").mkdir()
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the file .*cuhk-03\.mat is missing"):
        CUHK03(tmp_path).train  # noqa: B018
    write_release(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"protocol_config_labeled\.mat is missing"):
        CUHK03(tmp_path).train  # noqa: B018


def test_a_listed_image_that_does_not_exist_is_named(tmp_path):
    folder = write_cuhk03_splits(tmp_path)
    (folder / "images_labeled" / "1_002_2_06.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1_002_2_06\.png, listed in .*new_labeled\.json"):
        CUHK03(tmp_path).gallery  # noqa: B018


def test_without_h5py_the_message_says_what_to_do(tmp_path, monkeypatch):
    write_release(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"needs h5py: pip install h5py\. Or put the prep"
    ):
        CUHK03(tmp_path).train  # noqa: B018


def test_damaged_files_are_named(tmp_path):
    folder = write_cuhk03_splits(tmp_path)
    split = folder / "splits_new_labeled.json"
    split.write_text(split.read_text()[:-5])
    with pytest.raises(ValueError, match=r"splits_new_labeled\.json is not JSON .*; remove it"):
        CUHK03(tmp_path).train  # noqa: B018
    split.write_text('[{"train": []}]')
    with pytest.raises(ValueError, match=r"Split 0 of .*new_labeled\.json has no 'query'"):
        CUHK03(tmp_path).train  # noqa: B018
    release = write_release(tmp_path)
    split.unlink()
    config = write_protocol(tmp_path)
    config.write_bytes(b"MATLAB")
    with pytest.raises(ValueError, match=r"config_labeled\.mat is not a file of the new protocol"):
        CUHK03(tmp_path).train  # noqa: B018
    release.write_bytes(b"HDF")
    with pytest.raises(ValueError, match=r"cuhk-03\.mat is damaged"):
        CUHK03(tmp_path, cuhk03_labeled=False).train  # noqa: B018


def read_when_all_are_there(root, barrier):
    barrier.wait(60)
    cuhk03 = CUHK03(root)
    return names_of(cuhk03.train), names_of(cuhk03.gallery)


def test_processes_that_prepare_at_the_same_time_all_get_complete_files(tmp_path):
    write_release(tmp_path)
    write_protocol(tmp_path)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(3) as pool:
        barrier = manager.Barrier(3)
        results = pool.starmap(read_when_all_are_there, [(tmp_path, barrier)] * 3, chunksize=1)
    assert results[0] == results[1] == results[2]
    assert [name for name, _, _ in results[0][0]] == [NAMES[0], NAMES[1], NAMES[5]]
    folder = tmp_path / "cuhk03_new"
    assert sorted(path.name for path in (folder / "images_labeled").iterdir()) == sorted(NAMES)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("protocol", ["new", "classic"])
def test_an_incomplete_folder_of_extracted_images_is_completed(tmp_path, protocol, caplog):
    write_release(tmp_path)
    write_protocol(tmp_path)
    classic = protocol == "classic"
    expected = CUHK03(tmp_path, cuhk03_classic_split=classic).train
    folder = tmp_path / "cuhk03_new" / "images_labeled"
    (folder.parent / f"splits_{protocol}_labeled.json").unlink()
    (folder / NAMES[0]).unlink()
    cut = (folder / NAMES[5]).read_bytes()[:-20]
    (folder / NAMES[5]).write_bytes(cut)
    caplog.set_level(logging.WARNING, "fastreid")
    assert CUHK03(tmp_path, cuhk03_classic_split=classic).train == expected
    assert f"{folder} lacks 2 of its 7 images" in caplog.text
    assert (folder / NAMES[5]).read_bytes() != cut
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)


@pytest.fixture
def read_only(monkeypatch):
    """Let no folder be made below these."""
    folders = []
    mkdir = os.mkdir

    def refuse(path, *args, **kwargs):
        if any(str(path).startswith(str(folder)) for folder in folders):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return mkdir(path, *args, **kwargs)

    monkeypatch.setattr(os, "mkdir", refuse)
    return folders


def test_files_are_made_in_the_cache_if_the_root_is_not_writable(
    tmp_path, monkeypatch, read_only, caplog
):
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        write_release(root)
        write_protocol(root)
    before = sorted(roots[0].rglob("*"))
    cache = tmp_path / "cache"
    monkeypatch.setenv("FASTREID_CACHE", str(cache))
    read_only += roots
    caplog.set_level(logging.INFO, "fastreid")
    paths = [[path for path, _, _ in CUHK03(root).train] for root in roots]
    assert f"{roots[0] / 'cuhk03_new'} is not writable (Read-only" in caplog.text
    assert sorted(roots[0].rglob("*")) == before
    folders = [Path(found[0]).parent for found in paths]
    assert folders[0] != folders[1]
    assert all(folder.is_relative_to(cache) for folder in folders)
    # Nothing is made a second time, nor asked for.
    caplog.clear()
    read_only.append(cache)
    assert [path for path, _, _ in CUHK03(roots[0]).train] == paths[0]
    assert caplog.text == ""
    # Other data under the same root have a folder of their own.
    shutil.copy(write_protocol(tmp_path / "one", "detected"), tmp_path)
    with pytest.raises(
        OSError, match=r"Neither .*one/cuhk03_new \(Read-only.* nor the cache .*cac"
    ):
        CUHK03(roots[0]).train  # noqa: B018


def test_fast_reids_folder_is_read_if_acls_is_missing(tmp_path, caplog):
    caplog.set_level("INFO")
    write_cuhk03_splits(tmp_path).rename(tmp_path / "cuhk03")
    expected = names_of(CUHK03(tmp_path).train)
    assert len(expected) == 3
    (tmp_path / "cuhk03_new").mkdir()
    with pytest.raises(FileNotFoundError, match=r"CUHK03: the file .*cuhk03_new.* is missing"):
        CUHK03(tmp_path).train  # noqa: B018
    assert f"{tmp_path / 'cuhk03_new'} is read, and {tmp_path / 'cuhk03'} is not" in caplog.text


@pytest.mark.parametrize(("is_classic", "split"), [(True, 7), (False, 0)])
def test_the_split_of_the_config_is_that_of_the_classic_protocol(
    is_classic, split, tmp_path, monkeypatch
):
    folder = tmp_path / "cuhk03_new"
    touch(folder / "images_labeled", "1_001_1_01.png")
    image = [["images_labeled/1_001_1_01.png", number, 0] for number in range(20)]
    listed = [{"train": [one], "query": [one], "gallery": [one]} for one in image]
    protocol = "classic" if is_classic else "new"
    (folder / f"splits_{protocol}_labeled.json").write_text(json.dumps(listed))
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    cfg = get_cfg()
    cfg.DATASETS.SPLIT = 7
    cfg.DATASETS.CUHK03.CLASSIC_SPLIT = is_classic
    assert load_dataset(cfg, "CUHK03").query[0][1] == split
