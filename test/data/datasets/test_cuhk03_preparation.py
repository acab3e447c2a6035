"""Images and splits of CUHK03 that are made from the .mat files."""

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

from fastreid.data.datasets import CUHK03
from test.data.datasets.cuhk03_release import NAMES, write_protocol, write_release
from test.data.datasets.layouts import names_of


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


def test_without_h5py_the_message_says_what_to_do(tmp_path, monkeypatch):
    write_release(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"needs h5py: pip install h5py\. Or put the prep"
    ):
        CUHK03(tmp_path).train  # noqa: B018


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


@pytest.mark.parametrize("row", [0, -1, 8, 1.5])
def test_rows_that_do_not_exist_are_refused(row, tmp_path):
    write_release(tmp_path)
    path = write_protocol(tmp_path)
    table = {name: value for name, value in io.loadmat(path).items() if name[0] != "_"}
    table["query_idx"] = np.array([[3, row]], float).T
    io.savemat(path, table)
    with pytest.raises(ValueError, match=rf"not a file of the new protocol \(it has the row {row}"):
        CUHK03(tmp_path).train  # noqa: B018
