from pathlib import Path

import pytest

from fastreid.utils.file_io.cache_folder import cache_folder
from fastreid.utils.file_io.paths import absolute_path, expand_home


def test_relative_paths_are_those_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_path("a/b.jpg") == tmp_path / "a" / "b.jpg"
    assert absolute_path(tmp_path / "x") == tmp_path / "x"


def test_the_folder_above_is_that_of_the_file_system_and_links_stay(tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    monkeypatch.chdir(tmp_path)
    assert absolute_path("link/a.jpg") == tmp_path / "link" / "a.jpg"
    assert absolute_path("link/../a.jpg") == tmp_path.resolve() / "real" / "a.jpg"
    assert absolute_path(Path("real/..")) == tmp_path.resolve()


def test_a_home_that_nobody_has_is_named_with_its_source(monkeypatch):
    monkeypatch.setenv("HOME", "/some/where")
    assert expand_home("~/a", "X") == Path("/some/where/a")
    assert expand_home("a/~", "X") == Path("a/~")
    with pytest.raises(ValueError, match="^--x is '~nobody-here/a', but nobody has that home"):
        expand_home("~nobody-here/a", "--x")
    monkeypatch.setenv("FASTREID_CACHE", "~nobody-here")
    with pytest.raises(ValueError, match="^FASTREID_CACHE is '~nobody-here'"):
        cache_folder()
