from pathlib import Path

import pytest

from fastreid.utils.file_io.cache_folder import cache_folder
from fastreid.utils.file_io.paths import absolute_path, expand_home


def test_relative_paths_are_those_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_path("a/b.jpg") == tmp_path / "a" / "b.jpg"
    assert absolute_path(tmp_path / "x") == tmp_path / "x"


def test_parent_references_are_resolved_and_other_links_are_kept(tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    monkeypatch.chdir(tmp_path)
    assert absolute_path("link/a.jpg") == tmp_path / "link" / "a.jpg"
    assert absolute_path("link/../a.jpg") == tmp_path.resolve() / "real" / "a.jpg"
    assert absolute_path(Path("real/..")) == tmp_path.resolve()


def test_an_unknown_home_folder_is_an_error_that_names_its_source(monkeypatch):
    monkeypatch.setenv("HOME", "/some/where")
    assert expand_home("~/a", "X") == Path("/some/where/a")
    assert expand_home("a/~", "X") == Path("a/~")
    with pytest.raises(
        ValueError, match="^--x is '~nobody-here/a', but there is no such home folder"
    ):
        expand_home("~nobody-here/a", "--x")
    monkeypatch.setenv("FASTREID_CACHE", "~nobody-here")
    with pytest.raises(ValueError, match="^FASTREID_CACHE is '~nobody-here'"):
        cache_folder()
