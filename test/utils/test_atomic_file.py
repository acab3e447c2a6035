import logging
import multiprocessing
import os
import time
from functools import partial

import pytest

from fastreid.utils.atomic_file import make_folder, replacing

FILES = [f"{number}.txt" for number in range(40)]
PROCESSES = 4


def fill(folder, *, text="", seconds=0.0):
    for name in FILES:
        (folder / name).write_text(text or name)
        time.sleep(seconds)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def is_complete(folder):
    return names_in(folder) == sorted(FILES)


def make_when_all_are_there(folder, barrier):
    barrier.wait(60)
    made = make_folder(folder, partial(fill, seconds=0.002), is_complete=is_complete)
    return made, is_complete(folder)


def run_at_once(function, *args):
    """Call a function in several new processes at the same time; return the results."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(PROCESSES) as pool:
        barrier = manager.Barrier(PROCESSES)
        return pool.starmap(function, [(*args, barrier)] * PROCESSES, chunksize=1)


def ended_process():
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
    process.start()
    process.join()
    return process.pid


def host(folder):
    """The host name, as in the names of temporary folders."""
    names = []
    make_folder(folder / "x", lambda new: names.append(new.name))
    (folder / "x").rmdir()
    return names[0].split(".")[2]


def test_when_processes_make_a_folder_at_once_all_get_one_complete_folder(tmp_path):
    results = run_at_once(make_when_all_are_there, tmp_path / "images")
    assert sorted(results) == [(False, True)] * (PROCESSES - 1) + [(True, True)]
    assert names_in(tmp_path) == ["images"]


def test_an_error_leaves_nothing(tmp_path):
    def fail(folder):
        fill(folder)
        raise KeyError("half")

    with pytest.raises(KeyError, match="half"):
        make_folder(tmp_path / "images", fail)
    assert names_in(tmp_path) == []


def test_a_complete_folder_of_another_process_is_used_and_an_incomplete_one_is_an_error(tmp_path):
    folder = tmp_path / "images"
    assert make_folder(folder, fill, is_complete=is_complete)
    assert not make_folder(folder, partial(fill, text="other"), is_complete=is_complete)
    assert (folder / FILES[0]).read_text() == FILES[0]
    (folder / FILES[0]).unlink()
    with pytest.raises(FileExistsError, match="by another program in the meantime, with other"):
        make_folder(folder, fill, is_complete=is_complete)
    assert names_in(tmp_path) == ["images"]


def test_an_older_folder_is_replaced_on_demand(tmp_path):
    make_folder(tmp_path / "images", fill)
    assert make_folder(tmp_path / "images", partial(fill, text="new"), replaces=True)
    assert (tmp_path / "images" / FILES[0]).read_text() == "new"
    assert names_in(tmp_path) == ["images"]


def test_folders_of_killed_processes_are_removed_and_others_are_kept(tmp_path, caplog):
    dead, own_host = ended_process(), host(tmp_path)
    caplog.set_level(logging.INFO, "fastreid")
    ages = {
        f".images.{own_host}.{dead}.0123abcd": 90,
        f".images.{own_host}.{dead}.0123abce": 5,
        f".images.{own_host}.{os.getppid()}.0123abcd": 90,
        f".images.elsewhere.{dead}.0123abcd": 3600,
        f".images.elsewhere.{dead}.0123abce": 90000,
        f".images.{dead}": 90000,
        ".images.old.txt": 90000,
        f".images2.{own_host}.{dead}.0123abcd": 90000,
    }
    for name, seconds in ages.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / FILES[0]).write_text("half")
        os.utime(folder, (time.time() - seconds,) * 2)
    make_folder(tmp_path / "images", fill)
    gone = {f".images.{own_host}.{dead}.0123abcd", f".images.elsewhere.{dead}.0123abce"}
    gone.add(f".images.{dead}")
    assert set(ages) - set(names_in(tmp_path)) == gone
    assert caplog.text.count("the unfinished folder of a killed process") == len(gone)


def test_two_writers_of_a_file_do_not_share_a_temporary_name(tmp_path):
    path = tmp_path / "config.yaml"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names_in(tmp_path) == ["config.yaml"]


def test_a_name_may_look_like_a_pattern(tmp_path):
    folder = tmp_path / "images [a-z]*"
    assert make_folder(folder, fill)
    assert is_complete(folder)
