import pytest

from fastreid.utils.file_io import PathManager, get_cache_dir


def test_local_files_are_made_found_copied_and_removed(tmp_path):
    folder, file = str(tmp_path / "a" / "b"), str(tmp_path / "a" / "b" / "note.txt")
    PathManager.mkdirs(folder)
    PathManager.mkdirs(folder)
    with PathManager.open(file, "w", encoding="utf-8") as opened:
        opened.write("text")
    assert PathManager.isdir(folder)
    assert PathManager.isfile(file)
    assert not PathManager.isfile(folder)
    assert PathManager.get_local_path(file) == file
    assert PathManager.copy(file, f"{folder}/copy.txt")
    assert not PathManager.copy(file, f"{folder}/copy.txt")
    assert PathManager.ls(folder) == ["copy.txt", "note.txt"]
    with PathManager.open(f"{folder}/copy.txt") as opened:
        assert opened.read() == "text"
    PathManager.rm(file)
    assert not PathManager.exists(file)
    with pytest.raises(FileNotFoundError):
        PathManager.open(file)


def test_the_cache_folder_is_given_or_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_CACHE", str(tmp_path))
    assert get_cache_dir() == str(tmp_path)
    assert get_cache_dir(str(tmp_path / "other")) == str(tmp_path / "other")
